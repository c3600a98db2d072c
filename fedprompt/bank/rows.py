"""What the bank gives back: frozen rows whose values were rebuilt through the closed models they came from.

Times are aware datetimes in UTC. Ids are content ids where the thing has content, and the caller's own
otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from fedprompt.prompts.head import Head
from fedprompt.study.schema import Study
from fedprompt.study.score import Comparison, Score

__all__ = [
    "JSON",
    "AdaptedRow",
    "ComparisonRow",
    "EventRow",
    "Indexable",
    "JobRow",
    "JobState",
    "Leader",
    "LeaderPage",
    "Problem",
    "PromptPage",
    "PromptRow",
    "RoundRow",
    "RunRow",
    "ScoreRow",
    "StudyRow",
    "TagRow",
]

JSON = Any  # None, bool, int, float, str, and lists and string-keyed dicts of them
JobState = Literal["queued", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True)
class StudyRow:
    """A study, its digest, and the digest of the model it is for."""

    digest: str
    name: str
    study: Study
    model_digest: str
    created: datetime


@dataclass(frozen=True)
class PromptRow:
    """Where a prompt came from.

    ``kind`` is ``template`` or ``soft``; ``model`` is the digest of the model that a soft prompt is bound to.
    A prompt that came twice (from two studies, say) is one prompt; the row tells of its first coming, or of
    its first coming within the study that was asked for. ``given`` is the name that a person gave it since, None where
    nobody did.
    """

    id: str
    name: str
    kind: str
    study: str | None
    origin: str
    parents: tuple[str, ...]
    model: str | None
    notes: Mapping[str, JSON]
    created: datetime
    given: str | None = None

    @property
    def called(self) -> str:
        """The name that a person gave it, else the one it came with."""
        return self.name if self.given is None else self.given


@dataclass(frozen=True)
class AdaptedRow:
    """An adapted prompt: the ids of its ``members``, a weight for each, a bias for each label, and its head's part.

    ``about`` says what it was learnt from: how many cases, which pack, which settings. ``shows``: how many of the
    home's cases it holds, which its body has and this row has not, so that listing it shows none.
    """

    id: str
    name: str
    study: str | None
    members: tuple[str, ...]
    weights: tuple[float, ...]
    labels: tuple[str, ...]
    bias: tuple[float, ...]
    about: Mapping[str, JSON]
    created: datetime
    shows: int = 0
    head: Head | None = None
    part: float = 0.0


@dataclass(frozen=True)
class PromptPage:
    """One page of prompts; ``total`` counts all pages."""

    rows: tuple[PromptRow, ...]
    total: int


@dataclass(frozen=True)
class ScoreRow:
    """What one site said of one prompt in one run; ``round`` is None outside rounds."""

    run: str
    study: str
    site: str
    round: int | None
    score: Score
    created: datetime


@dataclass(frozen=True)
class ComparisonRow:
    """What one site said of two prompts in one run."""

    run: str
    study: str
    site: str
    comparison: Comparison
    created: datetime


@dataclass(frozen=True)
class RunRow:
    """One run; ``result`` and ``finished`` are None while ``state`` is ``running``."""

    id: str
    kind: str
    study: str
    settings: Mapping[str, JSON]
    state: Literal["running", "done"]
    result: dict[str, JSON] | None
    created: datetime
    finished: datetime | None


@dataclass(frozen=True)
class RoundRow:
    """One finished round, the id of the prompt it made, and what was measured."""

    run: str
    number: int
    prompt: str
    body: Mapping[str, JSON]
    created: datetime


@dataclass(frozen=True)
class JobRow:
    """A job; ``progress`` is what it last told, ``pid`` the process that runs it.

    Of one that failed, ``error`` is the sentence and ``result`` holds the error's code.
    """

    id: str
    kind: str
    arguments: Mapping[str, JSON]
    state: JobState
    progress: dict[str, JSON] | None
    result: dict[str, JSON] | None
    error: str | None
    pid: int | None
    created: datetime
    updated: datetime

    @property
    def code(self) -> str | None:
        """The code of the error that a failed job ended with; None where none is known."""
        found = (self.result or {}).get("code") if self.state == "failed" else None
        return found if isinstance(found, str) else None


@dataclass(frozen=True)
class EventRow:
    """What somebody said of a prompt: ``tag``, ``untag``, ``approve``, ``retire`` or ``revive``.

    ``signer`` is the fingerprint of the home's key that signed it, ``via`` the bank it was merged from, if it was.
    """

    id: str
    kind: str
    prompt: str
    body: Mapping[str, JSON]
    by: str
    signer: str
    via: str | None
    at: datetime


@dataclass(frozen=True)
class TagRow:
    """What ``name@tag`` stands for now, and who said so."""

    tag: str
    prompt: str
    by: str
    signer: str
    via: str | None
    at: datetime


@dataclass(frozen=True)
class Leader:
    """A prompt's standing in a study: over ``sites`` sites, by their newest scores.

    ``mean`` is unweighted over sites, ``pooled`` by case, ``here`` the score at the site that was asked for, if any.
    """

    id: str
    name: str
    kind: str
    origin: str
    created: datetime | None
    sites: int
    n: int
    mean: float
    worst: float
    pooled: float
    here: float | None


@dataclass(frozen=True)
class LeaderPage:
    """One page of a ranking; ``total`` counts all pages, ``sites`` the sites of the study."""

    rows: tuple[Leader, ...]
    total: int
    sites: int


@dataclass(frozen=True)
class Indexable:
    """A prompt to index: its number in this bank, its id, and the text of its template."""

    number: int
    id: str
    text: str


@dataclass(frozen=True)
class Problem:
    """Something in the bank that does not agree with itself."""

    where: str
    what: str
