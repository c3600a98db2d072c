"""The automatic deadline admits the slowest site seen; slow sites are asked for fewer steps, and none for too few."""

import numpy as np
import pytest

from fedprompt.federation.fednova import normalised
from fedprompt.federation.pacing import allotted_steps, deadline_of, pace
from fedprompt.strategies.strategy import Update
from fedprompt.study.schema import Rounds


def test_the_automatic_deadline_is_twice_what_the_slowest_ever_took() -> None:
    seen = [{"tune": {"a": 40.0, "b": 300.0}, "evaluate": {"a": 5.0}}, {"tune": {"a": 50.0}}]
    assert deadline_of(Rounds(), seen, "tune") == 600.0
    assert deadline_of(Rounds(), seen, "evaluate") == 60.0  # a pause makes nobody late
    assert deadline_of(Rounds(), [], "tune") == 3600.0
    assert deadline_of(Rounds(deadline=7.5), seen, "tune") == 7.5


def test_a_site_that_was_late_is_in_time_the_next_round() -> None:
    took = 500.0
    assert deadline_of(Rounds(), [{"tune": {"a": 40.0}}], "tune") < took
    assert deadline_of(Rounds(), [{"tune": {"a": 40.0, "late": took}}], "tune") > took


def test_a_slow_site_takes_about_twice_the_median_time() -> None:
    paces = pace([{"tune": {"a": 8.0, "b": 8.0, "c": 64.0}}], [{}], 8)
    assert paces == {"a": 1.0, "b": 1.0, "c": 8.0}
    # Twice the median site's time is 16 s: two steps of 8 s.
    assert allotted_steps(paces, 8, 1) == {"c": 2}
    assert allotted_steps(paces, 8, 4) == {"c": 4}
    assert allotted_steps(paces, 8, None) == allotted_steps({}, 8, 1) == {}


def test_pace_is_by_the_steps_that_were_taken() -> None:
    seen = [{"tune": {"a": 8.0, "c": 64.0}}, {"tune": {"a": 16.0, "c": 16.0}}]
    assert pace(seen, [{}, {"c": 2}], 8) == {"a": 2.0, "c": 8.0}


@pytest.mark.parametrize(("taken", "wanted"), [(8, 1.0), (2, 4.0), (16, 0.5)])
def test_an_update_stands_for_as_many_steps_as_all_others(taken: int, wanted: float) -> None:
    delta = np.full((2, 3), 1.0, np.float32)
    found = normalised(Update("a", delta, 9), taken, 8)
    assert found.delta.dtype == np.float32 and (found.delta == wanted).all() and (found.site, found.cases) == ("a", 9)
