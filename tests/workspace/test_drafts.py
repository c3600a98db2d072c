"""A draft is one private file a page, and no version that a writer has not read is replaced."""

import json
import stat
from pathlib import Path

import pytest

from fedprompt.errors import FedPromptError
from fedprompt.workspace.drafts import MAX_DRAFT_MEGABYTES, DraftFolder
from fedprompt.workspace.home import Home
from tests.coded import coded


def test_a_draft_comes_back_as_it_was_and_nobody_else_can_read_it(tmp_path: Path) -> None:
    folder = DraftFolder(Home(tmp_path), "")
    assert folder.read("playground") is None
    kept = folder.keep("playground", {"text": "Größe {text}", "many": [1, 2]}, None)
    found = DraftFolder(Home(tmp_path), "").read("playground")
    assert found == kept and found.values == {"text": "Größe {text}", "many": [1, 2]} and found.saved > 0
    path = tmp_path / "drafts" / "local" / "playground.json"
    assert [stat.S_IMODE(one.stat().st_mode) for one in (path, path.parent)] == [0o600, 0o700]


def test_each_person_has_drafts_of_their_own(tmp_path: Path) -> None:
    one, other = (DraftFolder(Home(tmp_path), mark * 32) for mark in "ab")
    one.keep("playground", {"text": "mine"}, None)
    assert other.read("playground") is None
    with pytest.raises(ValueError, match="mark"):
        DraftFolder(Home(tmp_path), "../local")
    with pytest.raises(ValueError, match="page"):
        one.read("../playground")


def test_of_two_windows_the_second_is_told_and_replaces_nothing_unseen(tmp_path: Path) -> None:
    first, second = DraftFolder(Home(tmp_path), ""), DraftFolder(Home(tmp_path), "")
    old = first.keep("playground", {"text": "old"}, None)
    new = first.keep("playground", {"text": "new"}, old.version)
    with pytest.raises(FedPromptError, check=coded("changed-elsewhere")):
        second.keep("playground", {"text": "of the second"}, old.version)
    with pytest.raises(FedPromptError, check=coded("changed-elsewhere")):
        second.keep("playground", {"text": "of a third"}, None)
    assert second.read("playground") == new
    second.keep("playground", {"text": "of the second"}, new.version)
    assert (found := first.read("playground")) is not None and found.values == {"text": "of the second"}


def test_a_draft_that_is_too_large_is_refused_and_the_one_before_stays(tmp_path: Path) -> None:
    folder = DraftFolder(Home(tmp_path), "")
    kept = folder.keep("playground", {"text": "small"}, None)
    with pytest.raises(FedPromptError, check=coded("too-large")):
        folder.keep("playground", {"text": "x" * (MAX_DRAFT_MEGABYTES * 1024**2 + 1)}, kept.version)
    assert folder.read("playground") == kept


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"values": 1}', json.dumps("x").encode(), b"\xff"])
def test_a_damaged_draft_is_no_draft(tmp_path: Path, content: bytes) -> None:
    folder = DraftFolder(Home(tmp_path), "")
    folder.keep("playground", {"text": "small"}, None)
    (tmp_path / "drafts" / "local" / "playground.json").write_bytes(content)
    assert folder.read("playground") is None


def test_a_draft_can_be_deleted(tmp_path: Path) -> None:
    folder = DraftFolder(Home(tmp_path), "")
    folder.keep("playground", {}, None)
    folder.forget("playground")
    folder.forget("playground")
    assert folder.read("playground") is None
