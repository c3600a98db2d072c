"""``site ledger``: what left, checked entry by entry; and the very bytes of one entry."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fedprompt.errors import LedgerError
from fedprompt.site.standing import notes
from fedprompt.verbs.wire import unpack_reply
from fedprompt.workspace.enrolled.site_folder import enrolled
from fedprompt.workspace.home import Home

__all__ = ["EntryRow", "EntryShown", "SiteLedger", "site_ledger", "site_ledger_show"]


@dataclass(frozen=True)
class EntryRow:
    """An entry of a ledger: ``size`` in bytes, ``arrays`` name -> shape, ``kept`` whether the bytes are still there."""

    number: int
    time: str
    decision: str
    study: str
    verb: str | None
    code: str | None
    arrays: Mapping[str, list[int]]
    size: int
    sha256: str
    kept: bool
    hash: str


@dataclass(frozen=True)
class SiteLedger:
    """A ledger that was checked: its ``head``, its entries, the oldest first, and what else is to be said."""

    site: str
    ok: bool
    head: str
    entries: tuple[EntryRow, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class EntryShown:
    """One entry with what left: the ``message``, the numbers of each array, and the very ``bytes``, in hexadecimal.

    ``before`` and ``hash`` chain it to its neighbours; ``size`` is in bytes.
    """

    site: str
    number: int
    time: str
    decision: str
    study: str
    size: int
    sha256: str
    before: str
    hash: str
    message: Mapping[str, Any]
    arrays: Mapping[str, Any]
    bytes: str


def site_ledger(home: Home, *, site: str | None = None, head: str | None = None) -> SiteLedger:
    """Check the chain of hashes and that the bytes of every entry are still those that left; list the entries.

    Args:
        head: a head that the hub recorded, which the ledger must hold.

    Returns:
        ``site``, ``ok``, ``head``, ``entries`` and ``notes`` (what does not fit together, and what to do).

    Raises:
        LedgerError: a line was changed, removed or moved, or the ledger does not hold ``head``; names the line.
    """
    chosen = enrolled(home, site)
    ledger, replies = chosen.folder.ledger, chosen.folder.replies
    entries = ledger.entries()
    if head is not None and ledger.trail(head) is None:
        raise LedgerError(
            f"{ledger.path} does not contain the head {head[:16]}... that the hub recorded, so entries were "
            "removed or changed; restore a backup",
            code="ledger-rewritten",
        )
    rows = []
    for entry in entries:
        data = replies.data(entry.sha256)
        if data is not None and hashlib.sha256(data).hexdigest() != entry.sha256:
            raise LedgerError(
                f"{replies.path}: the bytes of entry {entry.number} were changed; restore a backup",
                code="bytes-changed",
            )
        rows.append(
            EntryRow(
                number=entry.number,
                time=entry.time,
                decision=entry.decision,
                study=entry.study,
                verb=entry.message.get("verb"),
                code=entry.message.get("code"),
                arrays=dict(entry.arrays),
                size=entry.size,
                sha256=entry.sha256,
                kept=data is not None,
                hash=entry.hash,
            )
        )
    notes_on = tuple(notes(chosen.folder))
    return SiteLedger(chosen.name, ok=True, head=ledger.head, entries=tuple(rows), notes=notes_on)


def site_ledger_show(home: Home, number: int, *, site: str | None = None) -> EntryShown:
    """Return one entry, with exactly the bytes that left, and what they say.

    Raises:
        LedgerError: there is no such entry, or its bytes are not kept or were changed.
    """
    chosen = enrolled(home, site)
    entries = chosen.folder.ledger.entries()
    if not 1 <= number <= len(entries):
        raise LedgerError(
            f"{chosen.folder.ledger.path} has no entry {number}; it has {len(entries)} entries", code="no-such-entry"
        )
    entry = entries[number - 1]
    data = chosen.folder.replies.data(entry.sha256)
    if data is None or hashlib.sha256(data).hexdigest() != entry.sha256:
        raise LedgerError(
            f"{chosen.folder.replies.path}: the bytes of entry {number} are missing or were changed",
            code="bytes-missing",
        )
    parcel = unpack_reply(data)
    return EntryShown(
        site=chosen.name,
        number=number,
        time=entry.time,
        decision=entry.decision,
        study=entry.study,
        size=entry.size,
        sha256=entry.sha256,
        before=entry.before,
        hash=entry.hash,
        message=parcel.message.model_dump(mode="json"),
        arrays={name: array.tolist() for name, array in parcel.arrays.items()},
        bytes=data.hex(),
    )
