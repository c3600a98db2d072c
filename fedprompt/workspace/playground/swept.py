"""A run of one prompt at many settings, as points over the settings that vary.

Seeds are draws of the same setting, so a point is the mean over its seeds and rows; only where nothing else varies is
the seed an axis. Invariant: a setting that was not run, or of which no row was answered, has no point.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from statistics import fmean

from fedprompt.workspace.answers.variants import Variant
from fedprompt.workspace.playground.trials import Trial, TrialCell

__all__ = ["MEASURES", "Swept", "SweptPoint", "swept_of"]

SETTINGS = {"temperature": "temperature", "top_p": "top-p", "seed": "seed"}
FEWEST = 3  # of fewer variants the answers themselves say more
MEASURES = {
    "passed": "share that passes",
    "different": "different texts a row",
    "written": "tokens written",
    "seconds": "seconds each",
}


@dataclass(frozen=True)
class SweptPoint:
    """``at``: a value for each axis; ``values``: measure -> mean over so many ``answers``, where it is known."""

    at: tuple[float, ...]
    values: dict[str, float]
    answers: int


@dataclass(frozen=True)
class Swept:
    """``axes``: one or two names of settings; ``measures``: those of :data:`MEASURES` that some point has."""

    axes: tuple[str, ...]
    points: tuple[SweptPoint, ...]

    @property
    def measures(self) -> tuple[str, ...]:
        """What there is to draw, the most telling first."""
        return tuple(name for name in MEASURES if any(name in point.values for point in self.points))


def swept_of(trial: Trial) -> Swept | None:
    """Return a run as points over its settings, None where its variants differ in more than settings of decoding."""
    variants = trial.request.variants
    if len(variants) < FEWEST or not all(one.generate for one in variants):
        return None
    if len({one.model_copy(update=_SAME).model_dump_json() for one in variants}) > 1:
        return None
    drawn = [one for one in variants if one.temperature > 0]
    values = {
        "temperature": sorted({one.temperature for one in variants}),
        "top_p": sorted({one.top_p for one in drawn}),
        "seed": sorted({float(one.seed) for one in drawn}),
    }
    axes = [name for name in ("temperature", "top_p") if len(values[name]) > 1]
    if not axes:
        axes = ["seed"] if len(values["seed"]) > 1 else []
    if not axes:
        return None
    points = []
    for at in product(*(values[name] for name in axes)):
        places = [number for number, one in enumerate(variants) if _stands_at(one, axes, at)]
        if (found := _point(trial, places, at)) is not None:
            points.append(found)
    return Swept(tuple(SETTINGS[name] for name in axes), tuple(points))


_SAME = {"name": "one", "temperature": 0.0, "top_p": 1.0, "seed": 0}


def _stands_at(variant: Variant, axes: Sequence[str], at: Sequence[float]) -> bool:
    """Return whether a variant is of a point; text that is not drawn is the same at each top-p and seed."""
    greedy = variant.temperature == 0
    return all(
        getattr(variant, name) == value or (greedy and name != "temperature")
        for name, value in zip(axes, at, strict=True)
    )


def _point(trial: Trial, places: Sequence[int], at: tuple[float, ...]) -> SweptPoint | None:
    rows = range(len(trial.request.rows))
    by_row = [[cell for place in places if (cell := trial.cells.get((place, row))) and not cell.error] for row in rows]
    cells = [cell for row in by_row for cell in row]
    if not cells:
        return None
    found = {"written": fmean(cell.written for cell in cells), "seconds": fmean(cell.seconds for cell in cells)}
    if judged := [passed for cell in cells if (passed := cell.passed) is not None]:
        found["passed"] = fmean(judged)
    if any(len(row) > 1 for row in by_row):
        found["different"] = fmean(_different(row) for row in by_row if row)
    return SweptPoint(at, found, len(cells))


def _different(cells: Sequence[TrialCell]) -> int:
    return len({cell.output for cell in cells})
