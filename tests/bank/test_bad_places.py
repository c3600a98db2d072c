"""A bank that cannot be written, or that two versions have open: a clear refusal, and nothing changed."""

import hashlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fedprompt.bank.filters import Filter
from fedprompt.bank.store import Bank
from fedprompt.bank.texts import now, to_json
from fedprompt.errors import BankError
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.study.schema import Answer, Study, TemplateSpec
from fedprompt.study.score import Score
from tests.bank.old_bank import old_bank
from tests.coded import coded

pytestmark = pytest.mark.whole

FIRST = "fcf56041b350b1ab30ab73eb4c9d9681e71263c585267bdd3093915c452eb377"


def _prompt(text: str) -> Prompt:
    return Prompt(Template("t", text=text))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a file system of one megabyte; skip where mounts are not allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounting a file system needs rights that this user lacks")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def _remount_read_only(folder: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)


def test_a_full_disk_is_said_and_the_bank_is_whole_when_there_is_room_again(small_disk: Path) -> None:
    path = small_disk / "bank.db"
    with Bank.open(path) as bank:
        first = bank.record_prompt(_prompt("first {text}"), study=None, origin="import")
        (small_disk / "filler").write_bytes(bytes(os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_bsize))
        for number in range(3):
            with pytest.raises(BankError, check=coded("disk-full", "disk-fails")):
                bank.record_prompt(_prompt(f"{number} " * 20_000), study=None, origin="import")
        assert [row.id for row in bank.prompts()] == [first]
        (small_disk / "filler").unlink()
        bank.record_prompt(_prompt("second {text}"), study=None, origin="import")
        assert len(bank.prompts()) == 2 and bank.verify() == ()


def test_a_backup_onto_a_full_disk_leaves_no_half_file(small_disk: Path, tmp_path: Path) -> None:
    with Bank.open(tmp_path / "bank.db") as bank:
        for number in range(30):
            bank.record_prompt(_prompt(f"{number} " * 15_000), study=None, origin="import")
        with pytest.raises(BankError, check=coded("disk-full", "disk-fails")):
            bank.backup(small_disk / "copy.db")
        assert list(small_disk.iterdir()) == []


def test_a_restore_onto_a_full_disk_changes_nothing(small_disk: Path, tmp_path: Path) -> None:
    with Bank.open(tmp_path / "large.db") as large:
        for number in range(30):
            large.record_prompt(_prompt(f"{number} " * 15_000), study=None, origin="import")
        large.backup(tmp_path / "copy.db")
    with Bank.open(small_disk / "bank.db") as bank:
        bank.record_prompt(_prompt("first {text}"), study=None, origin="import")
        with pytest.raises(BankError, check=coded("disk-full", "disk-fails")):
            bank.restore(tmp_path / "copy.db")
        assert len(bank.prompts()) == 1 and bank.verify() == ()


def test_a_read_only_disk_is_said(small_disk: Path) -> None:
    path = small_disk / "bank.db"
    with Bank.open(path) as bank:
        bank.record_prompt(_prompt("first {text}"), study=None, origin="import")
    content = path.read_bytes()
    _remount_read_only(small_disk)
    with pytest.raises(BankError, match="Read-only file system", check=coded("cannot-write")):
        Bank.open(path)
    with pytest.raises(BankError, check=coded("cannot-write")):
        Bank.open(small_disk / "new" / "bank.db")
    assert path.read_bytes() == content


def test_a_disk_that_becomes_read_only_under_an_open_bank_is_said(tmp_path: Path, small_disk: Path) -> None:
    with Bank.open(small_disk / "bank.db") as bank:
        first = bank.record_prompt(_prompt("first {text}"), study=None, origin="import")
        bank.close()  # its files are let go, so that the disk may be remounted; a new connection finds it read-only
        _remount_read_only(small_disk)
        with pytest.raises(BankError, check=coded("bank-read-only", "cannot-read", "disk-full", "disk-fails")):
            bank.record_prompt(_prompt("second {text}"), study=None, origin="import")
        assert first


def test_a_version_that_is_too_old_stops_writing_once_a_newer_one_has_the_bank(tmp_path: Path) -> None:
    path = tmp_path / "bank.db"
    with Bank.open(path) as bank:
        bank.record_prompt(_prompt("first {text}"), study=None, origin="import")
        with closing(sqlite3.connect(path)) as newer:
            newer.execute("UPDATE alembic_version SET version_num = '9999'")
            newer.commit()
        with pytest.raises(BankError, match="9999", check=coded("newer-schema")):
            bank.record_prompt(_prompt("second {text}"), study=None, origin="import")
        assert len(bank.prompts()) == 1


def test_the_first_migration_still_makes_what_it_made(tmp_path: Path) -> None:
    path = old_bank(tmp_path / "bank.db", "0001")
    with closing(sqlite3.connect(path)) as raw:
        made = raw.execute("SELECT sql FROM sqlite_master WHERE sql > '' ORDER BY type, name").fetchall()
    assert hashlib.sha256("\n".join(row[0] for row in made).encode()).hexdigest() == FIRST


def test_a_bank_of_the_first_version_is_brought_up_to_date_with_all_it_holds(tmp_path: Path) -> None:
    path = old_bank(tmp_path / "bank.db", "0001")
    prompt = _prompt("first {text}")
    score = Score(
        prompt=prompt.id,
        split="validation",
        metric="accuracy",
        n=4,
        total=3,
        squares=3,
        groups=4,
        group_squares=0.75,
    )
    body = score.model_dump_json()
    answer = Answer(type="choice", labels=("a", "b"))
    study = Study(study="s", fields=("text",), answer=answer, templates=(TemplateSpec(name="t", text="{text}"),))
    digest = study.digest("m")
    with closing(sqlite3.connect(path)) as raw:
        kept = to_json(study.model_dump(mode="json"), "")
        raw.execute("INSERT INTO studies VALUES (1, ?, 's', ?, 'm', ?)", (digest, kept, now()))
        canonical = to_json(prompt.canonical(), "")
        row = (prompt.id, canonical, "first {text}")
        raw.execute("INSERT INTO prompts VALUES (1, ?, 'template', NULL, ?, ?, NULL)", row)
        raw.execute("INSERT INTO records VALUES (1, ?, 't', ?, 'study', '[]', '{}', ?)", (prompt.id, digest, now()))
        raw.execute("INSERT INTO runs VALUES (1, 'r', 'demo', ?, '{}', ?)", (digest, now()))
        raw.execute("INSERT INTO scores VALUES (1, 'r', 'a', ?, 'validation', NULL, ?, ?)", (prompt.id, body, now()))
        raw.commit()
    with Bank.open(path) as bank:
        assert bank.verify() == ()
        (row,) = bank.leaders(Filter(study=digest)).rows
        assert (row.id, row.mean, row.n) == (prompt.id, 0.75, 4)
        assert bank.prompt(prompt.id) == prompt
        own = bank.id
    with Bank.open(path) as bank:
        assert bank.id == own


WRITER = """
import sys
from pathlib import Path
from fedprompt.bank.store import Bank
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.trust.signing import Signer
with Bank.open(Path(sys.argv[1]), sys.argv[3] or None) as bank:
    print("ready", flush=True)
    for number in range(10**6):
        prompt = Prompt(Template("t", text=f"{sys.argv[2]} {number} {{text}}"))
        bank.record_prompt(prompt, study=None, origin="study")
        bank.tag_prompt(prompt.id, f"t{number}@new", by="", signer=Signer(bytes(32)))
        print(prompt.id, flush=True)
"""


@pytest.mark.slow
def test_a_writer_that_is_killed_at_any_moment_loses_nothing_it_had_said(tmp_path: Path, url: str | None) -> None:
    moments, said = random.Random(7), set[str]()
    path = tmp_path / "bank.db"
    Bank.open(path, url).close()
    for kill in range(6):
        words = [sys.executable, "-c", WRITER, str(path), str(kill), url or ""]
        writer = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None and writer.stdout.readline() == "ready\n"
        said.add(writer.stdout.readline().strip())
        time.sleep(moments.uniform(0, 0.3))
        os.kill(writer.pid, signal.SIGKILL)
        said |= {line.strip() for line in writer.stdout if line.endswith("\n")}
        writer.wait()
        writer.stdout.close()
        with Bank.open(path, url) as bank:
            assert said <= {row.id for row in bank.prompts()} and said <= {row.prompt for row in bank.events()}
            assert bank.verify() == ()


@pytest.mark.slow
def test_pages_jobs_and_a_transport_write_at_once_without_a_lost_write(tmp_path: Path, url: str | None) -> None:
    path = tmp_path / "bank.db"
    words = [sys.executable, "-c", WRITER.replace("10**6", "25"), str(path)]
    writers = [subprocess.Popen([*words, str(one), url or ""], stdout=subprocess.PIPE, text=True) for one in range(3)]
    said = [line for writer in writers for line in writer.communicate(timeout=120)[0].split() if line != "ready"]
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    with Bank.open(path, url) as bank:
        assert {row.id for row in bank.prompts()} == set(said) and len(said) == 75
        assert len(bank.events()) == 75 and bank.verify() == ()
