"""Whole copies of a bank. A backup is an SQLite bank in one file, whatever database it was taken from.

Between files SQLite's own backup API copies pages: one state, while others write. To and from PostgreSQL the same rows
are copied table by table, inside one transaction on either side.
"""

import os
import secrets
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, delete, func, select

from fedprompt.bank.database import Database
from fedprompt.bank.schema import APPEND_ONLY, adapted, metadata
from fedprompt.bank.sqlite import SQLiteFile
from fedprompt.errors import BankError

__all__ = ["copy_to_file", "kept_aside", "new_file", "replace_rows", "working_copy"]

BATCH = 500
TRIGGERS = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"


@contextmanager
def new_file(destination: Path) -> Iterator[Path]:
    """Yield a path to write to, beside the destination; it takes the destination's name when all is well.

    Raises:
        BankError: the destination is there already, or cannot be written.
    """
    if destination.exists() or destination.is_symlink():
        raise BankError(
            f"{destination} already exists; choose another name, because a backup never overwrites a file",
            code="there-already",
        )
    temporary = destination.with_name(f".{destination.name}.{secrets.token_hex(4)}")
    try:
        os.close(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        yield temporary
        os.link(temporary, destination)  # refuses a name that was taken meanwhile
    except FileExistsError as error:
        raise BankError(
            f"{destination} already exists; choose another name, because a backup never overwrites a file",
            code="there-already",
        ) from error
    except OSError as error:
        raise BankError(
            f"{destination} cannot be written ({error.strerror}); choose another place", code="cannot-write"
        ) from error
    finally:
        for ending in ("", "-wal", "-shm", "-journal"):
            temporary.with_name(temporary.name + ending).unlink(missing_ok=True)


def copy_to_file(source: Database, path: Path, private: "Select[Any]") -> None:
    """Write one state of a bank to an empty file.

    Args:
        source: the bank.
        path: the file.
        private: the rows of the table ``adapted`` that go with it; nothing of the others is left in the file.

    Raises:
        BankError: the bank cannot be read, or the file cannot be written.
    """
    target = SQLiteFile(path)
    if isinstance(source.place, SQLiteFile):
        try:
            with closing(source.place.connect()) as there, closing(sqlite3.connect(path)) as here:
                there.backup(here)
        except sqlite3.Error as error:
            raise _not_copied(target.failure(error)) from error
    with closing(Database(target)) as made:
        if isinstance(source.place, SQLiteFile):
            _leave_out(made, private)
        else:
            _copy_rows(source, made, private)
    _one_file(path)


def replace_rows(target: Database, source: Database) -> None:
    """Put a copy's rows in the place of all rows of a bank, in one transaction.

    Raises:
        BankError: the bank cannot be written.
    """
    if isinstance(target.place, SQLiteFile) and isinstance(source.place, SQLiteFile):
        try:
            with closing(source.place.connect()) as there, closing(target.place.connect()) as here:
                there.backup(here)
        except sqlite3.Error as error:
            raise target.place.failure(error) from error
    else:
        _copy_rows(source, target)


@contextmanager
def working_copy(path: Path) -> Iterator[Database]:
    """Open a copy of a bank's file, so that whatever is done to it (a newer schema, too) leaves the file alone.

    Raises:
        BankError: there is no such file, it is no bank, or it is of a newer schema.
    """
    path = path.expanduser().absolute()
    if not path.is_file():
        raise BankError(f"there is no file {path}; create one with 'fedprompt bank backup FILE'", code="no-such-file")
    with tempfile.TemporaryDirectory(prefix="fedprompt-bank-") as folder:
        copy = SQLiteFile(Path(folder) / "bank.db", shown=str(path))
        try:
            # Through SQLite, and not byte by byte: what is still in the file's log belongs to it.
            source = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
            with closing(source), closing(sqlite3.connect(copy.path)) as here:
                source.backup(here)
        except sqlite3.Error as error:
            raise copy.failure(error) from error
        if not copy.path.stat().st_size:
            raise BankError(f"{path} is empty, so it is not a bank", code="empty")
        database = Database(copy)
        try:
            yield database
        finally:
            database.close()


def kept_aside(path: Path) -> Path:
    """Return a name, beside a path, for the backup of what a restore replaces."""
    return path.with_name(f"bank-before-restore-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.db")


def _leave_out(copy: Database, private: "Select[Any]") -> None:
    """Take the other adapted prompts out of a copy; SQLite overwrites their bytes."""
    with copy.write() as here, _changeable(here):
        here.execute(delete(adapted).where(adapted.c.number.not_in(private.with_only_columns(adapted.c.number))))


def _copy_rows(source: Database, target: Database, private: "Select[Any] | None" = None) -> None:
    with source.read() as there, target.write() as here, _changeable(here):
        for table in reversed(metadata.sorted_tables):
            here.execute(delete(table))
        for table in metadata.sorted_tables:
            key = table.c.number if "number" in table.c else next(iter(table.primary_key.columns))
            chosen = private if table is adapted and private is not None else select(table)
            found = there.execute(chosen.order_by(key), execution_options={"yield_per": BATCH})
            for rows in found.partitions(BATCH):
                here.execute(table.insert(), [dict(row._mapping) for row in rows])
            if here.dialect.name == "postgresql" and "number" in table.c:
                last = select(func.coalesce(func.max(table.c.number), 0) + 1).scalar_subquery()
                here.execute(select(func.setval(func.pg_get_serial_sequence(table.name, "number"), last, False)))


@contextmanager
def _changeable(connection: Connection) -> Iterator[None]:
    """Lift the triggers that refuse changes, until the end of the transaction at most."""
    if connection.dialect.name == "postgresql":
        for table in APPEND_ONLY:
            connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield
        for table in APPEND_ONLY:
            connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        return
    lifted = connection.exec_driver_sql(TRIGGERS).all()
    for name, _ in lifted:
        connection.exec_driver_sql(f"DROP TRIGGER {name}")
    yield
    for _, statement in lifted:
        connection.exec_driver_sql(statement)


def _one_file(path: Path) -> None:
    """Fold the log into the file, and have it on the disk."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except sqlite3.Error as error:
        raise _not_copied(SQLiteFile(path).failure(error)) from error


def _not_copied(failure: BankError) -> BankError:
    return BankError(f"the backup failed: {failure}", code=failure.code)
