"""sum-shares: a site cuts the secrets of its masks into shares, sealed so that each other site can open one."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from fedprompt.errors import ReplyUntrue
from fedprompt.privacy.secure_sums.keys import Member
from fedprompt.privacy.secure_sums.shares import SEALED_BYTES
from fedprompt.study.secure_sums import MOST_SITES
from fedprompt.verbs.forms import Allowed, Arrays, Parcel, Reply
from fedprompt.verbs.sentences import counted
from fedprompt.verbs.sums.sum_forms import COHORT, Round, SumTask, answered
from fedprompt.verbs.verb import Answer, Asks, SiteSide, Terms, Verb

__all__ = ["SumShares", "SumSharesReply", "SumSharesTask", "ask_sum_shares"]

STEP = "sum-shares"


class SumSharesTask(SumTask):
    """The cohort: ``members`` by key. Where the study names no sites, ``sites`` take part in all."""

    verb: Literal["sum-shares"] = "sum-shares"
    members: Annotated[tuple[Member, ...], Field(min_length=2, max_length=MOST_SITES)]
    sites: Annotated[int, Field(ge=1, le=MOST_SITES)]


class SumSharesReply(Reply):
    """The array ``sealed`` ([others, 48] uint8): two shares for each other member, in the order of their keys."""

    verb: Literal["sum-shares"] = "sum-shares"
    round: Round
    others: Annotated[int, Field(ge=1, le=MOST_SITES)]


def ask_sum_shares(
    hub: Asks, site: str, members: Sequence[Member], key: str, *, round: int, seed: int, sites: int
) -> dict[str, bytes]:
    """Ask a site to share its secrets with the cohort; return what it sealed, by the key of who can open it.

    Args:
        members: the cohort, by key.
        key: the site's.
        sites: how many sites take part in all.

    Raises:
        SiteRefused: the site refused; says why.
        FederationError: it could not be asked, or its answer is none.
    """
    fields = {"round": round, "seed": seed, "members": tuple(members), "sites": sites}
    named = [round, seed, [one.model_dump() for one in members], sites]
    parcel = hub.ask(site, SumSharesTask, fields, named=named)
    others = [one.key for one in members if one.key != key]
    return {other: row.tobytes() for other, row in zip(others, parcel.arrays["sealed"], strict=True)}


class SumShares(Verb):
    """Shares of this round's secrets, once."""

    name = "sum-shares"
    task = SumSharesTask
    reply = SumSharesReply
    task_bounds = COHORT

    def reply_arrays(self, reply: SumSharesReply) -> Allowed:
        """What only the others can open."""
        return {"sealed": np.uint8}

    def answer(self, site: SiteSide, task: SumSharesTask, arrays: Arrays, question: str) -> Answer:
        """Check the cohort, cut and seal."""

        def shared() -> Answer:
            sums = site.for_sums
            before = sums.begun(task.round, task.seed)
            kept, found = before.share(task.members, sums.least(task.sites), sums.accepted)
            rows = np.frombuffer(b"".join(found[key] for key in sorted(found)), np.uint8)
            reply = SumSharesReply(task=task.task, round=task.round, others=len(found))
            return Answer(reply, {"sealed": rows.reshape(len(found), SEALED_BYTES)}, sums.taken(STEP, kept))

        return answered(site, STEP, task, shared)

    def check(self, terms: Terms, asked: Parcel[SumSharesTask], given: Parcel[SumSharesReply]) -> None:
        """Refuse shares for more or fewer sites than the cohort has."""
        wanted = (len(asked.message.members) - 1, SEALED_BYTES)
        if given.message.round != asked.message.round or given.arrays["sealed"].shape != wanted:
            raise ReplyUntrue(
                f"site '{terms.site}' sent shares for other sites than those in the list", code="wrong-shape"
            )

    def sentence(self, message: Mapping[str, Any], arrays: Mapping[str, Sequence[int]]) -> str:
        """Tell who can open the shares."""
        return (
            f"shares of the secrets of this site's masks in round {message.get('round')}, sealed for "
            f"{counted(message.get('others'))} other sites, which say nothing of any case"
        )
