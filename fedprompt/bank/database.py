"""Hands out transactions on a bank's place; whatever goes wrong becomes a BankError of one sentence.

Invariant: a schema newer than this program is never touched, an older one is brought up to date under the write lock.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError, TimeoutError

from fedprompt.bank.place import Place
from fedprompt.bank.schema import HEAD
from fedprompt.bank.sqlite import SQLiteFile
from fedprompt.errors import BankError

__all__ = ["MIGRATIONS", "Database"]

MIGRATIONS = Path(__file__).parent / "migrations"


class Database:
    """One bank's database, usable from several threads; each process opens its own."""

    def __init__(self, place: Place) -> None:
        """Open the database and bring its schema up to date.

        Raises:
            BankError: it cannot be opened or is not a bank.
        """
        self.place = place
        if isinstance(place, SQLiteFile):
            place.prepare()
        self._engine = place.engine()
        try:
            self._migrate()
        except BaseException:
            self._engine.dispose()
            raise

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the bank.

        Raises:
            BankError: the bank cannot be read.
        """
        with self._sentences(), self._engine.connect() as connection:
            yield self.place.begin_reading(connection)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection whose changes are kept together or not at all.

        Raises:
            BankError: the bank cannot be written, or a newer fedprompt has changed its schema meanwhile.
        """
        with self._writing() as connection:
            self._check_version(connection)
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._sentences(), self._engine.connect() as connection:
            self.place.begin_writing(connection)
            with connection.begin():
                self.place.took_lock(connection)
                yield connection

    def _check_version(self, connection: Connection) -> None:
        # Another version may have migrated the bank while this process had it open.
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        if found != HEAD:
            raise BankError(self._newer(str(found)), code="newer-schema")

    def _newer(self, found: str) -> str:
        return (
            f"the bank {self.place.name} was written by a newer fedprompt (schema {found}, this one supports "
            f"{HEAD}); update fedprompt, or choose another home with --home DIR"
        )

    def _migrate(self) -> None:
        with self.read() as connection:
            if _version(connection) == HEAD:
                return
        with self._writing() as connection:
            found = _version(connection)
            if found == HEAD:
                return
            if found is None and inspect(connection).get_table_names():
                what = "an SQLite file" if isinstance(self.place, SQLiteFile) else "a database"
                raise BankError(
                    f"{self.place.name} is {what} of another program, not a bank; move it away", code="not-a-bank"
                )
            if found is not None and found > HEAD:
                raise BankError(self._newer(found), code="newer-schema")
            from alembic import command
            from alembic.config import Config

            config = Config(attributes={"connection": connection})
            config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
            config.set_main_option("path_separator", "os")
            command.upgrade(config, HEAD)

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise self.place.failure(error.orig) from error
        except TimeoutError as error:
            raise BankError(
                f"too many threads use the bank {self.place.name} at the same time; try again", code="bank-busy"
            ) from error


def _version(connection: Connection) -> str | None:
    if "alembic_version" not in inspect(connection).get_table_names():
        return None
    found: Any = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)
