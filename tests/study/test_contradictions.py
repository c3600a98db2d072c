"""What is summed up of real cases has no fault, and a number of it that is changed contradicts another."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.runner import PromptRun, choice_run, compare_runs, to_score
from fedprompt.privacy.coarse import coarse_comparison, coarse_score, rounded_comparison, rounded_score
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.study.contradictions import Expected, comparison_fault, fault_among, score_fault
from fedprompt.study.schema import Answer
from fedprompt.study.score import BINS, CalibrationBin, Comparison, Score

CHOICE = Answer.model_validate({"type": "choice", "labels": ["yes", "no", "maybe"]})
TEXT = Answer.model_validate({"type": "generate", "scorers": ["exact"]})
ONE, TWO = (Prompt(Template(name, text=f"{name} {{text}}")) for name in ("one", "two"))


def cases_of(count: int, groups: Sequence[int] | None) -> list[Case]:
    named = [None] * count if groups is None else [f"g{one}" for one in groups]
    return [Case({"text": str(n)}, CHOICE.labels[n % 3], group=group) for n, group in enumerate(named)]


def expected(cases: Sequence[Case], answer: Answer, least: int = 1, cell: int = 1) -> Expected:
    choice = answer.type == "choice"
    labels = tuple(sum(case.answer == label for case in cases) for label in CHOICE.labels) if choice else None
    return Expected("validation", len(cases), least, labels, choice, cell)


def assert_no_fault(runs: Sequence[PromptRun], cases: Sequence[Case], answer: Answer, cell: int) -> None:
    """Sum the runs up and round them as a site does, and look for faults."""
    scores = [coarse_score(to_score(run, cases, "validation", answer), cell) for run in runs]
    pair = coarse_comparison(compare_runs(runs[0], runs[1], cases, "validation"), answer.type != "choice")
    wanted = expected(cases, answer, cell=cell)
    if not all(one.n for one in (*scores, pair)):
        return  # nothing could be judged, and a site would refuse
    assert [score_fault(score, wanted) for score in scores] == [None, None]
    assert comparison_fault(pair, wanted) is None
    assert fault_among(scores, [pair], wanted) is None


def chosen(prompt: Prompt, cases: Sequence[Case], seed: int) -> PromptRun:
    """A run of made-up log-likelihoods."""
    scores = np.random.default_rng(seed).normal(0.0, 2.0, (len(cases), 3))
    return choice_run(prompt, scores, np.array([CHOICE.labels.index(case.answer) for case in cases]))


@st.composite
def splits(draw: st.DrawFn) -> list[Case]:
    count = draw(st.integers(1, 40))
    of = st.lists(st.integers(0, 5), min_size=count, max_size=count)
    return cases_of(count, draw(st.none() | of))


@given(splits(), st.integers(0, 10**6), st.sampled_from([1, 2, 5, 9]))
def test_what_a_choice_sums_up_to_has_no_fault(cases: list[Case], seed: int, cell: int) -> None:
    runs = [chosen(prompt, cases, seed + place) for place, prompt in enumerate((ONE, TWO))]
    assert_no_fault(runs, cases, CHOICE, cell)


@given(splits(), st.integers(0, 10**6), st.integers(2, 9), st.booleans())
def test_rounded_sums_of_a_choice_have_no_fault(cases: list[Case], seed: int, nearest: int, both: bool) -> None:
    runs = [chosen(prompt, cases, seed + place) for place, prompt in enumerate((ONE, TWO))]
    scores = [to_score(run, cases, "validation", CHOICE) for run in runs]
    scores = [rounded_score(one, nearest) if both or place else one for place, one in enumerate(scores)]
    pair = rounded_comparison(compare_runs(runs[0], runs[1], cases, "validation"), nearest)
    wanted = replace(expected(cases, CHOICE), nearest=nearest, exact=frozenset() if both else frozenset([ONE.id]))
    assert [score_fault(score, wanted) for score in scores] == [None, None]
    assert comparison_fault(pair, wanted) is None
    assert fault_among(scores, [pair], wanted) is None


VALUES = st.sampled_from([0.0, 1.0]) | st.floats(0.0, 1.0) | st.just(float("nan"))


@given(splits(), st.data())
def test_what_judged_texts_sum_up_to_has_no_fault(cases: list[Case], data: st.DataObject) -> None:
    """Values of any scorer, some of them missing."""
    values = st.lists(VALUES, min_size=len(cases), max_size=len(cases))
    assert_no_fault([PromptRun(prompt, np.array(data.draw(values))) for prompt in (ONE, TWO)], cases, TEXT, 5)


@pytest.mark.parametrize("groups", [None, "each", "four"])
def test_many_cases_are_rounded_within_the_bounds(groups: str | None) -> None:
    count = 20_000
    cases = cases_of(count, None if groups is None else [n if groups == "each" else n % 4 for n in range(count)])
    rng = np.random.default_rng(0)
    assert_no_fault([PromptRun(prompt, rng.random(count) ** 9) for prompt in (ONE, TWO)], cases, TEXT, 5)
    assert_no_fault([chosen(prompt, cases, place) for place, prompt in enumerate((ONE, TWO))], cases, CHOICE, 5)


CASES = cases_of(30, None)
GROUPED = cases_of(30, [n // 3 for n in range(30)])
RUN = chosen(ONE, CASES, 7)
SCORE = to_score(RUN, CASES, "validation", CHOICE)
FREE = to_score(PromptRun(ONE, np.linspace(0.1, 0.9, 30)), CASES, "validation", TEXT)
PAIR = compare_runs(RUN, chosen(TWO, CASES, 8), CASES, "validation")


def changed(value: Any, **changes: Any) -> Any:
    """The same with other numbers, past what its own schema looks at."""
    return value.model_copy(update=changes)


def cells(score: Score) -> list[Score]:
    """The score with each cell of its confusion matrix one higher."""
    found = []
    for row in range(3):
        for column in range(3):
            table = [list(one) for one in score.confusion]
            table[row][column] += 1
            found.append(changed(score, confusion=tuple(map(tuple, table))))
    return found


def bins(score: Score) -> list[Score]:
    """The score with each number of each calibration bin another one."""
    found = []
    for place in range(BINS):
        one = score.bins[place]
        for wrong in ({"n": one.n + 1}, {"right": one.right + 1}, {"confidence": one.confidence + 0.1 * one.n + 0.01}):
            parts = [*score.bins]
            parts[place] = CalibrationBin.model_construct(**{**one.model_dump(), **wrong})
            found.append(changed(score, bins=tuple(parts)))
    return found


@pytest.mark.parametrize("by", [-1, 1])
@pytest.mark.parametrize("name", ["n", "total", "squares", "groups", "group_squares"])
def test_a_number_of_a_score_that_is_changed_is_a_fault(name: str, by: int) -> None:
    wrong = changed(SCORE, **{name: getattr(SCORE, name) + by})
    wanted = expected(CASES, CHOICE)
    assert (score_fault(wrong, wanted) or fault_among([SCORE, wrong], [], wanted)) is not None


def test_a_count_of_a_matrix_or_a_bin_that_is_changed_is_a_fault() -> None:
    wanted = expected(CASES, CHOICE)
    assert all(score_fault(wrong, wanted) is not None for wrong in bins(SCORE))
    for wrong in cells(SCORE):
        with pytest.raises(ValueError, match="does not add up"):  # its own schema sees to the matrix's sum
            Score.model_validate(wrong.model_dump())


@pytest.mark.parametrize(
    "changes",
    [
        {"metric": "score"},
        {"split": "test"},
        {"method": "constrained"},
        {"confusion": ((10, 0), (0, 20))},
        {"bins": SCORE.bins[:9]},
        # Two cases of one label are now of another: the matrix adds up and its diagonal does too.
        {"confusion": tuple(np.roll(np.array(SCORE.confusion), 1, axis=0).tolist())},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_score_of_another_form_than_the_study_s_is_a_fault(changes: dict[str, Any]) -> None:
    assert score_fault(changed(SCORE, **changes), expected(CASES, CHOICE)) is not None


def test_more_cases_of_a_label_than_the_site_described_are_a_fault() -> None:
    few = Expected("validation", 30, 1, (9, 11, 10), True)
    assert score_fault(SCORE, few) == "its confusion matrix has 10 cases of label 1, but the site has 9"  # wording


@pytest.mark.parametrize(
    "changes",
    [
        {"total": 1e298},
        {"total": -3.0},
        {"n": 10**9, "groups": 10**9},
        {"squares": 1e300},
        {"squares": 0.0},
        {"groups": 0},
        {"group_squares": 1e300},
        {"confusion": ((30,),)},
        {"bins": SCORE.bins},
        {"method": "constrained"},
        {"metric": "accuracy"},
    ],
    ids=str,
)
def test_a_score_of_free_text_that_cannot_be_is_a_fault(changes: dict[str, Any]) -> None:
    assert score_fault(FREE, expected(CASES, TEXT)) is None
    assert score_fault(changed(FREE, **changes), expected(CASES, TEXT)) is not None


def test_a_cell_or_a_bin_of_a_few_cases_is_a_fault() -> None:
    small = min(cell for row in SCORE.confusion for cell in row if cell)
    assert score_fault(changed(SCORE, bins=()), expected(CASES, CHOICE, cell=small)) is None
    assert score_fault(changed(SCORE, bins=()), expected(CASES, CHOICE, cell=small + 1)) == (
        f"its confusion matrix has a cell of {small} cases, which is below the study's min_cell"  # wording
    )
    assert "calibration bin" in str(score_fault(changed(SCORE, confusion=()), expected(CASES, CHOICE, cell=16)))


def test_fewer_cases_than_the_study_lets_out_are_a_fault() -> None:
    assert score_fault(SCORE, expected(CASES, CHOICE, least=30)) is None
    assert score_fault(SCORE, expected(CASES, CHOICE, least=31)) == (
        "it covers 30 cases, which is below the study's min_cases"  # wording
    )


@pytest.mark.parametrize("by", [-1, 1])
@pytest.mark.parametrize("name", ["n", "total", "squares", "better", "worse", "groups", "group_squares"])
def test_a_number_of_a_comparison_that_is_changed_is_a_fault(name: str, by: int) -> None:
    wrong = changed(PAIR, **{name: getattr(PAIR, name) + by})
    wanted = expected(CASES, CHOICE)
    assert (comparison_fault(wrong, wanted) or fault_among([SCORE], [wrong], wanted)) is not None


def test_a_comparison_is_the_difference_of_its_two_scores() -> None:
    other = to_score(chosen(TWO, CASES, 8), CASES, "validation", CHOICE)
    wanted = expected(CASES, CHOICE)
    assert fault_among([SCORE, other], [PAIR], wanted) is None
    total = PAIR.total + 2
    shifted = Comparison.model_validate(
        {
            **PAIR.model_dump(),
            "total": total,
            "better": PAIR.better + 2,
            "squares": PAIR.squares + 2,
            "group_squares": PAIR.squares + 2 - total * total / 30,
        }
    )
    assert comparison_fault(shifted, wanted) is None
    assert "'total' is" in str(fault_among([SCORE, other], [shifted], wanted))


def test_groups_are_as_many_for_every_prompt_and_their_squares_are_bounded() -> None:
    score = to_score(RUN, GROUPED, "validation", CHOICE)
    wanted = expected(GROUPED, CHOICE)
    assert score.groups == 10 and score_fault(score, wanted) is None
    # 21 cases at most are of one group, and the squared residuals add up to total - total^2 / 30.
    spread = score.total - score.total**2 / 30
    assert score_fault(changed(score, group_squares=21 * spread), wanted) is None
    assert score_fault(changed(score, group_squares=21 * spread * 1.01), wanted) is not None
    assert fault_among([score, changed(score, groups=11)], [], wanted) == "the same cases form 10 and 11 groups"
