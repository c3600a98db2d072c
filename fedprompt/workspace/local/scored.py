"""What ``score`` returns, of a local model and of a chat model.

Where which cases lie is told to whoever ran it and kept nowhere: the bank has counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from fedprompt.evaluation.runs.label_pairs import LabelPair
from fedprompt.models.protocols import RunSettings
from fedprompt.study.score import Method
from fedprompt.workspace.as_json import ABSENT, INLINE
from fedprompt.workspace.bills.paid import ModelPaid, Paid
from fedprompt.workspace.results.shown import ShownRun, ShownWork
from fedprompt.workspace.results.told_apart import Apart

__all__ = ["ChatScored", "Scored", "TemplateScored"]


@dataclass(frozen=True)
class TemplateScored:
    """A template's score. Of a chat model, ``failed`` calls (reason -> calls) and how many answers were no label.

    ``method`` is how a choice was answered, None for free text; ``judged_by`` is who judged texts.
    """

    prompt: str
    name: str
    method: Method | None
    judged_by: str | None
    run: ShownRun = field(metadata=INLINE)
    failed: Mapping[str, int] | None = field(default=None, metadata=ABSENT)
    unparsed: int | None = field(default=None, metadata=ABSENT)


@dataclass(frozen=True)
class _OnSplit:
    study: str
    model: str
    split: str
    results: tuple[TemplateScored, ...]
    apart: Apart = field(metadata=INLINE)


@dataclass(frozen=True)
class Scored(_OnSplit):
    """A study's templates on a split, by a local model.

    ``cached`` scores of single cases were known from before, ``clipped`` cases were too long for the model, and
    ``left_out`` are in no split. ``seconds`` are of the whole run.
    """

    work: ShownWork = field(metadata=INLINE)
    label_pairs: tuple[LabelPair, ...]
    judge: ModelPaid | None
    cached: int
    clipped: int
    left_out: int
    settings: RunSettings
    seconds: float
    run: str


@dataclass(frozen=True)
class ChatScored(_OnSplit):
    """A study's templates on a split, by a chat model: what was paid, and what it is not known of such a model.

    ``unparsed_lines``: prompt -> lines of the file whose answers were no label; None in what is kept.
    """

    share_ratio: float
    paid: Paid = field(metadata=INLINE)
    judge: ModelPaid | None
    tokens_per_second: None
    left_out: int
    seconds: float
    run: str
    unparsed_lines: Mapping[str, list[int]] | None = field(default=None, metadata=ABSENT)
