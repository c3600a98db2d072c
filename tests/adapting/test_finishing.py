"""A shared prompt is finished by fewer, slower steps, pulled back to it, and a part of the way is kept."""

import numpy as np
import pytest

from fedprompt.adapting.finishing import finishing_settings, interpolated
from fedprompt.adapting.settings import AtN
from fedprompt.tuning.schedule import Schedule
from fedprompt.tuning.settings import TuningSettings


def test_the_study_s_tuning_is_slowed_and_pulled_back() -> None:
    base = TuningSettings(steps=100, batch=16, lr=0.01, schedule=Schedule("cosine", 2, 400, 100), accumulate=2)
    found = finishing_settings(base, AtN(n=16, method="finished", steps=8, rate=0.3, mu=0.5))
    assert found == TuningSettings(steps=8, batch=16, lr=0.003, accumulate=2, proximal=0.5)


def test_a_part_of_the_way_is_kept_to_the_bit_at_both_ends() -> None:
    start, tuned = (np.random.default_rng(seed).normal(size=(2, 3)).astype(np.float32) for seed in (0, 1))
    assert np.array_equal(interpolated(start, tuned, 0.0), start)
    assert np.array_equal(interpolated(start, tuned, 1.0), tuned)
    half = interpolated(np.array([[0.0, 8.0]], np.float32), np.array([[4.0, 0.0]], np.float32), 0.25)
    assert half.tolist() == [[1.0, 6.0]] and half.dtype == np.float32
    with pytest.raises(ValueError, match="cannot be taken"):
        interpolated(start, tuned, 1.5)
    with pytest.raises(ValueError, match="cannot be taken"):
        interpolated(start, tuned[:1], 0.5)
