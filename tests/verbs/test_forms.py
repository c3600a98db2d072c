"""A task or reply whose numbers mean nothing is refused where it is read, before anything is computed."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from fedprompt.verbs.tune import TuneReply, TuneTask

TASK = {
    "verb": "tune",
    "task": "t1:" + "0" * 32,
    "study": "s1:" + "0" * 32,
    "round": 1,
    "steps": 2,
    "seed": 0,
}
REPLY = {"verb": "tune", "task": "t1:" + "0" * 32, "round": 1, "cases": 30, "loss": 0.5}
NO_ROUND: tuple[Any, ...] = (0, -1, 100_001, 10**30, 0.5, float("nan"), float("inf"), "x", None)


def test_rounds_are_counted_from_one() -> None:
    assert isinstance(TypeAdapter(TuneTask).validate_python(TASK), TuneTask)
    assert isinstance(TypeAdapter(TuneReply).validate_python(REPLY), TuneReply)


@pytest.mark.parametrize("number", NO_ROUND)
def test_a_round_that_there_is_none_of_is_refused(number: Any) -> None:
    # Round 0 would begin a warm-up at minus as many steps as a round has: divided by zero, or a slope climbed.
    with pytest.raises(ValidationError):
        TypeAdapter(TuneTask).validate_python({**TASK, "round": number})
    with pytest.raises(ValidationError):
        TypeAdapter(TuneReply).validate_python({**REPLY, "round": number})


@pytest.mark.parametrize("steps", [0, -1, 100_001, float("nan")])
def test_steps_have_bounds(steps: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(TuneTask).validate_python({**TASK, "steps": steps})
