"""Macro F1, balanced accuracy and calibration error by hand and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedprompt.evaluation.statistics.classification import (
    CalibrationCounts,
    balanced_accuracy,
    calibration_error,
    macro_f1,
)


def test_macro_f1_and_balanced_accuracy_by_hand() -> None:
    # Recalls 8/10 and 1/5; precisions 8/12 and 1/3; F1 16/22 and 2/8.
    confusion = [[8, 2], [4, 1]]
    assert balanced_accuracy(confusion) == pytest.approx(0.5)
    assert macro_f1(confusion) == pytest.approx((16 / 22 + 2 / 8) / 2)


def test_a_label_that_never_occurs_is_left_out_of_the_mean() -> None:
    assert balanced_accuracy([[3, 1, 0], [0, 4, 0], [0, 0, 0]]) == pytest.approx((0.75 + 1) / 2)
    # The third label is predicted once but never right, so it counts in F1: 6/7, 1 and 0 over 3.
    assert macro_f1([[3, 0, 1], [0, 4, 0], [0, 0, 0]]) == pytest.approx((6 / 7 + 1 + 0) / 3)


def test_metrics_over_no_cases_are_none() -> None:
    assert macro_f1([[0, 0], [0, 0]]) is None
    assert balanced_accuracy([]) is None
    assert calibration_error([]) is None
    assert calibration_error([CalibrationCounts(0, 0.0, 0)]) is None
    with pytest.raises(ValueError, match="square"):
        macro_f1([[1, 2]])


def test_calibration_error_by_hand() -> None:
    # 4 answers at mean confidence 0.55 of which 1 right, 6 at 0.95 of which all right:
    # (|1 - 2.2| + |6 - 5.7|) / 10.
    bins = [CalibrationCounts(4, 2.2, 1), CalibrationCounts(6, 5.7, 6), CalibrationCounts(0, 0.0, 0)]
    assert calibration_error(bins) == pytest.approx(0.15)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40))
def test_macro_f1_and_balanced_accuracy_agree_with_scikit_learn(answers: list[tuple[int, int]]) -> None:
    from sklearn.metrics import f1_score, recall_score

    true, predicted = (list(column) for column in zip(*answers, strict=True))
    confusion = np.zeros((4, 4), int)
    np.add.at(confusion, (true, predicted), 1)
    occur = sorted({*true, *predicted})
    f1 = f1_score(true, predicted, labels=occur, average="macro", zero_division=0)
    # Balanced accuracy is the mean recall over the labels that occur as answer.
    recall = recall_score(true, predicted, labels=sorted(set(true)), average="macro", zero_division=0)
    assert macro_f1(confusion.tolist()) == pytest.approx(f1)
    assert balanced_accuracy(confusion.tolist()) == pytest.approx(recall)
