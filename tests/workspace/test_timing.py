"""The clock tells where work is by what was planned, and keeps what each stage took."""

import pytest

from fedprompt.workspace.progress import Progress
from fedprompt.workspace.timing import Clock


def test_stages_add_up_to_the_plan() -> None:
    told: list[Progress] = []
    clock = Clock(told.append, {"one": 30.0, "two": 10.0})
    assert clock.total == 40.0
    clock.tell("begin", 0.5)
    assert (told[-1].stage, told[-1].done, told[-1].total) == ("one", 15.0, 40.0)
    clock.tell("past the end", 7.0, site="x")
    assert told[-1].done == 30.0 and told[-1].detail == {"site": "x"}


def test_a_stage_that_was_done_before_leaves_the_plan() -> None:
    told: list[Progress] = []
    clock = Clock(told.append, {"one": 30.0, "two": 10.0})
    with clock.stage("one", "again"):
        pass
    assert clock.seconds["one"] < 1
    # It took nothing, so what is left is the second stage's ten seconds.
    assert clock.total == pytest.approx(10.0, abs=1.0)
    with clock.stage("two", "now"):
        assert told[-1].stage == "two" and told[-1].seconds_left == pytest.approx(10.0, abs=1.0)


def test_a_stage_that_was_not_planned_is_told_too() -> None:
    told: list[Progress] = []
    clock = Clock(told.append, {"one": 1.0})
    with clock.stage("extra", "more"):
        clock.tell("half", 0.5)
    assert told[-1].stage == "extra" and 0 <= told[-1].done <= told[-1].total
    assert set(clock.seconds) == {"extra"}


def test_the_end_is_all_of_the_plan_and_no_more() -> None:
    told: list[Progress] = []
    clock = Clock(told.append, {"one": 0.01, "two": 0.01})
    for name in ("one", "two"):
        with clock.stage(name, name):
            pass
    clock.tell("done", 1.0)
    assert told[-1].done == pytest.approx(told[-1].total) and told[-1].done <= told[-1].total
    assert told[-1].seconds_left == 0


def test_a_stage_that_broke_off_has_no_time() -> None:
    clock = Clock(lambda progress: None, {"one": 1.0})
    with pytest.raises(KeyError), clock.stage("one", "x"):
        raise KeyError
    assert clock.seconds == {}


def test_a_plan_of_weights_says_no_time_before_a_pace_is_known_and_counts_from_where_a_run_was_taken_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr("fedprompt.workspace.timing.time.monotonic", lambda: now[0])
    told: list[Progress] = []
    clock = Clock(told.append, {"score": 4.0, "federate": 4.0, "test": 1.0}, paced="federate")
    with clock.stage("score", "score"):
        now[0] = 5.0
        clock.tell("half", 0.5)
        assert told[-1].seconds_left is None
    with clock.stage("federate", "rounds"):
        clock.tell("round 6 of 10", 0.5)
        assert told[-1].seconds_left is None
        now[0] = 65.0
        clock.tell("round 7 of 10", 0.6)
        # By hand: a tenth of 4 took 60 s, 150 s for each 1; what is left is 0.4 of 4 and 1.
        assert told[-1].seconds_left == pytest.approx(150 * 2.6)
