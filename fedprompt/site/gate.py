"""The egress gate: the one place where a reply leaves a site.

The gate makes the bytes. It refuses what is not on the positive list of ``verbs.wire`` and anything past the
site's budget of replies. Bytes are kept, then in the ledger, and only then handed on; a question asked again gets the
bytes that were kept, is not charged, and is in the ledger as resent.

Invariant: no question is answered in two ways, even where the store of replies was lost.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import EgressRefused, LedgerError
from fedprompt.site.ledger import Ledger
from fedprompt.site.replies import ReplyStore
from fedprompt.site.tally import COUNTED, QUESTION, Tally
from fedprompt.trust.chain import MAX_TRAIL
from fedprompt.verbs.beside import Beside, Kind, Passed, numbers
from fedprompt.verbs.forms import Reply
from fedprompt.verbs.refusals import Code, Refusal
from fedprompt.verbs.verb import ABOUT
from fedprompt.verbs.wire import pack_reply, unpack_reply

__all__ = ["Gate", "Outgoing"]

log = logging.getLogger(__name__)
# What a refusal says where state beside a reply has reached its bound.
PASSED: Mapping[Kind, Code] = {
    "exact": "questions-spent",
    "updates": "updates-spent",
    "looks": "questions-spent",
    "trained": "updates-spent",
    "rounds": "round-answered",
    "turns": "privacy-spent",
}


@dataclass(frozen=True)
class Outgoing:
    """Bytes for the transport to carry as they are, the ledger's head after them, and how it grew since the hub's."""

    data: bytes
    head: str
    trail: tuple[str, ...] = ()


class Gate:
    """``budget`` is how many replies may leave for a study, refusals and resent replies left out.

    ``moved`` is the shape that an update has by the accepted study and the model, None where the study has no rounds.
    """

    def __init__(
        self,
        ledger: Ledger,
        replies: ReplyStore,
        *,
        study: str,
        budget: int,
        moved: tuple[int, ...] | None = None,
    ) -> None:
        self._moved = moved
        self._ledger, self._replies, self._study, self._budget = ledger, replies, study, budget
        self._tally = Tally(ledger, replies)

    def refuse_other(self, task: str, known: str | None) -> Outgoing | None:
        """Return a refusal where this ledger does not hold the head that a hub has seen, None where it does.

        It is asked before anything is computed, kept or charged. The hub sees by the refusal's head that the ledger
        does not go on, and tells its operator.

        Args:
            task: the id of the task.

        Raises:
            LedgerError: the ledger is damaged.
        """
        if self._grown(known) is not None:
            return None
        log.error("%s", self._told(str(known)))
        return self.send(Refusal(task=task, code="other-ledger"), question="")

    def send(
        self,
        reply: Reply,
        arrays: Mapping[str, NDArray[np.float32]] | None = None,
        *,
        question: str,
        known: str | None = None,
        beside: Beside | None = None,
        about: str | None = None,
    ) -> Outgoing:
        """Return the bytes that may leave: the reply, or a refusal with its code.

        Args:
            question: the digest of what is answered; the same question gets the same bytes from :meth:`again`.
            known: the last head of this ledger that the hub has seen.
            beside: state that belongs to the reply, kept with it or not at all.
            about: the id of the prompt that the reply is a change of; it stands in the ledger and does not leave.

        Raises:
            LedgerError: nothing can be kept or written to the ledger, so nothing leaves.
        """
        self._trail(known)  # before anything is kept
        try:
            self._check_moved(reply, arrays or {})
            data = pack_reply(reply, arrays or {})
        except EgressRefused:
            return self._refuse(reply, "failed", question, known)
        shapes = {name: [int(n) for n in array.shape] for name, array in (arrays or {}).items()}
        beside = beside or {}
        counted = numbers(beside)
        so_far = {kind: self._tally.numbers(kind) for kind in counted}
        least = {(kind, scope): so_far[kind].get(scope, 0) for kind in counted for scope in counted[kind]}
        noted: dict[str, Any] = {COUNTED: counted} if counted else {}
        if isinstance(reply, Refusal):
            try:
                self._replies.keep(None, study=self._study, data=data, beside=beside, noted=noted, least=least)
            except Passed as passed:
                return self._refuse(reply, PASSED.get(passed.kind, "failed"), question, known)
            return self._write("refused", reply, shapes, data, known, noted)
        said = {QUESTION: question} | ({} if about is None else {ABOUT: about})
        if (left := self._tally.answered(question, reply.task)) is not None:
            self._same(left, data)
            self._replies.keep(question, study=self._study, data=data, noted=said)
            return self._write("resent", reply, shapes, data, known, said)
        if self.spent >= self._budget:
            return self._refuse(reply, "budget-spent", question, known)
        noted |= said
        try:
            self._replies.keep(question, study=self._study, data=data, beside=beside, noted=noted, least=least)
        except Passed as passed:
            return self._refuse(reply, PASSED.get(passed.kind, "failed"), question, known)
        return self._write("sent", reply, shapes, data, known, noted)

    def _check_moved(self, reply: Reply, arrays: Mapping[str, NDArray[np.float32]]) -> None:
        """Refuse an update of another shape than the accepted study and the model give it."""
        if self._moved is not None and reply.verb == "sum-tune" and arrays["masked"].shape != (prod(self._moved) + 1,):
            raise EgressRefused("a masked update has another length than the study's rounds move", code="wrong-shape")
        if reply.verb == "tune" and any(arrays[n].shape != self._moved for n in ("delta", "codes") if n in arrays):
            raise EgressRefused("an update has another shape than the study's rounds move", code="wrong-shape")

    def again(self, question: str, known: str | None = None) -> Outgoing | None:
        """Return the bytes that answered this question before, or None if it is new.

        Raises:
            LedgerError: the ledger cannot be written or was tampered with.
        """
        data = self._replies.find(question)
        if data is None:
            return None
        self._trail(known)
        parcel = unpack_reply(data)
        shapes = {name: [int(n) for n in array.shape] for name, array in parcel.arrays.items()}
        # Kept but not in the ledger: the process died between the two, and this is the first time that they leave.
        digest = sha256(data).hexdigest()
        left = next((e for e in self._ledger.entries() if e.sha256 == digest and e.decision == "sent"), None)
        noted = dict(self._replies.noted(question))
        if left is not None:
            noted = {name: left.message[name] for name in (ABOUT, QUESTION) if name in left.message}
        return self._write("resent" if left else "sent", parcel.message, shapes, data, known, noted)

    @property
    def spent(self) -> int:
        """How many replies have left for this study, by the ledger and by what was kept, whichever says more."""
        return self._tally.replies(self._study)

    def number(self, kind: Kind, scope: str) -> int:
        """Return the number that replies have left beside them, by the ledger and by what was kept."""
        return self._tally.number(kind, scope)

    def _same(self, left: str, data: bytes) -> None:
        """Refuse to answer in another way what was answered, and whose answer is lost.

        Raises:
            LedgerError: these are not the bytes that left.
        """
        if sha256(data).hexdigest() != left:
            raise LedgerError(
                f"{self._replies.path}: the ledger lists an answer to this question, but the saved answer is "
                "missing and a new one would differ. Nothing was sent. Restore the file from a backup. Without "
                "a backup, this question stays unanswered and earlier answers stay counted. New questions are "
                "answered",
                code="reply-lost",
            )

    def _write(
        self,
        decision: str,
        reply: Reply,
        shapes: Mapping[str, list[int]],
        data: bytes,
        known: str | None,
        noted: Mapping[str, Any],
    ) -> Outgoing:
        message = {**reply.model_dump(mode="json"), **noted}
        entry = self._ledger.append(decision=decision, study=self._study, message=message, arrays=shapes, data=data)
        return Outgoing(data, entry.hash, self._trail(known))

    def _trail(self, known: str | None) -> tuple[str, ...]:
        trail = self._grown(known)
        if trail is None:
            raise LedgerError(self._told(str(known)), code="ledger-rewritten")
        return trail

    def _grown(self, known: str | None) -> tuple[str, ...] | None:
        """Return how the ledger grew since a head; None where it does not hold that, or has grown too much to tell."""
        trail = () if known is None else self._ledger.trail(known)
        return None if trail is None or len(trail) > MAX_TRAIL else trail

    def _told(self, known: str) -> str:
        if self._ledger.trail(known) is not None:
            return (
                f"{self._ledger.path}: it has more than {MAX_TRAIL:,} entries since the hub saw it, which is "
                "too many to prove; ask the hub's operator to accept it ('fedprompt hub sites SITE "
                "--ledger-restarted')"
            )
        return (
            f"{self._ledger.path}: the hub has seen a ledger head ({known[:12]}...) that is not in this "
            "ledger, so entries were removed or changed. Restore the ledger from a backup. Without a backup, "
            "the hub's operator must accept the new ledger ('fedprompt hub sites SITE --ledger-restarted')"
        )

    def _refuse(self, reply: Reply, code: Code, question: str, known: str | None) -> Outgoing:
        return self.send(Refusal(task=reply.task, code=code), question=question, known=known)
