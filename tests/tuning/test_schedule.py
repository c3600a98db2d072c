"""The learning rate never falls below zero, whatever round a task names."""

import pytest

from fedprompt.errors import TuningError
from fedprompt.tuning.schedule import Schedule
from tests.coded import coded


def test_a_warm_up_rises_to_the_full_rate() -> None:
    assert [Schedule(warmup=4, total=8).factor(step) for step in (1, 2, 4, 5)] == [0.25, 0.5, 1.0, 1.0]


def test_steps_before_the_first_are_refused() -> None:
    # Round 0 of 8 steps: with a warm-up of 4 the first factor would be -7 / 4, which climbs the slope.
    with pytest.raises(TuningError, check=coded("steps-before")):
        Schedule(warmup=4, total=8, first=-8)
