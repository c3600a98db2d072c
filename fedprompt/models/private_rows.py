"""One private SQLite file of names and bytes: what was computed or paid for once, so that it is not a second time.

Readable by its owner alone. Names are hashes, made by whoever keeps something here. Several processes may use a file;
a row is on disk before ``put`` returns. A damaged file is put aside and begun anew: nothing in it is lost for good.
"""

import logging
import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from fedprompt.errors import DataError

__all__ = ["PrivateRows"]

log = logging.getLogger(__name__)
AT_ONCE = 500  # names in one query


class PrivateRows:
    """The rows of one table of the file at ``path``; ``table`` is a word of the caller's own, never from outside."""

    def __init__(self, path: Path, table: str) -> None:
        self.path, self._table = path, table

    def get(self, names: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return what is known of these names.

        Raises:
            DataError: the file cannot be read now.
        """
        found: dict[bytes, bytes] = {}
        if not self.path.exists():
            return found
        try:
            with self._open() as connection:
                for at in range(0, len(names), AT_ONCE):
                    part = names[at : at + AT_ONCE]
                    marks = ",".join("?" * len(part))
                    asked = f"SELECT name, body FROM {self._table} WHERE name IN ({marks})"  # noqa: S608
                    found.update((bytes(name), bytes(body)) for name, body in connection.execute(asked, part))
        except sqlite3.OperationalError as error:
            raise DataError(
                f"{self.path}: cannot be read now ({self._why(error)}); run again", code="cannot-read"
            ) from error
        except sqlite3.DatabaseError:
            self.put_aside()
            return {}
        return found

    def put(self, rows: Mapping[bytes, bytes], *, replace: bool = False) -> None:
        """Keep rows; what is there already stays unless ``replace``.

        Raises:
            DataError: the file cannot be written.
        """
        how = "REPLACE" if replace else "IGNORE"
        try:
            with self._open() as connection:
                wanted = f"INSERT OR {how} INTO {self._table} (name, body) VALUES (?, ?)"  # noqa: S608
                connection.executemany(wanted, list(rows.items()))
        except sqlite3.OperationalError as error:
            raise DataError(
                f"{self.path} cannot be written ({self._why(error)}); free some disk space, or check its owner",
                code="cannot-write",
            ) from error
        except sqlite3.DatabaseError:
            self.put_aside()

    def put_aside(self) -> None:
        """Rename the file, so that the next row begins another; another process may have done so first."""
        aside = self.path.with_name(f"{self.path.name}.damaged")
        with suppress(FileNotFoundError):
            self.path.replace(aside)
            log.warning("%s was damaged and is recreated; its contents are computed again (%s)", self.path, aside.name)
        for end in ("-wal", "-shm"):
            self.path.with_name(self.path.name + end).unlink(missing_ok=True)

    def _why(self, error: Exception) -> str:
        return "it is a folder; move it away" if self.path.is_dir() else str(error)

    def _open(self) -> "_Transaction":
        if not self.path.exists():
            os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600))
        return _Transaction(self.path, self._table)


class _Transaction:
    """A connection that commits or rolls back, and closes."""

    def __init__(self, path: Path, table: str) -> None:
        self._connection, self._table = sqlite3.connect(path, timeout=30), table

    def __enter__(self) -> sqlite3.Connection:
        try:
            self._connection.execute("PRAGMA journal_mode=WAL")
            made = f"CREATE TABLE IF NOT EXISTS {self._table} (name BLOB PRIMARY KEY, body BLOB NOT NULL)"
            self._connection.execute(made)
            columns = self._connection.execute(f"PRAGMA table_info({self._table})").fetchall()
            if [column[1] for column in columns] != ["name", "body"]:
                raise sqlite3.DatabaseError("another program's table")
        except sqlite3.Error:
            self._connection.close()
            raise
        return self._connection

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self._connection.commit()
        finally:
            self._connection.close()
