"""Numbers of a run, worked out by hand or with scipy and statsmodels' own formulas."""

import pytest
from scipy.stats import binomtest

from fedprompt.prompts.template import Template
from fedprompt.workspace.answers.variants import Variant
from fedprompt.workspace.playground.trial_statistics import by_label, confusion, pair_tests, share_interval
from fedprompt.workspace.playground.trials import Judged, Trial, TrialCell, TrialRequest

VARIANT = Variant(template=Template("a", "{text}").canonical(), labels=("yes", "no"))


def trial(*answers: str, expected: str, errors: tuple[tuple[int, int], ...] = ()) -> Trial:
    """Make a run of variants whose answers are given as letters: y or n, for each row."""
    names = {"y": "yes", "n": "no", "?": ""}
    cells = {}
    for variant, given in enumerate(answers):
        for row, letter in enumerate(given):
            passed = None if expected[row] == "?" else letter == expected[row]
            judged = Judged(scorer="exact", value=None if passed is None else float(passed), passed=passed, reason="x")
            cells[variant, row] = TrialCell(
                text="t", answer=names[letter], variant=variant, row=row, judged=(judged,)
            ).model_copy(update={"error": "gone"} if (variant, row) in errors else {})
    request = TrialRequest(
        variants=(VARIANT,) * len(answers),
        rows=[{"text": str(row)} for row in range(len(expected))],
        expected=tuple(names[letter] for letter in expected),
    )
    return Trial("r", request, cells, {}, "")


def test_the_interval_is_wilsons_over_the_judged_rows() -> None:
    found = share_interval(trial("yyyyyyyyyy?", expected="yyyyyyyynn?"), 0)
    assert found is not None
    wanted = binomtest(8, 10).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))
    assert share_interval(trial("yy", expected="??"), 0) is None


def test_a_pair_is_tested_over_the_rows_that_both_answered() -> None:
    # The second passes rows 1 to 6 alone, the first none alone; on row 9 the second had an error.
    (found,) = pair_tests(trial("nnnnnnyyyy", "yyyyyyyyyy", expected="y" * 10, errors=((1, 9),)))
    assert (found.n, found.better, found.worse) == (9, 6, 0)
    assert found.p == pytest.approx(2 * 0.5**6) and found.difference.value == pytest.approx(6 / 9)
    assert found.difference.excludes_zero


def test_several_pairs_are_corrected_and_variants_that_agree_differ_in_nothing() -> None:
    one, same = pair_tests(trial("nnnnnn", "yyyyyy", "nnnnnn", expected="yyyyyy"))
    assert one.p == pytest.approx(2 * 2 * 0.5**6) and (same.p, same.better, same.worse) == (1.0, 0, 0)


def test_labels_and_the_confusion_matrix_are_counted_by_the_right_answer() -> None:
    found = trial("yyny", expected="ynny")
    assert confusion(found, 0) == [[2, 0], [1, 1]]
    yes, no = by_label(found, 0)
    assert (yes.n, yes.right, yes.chosen, yes.recall, yes.precision) == (2, 2, 3, 1.0, pytest.approx(2 / 3))
    assert (no.n, no.right, no.chosen, no.recall, no.precision) == (2, 1, 1, 0.5, 1.0)
    assert by_label(trial("yy", expected="??"), 0) == ()
