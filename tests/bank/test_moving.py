"""Backups, restores and merges: what comes back is what was there, and nothing here is lost or moved."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fedprompt.bank.store import Bank
from fedprompt.errors import BankError
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.study.schema import Study
from fedprompt.trust.signing import Signer
from tests.coded import coded
from tests.new_bank import new_bank
from tests.ten_cases import score_of

pytestmark = pytest.mark.whole

MODEL = "sha256:" + "a" * 64
HOME, OTHER_HOME = Signer(bytes(32)), Signer(bytes([1]) * 32)


@pytest.fixture
def filled(bank: Bank, study: Study, digest: str, plain: Prompt, soft: Prompt) -> Bank:
    bank.record_study(study, digest, MODEL)
    bank.record_prompt(plain, study=digest, origin="study")
    bank.record_prompt(soft, study=digest, origin="federated", parents=[plain.id])
    bank.start_run("r", kind="demo", study=digest, settings={})
    bank.record_scores("r", "site-a", [score_of(plain.id, 7), score_of(soft.id, 9)])
    bank.record_stage("r", "sites", {"site-a": 1})
    bank.record_round("r", 1, prompt=soft.id, body={})
    bank.tag_prompt(plain.id, "sentiment@production", by="Ada", signer=HOME)
    return bank


@pytest.fixture
def other(tmp_path: Path, study: Study, digest: str, plain: Prompt) -> Iterator[Bank]:
    """Yield another home's bank: the same study, its own 'site-a', its own word on production."""
    with new_bank(tmp_path / "other.db") as found:
        found.record_study(study, digest, MODEL)
        found.record_prompt(plain, study=digest, origin="study")
        new = found.record_prompt(Prompt(Template("new", text="New: {text}")), study=digest, origin="study")
        found.start_run("s", kind="demo", study=digest, settings={})
        found.record_scores("s", "site-a", [score_of(plain.id, 1), score_of(new, 2)])
        found.tag_prompt(new, "sentiment@production", by="Bob", signer=OTHER_HOME)
        found.tag_prompt(new, "sentiment@trial", by="Bob", signer=OTHER_HOME)
        yield found


def _contents(bank: Bank) -> dict[str, list[tuple[object, ...]]]:
    from sqlalchemy import select

    from fedprompt.bank.schema import metadata

    with bank._database.read() as connection:
        return {
            table.name: sorted(map(tuple, connection.execute(select(table)).all()), key=repr)
            for table in metadata.sorted_tables
        }


def test_a_backup_is_a_bank_that_holds_the_same_and_is_never_written_over(filled: Bank, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    filled.backup(copy)
    assert copy.stat().st_mode & 0o777 == 0o600
    with Bank.open(copy) as found:
        assert _contents(found) == _contents(filled)
        assert found.verify() == ()
    assert [path.name for path in tmp_path.glob("*copy*") if path.suffix not in (".db-shm", ".db-wal")] == ["copy.db"]
    with pytest.raises(BankError, check=coded("there-already")):
        filled.backup(copy)


def test_a_restore_brings_back_what_was_and_keeps_aside_what_is(filled: Bank, tmp_path: Path) -> None:
    before = _contents(filled)
    filled.backup(tmp_path / "copy.db")
    later = filled.record_prompt(Prompt(Template("later", text="Later: {text}")), study=None, origin="import")
    aside = filled.restore(tmp_path / "copy.db")
    assert _contents(filled) == before
    assert filled.verify() == ()
    with pytest.raises(BankError, check=coded("no-such-prompt")):
        filled.prompt(later)
    with Bank.open(aside) as kept:
        assert kept.prompt(later).name == "later"
    filled.record_prompt(Prompt(Template("after", text="After: {text}")), study=None, origin="import")
    assert [row.name for row in filled.prompts()] == ["plain", "tuned", "after"]


def test_a_restored_bank_is_still_append_only(filled: Bank, tmp_path: Path) -> None:
    from sqlalchemy.exc import DBAPIError

    filled.backup(tmp_path / "copy.db")
    filled.restore(tmp_path / "copy.db")
    engine = filled._database.place.engine()
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM events")
    engine.dispose()


def test_a_backup_taken_while_others_write_is_one_state(bank: Bank, tmp_path: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            bank.record_prompt(Prompt(Template("n", text=f"{number}")), study=None, origin="study")
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(3):
            bank.backup(tmp_path / f"copy{number}.db")
    finally:
        stop.set()
        writer.join()
    for number in range(3):
        with Bank.open(tmp_path / f"copy{number}.db") as found:
            assert found.verify() == ()


def test_a_restore_while_others_have_the_bank_open_is_seen_by_them(filled: Bank, tmp_path: Path, url: str) -> None:
    with Bank.open(tmp_path / "bank.db", url) as second:
        filled.backup(tmp_path / "copy.db")
        second.record_prompt(Prompt(Template("later", text="Later: {text}")), study=None, origin="import")
        filled.restore(tmp_path / "copy.db")
        assert len(second.prompts()) == 2
        second.record_prompt(Prompt(Template("after", text="After: {text}")), study=None, origin="import")
    assert len(filled.prompts()) == 3 and filled.verify() == ()


def test_a_merge_takes_over_what_is_missing_and_moves_nothing(filled: Bank, other: Bank, plain: Prompt) -> None:
    assert other.path is not None
    added = filled.merge(other.path)
    assert {name: count for name, count in added.items() if count} == {
        "prompts": 1,
        "records": 1,
        "runs": 1,
        "scores": 2,
        "events": 2,
    }
    assert filled.verify() == ()
    assert filled.prompt("sentiment@production").id == plain.id
    assert filled.prompt("sentiment@trial").name == "new"
    assert {row.tag: (row.by, row.via) for row in filled.tags()} == {
        "sentiment@production": ("Ada", None),
        "sentiment@trial": ("Bob", other.id),
    }
    assert [row.kind for row in filled.events()] == ["tag"] * 3


def test_two_sites_of_one_name_stay_two(filled: Bank, other: Bank, plain: Prompt) -> None:
    assert other.path is not None
    filled.merge(other.path)
    sites = {row.site: row.score.total for row in filled.scores(prompts=[plain.id])}
    assert sites["site-a"] == 7
    (stranger,) = set(sites) - {"site-a"}
    assert stranger.startswith("site-a~") and sites[stranger] == 1


def test_a_site_with_one_key_is_one_site_in_both(filled: Bank, other: Bank, plain: Prompt) -> None:
    for found in (filled, other):
        found.register_site("site-a", "k1:" + "7" * 32)
    assert other.path is not None
    filled.merge(other.path)
    assert {row.site for row in filled.scores(prompts=[plain.id])} == {"site-a"}
    assert len(filled.scores(prompts=[plain.id])) == 2


def test_a_merge_there_and_back_and_again_adds_nothing_and_both_hold_the_same(
    filled: Bank, other: Bank, tmp_path: Path, plain: Prompt
) -> None:
    assert other.path is not None
    filled.merge(other.path)
    filled.backup(tmp_path / "filled.db")
    other.merge(tmp_path / "filled.db")
    assert not any(filled.merge(other.path).values())
    assert {row.id for row in filled.prompts()} == {row.id for row in other.prompts()}
    assert {row.id for row in filled.events()} == {row.id for row in other.events()}
    assert sorted(filled.sites().values()) == sorted(other.sites().values())
    assert other.scores(prompts=[plain.id])[0].site == "site-a"
    assert other.prompt("sentiment@production").name == "new"  # each home's own word stands there
    assert filled.verify() == other.verify() == ()


def test_a_damaged_bank_is_neither_merged_nor_restored(filled: Bank, other: Bank, tmp_path: Path) -> None:
    other.backup(tmp_path / "bad.db")
    raw = sqlite3.connect(tmp_path / "bad.db")
    raw.execute("DROP TRIGGER scores_no_update")
    raw.execute("UPDATE scores SET body = replace(body, '\"n\":10', '\"n\":11')")
    raw.commit()
    raw.close()
    before = _contents(filled)
    calls: tuple[Callable[[Path], object], ...] = (filled.merge, filled.restore)
    for call in calls:
        with pytest.raises(BankError, match=r"bad\.db", check=coded("bank-disagrees")):
            call(tmp_path / "bad.db")
    assert _contents(filled) == before


def test_a_newer_bank_a_foreign_file_and_none_at_all_are_refused(filled: Bank, other: Bank, tmp_path: Path) -> None:
    newer, notes = tmp_path / "newer.db", tmp_path / "notes.db"
    other.backup(newer)
    raw = sqlite3.connect(newer)
    raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.commit()
    raw.close()
    notes.write_text("these are my notes\n" * 100)
    before = _contents(filled)
    for call in (filled.merge, filled.restore):
        for path, code in ((newer, "newer-schema"), (notes, "not-a-bank"), (tmp_path / "none.db", "no-such-file")):
            content = path.read_bytes() if path.exists() else None
            with pytest.raises(BankError, check=coded(code)) as error:
                call(path)
            assert path.name in str(error.value)
            assert (path.read_bytes() if path.exists() else None) == content
    assert _contents(filled) == before


def test_one_id_for_two_runs_is_refused_before_anything_is_merged(
    filled: Bank, other: Bank, digest: str, study: Study
) -> None:
    other.start_run("r", kind="demo", study=digest, settings={"seed": 1})
    before = _contents(filled)
    assert other.path is not None
    with pytest.raises(BankError, match="'r'", check=coded("other-settings")):
        filled.merge(other.path)
    assert _contents(filled) == before
