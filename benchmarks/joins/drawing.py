"""Federations of made-up sites: which cases each holds, drawn from public text by a seed.

Each site's class shares are Dirichlet(1). No text is at two sites of a federation, nor twice at one. A draw ends where
the class that is wanted next has no text left: no other class's text ever stands for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.joins.sources import Text
from fedprompt.evaluation.cases import Case

__all__ = ["Drawn", "Plan", "Site", "draw", "halves"]

SHOWN = 8  # labelled cases that a few-shot prompt shows


@dataclass(frozen=True)
class Plan:
    """What a federation is: its task and how many sites hold how many cases.

    Args:
        task: which public text.
        donors: sites that take part in rounds, with ``tune`` labelled cases each.
        newcomers: sites that take part in none, with ``home`` labelled cases each.
        test: test cases of a newcomer.
        unlike: each site's texts come from a half of its own of the finer classes.
        natural: class shares are Dirichlet(1) times the classes' own frequencies, where these differ much.
        shuffled: the donors' labels are shuffled.
    """

    task: str
    donors: int = 8
    tune: int = 128
    newcomers: int = 1
    home: int = 64
    test: int = 150
    unlike: bool = False
    natural: bool = False
    shuffled: bool = False


@dataclass(frozen=True)
class Site:
    """A site's labelled cases and its test cases."""

    known: tuple[Case, ...]
    test: tuple[Case, ...]


@dataclass(frozen=True)
class Drawn:
    """A federation's sites."""

    donors: tuple[Site, ...]
    newcomers: tuple[Site, ...]


class _Pools:
    """Texts that no site has drawn yet, by label and finer class."""

    def __init__(self, texts: Sequence[Text], rng: np.random.Generator) -> None:
        self._left: dict[str, dict[str, list[str]]] = {}
        for at in rng.permutation(len(texts)):
            one = texts[int(at)]
            self._left.setdefault(one.label, {}).setdefault(one.fine, []).append(one.text)

    def fine(self, label: str) -> list[str]:
        return sorted(self._left[label])

    def take(self, label: str, allowed: Sequence[str], rng: np.random.Generator) -> str | None:
        """Return a text of the label, of an allowed finer class in proportion to what is left, or None."""
        sizes = np.array([len(self._left[label][fine]) for fine in allowed], dtype=float)
        if not sizes.sum():
            return None
        return self._left[label][allowed[int(rng.choice(len(allowed), p=sizes / sizes.sum()))]].pop()


def draw(plan: Plan, texts: Sequence[Text], labels: Sequence[str], seed: int) -> Drawn:
    """Return federation ``seed`` of a plan."""
    # The newcomers of a seed are the same whatever is done with the donors' labels.
    words = [seed, plan.donors, plan.tune, int(plan.unlike), *plan.task.encode()]
    rng = np.random.default_rng(words)
    pools = _Pools(texts, rng)
    counts = {label: sum(one.label == label for one in texts) for label in labels}
    # Newcomers draw first, so that no donor's draw empties a class for them.
    newcomers = [_site(pools, plan, labels, counts, plan.home, plan.test, rng) for _ in range(plan.newcomers)]
    donors = [_site(pools, plan, labels, counts, plan.tune, 0, rng) for _ in range(plan.donors)]
    if plan.shuffled:
        donors = [_shuffled(site, rng) for site in donors]
    return Drawn(tuple(donors), tuple(newcomers))


def _site(
    pools: _Pools,
    plan: Plan,
    labels: Sequence[str],
    counts: Mapping[str, int],
    known: int,
    test: int,
    rng: np.random.Generator,
) -> Site:
    shares = rng.dirichlet(np.ones(len(labels)))
    if plan.natural:
        shares = shares * np.array([counts[label] for label in labels])
        shares /= shares.sum()
    allowed = {label: _half(pools.fine(label), rng) if plan.unlike else pools.fine(label) for label in labels}
    found: list[Case] = []
    for at in rng.choice(len(labels), size=known + test, p=shares):
        text = pools.take(labels[int(at)], allowed[labels[int(at)]], rng)
        if text is None:
            break
        found.append(Case({"text": text}, labels[int(at)]))
    held = min(known, len(found) - min(test, len(found) // 2))
    return Site(tuple(found[:held]), tuple(found[held:]))


def _half(fine: Sequence[str], rng: np.random.Generator) -> list[str]:
    order = rng.permutation(len(fine))
    return [fine[int(at)] for at in order[: (len(fine) + 1) // 2]]


def _shuffled(site: Site, rng: np.random.Generator) -> Site:
    answers = [site.known[int(at)].answer for at in rng.permutation(len(site.known))]
    return Site(tuple(Case(case.fields, answer) for case, answer in zip(site.known, answers, strict=True)), site.test)


def halves(size: int) -> dict[str, range]:
    """Return which of ``size`` home cases each of two few-shot prompts shows: 8 each, or half of the cases each."""
    many = min(SHOWN, size // 2)
    return {"a": range(many), "b": range(many, 2 * many)}
