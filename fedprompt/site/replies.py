"""What a site answered: kept before it is sent, so that a question asked again gets the same bytes and costs nothing.

The reply, its charge to the study's budget and what quantisation left over are written in one SQLite transaction. A
process that dies before it leaves nothing charged; one that dies after it sends the stored bytes when asked again.
"""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from fedprompt.errors import LedgerError

__all__ = ["ReplyStore"]

BUSY_SECONDS = 30
TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
SCHEMA = """
CREATE TABLE IF NOT EXISTS sent (sha256 TEXT PRIMARY KEY, data BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS answers (
    question TEXT PRIMARY KEY, study TEXT NOT NULL, sha256 TEXT NOT NULL REFERENCES sent
) STRICT;
CREATE TABLE IF NOT EXISTS residuals (study TEXT PRIMARY KEY, data BLOB NOT NULL) STRICT;
"""


class ReplyStore:
    """One SQLite file at ``path`` (mode 0600), made when the first reply is kept."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def find(self, question: str) -> bytes | None:
        """Return the bytes that answered a question, or None."""
        return self._one("SELECT data FROM answers JOIN sent USING (sha256) WHERE question = ?", question)

    def data(self, sha256: str) -> bytes | None:
        """Return the bytes of a reply or refusal by their SHA-256, or None."""
        return self._one("SELECT data FROM sent WHERE sha256 = ?", sha256)

    def residual(self, study: str) -> bytes | None:
        """Return what the last kept update of a study left over when it was quantised, or None."""
        return self._one("SELECT data FROM residuals WHERE study = ?", study)

    def spent(self, study: str) -> int:
        """Return how many replies of a study were kept; each is charged once."""
        if not self.path.exists():
            return 0
        with self._open() as connection:
            return int(connection.execute("SELECT count(*) FROM answers WHERE study = ?", (study,)).fetchone()[0])

    def keep(self, question: str | None, *, study: str, data: bytes, residual: bytes | None = None) -> None:
        """Keep bytes that are about to leave; all of it or nothing.

        Args:
            question: what they answer; None for a refusal, which costs nothing and is decided anew each time.
            residual: replaces the study's residual if given.

        Raises:
            LedgerError: they cannot be kept, so nothing may leave.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        with self._open() as connection, connection:
            connection.execute("INSERT OR IGNORE INTO sent VALUES (?, ?)", (sha256, data))
            if question is not None:
                connection.execute("INSERT INTO answers VALUES (?, ?, ?)", (question, study, sha256))
            if residual is not None:
                connection.execute("INSERT OR REPLACE INTO residuals VALUES (?, ?)", (study, residual))

    def _one(self, query: str, key: str) -> bytes | None:
        if not self.path.exists():
            return None
        with self._open() as connection:
            row = connection.execute(query, (key,)).fetchone()
        return None if row is None else bytes(row[0])

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.touch(mode=0o600, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=BUSY_SECONDS)) as connection:
                connection.execute("PRAGMA synchronous=FULL")
                if strange := {name for (name,) in connection.execute(TABLES)} - {"sent", "answers", "residuals"}:
                    raise sqlite3.DatabaseError(f"it has the table '{sorted(strange)[0][:60]}' of another program")
                connection.executescript(SCHEMA)
                yield connection
        except (sqlite3.OperationalError, OSError) as error:
            raise LedgerError(
                f"{self.path}: replies cannot be kept or read now ({error}); nothing was sent. Check the disk and the "
                "file's rights, then run again"
            ) from error
        except sqlite3.Error as error:
            raise LedgerError(
                f"{self.path}: the site's replies are damaged ({error}); nothing was sent and the file was left as it "
                "is. Restore it from a backup: it holds what this site has answered and spent"
            ) from error
