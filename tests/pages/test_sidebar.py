"""The sidebar says which other machines texts may go to, and no more than is so."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.messages import messages

ELSEWHERE = """
allow = ["api.example.com"]

[chat.small]
model = "openai:small"
base_url = "https://api.example.com/v1"
"""


def foot(home: str) -> None:
    """Draw the sidebar alone."""
    from pathlib import Path

    from app.panels.front.sidebar import draw_sidebar
    from fedprompt.workspace.people import machine_person

    draw_sidebar(Path(home), "alone", machine_person())


def said(home: Path) -> dict[str, str]:
    at = AppTest.from_function(foot, args=(str(home),)).run()
    assert not at.exception
    return messages(at)


def test_without_a_chat_server_elsewhere_it_says_so(tmp_path: Path) -> None:
    assert "sidebar_nowhere" in said(tmp_path)


def test_where_texts_may_go_is_named(tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    file.write_text(ELSEWHERE)
    file.chmod(0o600)
    told = said(tmp_path)
    assert "api.example.com" in told["sidebar_elsewhere"] and "sidebar_nowhere" not in told


@pytest.mark.parametrize("text", ["chat = 3", "[chat.x"])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "models.toml"
    file.write_text(text)
    file.chmod(0o600)
    assert "sidebar_unreadable" in said(tmp_path)
