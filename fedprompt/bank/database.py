"""Opens the SQLite file and hands out transactions; whatever goes wrong becomes a BankError of one sentence.

Invariants: write-ahead logging, so readers never wait for a writer; a writer takes its lock at BEGIN, so two
processes queue up instead of failing at COMMIT; a schema newer than this program is never touched.
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError, TimeoutError
from sqlalchemy.pool import QueuePool

from fedprompt.bank.schema import HEAD
from fedprompt.errors import BankError

__all__ = ["Database"]

BUSY_SECONDS = 30
# FULL syncs the log at every commit. NORMAL would survive kill -9 just as well, but a power cut could undo
# the last rounds, each of which cost every site minutes; the bank writes a few times a second at most, so the
# sync is cheap.
SYNCHRONOUS = "FULL"
MIGRATIONS = Path(__file__).parent / "migrations"


class Database:
    """One SQLite file, usable from several threads; each process opens its own."""

    def __init__(self, path: Path) -> None:
        """Open the file, made with mode 0600 where missing, and bring its schema up to date.

        Raises:
            BankError: the file cannot be opened or is not a bank.
        """
        self.path = path
        self._prepare_file()
        self._engine = _engine(path)
        try:
            self._migrate()
        except BankError:
            self._engine.dispose()
            raise

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the bank.

        Raises:
            BankError: the file cannot be read.
        """
        with self._sentences(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection whose changes are kept together or not at all.

        Raises:
            BankError: the file cannot be written.
        """
        with self._sentences(), self._engine.connect() as connection:
            connection.execution_options(fedprompt_begin="BEGIN IMMEDIATE")
            with connection.begin():
                yield connection

    def _prepare_file(self) -> None:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            if self.path.stat().st_mode & 0o077:
                self.path.chmod(0o600)
        except OSError as error:
            raise BankError(
                f"the bank {self.path} cannot be opened for writing ({error.strerror}); "
                "check the home folder's rights, or choose another with --home DIR"
            ) from error

    def _migrate(self) -> None:
        with self.read() as connection:
            if _version(connection) == HEAD:
                return
        with self.write() as connection:
            found = _version(connection)
            if found == HEAD:
                return
            if found is None and inspect(connection).get_table_names():
                raise BankError(f"{self.path} is an SQLite file of another program, not a bank; move it away")
            if found is not None and found > HEAD:
                raise BankError(
                    f"the bank {self.path} was written by a newer fedprompt (schema {found}, this one knows "
                    f"{HEAD}); update fedprompt, or choose another home with --home DIR"
                )
            from alembic import command
            from alembic.config import Config

            config = Config(attributes={"connection": connection})
            config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
            config.set_main_option("path_separator", "os")
            command.upgrade(config, "head")

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise BankError(self._sentence(error.orig)) from error
        except TimeoutError as error:
            raise BankError(f"too many threads use the bank {self.path} at once; try again") from error

    def _sentence(self, error: BaseException | None) -> str:
        name = str(getattr(error, "sqlite_errorname", "")) if isinstance(error, sqlite3.Error) else ""
        if name.startswith("SQLITE_FULL"):
            return f"the disk that holds the bank {self.path} is full; free some space and try again"
        if name.startswith("SQLITE_READONLY"):
            return f"the bank {self.path} can only be read; check the rights of the file and its folder"
        if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
            return f"{self.path} is not a bank, or it is damaged; restore a copy of it or move it away"
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return f"the bank {self.path} was in use for more than {BUSY_SECONDS} s; try again"
        if name.startswith("SQLITE_CANTOPEN"):
            return f"the bank {self.path} cannot be opened; check the rights of its folder"
        if name.startswith("SQLITE_IOERR"):
            return f"the disk that holds the bank {self.path} is full or fails ({name}); check it and try again"
        return f"the bank {self.path} refused what was asked of it ({error}); 'fedprompt bank verify' checks it"


def _engine(path: Path) -> Engine:
    # A connection function instead of a URL: a path may hold any character.
    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            _pragmas(connection)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool, pool_size=5, max_overflow=20)

    @event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:
        connection.exec_driver_sql(str(connection.get_execution_options().get("fedprompt_begin", "BEGIN")))

    return engine


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


def _version(connection: Connection) -> str | None:
    if "alembic_version" not in inspect(connection).get_table_names():
        return None
    found: Any = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)
