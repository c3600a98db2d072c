"""perplexity: how well weights that came before predict the text that a site holds out."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from fedprompt.errors import ReplyUntrue
from fedprompt.verbs.forms import Head, Parcel, Reply, Task
from fedprompt.verbs.sentences import counted
from fedprompt.verbs.verb import Asks, Terms, Verb

__all__ = ["DIGITS", "MOST", "HeldOutPerplexity", "PerplexityReply", "PerplexityTask", "ask_perplexity"]

DIGITS = 2  # of the mean loss in nats that leave, behind the point: what they tell apart is 1 % of a perplexity
MOST = 1e6  # of it; a larger one leaves as this


class PerplexityTask(Task):
    """Look at the weights of ``digest``, which round ``round`` made, or which training starts from (0)."""

    verb: Literal["perplexity"] = "perplexity"
    round: Annotated[int, Field(ge=0, le=100_000)]
    digest: Head
    seed: Annotated[int, Field(ge=0, lt=2**63)]


class PerplexityReply(Reply):
    """The mean loss in nats, rounded, over ``tokens`` predicted tokens of ``documents`` documents."""

    verb: Literal["perplexity"] = "perplexity"
    loss: Annotated[float, Field(ge=0, le=MOST)]
    tokens: Annotated[int, Field(ge=1, le=10**12)]
    documents: Annotated[int, Field(ge=1, le=10**12)]

    @property
    def perplexity(self) -> float:
        """The exponential of the loss."""
        return math.exp(min(700.0, self.loss))


def ask_perplexity(hub: Asks, site: str, *, round: int, digest: str, seed: int) -> PerplexityReply:
    """Ask for the loss on held-out text.

    Raises:
        SiteRefused: the site refused; says why.
        FederationError: it could not be asked, or its answer is none.
    """
    fields = {"round": round, "digest": digest, "seed": seed}
    reply = hub.ask(site, PerplexityTask, fields, named=[round, digest, seed]).message
    assert isinstance(reply, PerplexityReply)
    return reply


class HeldOutPerplexity(Verb):
    """A mean over at least ``min_cases`` held-out documents, rounded; once for each measured round and the start."""

    name = "perplexity"
    task = PerplexityTask
    reply = PerplexityReply

    def check(self, terms: Terms, asked: Parcel[PerplexityTask], given: Parcel[PerplexityReply]) -> None:
        """Refuse more documents than tokens."""
        if given.message.documents > given.message.tokens:
            raise ReplyUntrue(f"site '{terms.site}' has more documents than tokens", code="reply-untrue")

    def sentence(self, message: Mapping[str, Any], arrays: Mapping[str, Sequence[int]]) -> str:
        """Tell over how much."""
        return (
            f"how well a model predicts held-out text: a mean over {counted(message.get('tokens'))} tokens of "
            f"{counted(message.get('documents'))} documents"
        )
