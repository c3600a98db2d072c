"""Sites in groups by likeness: Sattler, Müller and Samek 2021, arXiv 1910.01991, algorithms 1 and 2.

A group is cut in two so that the most alike pair of sites that it parts is as little alike as can be (algorithm 1: the
last merge of single linkage). By updates, likeness is their cosine, and a group is cut only where it stands still: its
mean update is short beside its longest (equations 32 and 33, here as a ratio, so that there is no length to guess). By
scores, likeness is the correlation of the sites' scores over the study's templates.

Beyond the paper: both parts hold ``smallest`` sites or more, stragglers going to whom they are most like; and no cut
is made unless it parts only sites whose likeness is below ``apart``. Pure noise has a likeness near 0 of either sign,
so by default it parts nobody.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import FederationError
from fedprompt.strategies.strategy import Update
from fedprompt.study.sharing import Groups

__all__ = ["Cut", "Grouping", "bipartition", "cosines", "group_by_scores", "group_by_updates"]

MOST_SITES = 5000  # a likeness for each pair: 200 MB


@dataclass(frozen=True)
class Cut:
    """The best way to part some sites, whether it was taken, and if not why.

    ``across`` is the highest likeness between the two sides; ``still`` the length of the mean update over that of the
    longest, None where groups are made by scores.
    """

    sites: tuple[str, ...]
    first: tuple[str, ...]
    second: tuple[str, ...]
    across: float
    still: float | None
    taken: bool
    why: str


@dataclass(frozen=True)
class Grouping:
    """The groups, each and all in the order of sites' names, and every cut that was weighed."""

    groups: tuple[tuple[str, ...], ...]
    cuts: tuple[Cut, ...]


def group_by_updates(updates: Sequence[Update], asked: Groups) -> Grouping:
    """Return the groups of sites by the likeness of their updates from one prompt.

    Raises:
        FederationError: no updates, or more than ``MOST_SITES``.
    """
    ordered = sorted(updates, key=lambda one: one.site)
    deltas = np.array([one.delta.reshape(-1) for one in ordered], dtype=np.float64)
    return _grouped([one.site for one in ordered], deltas, asked, deltas)


def group_by_scores(scores: Mapping[str, Mapping[str, float]], asked: Groups) -> Grouping:
    """Return the groups of sites by the correlation of their scores.

    Args:
        scores: site -> template -> value, of the same templates at every site.
        asked: the study's.

    Raises:
        FederationError: no scores, other templates at one site, or more than ``MOST_SITES``.
    """
    sites = sorted(scores)
    templates = sorted({template for found in scores.values() for template in found})
    if any(set(scores[site]) != set(templates) for site in sites):
        raise FederationError(
            "sites scored different templates, so their scores cannot be compared", code="different-templates"
        )
    values = np.array([[scores[site][template] for template in templates] for site in sites], dtype=np.float64)
    centred = values - values.mean(axis=1, keepdims=True) if values.size else values
    return _grouped(sites, centred, asked, None)


def cosines(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cosine of every two rows, [n, n] float64; a row of zeros is like no other (0) and like itself (1)."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    # What is left of equal numbers after rounding is no direction.
    units = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 1e-12 * (np.abs(rows).max() or 1.0))
    found = np.clip(units @ units.T, -1.0, 1.0)
    np.fill_diagonal(found, 1.0)
    return np.asarray(found)


def bipartition(likeness: NDArray[np.float64], smallest: int) -> tuple[list[int], list[int]] | None:
    """Return the two sides of the best cut, places in order, the side of place 0 first; None if there is none.

    Args:
        likeness: [n, n], symmetric.
        smallest: how many places a side has at least.
    """
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    count = len(likeness)
    if count < 2 * smallest or count < 2:
        return None
    apart = np.maximum(1.0 - likeness, 0.0)
    np.fill_diagonal(apart, 0.0)
    merges = linkage(squareform(apart, checks=False), method="single")
    members = [[place] for place in range(count)]
    for first, second, *_ in merges:
        members.append(members[int(first)] + members[int(second)])
    # From the top down merges are undone, until two parts are large enough; a part lets one go at a time.
    parts = [2 * count - 2]
    for undone in range(count - 2, -1, -1):
        parts.remove(count + undone)
        parts += [int(merges[undone, 0]), int(merges[undone, 1])]
        large = [part for part in parts if len(members[part]) >= smallest]
        if len(large) >= 2:
            break
    else:
        return None
    sides = [list(members[part]) for part in large[:2]]
    for place in sorted(place for part in parts if part not in large[:2] for place in members[part]):
        nearest = [max(likeness[place, other] for other in members[part]) for part in large[:2]]
        sides[int(nearest[1] > nearest[0])].append(place)
    first, second = sorted(sorted(side) for side in sides)
    return first, second


def _grouped(
    sites: Sequence[str], rows: NDArray[np.float64], asked: Groups, deltas: NDArray[np.float64] | None
) -> Grouping:
    if not len(sites):
        raise FederationError("no site answered, so there is nothing to group", code="no-answers")
    if len(sites) > MOST_SITES:
        raise FederationError(
            f"{len(sites):,} sites are too many to compare with each other; the limit is {MOST_SITES:,}",
            code="too-many",
        )
    likeness = cosines(rows)
    groups: list[list[int]] = [list(range(len(sites)))]
    weighed: dict[tuple[int, ...], Cut] = {}
    sides: dict[tuple[int, ...], tuple[list[int], list[int]]] = {}
    while len(groups) < asked.most:
        open_: list[list[int]] = []
        for group in groups:
            key = tuple(group)
            if key not in weighed and (found := bipartition(likeness[np.ix_(group, group)], asked.smallest)):
                first, second = ([group[place] for place in side] for side in found)
                across = float(likeness[np.ix_(first, second)].max())
                still = None if deltas is None else _still(deltas[group])
                whole, one, other = (tuple(sites[place] for place in part) for part in (group, first, second))
                weighed[key] = Cut(whole, one, other, across, still, False, _why_not(across, still, asked))
                sides[key] = (first, second)
            if key in weighed and not weighed[key].why:
                open_.append(group)
        if not open_:
            break
        chosen = min(open_, key=lambda group: (weighed[tuple(group)].across, group))
        weighed[tuple(chosen)] = replace(weighed[tuple(chosen)], taken=True)
        groups.remove(chosen)
        groups += sides[tuple(chosen)]
    named = sorted(tuple(sites[place] for place in group) for group in groups)
    return Grouping(tuple(named), tuple(_said(cut, asked) for cut in weighed.values()))


def _still(deltas: NDArray[np.float64]) -> float:
    longest = float(np.linalg.norm(deltas, axis=1).max())
    return float(np.linalg.norm(deltas.mean(axis=0))) / longest if longest else 0.0


def _why_not(across: float, still: float | None, asked: Groups) -> str:
    if across >= asked.apart:
        return f"some of them are similar ({across:.2f}; groups need a similarity below {asked.apart:g})"
    if still is not None and still > asked.still:
        return f"together they still move ({still:.2f} of the longest update; the limit is {asked.still:g})"
    return ""


def _said(cut: Cut, asked: Groups) -> Cut:
    return cut if cut.taken or cut.why else replace(cut, why=f"there are already {asked.most} groups")
