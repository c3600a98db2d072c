"""A site's folder that does not hold together says so, and what to do; a lost key is never made anew in silence."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fedprompt.errors import DataError, LedgerError
from fedprompt.federation.hub import Hub
from fedprompt.federation.transports.local import LocalTransport
from fedprompt.site.folder import SiteFolder
from fedprompt.site.standing import check_key, notes
from fedprompt.verbs.describe import ask_describe
from fedprompt.verbs.score import ask_score
from tests.coded import coded
from tests.scripted_sites import MODEL, STUDY, worker


@pytest.fixture
def folder(tmp_path: Path) -> SiteFolder:
    """Return the folder of a site that answered twice."""
    one = worker(tmp_path, "ant")
    hub = Hub(LocalTransport({"ant": one.handle}), STUDY.digest(MODEL.info.digest))
    ask_describe(hub, "ant")
    ask_score(hub, "ant", [*one.side.templates])
    return SiteFolder(tmp_path / "ant")


def test_a_folder_that_holds_together_has_no_notes(folder: SiteFolder) -> None:
    assert notes(folder) == ()
    check_key(folder)


def test_lost_replies_are_noted_and_stay_spent(folder: SiteFolder) -> None:
    folder.replies.path.unlink()
    (note,) = notes(folder)
    assert "lacks 2 of the 2 replies in the ledger" in note and "Restore the newest copy" in note


def test_a_lost_ledger_is_noted_but_not_the_one_reply_that_a_killed_process_kept(folder: SiteFolder) -> None:
    lines = folder.ledger.path.read_bytes().splitlines(keepends=True)
    folder.ledger.path.write_bytes(lines[0])
    assert notes(folder) == ()
    folder.ledger.path.unlink()
    (note,) = notes(folder)
    assert "lacks 2 " in note and "--ledger-restarted" in note


def test_half_an_entry_is_noted_before_and_after_it_is_set_aside(folder: SiteFolder) -> None:
    with folder.ledger.path.open("ab") as file:
        file.write(b"\0" * 40)
    (note,) = notes(folder)
    assert "the last 40 bytes" in note
    folder.ledger.append(decision="refused", study="s", message={}, arrays={}, data=b"")
    (note,) = notes(folder)
    assert note.startswith(str(folder.ledger.set_aside[0]))


@pytest.mark.parametrize(("back", "told"), [(timedelta(seconds=60), False), (timedelta(days=2), True)])
def test_a_clock_that_went_back_is_noted_but_not_a_minute(folder: SiteFolder, back: timedelta, told: bool) -> None:
    found = notes(folder, datetime.now(UTC) - back)
    assert [("clock" in note) for note in found] == [True] * told


def test_a_lost_key_is_not_made_anew_where_something_belongs_to_it(folder: SiteFolder) -> None:
    (folder.path / "site.key").unlink()
    with pytest.raises(DataError, match=r"site\.key.*'ledger\.jsonl'", check=coded("key-lost")):
        folder.prepare()
    with pytest.raises(DataError, check=coded("key-lost")):
        _ = folder.key
    assert not folder.prepared


def test_another_key_than_the_ledger_names_sends_nothing(folder: SiteFolder, tmp_path: Path) -> None:
    (folder.path / "site.key").write_bytes(b"z" * 32)
    before = folder.ledger.path.read_bytes()
    with pytest.raises(LedgerError, match=r"'site\.key'", check=coded("another-key")):
        check_key(folder)
    (folder.path / "site.key").write_bytes(b"ant".ljust(32, b"."))
    check_key(folder)
    assert folder.ledger.path.read_bytes() == before
