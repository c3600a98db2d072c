"""What a site has spent: by its ledger and by its store of replies, whichever says more.

Invariant: losing one of the two, or restoring an older copy of it, gives nothing back.
"""

from collections.abc import Iterable, Mapping

from fedprompt.site.ledger import Entry, Ledger
from fedprompt.site.replies import ReplyStore
from fedprompt.verbs.beside import Kind, noted_number

__all__ = ["COUNTED", "QUESTION", "Tally"]

QUESTION = "question"  # in a reply's entry: the digest of what it answered
COUNTED = "counted"  # in a reply's entry: the numbers that were kept beside it


class Tally:
    """Over one site's ``ledger`` and ``replies``."""

    def __init__(self, ledger: Ledger, replies: ReplyStore) -> None:
        self._ledger, self._replies = ledger, replies

    def replies(self, study: str) -> int:
        """Return how many replies have left for a study."""
        written = sum(entry.study == study for entry in self._sent())
        return max(written, self._replies.spent(study))

    def number(self, kind: Kind, scope: str) -> int:
        """Return the number that replies have left beside them, 0 where there is none."""
        return self.numbers(kind).get(scope, 0)

    def numbers(self, kind: Kind) -> Mapping[str, int]:
        """Return the numbers of a kind by scope."""
        written: dict[str, int] = {}
        for entry in self._ledger.entries():  # a refusal after the cases were asked is charged as an answer is
            noted = entry.message.get(COUNTED, {}) if entry.decision in ("sent", "refused") else {}
            for scope in noted.get(kind, {}):
                written[scope] = noted_number(noted, kind, scope, written.get(scope, 0))
        kept = self._replies.numbers(kind)
        return {scope: max(written.get(scope, 0), kept.get(scope, 0)) for scope in sorted({*written, *kept})}

    def answered(self, question: str, task: str) -> str | None:
        """Return the SHA-256 of the bytes that left for a question, by the ledger; None where none did.

        Args:
            task: the id of its task. Entries of older versions name no question: one for the same task whose bytes
                are lost may have answered this one.
        """
        for entry in self._sent():
            named = entry.message.get(QUESTION)
            if named == question:
                return entry.sha256
            if named is None and entry.message.get("task") == task and self._replies.data(entry.sha256) is None:
                return entry.sha256
        return None

    def _sent(self) -> Iterable[Entry]:
        return (entry for entry in self._ledger.entries() if entry.decision == "sent")
