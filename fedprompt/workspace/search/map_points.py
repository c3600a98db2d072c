"""What the page draws of a map: where each prompt lies and what it scored; detail for those that are shown alone.

Past ``MOST_POINTS`` prompts, all of them are counted into cells, and only the best (and what was asked for) are points.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fedprompt.bank.filters import Filter
from fedprompt.bank.rows import PromptRow
from fedprompt.workspace.search.prompt_map import load_map
from fedprompt.workspace.workspace import Workspace

__all__ = ["MOST_POINTS", "Box", "MapView", "Outline", "map_view"]

MOST_POINTS, BEST, CELLS = 5_000, 500, 48


@dataclass(frozen=True)
class Box:
    """A part of a map, in its own units."""

    left: float
    right: float
    low: float
    high: float


@dataclass(frozen=True)
class Outline:
    """A part of a map within a line drawn by hand; ``x`` and ``y`` are its corners, in order, in the map's units."""

    x: tuple[float, ...]
    y: tuple[float, ...]

    @property
    def box(self) -> Box:
        """The smallest box around it."""
        return Box(min(self.x), max(self.x), min(self.y), max(self.y))

    def holds(self, x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return [points] bool, which points ([points] float32 each) are inside: a ray to the right leaves it once."""
        inside = np.zeros(len(x), bool)
        for place in range(len(self.x)):
            (ax, ay), (bx, by) = (self.x[place - 1], self.y[place - 1]), (self.x[place], self.y[place])
            if ay != by:
                inside ^= ((ay > y) != (by > y)) & (x < (bx - ax) * (y - ay) / (by - ay) + ax)
        return inside


@dataclass(frozen=True)
class MapView:
    """Every prompt of a map that is not retired.

    ``ids``: [points]; ``places``: [points, 2] float32; ``means``: [points] float64 the mean over sites on validation
    cases in the study, NaN where it was not measured; ``families``: [points] int64; ``shares``: as ``PromptMap``.
    """

    ids: tuple[str, ...]
    places: NDArray[np.float32]
    means: NDArray[np.float64]
    families: NDArray[np.int64]
    shares: tuple[float, float] | None
    distinct: int

    def inside(self, part: Box | Outline | None) -> NDArray[np.int64]:
        """Return [found] int64, which points lie in a part of the map; all where it is None."""
        if part is None:
            return np.arange(len(self.ids))
        x, y = self.places[:, 0], self.places[:, 1]
        box = part.box if isinstance(part, Outline) else part
        found = np.flatnonzero((x >= box.left) & (x <= box.right) & (y >= box.low) & (y <= box.high))
        return found[part.holds(x[found], y[found])] if isinstance(part, Outline) else found

    @cached_property
    def place_of(self) -> Mapping[str, int]:
        """Id -> its place among ``ids``."""
        return {id: place for place, id in enumerate(self.ids)}

    def shown(self, box: Box | None) -> NDArray[np.int64]:
        """Return [shown] int64: which points of a box are drawn one by one."""
        inside = self.inside(box)
        if len(inside) <= MOST_POINTS:
            return inside
        return np.sort(inside[self._by_mean(inside)[:BEST]])

    def among(self, places: NDArray[np.int64], ids: Iterable[str]) -> list[int]:
        """Return the places of some prompts, in their order, that are among ``places`` ([places] int64)."""
        asked = np.asarray([self.place_of[id] for id in ids if id in self.place_of], np.int64)
        found: list[int] = asked[np.isin(asked, places)].tolist()
        return found

    def best(self, places: Sequence[int] | NDArray[np.int64], found: Mapping[str, float], most: int) -> list[int]:
        """Return the first of these points: what was found (id -> likeness), nearest first, then by mean."""
        chosen = np.asarray(places, np.int64)
        ahead = self.among(chosen, sorted(found, key=lambda id: -found[id]))
        first: list[int] = chosen[self._by_mean(chosen)[: most + len(ahead)]].tolist()
        return [*ahead, *(place for place in first if place not in ahead)][:most]

    def _by_mean(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.argsort(-np.nan_to_num(self.means[places], nan=-1.0), kind="stable")

    def counts(self, box: Box | None) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return how many prompts are in each cell of a grid, [columns, rows], and the cells' edges along x and y."""
        inside = self.places[self.inside(box)].astype(np.float64)
        return np.histogram2d(inside[:, 0], inside[:, 1], bins=CELLS)

    def rows(self, ws: Workspace, places: Sequence[int]) -> dict[str, PromptRow]:
        """Return id -> where these points came from."""
        return {row.id: row for row in ws.bank.rows_of([self.ids[place] for place in places])}


def map_view(ws: Workspace, space: str, method: str, study: str | None) -> MapView | None:
    """Return what to draw, None where the map of the bank as it is now was not made yet.

    Args:
        ws: the workspace.
        space: ``texts``, or a model's digest.
        method: ``pca`` or ``tsne``.
        study: whose scores, a digest; no scores if None.
    """
    found = load_map(ws, space, method)
    if found is None:
        return None
    through = ws.bank.numbers(Filter())  # those that were retired are out
    kept = np.arange(len(found.numbers)) if through is None else np.flatnonzero(np.isin(found.numbers, through))
    named = ws.bank.ids_of(found.numbers[kept].tolist())
    ids = tuple(named[number] for number in found.numbers[kept].tolist())
    means = {} if study is None else ws.bank.means(study, everywhere=True)
    return MapView(
        ids,
        found.places[kept],
        np.asarray([means.get(id, np.nan) for id in ids], np.float64),
        found.families[kept],
        found.shares,
        found.distinct,
    )
