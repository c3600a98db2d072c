"""What the rest of fedprompt asks of a language model: label log-likelihoods, text, and a soft prompt's gradient.

Arrays cross this seam as numpy, so nobody above it imports torch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fedprompt.prompts.rendered import Rendered
from fedprompt.prompts.soft import SoftPrompt

__all__ = [
    "CausalModel",
    "ChoiceQuery",
    "ChoiceResult",
    "GenerateQuery",
    "Generated",
    "LossGradient",
    "ModelInfo",
    "RunSettings",
    "SoftObjective",
]


@dataclass(frozen=True)
class RunSettings:
    """What moves a log-likelihood in its last digits; recorded with every run, never derived from load.

    ``dtype`` is ``bfloat16`` or ``float32``; ``pack`` is how many distinct tokens go through the model at once;
    ``cache_bytes`` bounds what the tuner keeps of keys and values.
    """

    dtype: str
    threads: int
    device: str = "cpu"
    pack: int = 1024
    cache_bytes: int = 2 * 1024**3


@dataclass(frozen=True)
class ModelInfo:
    """``digest`` names weights and tokenizer; ``width`` is the embedding width; ``window`` the most tokens at once."""

    name: str
    digest: str
    width: int
    window: int
    settings: RunSettings


@dataclass(frozen=True)
class ChoiceQuery:
    """How likely is each word as the continuation of a rendered template?"""

    rendered: Rendered
    words: tuple[str, ...]
    soft: SoftPrompt | None = None


@dataclass(frozen=True)
class ChoiceResult:
    """``loglikelihoods``: one float64 array [words] a query. ``tokens`` were asked for, ``distinct`` were computed."""

    loglikelihoods: tuple[NDArray[np.float64], ...]
    tokens: int
    distinct: int
    seconds: float

    @property
    def share_ratio(self) -> float:
        """Distinct tokens over all tokens; the lower, the more was shared."""
        return self.distinct / self.tokens if self.tokens else 1.0


@dataclass(frozen=True)
class GenerateQuery:
    """Continue a rendered template greedily."""

    rendered: Rendered
    soft: SoftPrompt | None = None


@dataclass(frozen=True)
class Generated:
    """The text that came, and how many tokens it took."""

    text: str
    tokens: int


@dataclass(frozen=True)
class LossGradient:
    """``loss``: mean cross-entropy in nats; ``gradient``: [tokens, width] float32."""

    loss: float
    gradient: NDArray[np.float32]


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


class CausalModel(Protocol):
    """A language model that runs on this machine."""

    @property
    def info(self) -> ModelInfo:
        """Name, digest and sizes."""
        ...

    def choices(
        self, queries: Sequence[ChoiceQuery], progress: Callable[[int, int], None] | None = None
    ) -> ChoiceResult:
        """Return the log-likelihoods of every query's words; ``progress`` hears (tokens done, tokens in all)."""
        ...

    def generate(
        self, queries: Sequence[GenerateQuery], max_tokens: int, stop: Sequence[str] = ()
    ) -> tuple[Generated, ...]:
        """Continue each query greedily until a stop string, the end of the turn or ``max_tokens``."""
        ...

    def text_init(self, text: str, tokens: int) -> SoftPrompt:
        """Return the input embeddings of a text's first ``tokens`` tokens, repeated where it has fewer."""
        ...

    def objective(self, queries: Sequence[ChoiceQuery], answers: Sequence[int], tokens: int = 8) -> SoftObjective:
        """Prepare cases for tuning ``tokens`` soft tokens.

        ``answers`` index each query's words; a query's own ``soft`` is ignored.
        """
        ...
