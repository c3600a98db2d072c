"""What a scorer is: a name, and a judgement of one output against one answer.

Invariant: a reason is a fixed sentence about the comparison and never quotes the output or the answer, so
that it may be counted and shown. A scorer is a frozen dataclass; its fields besides ``name`` are its options.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from fedprompt.errors import ModelError
from fedprompt.models.chat.protocol import ChatReply
from fedprompt.models.protocols import Encoder

__all__ = ["BatchScorer", "Judge", "ManyJudge", "PreparedScorer", "Resources", "Sample", "Scored", "Scorer"]


@dataclass(frozen=True)
class Scored:
    """A value in [0, 1], or None where the case could not be judged, and why.

    ``passing``: another try may end otherwise (a judge that did not answer, a time limit), so it is kept nowhere.
    """

    value: float | None
    reason: str
    passing: bool = False


@dataclass(frozen=True)
class Sample:
    """What the model wrote for one case, the case's answer, and its input fields; none of it shows in ``repr``."""

    output: str = field(repr=False)
    answer: str = field(repr=False)
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)


class Judge(Protocol):
    """A chat model that answers one prompt."""

    def ask(self, prompt: str) -> str:
        """Return the answer's text.

        Raises:
            ModelError: there was none.
        """


@runtime_checkable
class ManyJudge(Protocol):
    """A judge that answers many prompts, as many at once as its machine allows."""

    def ask_each(self, prompts: Sequence[str]) -> tuple[str | ModelError, ...]:
        """Return an answer a prompt, or why there was none.

        Raises:
            ModelError: it cannot be asked at all.
        """


@dataclass(frozen=True)
class Resources:
    """What the machine gives to scorers; a study never names any of it.

    Attributes:
        encoder: returns the sentence encoder, loading it where needed; None if there is none.
        judge: returns the chat model that judges, connecting where needed; None if there is none.
        before_judge: hears what the judge is about to be asked, and may refuse by raising.
        judge_digest: returns what names the judge's model, without connecting; None if there is no judge.
        judged: returns all that the judge answered so far, for what it cost; None if nobody counts it.
    """

    encoder: Callable[[], Encoder] | None = None
    judge: Callable[[], Judge] | None = None
    before_judge: Callable[[Judge, Sequence[str]], None] | None = None
    judge_digest: Callable[[], str] | None = None
    judged: Callable[[], Sequence[ChatReply]] | None = None


class Scorer(Protocol):
    """Judges one output."""

    @property
    def name(self) -> str:
        """What a study file calls it."""

    def score(self, output: str, answer: str) -> Scored:
        """Return how well the output meets the answer."""


@runtime_checkable
class BatchScorer(Protocol):
    """Judges many outputs at once, because that is faster or because it looks at more than output and answer."""

    def score_all(self, samples: Sequence[Sample]) -> tuple[Scored, ...]:
        """Return a judgement of each sample, in the order given."""


@runtime_checkable
class PreparedScorer(Protocol):
    """Needs something of the machine before it can judge: a package, the encoder, the judge."""

    def prepared(self, resources: Resources) -> Scorer:
        """Return a scorer that can judge.

        Raises:
            ModelError: what it needs is not there; says how to get it.
        """
