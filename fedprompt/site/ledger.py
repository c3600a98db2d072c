"""The ledger: every reply that left a site or was refused, and calls to models elsewhere, each with the hash before.

One JSON object a line, mode 0600. An entry is on disk (fsync) before the bytes that it describes are handed on. The
hash of an entry is SHA-256 over the hash before and the digest of the entry's own canonical JSON, so a change, a
missing or a moved line shows (``trust.chain``). A line is that JSON byte for byte: one key twice, or a space, is no
entry. Half a line at the end, which a power loss leaves, is set aside by the next entry (``site.torn_tail``).
"""

import fcntl
import hashlib
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fedprompt.errors import LedgerError
from fedprompt.prompts.ids import canonical_json
from fedprompt.site import torn_tail
from fedprompt.trust.chain import GENESIS, follow

__all__ = ["Entry", "Ledger", "Sent"]

log = logging.getLogger(__name__)


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

    @property
    def own(self) -> str:
        """The digest of the entry without its place in the chain."""
        return _own(asdict(self))


@dataclass(frozen=True)
class Sent:
    """Bytes that left in many parts: how many, and their SHA-256 in hexadecimal."""

    size: int
    sha256: str


class Ledger:
    """The file at ``path``; several processes may append."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._checked: tuple[int, bytes, tuple[Entry, ...]] = (0, hashlib.sha256(b"").digest(), ())

    def append(
        self,
        *,
        decision: str,
        study: str,
        message: Mapping[str, Any],
        arrays: Mapping[str, list[int]],
        data: "bytes | Sent",
    ) -> Entry:
        """Write one entry and return it once it is on disk.

        Args:
            decision: ``sent`` or ``refused`` of a reply, ``call`` of texts that a chat model elsewhere is asked.
            study: its digest.
            message: numbers and ids that say what left.
            arrays: the arrays' shapes.
            data: the bytes that left, or their size and digest.

        Raises:
            LedgerError: the ledger cannot be written, or its last line is damaged.
        """
        sent = data if isinstance(data, Sent) else Sent(len(data), hashlib.sha256(data).hexdigest())
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise LedgerError(
                f"{self.path}: the ledger cannot be opened ({error.strerror}); nothing was sent", code="cannot-write"
            ) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            held = self._mended(handle)
            size, last = len(held), self._last(held)
            body: dict[str, Any] = {
                "number": 1 if last is None else last.number + 1,
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "decision": decision,
                "study": study,
                "message": dict(message),
                "arrays": dict(arrays),
                "size": sent.size,
                "sha256": sent.sha256,
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
                    f"{self.path}: the ledger cannot be written ({error.strerror}); nothing was sent",
                    code="cannot-write",
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
            held = self.path.read_bytes()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise LedgerError(
                f"{self.path}: the ledger cannot be read ({error.strerror})", code="cannot-read"
            ) from error
        held = held[: _whole(held)]
        # What was checked before and is byte for byte as it was then need not be parsed again.
        length, digest, known = self._checked
        if len(held) < length or hashlib.sha256(held[:length]).digest() != digest:
            length, known = 0, ()
        lines = held[length:].split(b"\n")
        if lines[-1] == b"":
            lines.pop()
        found: list[Entry] = list(known)
        before = found[-1].hash if found else GENESIS
        for number, line in enumerate(lines, start=len(found) + 1):
            entry = _entry(line)
            if entry is None:
                raise LedgerError(
                    f"{self.path} line {number}: this is not a ledger entry; restore a backup", code="damaged"
                )
            if entry.number != number or entry.before != before:
                raise LedgerError(
                    f"{self.path} line {number}: the hash chain is broken here; restore a backup",
                    code="chain-broken",
                )
            before = entry.hash
            found.append(entry)
        if held.endswith(b"\n"):
            self._checked = (len(held), hashlib.sha256(held).digest(), tuple(found))
        return tuple(found)

    def trail(self, known: str) -> tuple[str, ...] | None:
        """Return the own digests of the entries after the one whose hash is ``known``, or None if there is no such one.

        Raises:
            LedgerError: it cannot be read, or the chain is broken.
        """
        entries = self.entries()
        hashes = [GENESIS, *(entry.hash for entry in entries)]
        if known not in hashes:
            return None
        return tuple(entry.own for entry in entries[hashes.index(known) :])

    @property
    def torn(self) -> int:
        """How many bytes at its end are half an entry, which the next entry sets aside; 0 if it cannot be read."""
        try:
            held = self.path.read_bytes()
        except OSError:
            return 0
        return len(held) - _whole(held)

    @property
    def set_aside(self) -> tuple[Path, ...]:
        """The files that hold what was cut from its end."""
        return torn_tail.set_aside(self.path)

    def last(self) -> Entry | None:
        """Return the last entry without checking those before it, or None where there is none.

        Raises:
            LedgerError: it cannot be read, or the last line is damaged.
        """
        try:
            return self._last(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise LedgerError(
                f"{self.path}: the ledger cannot be read ({error.strerror})", code="cannot-read"
            ) from error

    def _mended(self, handle: int) -> bytes:
        """Return the content without half an entry at its end, which is set aside.

        Raises:
            LedgerError: it cannot be set aside.
        """
        held = os.pread(handle, os.fstat(handle).st_size, 0)
        length = _whole(held)
        if length == len(held):
            return held
        try:
            aside = torn_tail.cut(self.path, handle, held, length)
        except OSError as error:
            raise LedgerError(
                f"{self.path}: the last {len(held) - length} bytes are an incomplete entry and cannot be moved "
                f"away ({error.strerror}); nothing was sent. Check the disk and the folder's permissions, then "
                "run again",
                code="cannot-write",
            ) from error
        log.warning(
            "%s: the last %d bytes were an incomplete entry of a reply that never left, as after a power "
            "failure. They were moved to %s. The ledger continues",
            self.path,
            len(held) - length,
            aside.name,
        )
        return held[:length]

    def _last(self, held: bytes) -> Entry | None:
        held = held[: _whole(held)]
        if not held:
            return None
        entry = _entry(held.removesuffix(b"\n").rsplit(b"\n", 1)[-1])
        if entry is None:
            raise LedgerError(
                f"{self.path}: the last line of the ledger is damaged; restore a backup before anything is sent",
                code="damaged",
            )
        return entry

    @property
    def head(self) -> str:
        """The hash of the last entry."""
        entries = self.entries()
        return entries[-1].hash if entries else GENESIS


def _own(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json({k: v for k, v in body.items() if k not in ("before", "hash")})).hexdigest()


def _hash(body: Mapping[str, Any]) -> str:
    return follow(str(body["before"]), (_own(body),))


def _entry(line: bytes) -> Entry | None:
    """Return the entry in a line, None where it is none or does not have the hash that it claims."""
    try:
        body = json.loads(line)
        if canonical_json(body) != line:  # a key twice would be read in two ways
            return None
        entry = Entry(**body)
        whole = _typed(entry) and _hash(body) == entry.hash
    except (ValueError, TypeError, KeyError, RecursionError, AttributeError):
        return None
    return entry if whole else None


def _typed(entry: Entry) -> bool:
    texts = (entry.time, entry.decision, entry.study, entry.sha256, entry.before, entry.hash)
    return (
        type(entry.number) is int
        and type(entry.size) is int
        and all(isinstance(text, str) for text in texts)
        and isinstance(entry.message, dict)
        and isinstance(entry.arrays, dict)
        and all(isinstance(shape, list) for shape in entry.arrays.values())
    )


def _whole(held: bytes) -> int:
    """Return how many bytes are whole entries; one that lacks nothing but its line's end is whole."""
    length = torn_tail.whole(held)
    return len(held) if length < len(held) and _entry(held[length:]) is not None else length


def _write_all(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]
