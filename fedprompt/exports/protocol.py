"""What an export format is, and the values that cross its seam.

Invariant: a format either holds a prompt so that it answers the same elsewhere, or refuses it with a reason
and the name of the format to take.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from fedprompt.models.protocols import Decoding
from fedprompt.prompts.adapted import Adapted
from fedprompt.prompts.prompt import Prompt
from fedprompt.study.schema import Study
from fedprompt.study.score import Score
from fedprompt.trust.signing import Signer

__all__ = [
    "ExportContext",
    "Exported",
    "Format",
    "ImportContext",
    "Imported",
    "Reading",
    "Refusal",
    "ScoreLine",
    "Snippet",
    "fence_for",
]


@dataclass(frozen=True)
class Reading:
    """How an answer is read, and the score the prompt gets read that way.

    ``words``: label -> the continuation that means it, empty where the answer is free text; ``how``:
    sentences; ``scores``: site -> value on ``split``, over ``cases`` (site -> how many); ``mean`` over the sites
    with its 95 % interval ``low`` to ``high``. All of the score is empty or None where there is none.
    ``normalise`` and ``prior`` are the study's for label words, ``writing`` how free text is written. ``bias``:
    label -> what a home learnt to add to its log-probability, empty where nothing is added.
    """

    words: Mapping[str, str]
    how: str
    metric: str
    scores: Mapping[str, float] = field(default_factory=dict)
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    split: str | None = None
    cases: Mapping[str, int] = field(default_factory=dict)
    normalise: str = "none"
    prior: str = "none"
    writing: Decoding = field(default_factory=Decoding)
    bias: Mapping[str, float] = field(default_factory=dict)

    @property
    def parser(self) -> str:
        """``likeliest-label`` among the words, or ``text`` as it was written."""
        return "likeliest-label" if self.words else "text"

    @property
    def is_plain(self) -> bool:
        """Whether an export's own lines do the same: plain log-likelihoods of label words, or greedy text."""
        if self.words:
            return (self.normalise, self.prior) == ("none", "none") and not self.bias
        return self.writing.greedy

    @property
    def decoding(self) -> Mapping[str, Any]:
        """How the model is asked: words are compared and nothing is drawn, or text is written."""
        if self.words:
            return {
                "method": "log-likelihood of each label word",
                "normalise": self.normalise,
                "prior": self.prior,
                "max_tokens": 0,
            }
        return {
            "method": "greedy" if self.writing.greedy else "sampling",
            "temperature": self.writing.temperature,
            "top_p": self.writing.top_p,
            "seed": self.writing.seed,
            "stop": list(self.writing.stop),
            "max_tokens": self.writing.max_tokens,
        }


@dataclass(frozen=True)
class ScoreLine:
    """One stored score: its run, its study's name, the site, the round if any, and when it came (ISO 8601, UTC)."""

    run: str
    study: str
    site: str
    round: int | None
    created: str
    score: Score


@dataclass(frozen=True)
class Exported:
    """One prompt to be written, the study it comes from if any, and how its answers are read.

    ``origin`` is how the prompt came to be, as the bank says it; ``lines`` are all of its stored scores. ``adapted``:
    an adapted prompt, of which ``prompt`` is the member that counts most and ``members`` are all, its own reading with
    each; ``name`` and ``reading`` are then of the whole.
    """

    prompt: Prompt
    name: str
    study: Study | None
    reading: Reading
    origin: str | None = None
    lines: tuple[ScoreLine, ...] = ()
    adapted: Adapted | None = None
    members: tuple["Exported", ...] = ()

    @property
    def id(self) -> str:
        """The content id of the prompt, or of the adapted prompt."""
        return self.prompt.id if self.adapted is None else self.adapted.id

    @property
    def is_mixture(self) -> bool:
        """Whether it asks several prompts, or a head beside them, which a format of one prompt cannot hold."""
        return self.adapted is not None and (len(self.adapted.members) > 1 or self.adapted.head is not None)


@dataclass(frozen=True)
class ExportContext:
    """The model that the prompts run on: its folder if it is on this machine, its name and its digest.

    ``signer`` holds the home's key and signs what the format can sign; None leaves it unsigned. Without ``weights``
    nothing is written of a copied model's weights but a hole of their size: for a look at what an export holds.
    """

    model_folder: Path | None
    model_name: str
    model_digest: str
    signer: Signer | None = None
    weights: bool = True


@dataclass(frozen=True)
class Refusal:
    """Why a format cannot hold a prompt, and the name of one that can; empty where none can."""

    reason: str
    instead: str


@dataclass(frozen=True)
class Snippet:
    """Lines that use an export, in ``language``, and a ``note`` on them in Markdown that is fedprompt's own.

    They run in the folder that holds the one file, or ``inside`` the folder that was written.
    """

    language: str
    code: str
    note: str = ""
    inside: bool = True

    @property
    def markdown(self) -> str:
        """The lines and the note as Markdown, for a model card."""
        fence = fence_for(self.code)
        lines = f"{fence}{self.language}\n{self.code.strip()}\n{fence}" if self.code else ""
        return f"{lines}\n\n{self.note.strip()}".strip()


def fence_for(text: str) -> str:
    """Return a fence that no line of a text ends."""
    return "`" * (max((len(run) for run in re.findall(r"`{3,}", text)), default=2) + 1)


@dataclass(frozen=True)
class Imported:
    """One prompt that was read, what the file says besides, and a sentence for each thing left out.

    ``adapted``: an adapted prompt that was read, of which ``prompt`` is the member that counts most.
    """

    prompt: Prompt
    notes: Mapping[str, Any] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    adapted: Adapted | None = None


@dataclass(frozen=True)
class ImportContext:
    """What is known of the models of this machine.

    ``digest_of`` and ``width_of``: a model's digest and embedding width by its name or folder, None where they are not
    known; ``models``: the names of those that are known.
    """

    digest_of: Callable[[str], str | None] = lambda name: None
    width_of: Callable[[str], int | None] = lambda name: None
    models: Callable[[], tuple[str, ...]] = lambda: ()


class Format(Protocol):
    """One format.

    ``suffix``: what a destination should end in, empty for a folder; ``many``: whether one file holds several
    prompts; ``needs_model``: whether the model is copied with it.
    """

    name: str
    title: str
    description: str
    suffix: str
    many: bool
    needs_model: bool

    def drops(self, item: Exported) -> tuple[str, ...]:
        """Return a sentence for each thing of a prompt that this format cannot hold; none of it changes answers."""
        ...

    def refuses(self, item: Exported) -> Refusal | None:
        """Return why this format cannot hold a prompt, or None if it can."""
        ...

    def use(self, items: Sequence[Exported], name: str) -> Snippet:
        """Return lines that use what is written to a destination of this name."""
        ...

    def write(self, items: Sequence[Exported], destination: Path, context: ExportContext) -> Path:
        """Write prompts to a folder, or to a file where the destination ends in ``.zip`` or the format's own suffix.

        Raises:
            ExportError: a prompt is refused, the destination is taken, or the disk is full.
        """
        ...

    def recognises(self, path: Path, names: frozenset[str]) -> bool:
        """Return whether a file or folder, with these names in it, looks like this format."""
        ...

    def read(self, path: Path, context: ImportContext) -> tuple[Imported, ...]:
        """Read prompts back.

        Raises:
            ExportError: the file is damaged, hostile, or of a newer version.
        """
        ...
