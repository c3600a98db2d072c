"""pretrain: a round's steps on the site's own text, from weights that came before; what it gives is asked for after."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from fedprompt.errors import ReplyUntrue
from fedprompt.study.schema import Study
from fedprompt.verbs.forms import Head, Parcel, Reply, Task
from fedprompt.verbs.sentences import counted
from fedprompt.verbs.verb import Asks, Terms, Verb

__all__ = ["Pretrain", "PretrainReply", "PretrainTask", "Round", "ask_pretrain", "pretraining_told"]

Round = Annotated[int, Field(ge=1, le=100_000)]


class PretrainTask(Task):
    """Take the study's steps of a round from the weights of ``digest``; ``seed`` tells runs apart."""

    verb: Literal["pretrain"] = "pretrain"
    round: Round
    digest: Head
    seed: Annotated[int, Field(ge=0, lt=2**63)]


class PretrainReply(Reply):
    """The steps were taken, and the site has ``documents`` documents to train on."""

    verb: Literal["pretrain"] = "pretrain"
    round: Round
    documents: Annotated[int, Field(ge=1, le=10**12)]


def ask_pretrain(hub: Asks, site: str, *, round: int, digest: str, seed: int) -> PretrainReply:
    """Ask a site to take a round's steps.

    Raises:
        SiteRefused: the site refused; says why.
        FederationError: it could not be asked, or its answer is none.
    """
    fields = {"round": round, "digest": digest, "seed": seed}
    reply = hub.ask(site, PretrainTask, fields, named=[round, digest, seed]).message
    assert isinstance(reply, PretrainReply)
    return reply


class Pretrain(Verb):
    """A number of documents; one a round."""

    name = "pretrain"
    task = PretrainTask
    reply = PretrainReply

    def check(self, terms: Terms, asked: Parcel[PretrainTask], given: Parcel[PretrainReply]) -> None:
        """Refuse another round, and fewer documents than the study allows."""
        if given.message.round != asked.message.round:
            raise ReplyUntrue(f"site '{terms.site}' answered for another round", code="not-what-was-asked")
        if terms.study is not None and given.message.documents < terms.study.privacy.min_cases:
            raise ReplyUntrue(f"site '{terms.site}' trained on fewer documents than min_cases", code="reply-untrue")

    def sentence(self, message: Mapping[str, Any], arrays: Mapping[str, Sequence[int]]) -> str:
        """Tell the round and the documents."""
        return (
            f"that round {counted(message.get('round'))} of training was done, over "
            f"{counted(message.get('documents'))} documents"
        )


def pretraining_told(study: Study) -> tuple[str, ...]:
    """Return in sentences what leaves a site whose text a study trains a model on."""
    return (
        "the number of training documents and of held-out documents",
        f"each round, a change of all of the model's weights ({study.rounds.update}), in parts",
        "before the first round and after each measured round, the mean loss on held-out text with two "
        "decimals, and its numbers of tokens and documents",
    )
