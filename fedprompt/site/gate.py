"""The egress gate: the one place where a reply leaves a site.

The gate makes the bytes. It refuses what is not on the positive list of ``privacy.egress`` and anything past the
site's budget of replies; both the reply and the refusal are in the ledger before anything is handed on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import EgressRefused
from fedprompt.privacy.egress import pack_reply
from fedprompt.site.ledger import Ledger
from fedprompt.study.messages import Refusal, Reply

__all__ = ["Gate", "Outgoing"]


@dataclass(frozen=True)
class Outgoing:
    """Bytes for the transport to carry as they are, and the ledger's head after them."""

    data: bytes
    head: str


class Gate:
    """``budget`` is how many replies may leave for a study, refusals left out."""

    def __init__(self, ledger: Ledger, *, study: str, budget: int) -> None:
        self._ledger, self._study, self._budget = ledger, study, budget

    def send(self, reply: Reply, arrays: Mapping[str, NDArray[np.float32]] | None = None) -> Outgoing:
        """Return the bytes that may leave: the reply, or a refusal with its code.

        Raises:
            LedgerError: nothing can be written to the ledger, so nothing leaves.
        """
        if not isinstance(reply, Refusal) and self.spent >= self._budget:
            return self._refuse(reply, "budget-spent")
        try:
            data = pack_reply(reply, arrays or {})
        except EgressRefused:
            return self._refuse(reply, "failed")
        shapes = {name: [int(n) for n in array.shape] for name, array in (arrays or {}).items()}
        entry = self._ledger.append(
            decision="refused" if isinstance(reply, Refusal) else "sent",
            study=self._study,
            message=reply.model_dump(mode="json"),
            arrays=shapes,
            data=data,
        )
        return Outgoing(data, entry.hash)

    @property
    def spent(self) -> int:
        """How many replies have left for this study."""
        return sum(e.decision == "sent" and e.study == self._study for e in self._ledger.entries())

    def _refuse(self, reply: Reply, code: Any) -> Outgoing:
        return self.send(Refusal(task=reply.task, code=code))
