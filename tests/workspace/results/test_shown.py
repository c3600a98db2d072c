"""A score as commands print it, by hand; and no reason that a case could be read from."""

from dataclasses import dataclass

import numpy as np
import pytest

from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.runner import PromptRun
from fedprompt.evaluation.scorers import Scored, register, registry
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.study.score import CalibrationBin, Score
from fedprompt.workspace.as_json import as_json
from fedprompt.workspace.results.shown import WITHHELD, shown_reasons, shown_run, shown_score

PROMPT = Prompt(Template("t", text="{text}"))
EMPTY = {"prompt": PROMPT.id, "split": "test", "squares": 0, "groups": 0, "group_squares": 0}


def graded(values: list[float]) -> Score:
    return Score(
        prompt=PROMPT.id,
        split="test",
        metric="score",
        n=len(values),
        total=sum(values),
        squares=sum(value * value for value in values),
        groups=len(values),
        group_squares=float(np.var(values) * len(values)),
    )


def cases(count: int) -> list[Case]:
    return [Case({"text": f"t{n}"}, "a") for n in range(count)]


def test_no_cases_have_no_score() -> None:
    none = Score.model_validate({**EMPTY, "metric": "accuracy", "n": 0, "total": 0})
    nothing = dict.fromkeys(("value", "low", "high", "macro_f1", "balanced_accuracy", "calibration_error"))
    assert as_json(shown_score(none)) == {"metric": "accuracy", "n": 0, **nothing}


def test_a_choice_has_macro_f1_balanced_accuracy_and_calibration() -> None:
    score = Score(
        prompt=PROMPT.id,
        split="test",
        metric="accuracy",
        n=10,
        total=7,
        squares=7,
        groups=10,
        group_squares=2.1,
        confusion=((3, 1), (2, 4)),
        bins=(CalibrationBin(n=4, confidence=3.0, right=2), CalibrationBin(n=6, confidence=4.8, right=5)),
    )
    found = shown_score(score).choice
    # F1 2 * 3 / (4 + 5) and 2 * 4 / (6 + 5); recalls 3 / 4 and 4 / 6; (|2 - 3| + |5 - 4.8|) / 10.
    assert found is not None and found.macro_f1 == pytest.approx((6 / 9 + 8 / 11) / 2)
    assert found.balanced_accuracy == pytest.approx((3 / 4 + 4 / 6) / 2)
    assert found.calibration_error == pytest.approx(0.12)


def test_graded_values_have_the_bootstraps_interval_which_is_narrower_than_wilsons() -> None:
    values = [0.4, 0.5, 0.6] * 10
    score, run = graded(values), PromptRun(PROMPT, np.array(values))
    wide, found = shown_score(score), shown_run(score, run, cases(30), 0)
    assert found.interval == "bootstrap" and found.score.value == pytest.approx(0.5)
    # The standard error is sqrt(0.02 / 3 / 30) = 0.0149.
    assert found.score.high - found.score.low == pytest.approx(2 * 1.96 * 0.0149, rel=0.1)
    assert wide.high - wide.low > 2 * (found.score.high - found.score.low)
    assert shown_run(score, run, cases(30), 0) == found


def test_zeros_and_ones_keep_wilsons_interval_and_cases_without_a_value_are_counted() -> None:
    values = [1.0, 0.0, 1.0, 1.0]
    run = PromptRun(PROMPT, np.array([*values, np.nan]), reasons={"exact": {"the case has no answer": 1}})
    found = shown_run(graded(values), run, cases(5), 0)
    assert found.interval == "wilson" and (found.score.n, found.unscored) == (4, 1)
    assert found.reasons == {"exact": {"the case has no answer": 1}}


@dataclass(frozen=True)
class Quoting:
    """A scorer of somebody else, which quotes what it should not."""

    name: str = "quoting"

    def score(self, output: str, answer: str) -> Scored:
        return Scored(0.0, f"expected {answer}")


def test_what_a_scorer_of_somebody_else_says_is_counted_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_known", dict(registry._known))
    register(Quoting())
    reasons = {"quoting": {"expected secret": 2, "expected other": 1}, "exact 2": {"b": 1, "a": 3, "none": 0}}
    assert shown_reasons(reasons) == {"quoting": {WITHHELD: 3}, "exact 2": {"a": 3, "b": 1}}
    assert shown_reasons({"model": {"timeout": 2}, "gone": {"x": 1}, "exact": {}}) == {
        "model": {"timeout": 2},
        "gone": {WITHHELD: 1},
    }
