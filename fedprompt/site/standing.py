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
            f"{folder.path}: its key is another one ({identity}) than the key that its ledger names ({known}); nothing "
            "was sent. Restore 'site.key' from the backup that the ledger belongs to. If that key is lost, move the "
            "whole folder away and join as a new site: with another key your cases are cut and ordered otherwise",
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
            f"{folder.replies.path} lacks {lost} of the {len(sent)} replies in the ledger, so it was lost or comes "
            "from an older backup. They stay spent. Restore the newest copy; without it, what was asked then is "
            "answered again only if it comes out the same"
        )
    if (behind := len(kept - sent)) > 1:  # one may have been kept when the process ended
        yield (
            f"{ledger.path} lacks {behind} replies that were kept, so it was lost or comes from an older backup. They "
            "stay spent. Restore the newest copy; without it, the operator of each hub has to accept the new ledger "
            "('fedprompt hub sites SITE --ledger-restarted')"
        )
    if torn := ledger.torn:
        yield (
            f"{ledger.path}: its last {torn} bytes are half an entry, as a power loss leaves it, of a reply that never "
            "left. The next entry moves them to a file of their own, and the ledger goes on; there is nothing to do"
        )
    for path in ledger.set_aside:
        yield f"{path} holds half an entry that a power loss left; you may delete it"
    latest = max((when for entry in entries if (when := _time(entry.time)) is not None), default=now)
    if (latest - now).total_seconds() > SKEW_SECONDS:
        yield (
            f"the ledger's newest time is {latest.isoformat(timespec='seconds')}, and this machine's clock says "
            f"{now.isoformat(timespec='seconds')}. Put the clock right. Replies of days to come count as today's, so "
            "that a clock gives no budget back; if the clock was wrong then, 'fedprompt site policy --tasks-a-day' "
            "allows more"
        )


def _time(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
