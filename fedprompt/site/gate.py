"""The egress gate: the one place where a reply leaves a site.

The gate makes the bytes. It refuses what is not on the positive list of ``verbs.wire`` and anything past the
site's budget of replies. Bytes are kept, then in the ledger, and only then handed on; a question asked again gets the
bytes that were kept, is not charged, and is in the ledger as resent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import EgressRefused, LedgerError
from fedprompt.site.ledger import Ledger
from fedprompt.site.replies import ReplyStore
from fedprompt.trust.chain import MAX_TRAIL
from fedprompt.verbs.forms import Reply
from fedprompt.verbs.refusals import Code, Refusal
from fedprompt.verbs.verb import ABOUT
from fedprompt.verbs.wire import pack_reply, unpack_reply

__all__ = ["Gate", "Outgoing"]


@dataclass(frozen=True)
class Outgoing:
    """Bytes for the transport to carry as they are, the ledger's head after them, and how it grew since the hub's."""

    data: bytes
    head: str
    trail: tuple[str, ...] = ()


class Gate:
    """``budget`` is how many replies may leave for a study, refusals and resent replies left out."""

    def __init__(self, ledger: Ledger, replies: ReplyStore, *, study: str, budget: int) -> None:
        self._ledger, self._replies, self._study, self._budget = ledger, replies, study, budget

    def send(
        self,
        reply: Reply,
        arrays: Mapping[str, NDArray[np.float32]] | None = None,
        *,
        question: str,
        known: str | None = None,
        residual: bytes | None = None,
        about: str | None = None,
    ) -> Outgoing:
        """Return the bytes that may leave: the reply, or a refusal with its code.

        Args:
            question: the digest of what is answered; the same question gets the same bytes from :meth:`again`.
            known: the last head of this ledger that the hub has seen.
            residual: what quantising left over, kept with the reply or not at all.
            about: the id of the prompt that the reply is a change of; it stands in the ledger and does not leave.

        Raises:
            LedgerError: nothing can be kept or written to the ledger, so nothing leaves.
        """
        refusal = isinstance(reply, Refusal)
        if not refusal and self.spent >= self._budget:
            return self._refuse(reply, "budget-spent", question, known)
        try:
            data = pack_reply(reply, arrays or {})
        except EgressRefused:
            return self._refuse(reply, "failed", question, known)
        self._replies.keep(None if refusal else question, study=self._study, data=data, residual=residual)
        shapes = {name: [int(n) for n in array.shape] for name, array in (arrays or {}).items()}
        return self._write("refused" if refusal else "sent", reply, shapes, data, known, about)

    def again(self, question: str, known: str | None = None) -> Outgoing | None:
        """Return the bytes that answered this question before, or None if it is new.

        Raises:
            LedgerError: the ledger cannot be written or was tampered with.
        """
        data = self._replies.find(question)
        if data is None:
            return None
        parcel = unpack_reply(data)
        shapes = {name: [int(n) for n in array.shape] for name, array in parcel.arrays.items()}
        # Kept but not in the ledger: the process died between the two, and this is the first time that they leave.
        digest = sha256(data).hexdigest()
        left = next((e for e in self._ledger.entries() if e.sha256 == digest and e.decision == "sent"), None)
        about = None if left is None else left.message.get(ABOUT)
        return self._write("resent" if left else "sent", parcel.message, shapes, data, known, about)

    @property
    def spent(self) -> int:
        """How many replies have left for this study, by the ledger and by what was kept, whichever says more."""
        written = sum(e.decision == "sent" and e.study == self._study for e in self._ledger.entries())
        return max(written, self._replies.spent(self._study))

    def _write(
        self,
        decision: str,
        reply: Reply,
        shapes: Mapping[str, list[int]],
        data: bytes,
        known: str | None,
        about: str | None,
    ) -> Outgoing:
        self._trail(known)  # before anything is written
        message = reply.model_dump(mode="json") | ({} if about is None else {ABOUT: about})
        entry = self._ledger.append(decision=decision, study=self._study, message=message, arrays=shapes, data=data)
        return Outgoing(data, entry.hash, self._trail(known))

    def _trail(self, known: str | None) -> tuple[str, ...]:
        if known is None:
            return ()
        trail = self._ledger.trail(known)
        if trail is None or len(trail) > MAX_TRAIL:
            raise LedgerError(
                f"{self._ledger.path}: the hub has seen a head of this ledger ({known[:12]}...) that is not in it, so "
                "entries were removed or rewritten; restore the ledger from a backup"
            )
        return trail

    def _refuse(self, reply: Reply, code: Code, question: str, known: str | None) -> Outgoing:
        return self.send(Refusal(task=reply.task, code=code), question=question, known=known)
