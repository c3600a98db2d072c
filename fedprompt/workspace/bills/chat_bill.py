"""What a chat model's answers to prompts on cases would take, before a call is made: calls, tokens, money.

Tokens are estimated from bytes and answers counted at their longest, so that what is spent is seldom more. What is
known from an earlier run costs nothing. No call is made and nothing is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.chat_runner import conversations
from fedprompt.models.chat.choice import distinct
from fedprompt.models.chat.config import ChatSettings, chat_settings, read_machine
from fedprompt.models.chat.cost import Cost, estimated_tokens
from fedprompt.models.chat.protocol import ChatInfo, ChatTurn, Options, Usage
from fedprompt.models.chat.replies import ChatReplies
from fedprompt.models.chat.through_langchain import chat_info
from fedprompt.prompts.prompt import Prompt
from fedprompt.study.schema import Study
from fedprompt.study.score import Method
from fedprompt.workspace.as_json import ABSENT
from fedprompt.workspace.bills.paid import UNPRICED, priced

__all__ = ["NOTE", "ChatBill", "Take", "chat_bill"]

PROBE_TOKENS = 20
NOTE = "input tokens are estimated from bytes, and output tokens assume the longest answers"
Sent = list[tuple[tuple[ChatTurn, ...], Options]]


@dataclass(frozen=True)
class Take:
    """What a run will take. Of a chat model ``seconds`` are by the machine's rate limit alone, None where it has none.

    ``cached`` answers need no call, and a local model has none: its tokens are not told apart either. ``remote`` says
    that another machine is asked; ``cost`` is None where no price is known.
    """

    calls: int
    cached: int | None = field(metadata=ABSENT)
    tokens: int
    input_tokens: int | None
    output_tokens: int | None
    cost: Cost | None
    remote: bool
    seconds: float | None


@dataclass(frozen=True)
class ChatBill:
    """Calls and tokens; ``probes`` of the calls ask the server what it can do, ``cached`` answers need no call."""

    settings: ChatSettings
    remote: bool
    calls: int
    cached: int
    read: int
    written: int
    probes: int
    sure: bool

    def take(self) -> Take:
        """Return it with its cost and the seconds that the machine's rate limit alone would take."""
        settings = self.settings
        cost = None if settings.price is None else settings.price.of(Usage(self.read, self.written))
        rate = settings.requests_per_second
        return Take(
            calls=self.calls,
            cached=self.cached,
            tokens=self.read + self.written,
            input_tokens=self.read,
            output_tokens=self.written,
            cost=priced(cost),
            remote=self.remote,
            seconds=None if rate is None else round(self.calls / rate, 1),
        )

    def notes(self) -> list[str]:
        """Return what is to be said of it."""
        notes = [NOTE]
        if self.cached:
            notes.append(f"{self.cached:,} answers are reused from an earlier run at no cost")
        if self.probes and not self.sure:
            notes.append("the first call asks whether the server gives likelihoods; this is the cost if it does not")
        return notes if self.settings.price is not None else [*notes, UNPRICED]


def chat_bill(
    home: Path,
    study: Study,
    looks: Sequence[tuple[Sequence[Prompt], Sequence[Case]]],
    tune: Sequence[Case],
    replies: ChatReplies | None,
) -> ChatBill:
    """Return what it takes to answer.

    Args:
        looks: prompts and the cases that they are asked about, one look after the other.
        tune: the site's tune split, for demonstrations.
        replies: what the site was answered before, None where it was asked nothing.

    Raises:
        ModelError: the study's model is none that this machine may ask.
        DataError: too few cases for demonstrations.
    """
    machine = read_machine(home)
    settings = chat_settings(study.model, machine)
    machine.permit(settings)
    info = chat_info(study.model, settings)
    prompts = list({prompt.id: prompt for asked, _ in looks for prompt in asked}.values())
    method, probes = _method(study, prompts, info.logprobs, settings.method)
    known: list[bool] = []
    whole: Sent = []
    for way in dict.fromkeys((method, "likelihood" if probes else method)):  # an earlier run may have found the cheaper
        every = [one for asked, cases in looks for one in conversations(asked, cases, study.answer, tune, way)]
        there = _known(every, info, settings, replies)
        if not known or sum(there) > sum(known):
            known, whole = there, every
    sent = [one for one, there in zip(whole, known, strict=True) if not there]
    probes = probes if sent else 0
    return ChatBill(
        settings=settings,
        remote=info.remote,
        calls=len(sent) + probes,
        cached=sum(known),
        read=sum(estimated_tokens(conversation) for conversation, _ in sent) + probes * PROBE_TOKENS,
        written=sum(options.max_tokens for _, options in sent) + probes,
        probes=probes,
        sure=method is None,
    )


def _known(every: Sent, info: ChatInfo, settings: ChatSettings, replies: ChatReplies | None) -> list[bool]:
    """Return of each question whether no call of its own answers it; asked twice, it is one call."""
    if replies is not None:
        return replies.known(info, settings.url(), [one for one, _ in every], [options for _, options in every])
    seen: set[tuple[tuple[ChatTurn, ...], Options]] = set()
    known = []
    for one in every:
        known.append(one in seen)
        seen.add(one)
    return known


def _method(study: Study, prompts: list[Prompt], logprobs: bool, wanted: Method | None) -> tuple[Method | None, int]:
    """Return the dearest method that a run may take, and how many calls it takes to find the method."""
    if study.answer.type != "choice":
        return None, 0
    apart = all(distinct(list((prompt.template.words or {}).values())) for prompt in prompts)
    if wanted is not None or not apart or not logprobs:
        chosen: Method = wanted or "constrained"
        return chosen, int(chosen == "likelihood")
    return "constrained", 1
