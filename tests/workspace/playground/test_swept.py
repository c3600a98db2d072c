"""A run of one prompt at many settings is drawn over what varies, and greedy decoding is the same at every top-p."""

from typing import Any

from fedprompt.prompts.template import Template
from fedprompt.workspace.answers.variants import Variant
from fedprompt.workspace.playground.sweeps import settings_grid, swept_of
from fedprompt.workspace.playground.trials import Judged, Trial, TrialCell, TrialRequest

ONE = Variant(template=Template("plain", text="{text}").canonical(), model="scripted", generate=True)


def trial(variants: tuple[Variant, ...], texts: dict[tuple[int, int], str], rows: int = 1, **more: Any) -> Trial:
    request = TrialRequest(variants=variants, rows=[{"text": str(n)} for n in range(rows)])
    cells = {
        key: TrialCell(text="x", generated=text, written=len(text), seconds=1.0, variant=key[0], row=key[1], **more)
        for key, text in texts.items()
    }
    return Trial("r", request, cells, {}, "j")


def test_two_settings_make_a_grid_with_seeds_as_repeats() -> None:
    variants = settings_grid(ONE, (0.0, 1.0), (0.5, 1.0), (0, 1))
    assert variants[0].temperature == 0 and len(variants) == 5
    found = swept_of(trial(variants, {(0, 0): "g", (1, 0): "aa", (2, 0): "bbbb", (3, 0): "c"}))
    assert found is not None and found.axes == ("temperature", "top-p")
    points = {point.at: point for point in found.points}
    assert points[0.0, 0.5].values["written"] == points[0.0, 1.0].values["written"] == 1
    # Two seeds at temperature 1 and top-p 0.5: (2 + 4) / 2 characters, and two different texts.
    assert points[1.0, 0.5].values | {"seconds": 0.0} == {"written": 3.0, "different": 2.0, "seconds": 0.0}
    assert points[1.0, 1.0].answers == 1 and "passed" not in found.measures


def test_one_setting_makes_a_line_of_what_passes_and_the_rest_is_no_sweep() -> None:
    variants = settings_grid(ONE, (0.5, 1.0, 1.5), (1.0,), (0,))
    judged = (Judged(scorer="exact", value=1.0, passed=True, reason=""),)
    found = swept_of(trial(variants, {(0, 0): "a", (0, 1): "b", (2, 0): "c"}, rows=2, judged=judged))
    assert found is not None and found.axes == ("temperature",) and found.measures[0] == "passed"
    assert [(point.at, point.answers) for point in found.points] == [((0.5,), 2), ((1.5,), 1)]
    seeds = settings_grid(ONE, (1.0,), (1.0,), (1, 2, 3))
    assert (made := swept_of(trial(seeds, {}))) is not None and made.axes == ("seed",) and not made.measures
    assert swept_of(trial(variants[:2], {})) is None
    other = variants[0].model_copy(update={"model": "another"})
    assert swept_of(trial((*variants, other), {})) is None


def test_answers_that_failed_are_in_no_point() -> None:
    variants = settings_grid(ONE, (0.5, 1.0, 1.5), (1.0,), (0,))
    found = swept_of(trial(variants, {(0, 0): "a"}, error="no answer"))
    assert found is not None and found.points == ()
    assert found.measures == ()
