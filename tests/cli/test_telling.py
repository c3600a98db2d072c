"""Progress goes to stderr in lines where there is no terminal."""

import io

import pytest

from fedprompt.cli import telling
from fedprompt.cli.telling import Teller
from fedprompt.workspace.progress import Progress


def test_work_of_less_than_a_second_says_nothing() -> None:
    out = io.StringIO()
    with Teller(out) as tell:
        tell(Progress("score", "1 of 2", 1, 2))
    assert out.getvalue() == ""


def test_a_stage_is_told_once_in_a_while_with_an_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "QUIET_SECONDS", 0.0)
    out = io.StringIO()
    with Teller(out) as tell:
        for done in range(5):
            tell(Progress("score", "templates", done, 10, 75.4))
        tell(Progress("tune", "round 1", 1, 4))
    assert out.getvalue().splitlines() == [
        "score: templates (0 %, about 1 min 15 s left)",
        "tune: round 1 (25 %)",
    ]
