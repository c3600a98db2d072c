"""Clipping bounds the norm and changes nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fedprompt.strategies.clipping import clip

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
UPDATES = arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 5)), elements=FLOATS)
BOUNDS = st.floats(1e-30, 1e30)


def norm(array: np.ndarray) -> float:
    return float(np.linalg.norm(array.astype(np.float64)))


@given(UPDATES, BOUNDS)
def test_the_norm_never_exceeds_the_bound(update: np.ndarray, most: float) -> None:
    clipped = clip(update, most)
    assert clipped.dtype == np.float32 and clipped.shape == update.shape
    assert norm(clipped) <= most


@given(UPDATES)
def test_what_is_short_enough_stays_as_it_is(update: np.ndarray) -> None:
    assert np.array_equal(clip(update, norm(update) * 1.001 + 1e-30), update)


def test_the_zero_update_stays_zero() -> None:
    assert not clip(np.zeros((2, 3), np.float32), 1e-6).any()


def test_the_direction_is_kept() -> None:
    # 3, 4 has norm 5; at most 1 is a fifth of it.
    clipped = clip(np.array([[3.0, 4.0]], np.float32), 1.0)
    assert clipped[0].tolist() == pytest.approx([0.6, 0.8], rel=1e-6)


def test_the_argument_is_not_changed() -> None:
    update = np.full((2, 2), 9.0, np.float32)
    clip(update, 1.0)
    assert (update == 9.0).all()


@pytest.mark.parametrize("most", [0.0, -1.0, float("nan")])
def test_a_bound_that_is_none_is_refused(most: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        clip(np.ones((1, 1), np.float32), most)
