"""What this machine's judge took, and the most that it may take before a run: calls, tokens, money.

Before a run nobody knows what the judge will read: every text is counted at its longest, every answer too, and nothing
as known from an earlier run.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.scorers import RubricJudge, Sample, scorer_with
from fedprompt.evaluation.scorers.scorer import Resources
from fedprompt.models.chat.cost import Cost, estimated_tokens, tallied
from fedprompt.models.chat.judge import JUDGE_TOKENS
from fedprompt.models.chat.protocol import ChatReply, ChatTurn, Usage
from fedprompt.study.schema import ScorerSpec, Study
from fedprompt.workspace.bills.paid import UNPRICED, ModelPaid, priced
from fedprompt.workspace.bills.scorer_resources import JUDGE, NamedJudge, judge_settings

__all__ = [
    "MOST",
    "Calls",
    "JudgeBill",
    "JudgeSum",
    "has_judge",
    "judge_bill",
    "judge_paid",
    "rubric_bill",
    "rubrics",
    "told_calls",
]

MOST = "the judge's cost is an upper bound: every text and every answer at its longest, and nothing reused"
NOBODY = f"no judge is chosen; choose one, or set {JUDGE} to a model before the run"


class Calls(Protocol):
    """What is told of calls, before them or after; ``cost`` is None where it is not known."""

    @property
    def model(self) -> str | None:
        """The chat model's name, None where none is named yet."""

    @property
    def calls(self) -> int:
        """How many."""

    @property
    def tokens(self) -> int:
        """Read and written."""

    @property
    def cost(self) -> Cost | None:
        """The money."""


@dataclass(frozen=True)
class JudgeSum:
    """The most that judging may take: calls, tokens, money; ``model`` is None where the machine names no judge."""

    model: str | None
    calls: int
    tokens: int
    input_tokens: int
    output_tokens: int
    cost: Cost | None


@dataclass(frozen=True)
class JudgeBill(JudgeSum):
    """The same, and what is to be said of it."""

    notes: tuple[str, ...]


def has_judge(study: Study) -> bool:
    """Return whether a study's texts are judged by a chat model."""
    return any(spec.name == RubricJudge.name for spec in study.answer.scorers)


def judge_paid(home: Path, study: Study, resources: Sequence[Resources], judge: str | None = None) -> ModelPaid | None:
    """Return what the judge took in this run, by its name, or None where the study asks for none.

    Args:
        resources: of all who asked, as ``site.judge_calls.recorded`` gave them.
        judge: the judge of this run; the one that the environment names if None.
    """
    if not has_judge(study) or (named := judge_settings(home, judge)) is None:
        return None
    replies: list[ChatReply] = [reply for one in resources if one.judged is not None for reply in one.judged()]
    return ModelPaid.of(named.name, tallied(replies, named.price))


def told_calls(found: Calls, most: str = "", who: str = "the judge") -> str:
    """Return what a judge took, or a chat model by another ``who``, in a sentence; ``most`` is before each number."""
    cost = found.cost
    money = "not known" if cost is None else f"{cost.amount:,.4f} {cost.currency}"
    return (
        f"{who} ({found.model or 'no model yet'}): {most}{found.calls:,} calls, {most}{found.tokens:,} tokens, "
        f"cost {most}{money}"
    )


def judge_bill(
    home: Path, study: Study, looks: Sequence[tuple[int, Sequence[Case]]], judge: str | None = None
) -> JudgeBill | None:
    """Return the most that judging may take, or None where the study asks for no judge.

    Args:
        looks: how many prompts, and the cases that each answers.
        judge: the judge of this run; the one that the environment names if None.
    """
    if not has_judge(study):
        return None
    answer = study.answer
    return rubric_bill(judge_settings(home, judge), rubrics(answer.scorers), looks, answer.max_tokens)


def rubrics(specs: Iterable[ScorerSpec]) -> list[RubricJudge]:
    """Return the judges' rubrics among scorers."""
    made = [scorer_with(spec.name, spec.options) for spec in specs if spec.name == RubricJudge.name]
    return [one for one in made if isinstance(one, RubricJudge)]


def rubric_bill(
    named: NamedJudge | None,
    judges: Sequence[RubricJudge],
    looks: Sequence[tuple[int, Sequence[Case]]],
    longest: int,
) -> JudgeBill:
    """Return the most that judging may take.

    Args:
        named: the judge, None if there is none yet.
        judges: the rubrics; each is asked about each answer.
        looks: how many prompts, and the cases that each answers.
        longest: the most tokens of an answer.
    """
    calls = read = 0
    for prompts, cases in looks:
        for case in cases:
            asked = [judge.prompt(Sample("", case.answer, case.fields)) for judge in judges]
            calls += prompts * len(judges)
            read += prompts * sum(estimated_tokens([ChatTurn("user", one)]) + longest for one in asked)
    written = calls * JUDGE_TOKENS
    price = None if named is None else named.price
    return JudgeBill(
        model=None if named is None else named.name,
        calls=calls,
        tokens=read + written,
        input_tokens=read,
        output_tokens=written,
        cost=None if price is None else priced(price.of(Usage(read, written))),
        notes=(MOST, *([NOBODY] if named is None else [UNPRICED] if price is None else [])),
    )
