"""The token that opens the app: made once, for its owner's eyes; the cookie is another word."""

import stat
from pathlib import Path

import pytest

from fedprompt.errors import FedPromptError
from fedprompt.workspace.door.entry_token import FILE, entry_of
from fedprompt.workspace.home import Home
from tests.coded import coded


def test_the_token_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    first, second = entry_of(Home(tmp_path), 8501), entry_of(Home(tmp_path), 8501)
    assert first == second
    assert len(first.token) >= 43  # 256 bits
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_two_homes_have_two_tokens(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert entry_of(Home(tmp_path / "a"), 8501).token != entry_of(Home(tmp_path / "b"), 8501).token


def test_the_cookie_opens_one_port_and_does_not_show_the_token(tmp_path: Path) -> None:
    here, there = entry_of(Home(tmp_path), 8501), entry_of(Home(tmp_path), 8502)
    assert here.is_held(f"a=b; {here.cookie}={here.value}; c=d")
    assert here.cookie != there.cookie and here.value != there.value
    for other in (
        f"{here.cookie}={there.value}",
        f"{there.cookie}={there.value}",
        f"{here.cookie}={here.token}",
        f"{here.cookie}=",
        f"x{here.cookie}={here.value}",
        f"{here.cookie}=é",
        "",
    ):
        assert not here.is_held(other)
    assert here.token not in here.value and here.token not in here.given(False)
    assert not here.opens(here.value) and not here.opens("") and not here.opens("é") and here.opens(here.token)


def test_the_cookie_is_out_of_scripts_reach_and_is_sent_by_our_own_pages_alone(tmp_path: Path) -> None:
    entry = entry_of(Home(tmp_path), 8501)
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(entry.given(False).split("; "))
    assert "Secure" not in entry.given(False)
    assert "Secure" in entry.given(True).split("; ")


def test_the_token_and_the_cookie_are_in_no_log_of_the_object(tmp_path: Path) -> None:
    entry = entry_of(Home(tmp_path), 8501)
    assert entry.token not in repr(entry) and entry.value not in repr(entry)


@pytest.mark.parametrize("text", ["", "short", "a" * 300, "a" * 40 + " b", "<script>alert(1)</script>" * 2])
def test_a_file_without_a_token_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    (tmp_path / FILE).chmod(0o600)
    with pytest.raises(FedPromptError, check=coded("no-token")):
        entry_of(Home(tmp_path), 8501)


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    entry_of(Home(tmp_path), 8501)
    (tmp_path / FILE).chmod(0o644)
    with pytest.raises(FedPromptError, check=coded("others-can-read")):
        entry_of(Home(tmp_path), 8501)
