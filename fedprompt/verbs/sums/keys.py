"""sum-keys: a site makes keys for the secure sum of one round, and signs them with its own key."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from fedprompt.errors import FederationError, ReplyUntrue
from fedprompt.privacy.secure_sums.keys import Member, check_members
from fedprompt.privacy.secure_sums.occasion import Occasion
from fedprompt.privacy.secure_sums.participant import Participant
from fedprompt.trust.signing import fingerprint
from fedprompt.verbs.describe import DescribeReply
from fedprompt.verbs.forms import Arrays, Parcel, Reply
from fedprompt.verbs.sums.sum_forms import Round, SumTask, answered
from fedprompt.verbs.verb import Answer, Asks, Rehearsal, SiteSide, Terms, Verb, refused

__all__ = ["SumKeys", "SumKeysReply", "SumKeysTask", "ask_sum_keys"]

STEP = "sum-keys"


class SumKeysTask(SumTask):
    """Make keys."""

    verb: Literal["sum-keys"] = "sum-keys"


class SumKeysReply(Reply):
    """The keys that the other sites are shown."""

    verb: Literal["sum-keys"] = "sum-keys"
    round: Round
    member: Member


def ask_sum_keys(hub: Asks, site: str, *, round: int, seed: int) -> Member:
    """Ask a site for its keys of a round's secure sum.

    Raises:
        SiteRefused: the site refused; says why.
        FederationError: it could not be asked, or its keys are not signed by the site that it described itself as.
    """
    reply = hub.ask(site, SumKeysTask, {"round": round, "seed": seed}).message
    assert isinstance(reply, SumKeysReply)
    return reply.member


class SumKeys(Verb):
    """New keys for each round, once."""

    name = "sum-keys"
    task = SumKeysTask
    reply = SumKeysReply

    def answer(self, site: SiteSide, task: SumKeysTask, arrays: Arrays, question: str) -> Answer:
        """Make them, and keep what is secret of them."""

        def made() -> Answer:
            if site.short("tune"):
                return refused(task, "too-few-cases")
            if site.words_only:
                return refused(task, "not-supported")
            occasion = Occasion(task.study, task.round, task.seed)
            kept, member = Participant.begin(occasion, site.for_sums.signer)
            reply = SumKeysReply(task=task.task, round=task.round, member=member)
            return Answer(reply, beside=site.for_sums.taken(STEP, kept))

        return answered(site, STEP, task, made)

    def check(self, terms: Terms, asked: Parcel[SumKeysTask], given: Parcel[SumKeysReply]) -> None:
        """Refuse keys of another round or site, or that are not signed."""
        task, reply, member = asked.message, given.message, given.message.member
        if reply.round != task.round:
            raise ReplyUntrue(f"site '{terms.site}' sent keys of another round", code="not-what-was-asked")
        named = None if terms.study is None else terms.study.rounds.secure_sums
        known = None if named is None or named.sites is None else named.sites.get(terms.site, "")
        if isinstance(terms.described, DescribeReply) and terms.described.identity is not None:
            known = terms.described.identity if known in (None, terms.described.identity) else ""
        occasion = Occasion(task.study, task.round, task.seed)
        try:
            check_members([member], occasion, 1, None if known is None else {known})
        except FederationError as error:
            raise ReplyUntrue(
                f"site '{terms.site}' sent keys for the secure sum that are not signed with its own key "
                f"({fingerprint(member.key)})",
                code="unknown-keys",
            ) from error

    def sentence(self, message: Mapping[str, Any], arrays: Mapping[str, Sequence[int]]) -> str:
        """Tell what keys are for."""
        return f"new public keys for the secure sum of round {message.get('round')}, which say nothing of any case"

    def rehearse(self, rehearsal: Rehearsal) -> bool:
        """Ask for the keys of the first round; the other steps need other sites."""
        if rehearsal.study.rounds.secure_sums is None:
            return False
        ask_sum_keys(rehearsal.asks, rehearsal.site, round=1, seed=0)
        return True
