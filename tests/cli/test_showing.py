"""What is printed cannot steer a terminal, and says so where a number is missing."""

import json

import pytest

from fedprompt.cli.showing import emit, line, number, percent, table


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
    assert number({"low": 0.88, "high": 0.924}) == "(88.0 to 92.4)"
    assert number({"low": None, "high": None}) == ""


def test_json_refuses_what_is_not_a_number(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="Out of range"):
        emit({"value": float("nan")})
    emit({"name": "café"})
    assert json.loads(capsys.readouterr().out) == {"name": "café"}
