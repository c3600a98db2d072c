"""Each case is in one fold, labels and sizes are spread evenly, and one input is never in two."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedprompt.adapting.folds import stratified_folds


@given(st.lists(st.integers(0, 4), max_size=40), st.integers(1, 8), st.integers(0, 99))
def test_sizes_and_the_counts_of_each_label_differ_by_at_most_one(answers: list[int], count: int, seed: int) -> None:
    true = np.array(answers, np.int64)
    found = stratified_folds(true, count, np.random.default_rng(seed))
    folds = max(1, min(count, len(answers)))
    assert found.shape == true.shape and (not len(found) or set(found.tolist()) == set(range(folds)))
    for chosen in (found, *(found[true == label] for label in set(answers))):
        sizes = np.bincount(chosen, minlength=folds)
        assert sizes.max() - sizes.min() <= 1
    assert np.array_equal(found, stratified_folds(true, count, np.random.default_rng(seed)))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5)), min_size=1, max_size=30), st.integers(1, 5))
def test_cases_of_one_group_stay_together(cases: list[tuple[int, int]], count: int) -> None:
    answers, groups = np.array([label for label, _ in cases]), [group for _, group in cases]
    found = stratified_folds(answers, count, np.random.default_rng(0), groups)
    for group in set(groups):
        assert len({int(fold) for fold, one in zip(found, groups, strict=True) if one == group}) == 1


def test_other_generators_cut_otherwise() -> None:
    answers = np.zeros(20, np.int64)
    first, second = (stratified_folds(answers, 4, np.random.default_rng(seed)) for seed in (1, 2))
    assert not np.array_equal(first, second)


def test_no_fold_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one fold"):
        stratified_folds(np.zeros(3, np.int64), 0, np.random.default_rng(0))
    with pytest.raises(ValueError, match="one group each"):
        stratified_folds(np.zeros(3, np.int64), 2, np.random.default_rng(0), ["a"])
