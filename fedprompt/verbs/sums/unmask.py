"""sum-unmask: a site gives one share for each site of the cohort, with which the hub takes the masks off the sum.

For a site whose vector is in the sum it is a share of the secret of that site's own mask, for another of its mask key:
one or the other, once, and only where as many sites as the least cohort signed the same list.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from fedprompt.errors import ReplyUntrue
from fedprompt.privacy.secure_sums.keys import SECRET_BYTES
from fedprompt.study.secure_sums import MOST_SITES
from fedprompt.verbs.forms import Allowed, Arrays, Parcel, Reply
from fedprompt.verbs.sentences import counted
from fedprompt.verbs.sums.sum_forms import COHORT, Cohort, Round, Signatures, SumTask, answered
from fedprompt.verbs.verb import Answer, Asks, SiteSide, Terms, Verb

__all__ = ["SumUnmask", "SumUnmaskReply", "SumUnmaskTask", "ask_sum_unmask"]

STEP = "sum-unmask"


class SumUnmaskTask(SumTask):
    """The ``signatures`` of survivors, each in the place of its ``signers``' key."""

    verb: Literal["sum-unmask"] = "sum-unmask"
    signers: Cohort
    signatures: Signatures

    @model_validator(mode="after")
    def _fits(self) -> "SumUnmaskTask":
        if len(self.signers) != len(self.signatures):
            raise ValueError("there is one signature for each signer")
        return self


class SumUnmaskReply(Reply):
    """The array ``shares`` ([sites, 16] uint8): one for each site that sealed shares, in the order of their keys.

    A row of zeros stands for a share that the site could not open.
    """

    verb: Literal["sum-unmask"] = "sum-unmask"
    round: Round
    sites: Annotated[int, Field(ge=1, le=MOST_SITES)]


def ask_sum_unmask(
    hub: Asks, site: str, signatures: Mapping[str, bytes], givers: Sequence[str], *, round: int, seed: int
) -> dict[str, bytes]:
    """Ask a site for its shares; return them by the key of whose secret each is of.

    Args:
        signatures: survivor -> its signature of the survivors.
        givers: who sealed shares.

    Raises:
        SiteRefused: the site refused; says why.
        FederationError: it could not be asked, or its answer is none.
    """
    signers = tuple(sorted(signatures))
    signed = tuple(signatures[key].hex() for key in signers)
    parcel = hub.ask(site, SumUnmaskTask, {"round": round, "seed": seed, "signers": signers, "signatures": signed})
    rows = parcel.arrays["shares"]
    if len(rows) != len(givers):
        raise ReplyUntrue(f"site '{site}' sent shares of other sites than it was asked for", code="wrong-shape")
    return {key: row.tobytes() for key, row in zip(sorted(givers), rows, strict=True)}


class SumUnmask(Verb):
    """Shares of a round's secrets, once; afterwards the site holds nothing of them."""

    name = "sum-unmask"
    task = SumUnmaskTask
    reply = SumUnmaskReply
    task_bounds = COHORT

    def reply_arrays(self, reply: SumUnmaskReply) -> Allowed:
        """The shares."""
        return {"shares": np.uint8}

    def answer(self, site: SiteSide, task: SumUnmaskTask, arrays: Arrays, question: str) -> Answer:
        """Check the signatures, and give the shares."""

        def given() -> Answer:
            sums = site.for_sums
            signatures = dict(zip(task.signers, map(bytes.fromhex, task.signatures), strict=True))
            kept, found = sums.begun(task.round, task.seed).reveal(signatures)
            rows = np.frombuffer(b"".join(found[key] for key in sorted(found)), np.uint8)
            reply = SumUnmaskReply(task=task.task, round=task.round, sites=len(found))
            return Answer(reply, {"shares": rows.reshape(len(found), SECRET_BYTES)}, sums.taken(STEP, kept))

        return answered(site, STEP, task, given)

    def check(self, terms: Terms, asked: Parcel[SumUnmaskTask], given: Parcel[SumUnmaskReply]) -> None:
        """Refuse shares of another length or round."""
        wanted = (given.message.sites, SECRET_BYTES)
        if given.message.round != asked.message.round or given.arrays["shares"].shape != wanted:
            raise ReplyUntrue(f"site '{terms.site}' sent shares of another length or round", code="wrong-shape")

    def sentence(self, message: Mapping[str, Any], arrays: Mapping[str, Sequence[int]]) -> str:
        """Tell what shares are for."""
        return (
            f"shares of the masks' secrets of {counted(message.get('sites'))} sites, with which the hub takes the "
            f"masks off the sum of round {message.get('round')} and off nothing else"
        )
