"""The ledger: every reply that left a site or was refused, each entry carrying the hash of the one before.

One JSON object a line, mode 0600. An entry is on disk (fsync) before the bytes that it describes are handed on. The
hash of an entry is SHA-256 over its canonical JSON without the hash, so a change, a missing or a moved line shows.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fedprompt.errors import LedgerError
from fedprompt.prompts.ids import canonical_json

__all__ = ["GENESIS", "Entry", "Ledger"]

GENESIS = "0" * 64


@dataclass(frozen=True)
class Entry:
    """One line: its number from 1, what was decided, the message's numbers and ids, arrays' shapes, and hashes."""

    number: int
    time: str
    decision: str
    study: str
    message: Mapping[str, Any]
    arrays: Mapping[str, list[int]]
    size: int
    sha256: str
    before: str
    hash: str


class Ledger:
    """The file at ``path``; several processes may append."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(
        self,
        *,
        decision: str,
        study: str,
        message: Mapping[str, Any],
        arrays: Mapping[str, list[int]],
        data: bytes,
    ) -> Entry:
        """Write one entry and return it once it is on disk.

        Raises:
            LedgerError: the ledger cannot be written, or its last line is damaged.
        """
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise LedgerError(
                f"{self.path}: the ledger cannot be opened ({error.strerror}); nothing was sent"
            ) from error
        with os.fdopen(handle, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            last = _last_line(file.read())
            number, before = (1, GENESIS) if last is None else (int(last["number"]) + 1, str(last["hash"]))
            body: dict[str, Any] = {
                "number": number,
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "decision": decision,
                "study": study,
                "message": dict(message),
                "arrays": dict(arrays),
                "size": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
                "before": before,
            }
            body["hash"] = _hash(body)
            try:
                file.write(canonical_json(body) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            except OSError as error:
                raise LedgerError(
                    f"{self.path}: the ledger cannot be written ({error.strerror}); nothing was sent"
                ) from error
            return Entry(**body)

    def entries(self) -> tuple[Entry, ...]:
        """Return all entries, checked.

        Raises:
            LedgerError: a line was changed, removed or moved; names its number.
        """
        if not self.path.exists():
            return ()
        found, before = [], GENESIS
        for number, line in enumerate(self.path.read_bytes().splitlines(), start=1):
            try:
                body = json.loads(line)
                claimed = body.pop("hash")
                entry = Entry(**body, hash=claimed)
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise LedgerError(f"{self.path} line {number}: not an entry of a ledger; restore a backup") from error
            if entry.number != number or entry.before != before or _hash(body) != claimed:
                raise LedgerError(f"{self.path} line {number}: the chain of hashes is broken here; restore a backup")
            before = claimed
            found.append(entry)
        return tuple(found)

    @property
    def head(self) -> str:
        """The hash of the last entry."""
        entries = self.entries()
        return entries[-1].hash if entries else GENESIS


def _hash(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json({k: v for k, v in body.items() if k != "hash"})).hexdigest()


def _last_line(data: bytes) -> dict[str, Any] | None:
    if not data:
        return None
    try:
        last: dict[str, Any] = json.loads(data.rstrip(b"\n").rsplit(b"\n", 1)[-1])
    except ValueError as error:
        raise LedgerError("the ledger's last line is damaged; restore a backup before anything is sent") from error
    return last
