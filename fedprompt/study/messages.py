"""The closed set of tasks that a worker answers and of replies that it may send.

A reply holds numbers, bounded arrays, ids that the hub already knows or hashes, and enum words; no free text. Arrays
travel beside the reply by name, so that JSON holds only metadata. What is not described here cannot be sent.
"""

from typing import Annotated, Literal

from pydantic import Field

from fedprompt.study.schema import Closed, Precision
from fedprompt.study.score import Comparison, Score, SplitName

__all__ = [
    "DescribeReply",
    "DescribeTask",
    "EvaluateTask",
    "ProposeTask",
    "Refusal",
    "Reply",
    "ScoreReply",
    "ScoreTask",
    "Task",
    "TuneReply",
    "TuneTask",
]

StudyDigest = Annotated[str, Field(pattern=r"^s1:[0-9a-f]{32}$")]
PromptId = Annotated[str, Field(pattern=r"^[ph]1:[0-9a-f]{32}$")]
TaskId = Annotated[str, Field(pattern=r"^t1:[0-9a-f]{32}$")]
Head = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class _Task(Closed):
    """``known``: the last head of the site's ledger that the hub has seen, so that the site shows how it grew since."""

    task: TaskId
    study: StudyDigest
    known: Head | None = None


class DescribeTask(_Task):
    """How many cases are there?"""

    verb: Literal["describe"] = "describe"


class ScoreTask(_Task):
    """Score templates of the accepted study on validation."""

    verb: Literal["score"] = "score"
    prompts: Annotated[tuple[PromptId, ...], Field(min_length=1, max_length=1000)]
    reference: PromptId | None = None


class TuneTask(_Task):
    """Tune the soft prompt that travels with the task (array ``start``, [tokens, width] float32) for some steps."""

    verb: Literal["tune"] = "tune"
    round: Annotated[int, Field(ge=0, le=100_000)]
    steps: Annotated[int, Field(ge=1, le=100_000)]
    seed: Seed


class EvaluateTask(_Task):
    """Score any prompts: templates by id, soft prompts by id with their vectors (array ``soft-N``, N their place)."""

    verb: Literal["evaluate"] = "evaluate"
    split: SplitName
    templates: Annotated[tuple[PromptId, ...], Field(max_length=1000)] = ()
    soft: Annotated[tuple[PromptId, ...], Field(max_length=1000)] = ()
    pairs: Annotated[tuple[tuple[PromptId, PromptId], ...], Field(max_length=10_000)] = ()


class ProposeTask(_Task):
    """Propose templates; answered with "not-supported"."""

    verb: Literal["propose"] = "propose"


class DescribeReply(Closed):
    """Cases in each split and, in the study's order of labels, by label."""

    verb: Literal["describe"] = "describe"
    task: TaskId
    tune: Annotated[int, Field(ge=0)]
    validation: Annotated[int, Field(ge=0)]
    test: Annotated[int, Field(ge=0)]
    labels: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(max_length=256)]


class ScoreReply(Closed):
    """Scores and paired comparisons."""

    verb: Literal["score", "evaluate"]
    task: TaskId
    scores: Annotated[tuple[Score, ...], Field(max_length=2000)]
    comparisons: Annotated[tuple[Comparison, ...], Field(max_length=10_000)] = ()
    looks: Annotated[int, Field(ge=0)] = 0
    clipped: Annotated[int, Field(ge=0)] = 0


class TuneReply(Closed):
    """One mean loss, the number of cases, and the update.

    The update is the array ``delta`` ([tokens, width] float32 or float16), or ``codes`` ([tokens, width] int8) and
    ``scales`` ([tokens, 1] float32), as ``precision`` says.
    """

    verb: Literal["tune"] = "tune"
    task: TaskId
    round: Annotated[int, Field(ge=0)]
    cases: Annotated[int, Field(ge=0, le=10**9)]
    loss: float
    precision: Precision = "float32"


class Refusal(Closed):
    """Why a task was not answered, as a code; never a message that could carry data."""

    verb: Literal["refuse"] = "refuse"
    task: TaskId
    code: Literal[
        "unknown-study",
        "unknown-prompt",
        "too-few-cases",
        "budget-spent",
        "bad-soft-prompt",
        "failed",
        "bad-task",
        "not-allowed",
        "not-supported",
        "paused",
    ]


Task = Annotated[DescribeTask | ScoreTask | TuneTask | EvaluateTask | ProposeTask, Field(discriminator="verb")]
Reply = Annotated[DescribeReply | ScoreReply | TuneReply | Refusal, Field(discriminator="verb")]
