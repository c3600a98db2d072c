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
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            size = os.fstat(handle).st_size
            held = os.pread(handle, size, 0)
            last = self._last(held)
            body: dict[str, Any] = {
                "number": 1 if last is None else last.number + 1,
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "decision": decision,
                "study": study,
                "message": dict(message),
                "arrays": dict(arrays),
                "size": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
                "before": GENESIS if last is None else last.hash,
            }
            body["hash"] = _hash(body)
            line_end = b"" if not held or held.endswith(b"\n") else b"\n"
            try:
                _write_all(handle, line_end + canonical_json(body) + b"\n")
                os.fsync(handle)
            except OSError as error:
                os.ftruncate(handle, size)  # half a line would break the chain
                raise LedgerError(
                    f"{self.path}: the ledger cannot be written ({error.strerror}); nothing was sent"
                ) from error
            return Entry(**body)
        finally:
            os.close(handle)

    def entries(self) -> tuple[Entry, ...]:
        """Return all entries, checked.

        Raises:
            LedgerError: it cannot be read, or a line was changed, removed or moved; names its number.
        """
        try:
            lines = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise LedgerError(f"{self.path}: the ledger cannot be read ({error.strerror})") from error
        if lines[-1] == b"":
            lines.pop()
        found: list[Entry] = []
        before = GENESIS
        for number, line in enumerate(lines, start=1):
            entry = _entry(line)
            if entry is None:
                raise LedgerError(f"{self.path} line {number}: not an entry of a ledger; restore a backup")
            if entry.number != number or entry.before != before:
                raise LedgerError(f"{self.path} line {number}: the chain of hashes is broken here; restore a backup")
            before = entry.hash
            found.append(entry)
        return tuple(found)

    def _last(self, held: bytes) -> Entry | None:
        if not held:
            return None
        entry = _entry(held.removesuffix(b"\n").rsplit(b"\n", 1)[-1])
        if entry is None:
            raise LedgerError(
                f"{self.path}: the ledger's last line is damaged; restore a backup before anything is sent"
            )
        return entry

    @property
    def head(self) -> str:
        """The hash of the last entry."""
        entries = self.entries()
        return entries[-1].hash if entries else GENESIS


def _hash(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json({k: v for k, v in body.items() if k != "hash"})).hexdigest()


def _entry(line: bytes) -> Entry | None:
    """Return the entry in a line, None where it is none or does not have the hash that it claims."""
    try:
        body = json.loads(line)
        entry = Entry(**body)
        whole = type(entry.number) is int and _hash(body) == entry.hash
    except (ValueError, TypeError, RecursionError, AttributeError):
        return None
    return entry if whole else None


def _write_all(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]
