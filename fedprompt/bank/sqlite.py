"""A bank in an SQLite file: write-ahead logging, so readers never wait; the write lock is taken at BEGIN."""

import os
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from fedprompt.errors import BankError

__all__ = ["BUSY_SECONDS", "SQLiteFile"]

BUSY_SECONDS = 30
# FULL syncs the log at every commit. NORMAL would survive kill -9 just as well, but a power cut could undo
# the last rounds, each of which cost every site minutes; the bank writes a few times a second at most, so the
# sync is cheap.
SYNCHRONOUS = "FULL"
BEGIN = "fedprompt_begin"


@dataclass(frozen=True)
class SQLiteFile:
    """One file; each process opens its own connections. ``shown`` is how messages name it, if not by its path."""

    path: Path
    shown: str = ""

    @property
    def name(self) -> str:
        """The path, or what stands for it."""
        return self.shown or str(self.path)

    def prepare(self) -> None:
        """Make the file, mode 0600, if it is not there.

        Raises:
            BankError: it cannot be opened for writing.
        """
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            if self.path.stat().st_mode & 0o077:
                self.path.chmod(0o600)
        except OSError as error:
            raise BankError(
                f"the bank {self.path} cannot be opened for writing ({error.strerror}); check the home "
                "folder's permissions and its disk, or choose another with --home DIR",
                code="cannot-write",
            ) from error

    def engine(self) -> Engine:
        """Return an engine; making it touches nothing."""
        engine = create_engine("sqlite://", creator=self.connect, poolclass=QueuePool, pool_size=5, max_overflow=20)

        @event.listens_for(engine, "begin")
        def _(connection: Connection) -> None:
            connection.exec_driver_sql(str(connection.get_execution_options().get(BEGIN, "BEGIN")))

        return engine

    def connect(self) -> sqlite3.Connection:
        """Return a bare connection; a path may hold any character, so no URL is made of it.

        Raises:
            sqlite3.Error: it cannot be opened, or is no database.
        """
        connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            _pragmas(connection)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def begin_reading(self, connection: Connection) -> Connection:
        """Leave BEGIN as it is: the log gives one state."""
        return connection

    def begin_writing(self, connection: Connection) -> Connection:
        """Take the write lock at BEGIN."""
        return connection.execution_options(**{BEGIN: "BEGIN IMMEDIATE"})

    def took_lock(self, connection: Connection) -> None:
        """Do nothing: BEGIN took it."""

    def damages(self, connection: Connection) -> Iterator[str]:
        """Yield what SQLite's own check of the file's pages finds."""
        for row in connection.exec_driver_sql("PRAGMA quick_check"):
            if row[0] != "ok":
                yield str(row[0])

    def failure(self, error: BaseException | None) -> BankError:
        """Return what went wrong and what to do."""
        name = str(getattr(error, "sqlite_errorname", "")) if isinstance(error, sqlite3.Error) else ""
        if name.startswith("SQLITE_FULL"):
            return BankError(
                f"the disk that holds the bank {self.name} is full; free some space and try again", code="disk-full"
            )
        if name.startswith("SQLITE_READONLY"):
            return BankError(
                f"the bank {self.name} is read-only; check the permissions of the file and its folder",
                code="bank-read-only",
            )
        if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
            return BankError(
                f"{self.name} is not a bank, or it is damaged; restore a backup or move it away", code="not-a-bank"
            )
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return BankError(
                f"the bank {self.name} was in use for more than {BUSY_SECONDS} s; try again", code="bank-busy"
            )
        if name.startswith("SQLITE_CANTOPEN"):
            return BankError(
                f"the bank {self.name} cannot be opened; check the permissions of its folder", code="cannot-read"
            )
        if name.startswith("SQLITE_IOERR"):
            return BankError(
                f"the disk that holds the bank {self.name} is full or fails ({name}); check it and try again",
                code="disk-fails",
            )
        return BankError(
            f"the bank {self.name} refused the request ({error}); check it with 'fedprompt bank verify'",
            code="bank-refused",
        )


def _pragmas(connection: sqlite3.Connection) -> None:
    # Turning on the log asks for the file alone, and SQLite does not wait for that, whatever the timeout.
    give_up = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            break
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() > give_up:
                raise
            time.sleep(0.02)
    connection.execute(f"PRAGMA synchronous={SYNCHRONOUS}")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA secure_delete=ON")  # what is wiped is overwritten, not only unlisted
    connection.execute("PRAGMA cache_size=-65536")  # KiB: the inner pages of a large bank's indices stay in memory
    # Pages (64 MiB): what several large batches change alike is copied from the log into the file once.
    connection.execute("PRAGMA wal_autocheckpoint=16384")
