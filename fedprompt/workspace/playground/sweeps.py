"""One variant made many, by a grid of settings or other label words, and a run of it as points over what varies."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from statistics import fmean

from fedprompt.errors import PromptError
from fedprompt.workspace.answers.variants import Variant
from fedprompt.workspace.playground.trials import MAX_VARIANTS, Trial, TrialCell

__all__ = [
    "MEASURES",
    "Swept",
    "SweptPoint",
    "read_numbers",
    "settings_grid",
    "swept_of",
    "word_sets",
]


def read_numbers(text: str, what: str, low: float, high: float, *, whole: bool = False) -> tuple[float, ...]:
    """Return the numbers in a line such as ``0, 0.5, 1``, each once.

    Raises:
        PromptError: there is none, or one is out of bounds; names the setting.
    """
    found: dict[float, None] = {}
    for part in re.split(r"[,;\s]+", text.strip()):
        if not part:
            continue
        try:
            number = float(part)
        except ValueError:
            number = float("nan")
        if not low <= number <= high or (whole and number != int(number)):
            raise PromptError(
                f"{what}: '{part[:40]}' is not a {'whole ' if whole else ''}number from {low:g} to {high:g}",
                code="not-numbers",
            )
        found[number] = None
    if not found:
        raise PromptError(f"{what}: give at least one number", code="not-numbers")
    return tuple(found)


def settings_grid(
    variant: Variant, temperatures: Sequence[float], top_ps: Sequence[float], seeds: Sequence[float]
) -> tuple[Variant, ...]:
    """Return the variant at every combination; greedy decoding draws nothing, so that it is run once.

    Raises:
        PromptError: there are too many.
    """
    made: dict[tuple[float, float, int], Variant] = {}
    for temperature, top_p, seed in product(temperatures, top_ps, seeds):
        key = (temperature, top_p, int(seed)) if temperature else (0.0, 1.0, 0)
        name = f"t {key[0]:g} · p {key[1]:g} · seed {key[2]}" if temperature else "greedy"
        update = {"name": name, "temperature": key[0], "top_p": key[1], "seed": key[2], "generate": True}
        made.setdefault(key, variant.model_copy(update=update))
    return _bounded(tuple(made.values()))


def word_sets(variant: Variant, sets: Sequence[dict[str, str]]) -> tuple[Variant, ...]:
    """Return the variant with each set of label words, its own first.

    Raises:
        PromptError: a set leaves a label out, or there are too many.
    """
    made = [variant.model_copy(update={"name": _shown(variant.template.get("words") or {})})]
    for words in sets:
        if set(words) != set(variant.labels):
            raise PromptError(
                f"every line needs a word for each of: {', '.join(variant.labels)}", code="word-for-each-label"
            )
        template = {**variant.template, "words": dict(words)}
        made.append(variant.model_copy(update={"name": _shown(words), "template": template}))
    return _bounded(tuple(made))


def _shown(words: dict[str, str]) -> str:
    return " / ".join(word.strip() for word in words.values())[:80] or "as they are"


def _bounded(variants: tuple[Variant, ...]) -> tuple[Variant, ...]:
    if len(variants) > MAX_VARIANTS:
        raise PromptError(
            f"that makes {len(variants)} runs, but at most {MAX_VARIANTS} are possible; give fewer values",
            code="too-many",
        )
    return variants


SETTINGS = {"temperature": "temperature", "top_p": "top-p", "seed": "seed"}
FEWEST = 3  # of fewer variants the answers themselves say more
MEASURES = {
    "passed": "pass rate",
    "different": "different texts per row",
    "written": "tokens written",
    "seconds": "seconds per answer",
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
