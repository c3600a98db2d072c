"""The closed set of tasks that a worker answers and of replies that it may send.

A reply holds numbers, bounded arrays, ids that the hub already knows or hashes, and enum words; no free text. Arrays
travel beside the reply by name, so that JSON holds only metadata. What is not described here cannot be sent.
"""

from typing import Annotated, Literal

from pydantic import Field

from fedprompt.study.schema import Closed, Precision, TemplateSpec
from fedprompt.study.score import Comparison, Score, SplitName
from fedprompt.study.sharing import absent
from fedprompt.study.versions import OWN, Version

__all__ = [
    "Choice",
    "ChoiceKind",
    "DescribeReply",
    "DescribeTask",
    "EvaluateTask",
    "ProposeTask",
    "PublishReply",
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
HiddenId = Annotated[str, Field(pattern=r"^h1:[0-9a-f]{32}$")]
ChoiceKind = Literal["manual", "global", "group", "own", "mixture-global", "mixture-group"]


class _Task(Closed):
    """``known``: the last head of the site's ledger that the hub has seen, so that the site shows how it grew since."""

    task: TaskId
    study: StudyDigest
    known: Head | None = None


class DescribeTask(_Task):
    """How many cases are there? ``version`` is the hub's fedprompt."""

    verb: Literal["describe"] = "describe"
    version: Version = OWN


class ScoreTask(_Task):
    """Score templates of the accepted study on validation."""

    verb: Literal["score"] = "score"
    prompts: Annotated[tuple[PromptId, ...], Field(min_length=1, max_length=1000)]
    reference: PromptId | None = None


class TuneTask(_Task):
    """Tune the soft prompt that travels with the task (array ``start``, [tokens, width] float32) for some steps."""

    verb: Literal["tune"] = "tune"
    round: Annotated[int, Field(ge=1, le=100_000)]
    steps: Annotated[int, Field(ge=1, le=100_000)]
    seed: Seed


class EvaluateTask(_Task):
    """Score any prompts: templates by id, soft prompts by id with their vectors (array ``soft-N``, N their place).

    With ``choose``, the seed under which the site tunes its own from the array ``start``, nothing is scored but what it
    chooses: among the templates, the soft prompts (the common one, then its group's), its own, and mixtures as the
    accepted study names them. ``own`` is the hidden id of what it chose so before, to be scored with the others.
    """

    verb: Literal["evaluate"] = "evaluate"
    split: SplitName
    templates: Annotated[tuple[PromptId, ...], Field(max_length=1000)] = ()
    soft: Annotated[tuple[PromptId, ...], Field(max_length=1000)] = ()
    pairs: Annotated[tuple[tuple[PromptId, PromptId], ...], Field(max_length=10_000)] = ()
    choose: Annotated[Seed | None, Field(exclude_if=absent)] = None
    own: Annotated[HiddenId | None, Field(exclude_if=absent)] = None


class ProposeTask(_Task):
    """Propose templates; answered with "not-supported"."""

    verb: Literal["propose"] = "propose"


class DescribeReply(Closed):
    """Cases in each split and, in the study's order of labels, by label.

    ``version`` is the site's fedprompt; ``identity`` the fingerprint of its key, by which banks tell sites apart.
    """

    verb: Literal["describe"] = "describe"
    task: TaskId
    tune: Annotated[int, Field(ge=0)]
    validation: Annotated[int, Field(ge=0)]
    test: Annotated[int, Field(ge=0)]
    labels: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(max_length=256)]
    version: Version = OWN
    identity: Annotated[str, Field(pattern=r"^k1:[0-9a-f]{32}$")] | None = None


class Choice(Closed):
    """Which prompt a site keeps; ``share`` is its own prompt's part of a mixture. ``prompt`` may be a hidden id."""

    kind: ChoiceKind
    prompt: PromptId
    share: Annotated[float, Field(gt=0, lt=1)] | None = None


class ScoreReply(Closed):
    """Scores and paired comparisons, and what the site chose if it was to choose."""

    verb: Literal["score", "evaluate"]
    task: TaskId
    scores: Annotated[tuple[Score, ...], Field(max_length=2000)]
    comparisons: Annotated[tuple[Comparison, ...], Field(max_length=10_000)] = ()
    looks: Annotated[int, Field(ge=0)] = 0
    clipped: Annotated[int, Field(ge=0)] = 0
    choice: Annotated[Choice | None, Field(exclude_if=absent)] = None


class TuneReply(Closed):
    """One mean loss, the number of cases, and the update.

    The update is the array ``delta`` ([tokens, width] float32 or float16), or ``codes`` ([tokens, width] int8) and
    ``scales`` ([tokens, 1] float32), as ``precision`` says.
    """

    verb: Literal["tune"] = "tune"
    task: TaskId
    round: Annotated[int, Field(ge=1, le=100_000)]
    cases: Annotated[int, Field(ge=0, le=10**9)]
    loss: float
    precision: Precision = "float32"


class PublishReply(Closed):
    """A template that the site's operator chose to publish, text and all; a hub takes it by hand."""

    verb: Literal["publish"] = "publish"
    task: TaskId
    prompt: Annotated[str, Field(pattern=r"^p1:[0-9a-f]{32}$")]
    template: TemplateSpec


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
Reply = Annotated[DescribeReply | ScoreReply | TuneReply | PublishReply | Refusal, Field(discriminator="verb")]
