"""What this home's hub last saw of each site's ledger, across runs and studies: one SQLite file, mode 0600.

Invariant: a head is on disk before the reply that showed it is used. That an operator accepted a new beginning is kept
for good, with what was known before.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fedprompt.errors import BankError, FederationError
from fedprompt.federation.ledgers import Seen
from fedprompt.private_tables import private_tables, writing
from fedprompt.workspace.acting import needs
from fedprompt.workspace.home import Home
from fedprompt.workspace.json_file import now

__all__ = ["LOCAL", "Restart", "SeenLedgers", "accept_restart", "seen_ledgers"]

LOCAL = "here"  # the federation of the sites whose folders lie in this home
SCHEMA = """
CREATE TABLE IF NOT EXISTS ledgers (
    federation TEXT NOT NULL, site TEXT NOT NULL, head TEXT, identity TEXT, at TEXT NOT NULL, restarted TEXT,
    PRIMARY KEY (federation, site)
) STRICT;
CREATE TABLE IF NOT EXISTS restarts (
    number INTEGER PRIMARY KEY, federation TEXT NOT NULL, site TEXT NOT NULL, head TEXT, identity TEXT,
    at TEXT NOT NULL, by TEXT NOT NULL
) STRICT;
"""


@dataclass(frozen=True)
class Restart:
    """A new beginning that was accepted: when (``at``) and by whom, and the ``head`` and key that were known before."""

    site: str
    head: str | None
    identity: str | None
    at: str
    by: str


class SeenLedgers:
    """The sites of one federation, by the fingerprint of its authority or ``LOCAL``."""

    def __init__(self, home: Home, federation: str) -> None:
        self._home, self._federation = home, federation

    def seen(self, site: str) -> Seen | None:
        """Return what was last seen of a site's ledger."""
        query = "SELECT site, head, identity, at FROM ledgers WHERE federation = ? AND site = ?"
        return self._one(query, site)

    def elsewhere(self, site: str, identity: str) -> Seen | None:
        """Return what was last seen of the ledger of this key under another name, unless a restart was accepted."""
        query = (
            "SELECT site, head, identity, at FROM ledgers WHERE federation = ?1 AND site != ?2 AND identity = ?3 AND "
            "head IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ledgers WHERE federation = ?1 AND site = ?2 AND "
            "restarted IS NOT NULL) ORDER BY at DESC"
        )
        return self._one(query, site, identity)

    def saw(self, site: str, head: str) -> None:
        """Keep the head that a site showed."""
        self._write(
            "INSERT INTO ledgers (federation, site, head, at) VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET head = excluded.head, at = excluded.at",
            site,
            head,
            now(),
        )

    def met(self, site: str, identity: str) -> None:
        """Keep whose ledger it is."""
        self._write(
            "INSERT INTO ledgers (federation, site, identity, at) VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET identity = excluded.identity",
            site,
            identity,
            now(),
        )

    def begin(self, site: str, head: str, at: str) -> None:
        """Keep a head that a run of an earlier version recorded, where nothing is known of the site."""
        query = "INSERT OR IGNORE INTO ledgers (federation, site, head, at) VALUES (?, ?, ?, ?)"
        self._write(query, site, head, at)

    def _one(self, query: str, *words: str) -> Seen | None:
        if not _file(self._home).exists():
            return None
        with _open(self._home) as connection:
            row = connection.execute(query, (self._federation, *words)).fetchone()
        return None if row is None else Seen(*row)

    def _write(self, query: str, *words: str) -> None:
        with _open(self._home) as connection, writing(connection):
            connection.execute(query, (self._federation, *words))


def seen_ledgers(home: Home) -> tuple[tuple[Seen, ...], tuple[Restart, ...]]:
    """Return what is known of every site's ledger, and which new beginnings were accepted."""
    if not _file(home).exists():
        return (), ()
    with _open(home) as connection:
        known = connection.execute("SELECT site, head, identity, at FROM ledgers ORDER BY site, federation").fetchall()
        accepted = connection.execute("SELECT site, head, identity, at, by FROM restarts ORDER BY number").fetchall()
    return tuple(Seen(*row) for row in known), tuple(Restart(*row) for row in accepted)


@needs("federate")
def accept_restart(home: Home, site: str, by: str) -> tuple[Restart, ...]:
    """Accept that a site's ledger begins anew, and keep that it was accepted.

    Args:
        by: who accepts it.

    Raises:
        FederationError: no ledger of such a site was seen.
    """
    with _open(home) as connection, writing(connection):
        rows = connection.execute("SELECT federation, head, identity FROM ledgers WHERE site = ?", (site,)).fetchall()
        if not rows:
            known = [name for (name,) in connection.execute("SELECT DISTINCT site FROM ledgers ORDER BY site")]
            raise FederationError(
                f"no ledger of a site '{site}' has been seen; known sites: {', '.join(known) or 'none'}",
                code="unknown-site",
            )
        at = now()
        for federation, head, identity in rows:
            connection.execute(
                "INSERT INTO restarts (federation, site, head, identity, at, by) VALUES (?, ?, ?, ?, ?, ?)",
                (federation, site, head, identity, at, by),
            )
        connection.execute(
            "UPDATE ledgers SET head = NULL, identity = NULL, at = ?, restarted = ? WHERE site = ?", (at, at, site)
        )
    return tuple(Restart(site, head, identity, at, by) for _, head, identity in rows)


def _file(home: Home) -> Path:
    return home.path / "ledgers-seen.db"


@contextmanager
def _open(home: Home) -> Iterator[sqlite3.Connection]:
    path = _file(home)
    try:
        with private_tables(path, ("ledgers", "restarts"), lambda found: found.executescript(SCHEMA)) as connection:
            yield connection
    except (sqlite3.OperationalError, OSError) as error:
        raise BankError(
            f"{path}: the record of the sites' ledgers cannot be saved or read now ({error}). Check the disk "
            "and the file's permissions, then run again",
            code="cannot-write",
        ) from error
    except sqlite3.Error as error:
        raise BankError(
            f"{path}: the record of the sites' ledgers is damaged ({error}); the file was not changed. Restore "
            "it from a backup. Without a backup, move it away, and the next run accepts the sites' ledgers as "
            "they are",
            code="damaged",
        ) from error
