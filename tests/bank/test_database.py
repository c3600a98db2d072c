"""Opening a bank: migrations, several processes, and every file that is no bank or cannot be written."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from fedprompt.bank.database import MIGRATIONS
from fedprompt.bank.schema import APPEND_ONLY, DERIVED, HEAD, metadata
from fedprompt.bank.store import Bank
from fedprompt.errors import BankError
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from tests.coded import coded

pytestmark = pytest.mark.whole

WRITER = """
import sys
from pathlib import Path
from fedprompt.bank.store import Bank
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
path, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
with Bank.open(path) as bank:
    number = 0
    while count < 0 or number < count:
        bank.record_prompt(Prompt(Template(name, text=f"{name} {number}")), study=None, origin="study")
        number += 1
        print(number, flush=True)
"""


def _writer(path: Path, name: str, count: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", WRITER, str(path), name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


# SQLAlchemy cannot read indices over expressions back; the names of all indices are compared below.
@pytest.mark.filterwarnings("ignore:Skipped unsupported", "ignore:autogenerate skipping")
def test_the_migrations_make_the_tables_that_the_program_knows(tmp_path: Path) -> None:
    Bank.open(tmp_path / "bank.db").close()
    engine = create_engine(f"sqlite:///{tmp_path / 'bank.db'}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        made = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'index' AND sql > ''")
        known = {str(index.name) for table in metadata.tables.values() for index in table.indexes}
        assert set(made.scalars()) == known
    engine.dispose()
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == HEAD
    assert set(APPEND_ONLY) | {"jobs", *DERIVED} == set(metadata.tables)


def test_a_path_may_hold_any_character(tmp_path: Path) -> None:
    path = tmp_path / "a %(b)s ?mode=ro #ü" / "bank.db"
    with Bank.open(path) as bank:
        assert bank.path == path
    assert path.stat().st_size > 0


def test_two_processes_make_a_bank_and_write_at_once_without_loss(tmp_path: Path) -> None:
    path = tmp_path / "bank.db"
    writers = [_writer(path, name, 40) for name in ("a", "b")]
    errors = [writer.communicate(timeout=50)[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0], errors
    with Bank.open(path) as bank:
        assert len(bank.prompts()) == 80
        assert bank.verify() == ()


def test_what_was_written_outlives_a_killed_process(tmp_path: Path) -> None:
    path = tmp_path / "bank.db"
    writer = _writer(path, "a", -1)
    assert writer.stdout is not None
    told = 0
    while told < 10:
        told = int(writer.stdout.readline())
    os.kill(writer.pid, signal.SIGKILL)
    rest = writer.communicate()[0].split()
    with Bank.open(path) as bank:
        assert len(bank.prompts()) in (told + len(rest), told + len(rest) + 1)
        assert bank.verify() == ()


def test_threads_share_one_bank(tmp_path: Path) -> None:
    with Bank.open(tmp_path / "bank.db") as bank:

        def work(name: str) -> None:
            for number in range(10):
                prompt = Prompt(Template(name, text=f"{name} {number}"))
                bank.record_prompt(prompt, study=None, origin="study")
                bank.prompts()

        threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(bank.prompts()) == 40


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    with Bank.open(tmp_path / "bank.db") as bank:
        with pytest.raises(RuntimeError), bank._database.write() as connection:
            connection.exec_driver_sql(
                "INSERT INTO jobs (id, kind, arguments, state, cancelled, created, updated)"
                " VALUES ('j', 'k', '{}', 'queued', 0, '', '')"
            )
            raise RuntimeError("broken off")
        assert bank.jobs() == ()


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "bank.db"
    Bank.open(path).close()
    raw = sqlite3.connect(path)
    raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.commit()
    raw.close()
    with pytest.raises(BankError, match="9999", check=coded("newer-schema")):
        Bank.open(path)
    raw = sqlite3.connect(path)
    assert raw.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)
    raw.close()


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "bank.db"
    path.write_text("these are my notes, not a bank\n" * 100)
    with pytest.raises(BankError, check=coded("not-a-bank")):
        Bank.open(path)
    assert path.read_text().startswith("these are my notes")


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bank.db"
    raw = sqlite3.connect(path)
    raw.execute("CREATE TABLE photos (id INTEGER)")
    raw.commit()
    raw.close()
    with pytest.raises(BankError, check=coded("not-a-bank")):
        Bank.open(path)


def test_a_folder_in_the_banks_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bank.db").mkdir()
    with pytest.raises(BankError, check=coded("cannot-write")):
        Bank.open(tmp_path / "bank.db")


def test_a_file_among_the_parents_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BankError, check=coded("cannot-write")):
        Bank.open(tmp_path / "file" / "bank.db")


FULL = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from fedprompt.bank.store import Bank
from fedprompt.errors import BankError
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Template
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
bank = Bank.open(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
soft = SoftPrompt(np.zeros((512, 1024), np.float32), "m")
try:
    bank.record_prompt(Prompt(Template("big", text="{soft}"), soft), study=None, origin="import")
except BankError as error:
    print(error)
"""


def test_a_disk_that_takes_no_more_is_said_and_nothing_is_half_written(tmp_path: Path) -> None:
    path = tmp_path / "bank.db"
    done = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=True)
    assert "is full" in done.stdout
    with Bank.open(path) as bank:
        assert bank.prompts() == ()
        assert bank.verify() == ()
