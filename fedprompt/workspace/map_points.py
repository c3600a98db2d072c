"""What the page draws of a map: where each prompt lies and what it scored; detail for those that are shown alone.

Past ``MOST_POINTS`` prompts, all of them are counted into cells, and only the best (and what was asked for) are points.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedprompt.bank.filters import Filter
from fedprompt.bank.rows import PromptRow
from fedprompt.workspace.prompt_map import load_map
from fedprompt.workspace.workspace import Workspace

__all__ = ["MOST_POINTS", "Box", "MapView", "PrivateScore", "map_studies", "map_view"]

MOST_POINTS, BEST, CELLS = 5_000, 500, 48


@dataclass(frozen=True)
class Box:
    """A part of a map, in its own units."""

    left: float
    right: float
    low: float
    high: float


@dataclass(frozen=True)
class PrivateScore:
    """What is known of a template whose text stayed at its site: the name it goes by, and its mean."""

    id: str
    mean: float


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
    private: tuple[PrivateScore, ...]

    def inside(self, box: Box | None) -> NDArray[np.int64]:
        """Return [found] int64, which points lie in a box; all where it is None."""
        if box is None:
            return np.arange(len(self.ids))
        x, y = self.places[:, 0], self.places[:, 1]
        return np.flatnonzero((x >= box.left) & (x <= box.right) & (y >= box.low) & (y <= box.high))

    def shown(self, box: Box | None, wanted: Sequence[str] = ()) -> NDArray[np.int64]:
        """Return [shown] int64: which points of a box are drawn one by one, ``wanted`` ones always among them."""
        inside = self.inside(box)
        if len(inside) <= MOST_POINTS:
            return inside
        order = np.argsort(-np.nan_to_num(self.means[inside], nan=-1.0), kind="stable")[:BEST]
        asked = set(wanted)
        also = [int(place) for place in inside if self.ids[place] in asked] if asked else []
        return np.unique(np.concatenate([inside[order], np.asarray(also, np.int64)]))

    def cells(self, box: Box | None) -> tuple[tuple[float, float, float, float, int], ...]:
        """Return left, right, low, high and how many prompts, of each cell of a grid that holds any."""
        inside = self.places[self.inside(box)]
        if not len(inside):
            return ()
        counts, x, y = np.histogram2d(inside[:, 0], inside[:, 1], bins=CELLS)
        return tuple(
            (float(x[i]), float(x[i + 1]), float(y[j]), float(y[j + 1]), int(counts[i, j]))
            for i, j in np.argwhere(counts > 0)
        )

    def rows(self, ws: Workspace, places: Sequence[int]) -> dict[str, PromptRow]:
        """Return id -> where these points came from."""
        return {row.id: row for row in ws.bank.rows_of([self.ids[place] for place in places])}


def map_studies(ws: Workspace) -> dict[str, str]:
    """Return what each study is called, by digest, the newest first."""
    return {row.digest: row.name for row in reversed(ws.bank.studies())}


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
    means = {} if study is None else ws.bank.means(study)
    # What a site has not published goes by a hash of another kind, and has no vector.
    private = [PrivateScore(id, mean) for id, mean in means.items() if not id.startswith("p1:")]
    return MapView(
        ids,
        found.places[kept],
        np.asarray([means.get(id, np.nan) for id in ids], np.float64),
        found.families[kept],
        found.shares,
        found.distinct,
        tuple(sorted(private, key=lambda one: (-one.mean, one.id))),
    )
