"""Whether a site's folder holds together: its key, ledger and replies may be lost one by one, or come from a backup.

Invariant: what is found is said with what to do about it; nothing is mended or given back here.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from fedprompt.errors import LedgerError
from fedprompt.site.folder import SiteFolder
from fedprompt.trust.signing import site_identity

__all__ = ["check_key", "notes"]

SKEW_SECONDS = 300.0  # that two clocks may differ without a word


def check_key(folder: SiteFolder) -> None:
    """Refuse a key that is not the one under which this site described itself last.

    Raises:
        LedgerError: the key was replaced.
        DataError: it cannot be read.
    """
    identity = site_identity(folder.key)
    told = [entry.message.get("identity") for entry in folder.ledger.entries() if entry.decision == "sent"]
    known = next((one for one in reversed(told) if one is not None), identity)
    if known != identity:
        raise LedgerError(
            f"{folder.path}: its key ({identity}) is not the key that its ledger names ({known}); nothing was "
            "sent. Restore 'site.key' from the backup that the ledger belongs to. If that key is lost, move "
            "the whole folder away and join as a new site. A new key splits and orders your cases differently",
            code="another-key",
        )


def notes(folder: SiteFolder, now: datetime | None = None) -> tuple[str, ...]:
    """Return what does not fit together, a sentence or two each with what to do; nothing where all is well.

    Args:
        now: the time; the machine's if left out.

    Raises:
        LedgerError: the ledger or the replies are damaged.
    """
    return tuple(_notes(folder, now or datetime.now(UTC)))


def _notes(folder: SiteFolder, now: datetime) -> Iterator[str]:
    ledger, kept = folder.ledger, folder.replies.answered()
    entries = ledger.entries()
    sent = {entry.sha256 for entry in entries if entry.decision in ("sent", "resent")}
    if lost := len(sent - kept):
        yield (
            f"{folder.replies.path} lacks {lost} of the {len(sent)} replies in the ledger, so the file was "
            "lost or comes from an older backup. The replies stay counted. Restore the newest copy. Without "
            "it, those questions are answered again only if the result is the same"
        )
    if (behind := len(kept - sent)) > 1:  # one may have been kept when the process ended
        yield (
            f"{ledger.path} lacks {behind} saved replies, so the ledger was lost or comes from an older "
            "backup. The replies stay counted. Restore the newest copy. Without it, each hub's operator must "
            "accept the new ledger ('fedprompt hub sites SITE --ledger-restarted')"
        )
    if torn := ledger.torn:
        yield (
            f"{ledger.path}: the last {torn} bytes are an incomplete entry of a reply that never left, as "
            "after a power failure. The next entry moves them to a separate file. You need to do nothing"
        )
    for path in ledger.set_aside:
        yield f"{path} holds an incomplete entry from a power failure; you can delete the file"
    latest = max((when for entry in entries if (when := _time(entry.time)) is not None), default=now)
    if (latest - now).total_seconds() > SKEW_SECONDS:
        yield (
            f"the newest ledger entry is from {latest.isoformat(timespec='seconds')}, but this machine's clock "
            f"shows {now.isoformat(timespec='seconds')}. Correct the clock. Replies dated in the future count "
            "as today's, so a wrong clock restores no budget. If the clock was wrong then, 'fedprompt site "
            "policy --tasks-a-day' allows more"
        )


def _time(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
