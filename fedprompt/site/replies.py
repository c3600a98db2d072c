"""What a site answered: kept before it is sent, so that a question asked again gets the same bytes and costs nothing.

The reply, its charge to the study's budget and the state that belongs to it (``verbs.beside``) are written in one
SQLite transaction. A process that dies before it leaves nothing charged; one that dies after it sends the stored bytes
when asked again.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fedprompt.errors import LedgerError
from fedprompt.private_tables import private_tables, writing
from fedprompt.verbs.beside import Beside, Count, Kind, Passed, Rise, after

__all__ = ["ReplyStore"]

VERSION = 2  # of the schema; a file made before there was a number has 0
OWN = {"sent", "answers", "beside", "residuals"}
# ``noted`` is what the ledger's entry says beside the message, as JSON.
SCHEMA = """
CREATE TABLE IF NOT EXISTS sent (sha256 TEXT PRIMARY KEY, data BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS answers (
    question TEXT PRIMARY KEY, study TEXT NOT NULL, sha256 TEXT NOT NULL REFERENCES sent,
    noted TEXT NOT NULL DEFAULT '{}'
) STRICT;
CREATE TABLE IF NOT EXISTS beside (
    kind TEXT NOT NULL, scope TEXT NOT NULL, number INTEGER, data BLOB, PRIMARY KEY (kind, scope)
) STRICT;
"""


class ReplyStore:
    """One SQLite file at ``path`` (mode 0600), made when the first reply is kept."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def find(self, question: str) -> bytes | None:
        """Return the bytes that answered a question, or None."""
        found = self._one("SELECT data FROM answers JOIN sent USING (sha256) WHERE question = ?", question)
        return None if found is None else bytes(found)

    def noted(self, question: str) -> Mapping[str, Any]:
        """Return what the ledger's entry says beside the message that answered a question; nothing if it is new."""
        found = self._one("SELECT noted FROM answers WHERE question = ?", question)
        body: dict[str, Any] = {} if found is None else json.loads(found)
        return body

    def data(self, sha256: str) -> bytes | None:
        """Return the bytes of a reply or refusal by their SHA-256, or None."""
        found = self._one("SELECT data FROM sent WHERE sha256 = ?", sha256)
        return None if found is None else bytes(found)

    def kept(self, kind: Kind, scope: str) -> bytes | None:
        """Return the bytes that the last reply left beside it, or None."""
        found = self._one("SELECT data FROM beside WHERE kind = ? AND scope = ?", kind, scope)
        return None if found is None else bytes(found)

    def held(self, kind: Kind, scopes: Iterable[str]) -> frozenset[str]:
        """Return which of some scopes the replies have left anything under."""
        wanted = list(scopes)
        if not wanted or not self.path.exists():
            return frozenset()
        with self._open() as connection:
            query = "SELECT scope FROM beside WHERE kind = ? AND scope IN (SELECT value FROM json_each(?))"
            return frozenset(str(scope) for (scope,) in connection.execute(query, (kind, json.dumps(wanted))))

    def numbers(self, kind: Kind) -> Mapping[str, int]:
        """Return the numbers of a kind by scope, as the last replies left them."""
        if not self.path.exists():
            return {}
        with self._open() as connection:
            query = "SELECT scope, number FROM beside WHERE kind = ? AND number IS NOT NULL ORDER BY scope"
            return {str(scope): int(number) for scope, number in connection.execute(query, (kind,))}

    def answered(self) -> frozenset[str]:
        """Return the SHA-256 of every reply that was kept; refusals are none."""
        if not self.path.exists():
            return frozenset()
        with self._open() as connection:
            return frozenset(str(sha256) for (sha256,) in connection.execute("SELECT sha256 FROM answers"))

    def spent(self, study: str) -> int:
        """Return how many replies of a study were kept; each is charged once."""
        return int(self._one("SELECT count(*) FROM answers WHERE study = ?", study) or 0)

    def keep(
        self,
        question: str | None,
        *,
        study: str,
        data: bytes,
        beside: Beside | None = None,
        noted: Mapping[str, Any] | None = None,
        least: Mapping[tuple[Kind, str], int] | None = None,
    ) -> None:
        """Keep bytes that are about to leave, and the state that belongs to them; all of it or nothing.

        Args:
            question: what they answer; None for a refusal, which costs nothing and is decided anew each time.
            beside: the state, kind by kind and scope by scope.
            noted: what the ledger's entry says beside the message.
            least: numbers that the ledger shows, which count where this file has less: it was lost, or is older.

        Raises:
            Passed: a count would be past its most, or a number would not rise.
            LedgerError: they cannot be kept, so nothing may leave.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        with self._open() as connection, writing(connection):
            connection.execute("INSERT OR IGNORE INTO sent VALUES (?, ?)", (sha256, data))
            if question is not None:
                said = json.dumps(dict(noted or {}), sort_keys=True)
                connection.execute("INSERT INTO answers VALUES (?, ?, ?, ?)", (question, study, sha256, said))
            for kind, scopes in (beside or {}).items():
                for scope, value in scopes.items():
                    if isinstance(value, bytes):
                        row: tuple[int | None, bytes | None] = (None, value)
                    else:
                        row = (_number(connection, kind, scope, value, (least or {}).get((kind, scope), 0)), None)
                    connection.execute("INSERT OR REPLACE INTO beside VALUES (?, ?, ?, ?)", (kind, scope, *row))

    def _one(self, query: str, *keys: str) -> Any:
        if not self.path.exists():
            return None
        with self._open() as connection:
            row = connection.execute(query, keys).fetchone()
        return None if row is None else row[0]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with private_tables(self.path, OWN, _bring_up) as connection:
                yield connection
        except (sqlite3.OperationalError, OSError) as error:
            raise LedgerError(
                f"{self.path}: replies cannot be saved or read now ({error}); nothing was sent. Check the disk "
                "and the file's permissions, then run again",
                code="cannot-write",
            ) from error
        except sqlite3.Error as error:
            raise LedgerError(
                f"{self.path}: the site's replies are damaged ({error}). Nothing was sent, and the file was "
                "not changed. Restore it from a backup, because it records what this site has answered and "
                "spent",
                code="damaged",
            ) from error


def _number(connection: sqlite3.Connection, kind: Kind, scope: str, value: Count | Rise, least: int) -> int:
    """Return the number to keep.

    Raises:
        Passed: a bound forbids it.
    """
    query = "SELECT number FROM beside WHERE kind = ? AND scope = ?"
    kept = connection.execute(query, (kind, scope)).fetchone()
    number = after(max(least, int(kept[0]) if kept else 0), value)
    if number is None:
        raise Passed(kind, scope)
    return number


def _bring_up(connection: sqlite3.Connection) -> None:
    """Give the file this version's tables; what an older version kept stays."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version == VERSION:
        return
    if version > VERSION:
        raise sqlite3.DatabaseError("a newer fedprompt wrote it; use that version")
    with writing(connection):
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])  # another process may have been first
        if version == VERSION:
            return
        for statement in SCHEMA.split(";")[:-1]:
            connection.execute(statement)
        if "noted" not in {row[1] for row in connection.execute("PRAGMA table_info(answers)")}:
            connection.execute("ALTER TABLE answers ADD COLUMN noted TEXT NOT NULL DEFAULT '{}'")
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'residuals'").fetchone():
            connection.execute("INSERT INTO beside SELECT 'residual', study, NULL, data FROM residuals")
            connection.execute("DROP TABLE residuals")
        connection.execute(f"PRAGMA user_version = {VERSION}")
