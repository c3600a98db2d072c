"""Stage 2: figures out of the tables, with the federation as the unit of every interval.

A federation's figure is the mean over its newcomers. Intervals are Student's t over federations, 95 %. The strongest
home baseline is the one with the highest mean over all federations at that n: chosen with hindsight, in its favour.
Over variations, one-sided p-values of "no gain" are Holm's (1979, Scandinavian Journal of Statistics 6:65-70).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import t as student

from benchmarks.joins.home import alone
from benchmarks.joins.pack import JOINED, references, shared
from benchmarks.joins.shelf import Shelf
from fedprompt.adapting.settings import DEFAULT_SETTINGS, Settings

__all__ = ["Gain", "Ways", "gain", "holm", "needed", "shelves", "ways"]

Ways = dict[str, list[float]]  # way -> accuracy, federation by federation


@dataclass(frozen=True)
class Gain:
    """A gain in points: mean over federations, its interval, and the one-sided p-value of no gain.

    Of one federation there is no interval.
    """

    n: int
    federations: int
    shared: float
    home: float
    strongest: str
    mean: float
    low: float | None
    high: float | None
    p: float | None


def shelves(folder: Path) -> list[Shelf]:
    """Return the federations of a folder whose every newcomer was looked at, by number."""
    if not folder.is_dir():
        return []
    found = sorted((path for path in folder.iterdir() if path.name.isdigit()), key=lambda path: int(path.name))
    return [Shelf(path) for path in found if (path / "done.npy").exists()]


def ways(held: Sequence[Shelf], n: int, settings: Settings = DEFAULT_SETTINGS) -> tuple[Ways, Ways, Ways]:
    """Return accuracy at home, with what is shared, and of the references, each by way and federation."""
    home = _each(held, lambda shelf, name: alone(shelf, name, n))
    joined = _each(held, lambda shelf, name: shared(shelf, name, n, settings))
    return home, joined, _each(held, lambda shelf, name: references(shelf, name, n))


def _each(held: Sequence[Shelf], ask: Callable[[Shelf, str], Iterable[tuple[str, float]]]) -> Ways:
    """Return the ways that every federation knows."""
    found: Ways = {}
    for shelf in held:
        names = sorted(path.stem.split("-")[0] for path in shelf.folder.glob("n*-test-true.npy"))
        sites = [dict(ask(shelf, name)) for name in names]
        for way in sites[0]:
            if all(way in site for site in sites):
                found.setdefault(way, []).append(float(np.mean([site[way] for site in sites])))
    return {way: values for way, values in found.items() if len(values) == len(held)}


def gain(n: int, home: Ways, joined: Ways, *, against: Ways | None = None, way: str = JOINED) -> Gain:
    """Return the gain of a way over the strongest way at home (``against`` another n's, if given)."""
    others = home if against is None else against
    strongest = max(others, key=lambda one: float(np.mean(others[one])))
    ours, theirs = np.array(joined[way]), np.array(others[strongest])
    apart, many = 100 * (ours - theirs), len(ours)
    mean = float(apart.mean())
    averages = (float(ours.mean()), float(theirs.mean()))
    if many < 2:
        return Gain(n, many, *averages, strongest, mean, None, None, None)
    error = float(apart.std(ddof=1) / np.sqrt(many))
    reach = float(student.ppf(0.975, many - 1)) * error
    p = float(student.sf(mean / error, many - 1)) if error else float(mean <= 0)
    return Gain(n, many, *averages, strongest, mean, mean - reach, mean + reach, p)


def needed(curve: Sequence[tuple[int, float]], wanted: float) -> float | None:
    """Return how many cases a site by itself needs for an accuracy: between two n by straight lines over log n.

    None where even the largest n does not reach it.
    """
    best = np.maximum.accumulate([accuracy for _, accuracy in curve])
    if wanted > best[-1]:
        return None
    place = int(np.argmax(best >= wanted))
    if not place:
        return float(curve[0][0])
    (few, low), (many, high) = (curve[place - 1][0], best[place - 1]), (curve[place][0], best[place])
    return float(np.exp(np.log(few) + (wanted - low) / (high - low) * np.log(many / few)))


def holm(values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for how many there are, in the order given."""
    order, found, most = np.argsort(values), [0.0] * len(values), 0.0
    for place, at in enumerate(order):
        most = max(most, min(1.0, (len(values) - place) * values[int(at)]))
        found[int(at)] = most
    return found
