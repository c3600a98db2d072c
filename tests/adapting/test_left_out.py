"""What is learnt at home is judged on cases that had no part in it, at both levels."""

import numpy as np

from fedprompt.adapting.left_out import left_out

FOLDS = np.array([0, 0, 1, 1, 2, 2, 3, 3])


def taught(known: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Say which cases taught: a bit for each."""
    return np.full((len(asked), 1), float(sum(1 << int(row) for row in known)))


def teachers(value: float) -> set[int]:
    return {row for row in range(len(FOLDS)) if int(value) >> row & 1}


def test_no_case_of_a_fold_has_a_part_in_what_answers_it_nor_in_what_its_weights_are_learnt_from() -> None:
    found = left_out(taught, FOLDS, 1)
    for row, fold in enumerate(FOLDS):
        assert teachers(found.table[row, 0]) == set(np.flatnonzero(fold != FOLDS))
    for held in range(4):
        table = found.without(held)
        for row, fold in enumerate(FOLDS):
            assert teachers(table[row, 0]) == set(np.flatnonzero((fold != FOLDS) & (held != FOLDS)))


def test_once_alone_is_the_same_table_for_every_fold() -> None:
    found = left_out(taught, FOLDS, 1, twice=False)
    assert not found.twice and found.without(2) is found.table
