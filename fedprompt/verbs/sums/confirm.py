"""sum-confirm: a site signs whose vectors are in the secure sum, so that a hub can't tell sites of different ones."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from fedprompt.privacy.secure_sums.keys import Signature
from fedprompt.verbs.forms import Arrays, Reply
from fedprompt.verbs.sums.sum_forms import COHORT, Cohort, Round, SumTask, answered
from fedprompt.verbs.verb import Answer, Asks, SiteSide, Verb

__all__ = ["SumConfirm", "SumConfirmReply", "SumConfirmTask", "ask_sum_confirm"]

STEP = "sum-confirm"


class SumConfirmTask(SumTask):
    """The ``survivors``: whose masked vectors the hub has, this site's among them."""

    verb: Literal["sum-confirm"] = "sum-confirm"
    survivors: Cohort


class SumConfirmReply(Reply):
    """The site's signature of the cohort, of who gave shares, and of the survivors."""

    verb: Literal["sum-confirm"] = "sum-confirm"
    round: Round
    signature: Signature


def ask_sum_confirm(hub: Asks, site: str, survivors: Sequence[str], *, round: int, seed: int) -> bytes:
    """Ask a site to sign the survivors; return its signature.

    Raises:
        SiteRefused: the site refused; says why.
        FederationError: it could not be asked, or its answer is none.
    """
    fields = {"round": round, "seed": seed, "survivors": tuple(survivors)}
    reply = hub.ask(site, SumConfirmTask, fields).message
    assert isinstance(reply, SumConfirmReply)
    return bytes.fromhex(reply.signature)


class SumConfirm(Verb):
    """One list of survivors a round."""

    name = "sum-confirm"
    task = SumConfirmTask
    reply = SumConfirmReply
    task_bounds = COHORT

    def answer(self, site: SiteSide, task: SumConfirmTask, arrays: Arrays, question: str) -> Answer:
        """Check the list, and sign it."""

        def signed() -> Answer:
            sums = site.for_sums
            kept, signature = sums.begun(task.round, task.seed).confirm(task.survivors, sums.signer)
            reply = SumConfirmReply(task=task.task, round=task.round, signature=signature.hex())
            return Answer(reply, beside=sums.taken(STEP, kept))

        return answered(site, STEP, task, signed)

    def sentence(self, message: Mapping[str, Any], arrays: Mapping[str, Sequence[int]]) -> str:
        """Tell what was signed."""
        return (
            f"this site's signature of the list of sites whose updates are in the sum of round {message.get('round')}"
        )
