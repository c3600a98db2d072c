"""What the rest of fedprompt asks of a language model: label log-likelihoods, text, and a soft prompt's gradient.

Arrays cross this seam as numpy, so nobody above it imports torch.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import ModelError
from fedprompt.models.nested import Nested
from fedprompt.prompts.adapter import Adapter
from fedprompt.prompts.rendered import Rendered
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.tensors import Tensors
from fedprompt.stopping import NEVER, StopToken

__all__ = [
    "CacheDtype",
    "CaseObjective",
    "CausalModel",
    "ChoiceQuery",
    "ChoiceResult",
    "Decoding",
    "Encoder",
    "GenerateQuery",
    "Generated",
    "LabelLoss",
    "LabelSlopes",
    "LossGradient",
    "ModelInfo",
    "PerCase",
    "PreparedObjective",
    "RunSettings",
    "SoftObjective",
    "Tokens",
    "TunesAdapters",
    "Writer",
]


CacheDtype = Literal["model", "bfloat16"]


@dataclass(frozen=True)
class RunSettings:
    """What moves a log-likelihood in its last digits; recorded with every run, never derived from load.

    ``dtype`` is ``bfloat16`` or ``float32``; ``pack`` is how many distinct tokens go through the model at once;
    ``cache_bytes`` bounds what the tuner keeps of keys and values, and what attention copies of them in scoring;
    ``cache_dtype`` is what the tuner keeps them in, the model's own dtype or bfloat16.
    """

    dtype: str
    threads: int
    device: str = "cpu"
    pack: int = 1024
    cache_bytes: int = 2 * 1024**3
    cache_dtype: CacheDtype = "model"


@dataclass(frozen=True)
class ModelInfo:
    """``digest`` names weights and tokenizer; ``width`` is the embedding width; ``window`` the most tokens at once.

    ``products``: the weights that a token is multiplied with in the layers; None where there are none to count.
    """

    name: str
    digest: str
    width: int
    window: int
    settings: RunSettings
    products: int | None = None


@dataclass(frozen=True)
class ChoiceQuery:
    """How likely is each word as the continuation of a rendered template?

    A word whose tokens begin another's stands for the texts in which that one does not follow (``models.nested``).
    """

    rendered: Rendered
    words: tuple[str, ...]
    tuned: Tensors | None = None

    @property
    def soft(self) -> SoftPrompt | None:
        """The soft prompt in the slot, None where there is none."""
        return self.tuned if isinstance(self.tuned, SoftPrompt) else None

    @property
    def adapter(self) -> Adapter | None:
        """The adapter beside the model, None where there is none."""
        return self.tuned if isinstance(self.tuned, Adapter) else None


@dataclass(frozen=True)
class ChoiceResult:
    """``loglikelihoods``: one float64 array [words] a query; ``lengths``: of each word in tokens, [words] int64.

    ``tokens`` were asked for, ``distinct`` were computed.
    """

    loglikelihoods: tuple[NDArray[np.float64], ...]
    lengths: tuple[NDArray[np.int64], ...]
    tokens: int
    distinct: int
    seconds: float


@dataclass(frozen=True)
class Decoding:
    """How text is written: greedily at ``temperature`` 0, else drawn from the likeliest tokens that hold ``top_p``.

    A stop string ends the text and is left out of it. What is drawn depends on ``seed`` and the query alone, never on
    the queries beside it.

    Raises:
        ModelError: a value lies outside its range; names the field.
    """

    max_tokens: int = 64
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise ModelError(f"max_tokens {self.max_tokens}: give at least 1", code="decoding")
        if not all(self.stop):
            raise ModelError("stop: an empty string would end every text before it starts; remove it", code="decoding")
        if not 0 <= self.temperature < math.inf:
            raise ModelError(
                f"temperature {self.temperature}: give 0 for greedy decoding, or a number above it", code="decoding"
            )
        if not 0 < self.top_p <= 1:
            raise ModelError(f"top_p {self.top_p}: give a number above 0 and at most 1", code="decoding")
        if self.seed < 0:
            raise ModelError(f"seed {self.seed}: give 0 or a whole number above it", code="decoding")

    @property
    def greedy(self) -> bool:
        """Whether the likeliest token is always taken."""
        return self.temperature == 0


@dataclass(frozen=True)
class GenerateQuery:
    """Continue a rendered template."""

    rendered: Rendered
    tuned: Tensors | None = None

    @property
    def soft(self) -> SoftPrompt | None:
        """The soft prompt in the slot, None where there is none."""
        return self.tuned if isinstance(self.tuned, SoftPrompt) else None

    @property
    def adapter(self) -> Adapter | None:
        """The adapter beside the model, None where there is none."""
        return self.tuned if isinstance(self.tuned, Adapter) else None


@dataclass(frozen=True)
class Generated:
    """The text that came, and how many tokens it took; ``failure`` says why none came, in fixed words.

    ``read``: how long the prompt is; ``computed``: tokens that went through the model here for this text, what its
    prompt shares with those beside it counted once among them. Both are 0 of a model elsewhere.
    """

    text: str
    tokens: int
    failure: str | None = None
    read: int = field(default=0, compare=False)
    computed: int = field(default=0, compare=False)


@dataclass(frozen=True)
class LossGradient:
    """``loss``: mean cross-entropy in nats; ``gradient``: float32, of the shape of what it is by."""

    loss: float
    gradient: NDArray[np.float32]


@dataclass(frozen=True)
class PerCase:
    """``losses``: [cases] float64 in nats; ``gradients``: [cases, tokens, width] float32, each of its case alone."""

    losses: NDArray[np.float64]
    gradients: NDArray[np.float32]


@dataclass(frozen=True)
class LabelSlopes:
    """``losses``: [cases] float64 in nats; ``slopes``: [cases, labels] float64, of each case's loss by its scores."""

    losses: NDArray[np.float64]
    slopes: NDArray[np.float64]


class LabelLoss(Protocol):
    """A loss over the labels' scores, which are log-likelihoods up to a constant for each case."""

    def __call__(self, scores: NDArray[np.float64], rows: Sequence[int]) -> LabelSlopes:
        """Return the losses of the cases ``rows`` at ``scores`` ([cases, labels]), and their slopes."""
        ...


class SoftObjective(Protocol):
    """Queries and their answers, prepared once, asked many times with other vectors."""

    def __len__(self) -> int:
        """How many cases there are."""
        ...

    def loss_and_gradient(self, vectors: NDArray[np.float32], rows: Sequence[int]) -> LossGradient:
        """Return the mean loss over the cases ``rows`` and its gradient by ``vectors`` ([tokens, width] float32)."""
        ...

    def loglikelihoods(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return [cases, labels] log-likelihoods of every case."""
        ...


class CaseObjective(SoftObjective, Protocol):
    """An objective that tells what each case asks for by itself."""

    def per_case(self, vectors: NDArray[np.float32], rows: Sequence[int]) -> PerCase:
        """Return every case's own loss and gradient by ``vectors`` ([tokens, width] float32).

        Raises:
            TuningError: one of them is not a finite number.
        """
        ...


class Tokens(NamedTuple):
    """``asked``: of whole prompts, each with each of its words; ``computed``: those that go through the model."""

    asked: int
    computed: int


class PreparedObjective(CaseObjective, Protocol):
    """An objective that a model has prepared, which knows what a look at its cases takes."""

    @property
    def prepared(self) -> int:
        """How many tokens were computed to prepare the cases."""
        ...

    def tokens(self, rows: Sequence[int], *, looking: bool = False) -> Tokens:
        """Return what one pass over the cases ``rows`` takes; ``looking`` at all words, as ``loglikelihoods`` does."""
        ...

    def under(self, loss: LabelLoss) -> "PreparedObjective":
        """Return the same cases, prepared as they are, with another loss over their labels.

        Raises:
            ValueError: they are prepared for likelihoods over the whole vocabulary.
        """
        ...


class Writer(Protocol):
    """Whatever continues texts."""

    def generate(
        self, queries: Sequence[GenerateQuery], decoding: Decoding, *, stop: StopToken = NEVER
    ) -> tuple[Generated, ...]:
        """Continue each query until a stop string, the end of the turn or ``max_tokens``, in the order given."""
        ...


class CausalModel(Protocol):
    """A language model that runs on this machine."""

    @property
    def info(self) -> ModelInfo:
        """Name, digest and sizes."""
        ...

    def choices(
        self,
        queries: Sequence[ChoiceQuery],
        progress: Callable[[int, int], None] | None = None,
        *,
        stop: StopToken = NEVER,
    ) -> ChoiceResult:
        """Return the log-likelihoods of every query's words; ``progress`` hears (tokens done, tokens in all).

        ``stop`` is looked at between two batches.
        """
        ...

    def generate(
        self,
        queries: Sequence[GenerateQuery],
        decoding: Decoding,
        hear: Callable[[int, str], None] | None = None,
        *,
        stop: StopToken = NEVER,
    ) -> tuple[Generated, ...]:
        """Continue each query until a stop string, the end of the turn or ``max_tokens``, in the order given.

        ``hear`` is told (query, its text so far) after each token, and ``stop`` is looked at.
        """
        ...

    def length(self, rendered: Rendered, words: Sequence[str] = (), soft: int = 0) -> int:
        """Return how many tokens a prompt has with its longest word and ``soft`` soft tokens."""
        ...

    def nested(self, rendered: Rendered, words: Sequence[str]) -> Nested:
        """Return which words' tokens begin others' after a prompt."""
        ...

    def text_init(self, text: str, tokens: int) -> SoftPrompt:
        """Return the input embeddings of a text's first ``tokens`` tokens, repeated where it has fewer."""
        ...

    def vocabulary_init(self, tokens: int, rng: np.random.Generator) -> SoftPrompt:
        """Return the input embeddings of ``tokens`` tokens drawn from the vocabulary."""
        ...

    def objective(
        self,
        queries: Sequence[ChoiceQuery],
        answers: Sequence[int],
        tokens: int = 8,
        *,
        kind: Literal["labels", "vocabulary"] = "labels",
        folder: Path | None = None,
        stop: StopToken = NEVER,
    ) -> PreparedObjective:
        """Prepare cases for tuning ``tokens`` soft tokens.

        ``answers`` index each query's words; a query's own ``soft`` is ignored. ``kind`` is over what the answer's
        likelihood is normalised; ``folder`` is private and takes what does not fit the memory allowed. ``stop`` is
        looked at between two batches, of preparing and of ``loglikelihoods`` afterwards.
        """
        ...


@runtime_checkable
class TunesAdapters(Protocol):
    """A language model that low-rank adapters can stand beside."""

    def lora_shapes(self, targets: tuple[str, ...]) -> Mapping[str, tuple[int, int]]:
        """Return module -> (out, in) of every linear layer with one of these last names, by name.

        Raises:
            ModelError: a target that the model has no linear layer of.
        """
        ...

    def adapter_objective(
        self,
        queries: Sequence[ChoiceQuery],
        answers: Sequence[int],
        like: Adapter,
        *,
        kind: Literal["labels", "vocabulary"] = "labels",
        stop: StopToken = NEVER,
    ) -> PreparedObjective:
        """Prepare cases for tuning an adapter of the form of ``like``, whose values are [size] float32.

        ``answers`` index each query's words; a query's own adapter is ignored. ``kind`` as of ``objective``.
        """
        ...


class Encoder(Protocol):
    """Turns texts into vectors that lie close where the texts mean the same."""

    @property
    def width(self) -> int:
        """How many numbers a vector has."""
        ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return [texts, width] float32, each row of length 1, in the order given."""
        ...
