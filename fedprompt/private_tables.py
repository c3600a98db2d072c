"""Private tables: an SQLite file of this program's alone (mode 0600), on the disk once a transaction has ended.

Invariant: a file with another program's tables is refused before anything is written to it.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

__all__ = ["private_tables", "writing"]

BUSY_SECONDS = 30
TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"


@contextmanager
def private_tables(
    path: Path, tables: Collection[str], prepare: Callable[[sqlite3.Connection], object]
) -> Iterator[sqlite3.Connection]:
    """Open a file, made where there is none; what is written goes through :func:`writing`.

    Args:
        path: the file.
        tables: the only tables that it may hold.
        prepare: makes those that it lacks.

    Raises:
        OSError, sqlite3.OperationalError: it cannot be read or written now.
        sqlite3.Error: it is damaged, or another program's.
    """
    path.touch(mode=0o600, exist_ok=True)
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=FULL")
        if strange := {str(name) for (name,) in connection.execute(TABLES)} - set(tables):
            raise sqlite3.DatabaseError(f"it has the table '{sorted(strange)[0][:60]}' of another program")
        prepare(connection)
        yield connection


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, and nobody else writes meanwhile."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if connection.in_transaction:  # SQLite ends it by itself where the disk is full
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
