"""Runs prompts over cases through a chat model: answers, scores, and what could not be had.

A call that failed for good has no value: neither a zero nor a case in any sum. An answer that is no label was given
and is wrong: leaving it out would favour prompts that are answered only where the case is easy. Both are counted.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import ModelError, StudyError
from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.demonstrations import Shown
from fedprompt.evaluation.runs.generating import generate_and_judge
from fedprompt.evaluation.runs.runner import PromptRun, to_score, true_labels
from fedprompt.evaluation.scorers.scorer import Resources
from fedprompt.models.chat.choice import ChatAnswer, ChatQuery, asked_with, choose
from fedprompt.models.chat.protocol import ChatModel, ChatReply, ChatTurn, Options, turns
from fedprompt.models.protocols import Decoding, Generated, GenerateQuery
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.rendered import Rendered
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.schema import Answer
from fedprompt.study.score import Method, Score, SplitName

__all__ = ["ChatRun", "ChatWriter", "conversations", "run_chat", "score_chat"]

Progress = Callable[[int, int], None]
UNPARSED = "the answer is not a label"


@dataclass(frozen=True, eq=False)
class ChatRun:
    """One prompt on every case; ``unparsed`` are the places of cases whose answer was no label."""

    run: PromptRun
    unparsed: tuple[int, ...] = ()


class ChatWriter:
    """A :class:`~fedprompt.models.protocols.Writer` over a chat model; ``replies`` are all that came."""

    def __init__(self, model: ChatModel) -> None:
        self._model, self.replies = model, list[ChatReply]()

    def generate(
        self, queries: Sequence[GenerateQuery], decoding: Decoding, *, stop: StopToken = NEVER
    ) -> tuple[Generated, ...]:
        """Answer each query.

        Raises:
            ModelError: a query has a soft slot, or the model cannot be asked at all.
        """
        replies = self._model.ask([turns(query.rendered) for query in queries], options_of(decoding), stop=stop)
        self.replies += replies
        return tuple(
            Generated(reply.text, 0 if reply.usage is None else reply.usage.output, reply.failure) for reply in replies
        )


def options_of(decoding: Decoding) -> Options:
    """Return how a server is to write."""
    return Options(decoding.max_tokens, decoding.stop, decoding.temperature, decoding.top_p, decoding.seed)


def conversations(
    prompts: Sequence[Prompt], cases: Sequence[Case], answer: Answer, tune: Sequence[Case], method: Method | None
) -> list[tuple[tuple[ChatTurn, ...], Options]]:
    """Return every conversation of a run as it will be sent, case by case, and how each is to be answered."""
    if answer.type == "choice":
        return [asked_with(query, method or "constrained") for query in _queries(prompts, cases, answer, tune)]
    decoding = Decoding(answer.max_tokens, answer.stop, answer.temperature, answer.top_p, answer.seed)
    return [(turns(rendered), options_of(decoding)) for rendered in _rendered(prompts, cases, tune)]


def run_chat(
    model: ChatModel,
    prompts: Sequence[Prompt],
    cases: Sequence[Case],
    answer: Answer,
    tune: Sequence[Case],
    method: Method | None,
    progress: Progress | None = None,
    resources: Resources | None = None,
    stop: StopToken = NEVER,
) -> tuple[tuple[ChatRun, ...], tuple[ChatReply, ...]]:
    """Run every prompt on every case; return the runs, and every reply that was paid for.

    Args:
        tune: the site's tune split, for demonstrations.
        method: how a choice is answered; None for free text.
        progress: hears (calls done, calls in all).
        stop: looked at whenever an answer has come.

    Raises:
        ModelError: a soft prompt, or the model cannot be asked at all.
        DataError: too few cases for demonstrations, or an answer that is no label.
        StudyError: the study asks for what only a model on this machine can give.
    """
    if answer.type == "generate":
        writer = ChatWriter(model)
        shown = [Shown(prompt.template, tune) for prompt in prompts]
        judged = generate_and_judge(writer, prompts, cases, answer, shown, progress, resources, stop=stop)
        found = [
            PromptRun(prompt, judged.values[:, place], reasons=judged.reasons[place])
            for place, prompt in enumerate(prompts)
        ]
        return tuple(map(ChatRun, found)), tuple(writer.replies)
    if method is None:
        raise ModelError("a choice on a chat model needs a method; see find_method", code="needs-a-method")
    if answer.prior != "none" or answer.normalise != "none":
        raise StudyError(
            "answer.prior and answer.normalise need full label likelihoods, which chat models do not give; "
            "remove them, or use a model of this machine",
            code="needs-whole-likelihoods",
        )
    true = true_labels(cases, answer)
    answers = choose(model, _queries(prompts, cases, answer, tune), method, progress, stop=stop)
    runs = tuple(_choice_run(prompt, answers[p :: len(prompts)], true) for p, prompt in enumerate(prompts))
    return runs, tuple(one.reply for one in answers)


def score_chat(
    found: ChatRun,
    cases: Sequence[Case],
    split: SplitName,
    answer: Answer,
    method: Method | None,
    judged_by: str | None = None,
) -> Score:
    """Sum one run up over the cases that were answered, and name the method and who judged."""
    run = found.run
    if run.predicted is not None and run.true is not None and run.confidence is not None:
        kept = run.scored
        judged = [case for case, one in zip(cases, kept, strict=True) if one]
        whole = PromptRun(run.prompt, run.values[kept], run.predicted[kept], run.true[kept], run.confidence[kept])
        score = to_score(whole, judged, split, answer)
    else:
        score = to_score(replace(run, predicted=None), cases, split, answer)
    return score.model_copy(update={"judged_by": judged_by} | ({} if method is None else {"method": method}))


def _rendered(prompts: Sequence[Prompt], cases: Sequence[Case], tune: Sequence[Case]) -> Iterator[Rendered]:
    shown = [Shown(prompt.template, tune) for prompt in prompts]
    for case in cases:
        for prompt, own in zip(prompts, shown, strict=True):
            yield prompt.template.render(case.fields, own.to(case))


def _queries(prompts: Sequence[Prompt], cases: Sequence[Case], answer: Answer, tune: Sequence[Case]) -> list[ChatQuery]:
    words = [tuple((prompt.template.words or {})[label] for label in answer.labels) for prompt in prompts]
    rendered = _rendered(prompts, cases, tune)
    return [ChatQuery(turns(one), words[place % len(prompts)]) for place, one in enumerate(rendered)]


def _choice_run(prompt: Prompt, answers: Sequence[ChatAnswer], true: NDArray[np.int64]) -> ChatRun:
    failed = np.array([one.reply.failure is not None for one in answers])
    predicted = np.array([-1 if one.label is None else one.label for one in answers], dtype=np.int64)
    unparsed = tuple(int(place) for place in np.flatnonzero((predicted < 0) & ~failed))
    values = np.where(failed, np.nan, (predicted == true).astype(np.float64))
    reasons: Mapping[str, Counter[str]] = {
        "model": Counter(one.reply.failure for one in answers if one.reply.failure is not None),
        "choice": Counter({UNPARSED: len(unparsed)} if unparsed else {}),
    }
    sure = [None if one.shares is None or one.label is None else float(one.shares[one.label]) for one in answers]
    if unparsed or any(s is None and not f for s, f in zip(sure, failed, strict=True)):
        return ChatRun(PromptRun(prompt, values, reasons=reasons), unparsed)
    confidence = np.array([np.nan if one is None else one for one in sure])
    return ChatRun(PromptRun(prompt, values, predicted, true, confidence, reasons))
