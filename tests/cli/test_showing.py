"""What is printed cannot steer a terminal, and says so where a number is missing."""

import json

import pytest

from fedprompt.cli.showing import emit, line, number, percent, table
from fedprompt.workspace.hub.status import HubStatus, Member


def test_control_characters_are_not_passed_on(capsys: pytest.CaptureFixture[str]) -> None:
    line("a\x1b[31mb\tc")
    table(("x", "y"), [("\x1b]0;title\x07", "[bold]1[/bold]")])
    out = capsys.readouterr().out
    assert "\x1b" not in out and "\x07" not in out
    assert out.startswith("a?[31mb\tc\n")
    assert "[bold]1[/bold]" in out


def test_a_missing_number_is_a_dash_and_not_zero() -> None:
    assert percent(None) == "-"
    assert percent(0.0) == "0.0 %"
    assert number(0.88, 0.924) == "(88.0 to 92.4)"
    assert number(None, None) == ""


def test_json_refuses_what_is_not_a_number(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="Out of range"):
        emit({"value": float("nan")})
    emit({"name": "café"})
    assert json.loads(capsys.readouterr().out) == {"name": "café"}


def test_what_an_action_returns_is_printed_under_its_fields_names(capsys: pytest.CaptureFixture[str]) -> None:
    ant = Member("ant", "invited", "ant", None, "2026-01-01", None, None)
    emit(HubStatus("meadow", "localhost", 8002, 8003, "ab", running=False, sites=(ant,), jobs=("one",)))
    assert json.loads(capsys.readouterr().out) == {
        "federation": "meadow",
        "host": "localhost",
        "port": 8002,
        "admin_port": 8003,
        "authority": "ab",
        "running": False,
        "sites": [
            {
                "site": "ant",
                "state": "invited",
                "org": "ant",
                "fingerprint": None,
                "since": "2026-01-01",
                "connected": None,
                "head": None,
            }
        ],
        "jobs": ["one"],
    }
