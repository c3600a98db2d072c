"""A low-rank adapter beside a model's linear layers (Hu et al. 2021, arXiv 2106.09685), tuned on whole prompts.

A is drawn as PEFT draws it (Kaiming-uniform with a = sqrt(5): evenly within 1 / sqrt(in)), from the study's seed and
the layer's name, so that every side has the same without sending it; B begins at nought.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import ModelError
from fedprompt.evaluation.cases import Case
from fedprompt.models.protocols import CausalModel, TunesAdapters
from fedprompt.prompts.adapter import A, Adapter, B
from fedprompt.study.schema import Study
from fedprompt.study.tunable import Lora
from fedprompt.tuning.metered import MeteredObjective, Preparing, prepare_adapter
from fedprompt.tuning.tunables.tunable import PromptOf

__all__ = ["LoraTunable", "drawn"]

MAX_NORM = 1e5  # factors of a real adapter are of the size of embeddings


class LoraTunable:
    """Implements ``Tunable``; its values are the moved factors one after the other, [size] float32."""

    name = "lora"

    def __init__(self) -> None:
        self._drawn: tuple[tuple[str, Lora], Adapter] | None = None  # the last, which every round asks for

    def start(self, model: CausalModel, study: Study, prompt_of: PromptOf | None = None) -> Adapter:
        """Return the adapter that changes nothing: A drawn, B nought.

        Raises:
            ModelError: the model has no such layers, or none that can be tuned.
        """
        options = _options(study)
        key = model.info.digest, options
        if self._drawn is None or self._drawn[0] != key:
            self._drawn = key, drawn(model.info.digest, _tunes(model).lora_shapes(options.targets), options)
        return self._drawn[1]

    def shape(self, model: CausalModel, study: Study) -> tuple[int, ...]:
        """Return (size,)."""
        return self.start(model, study).values.shape

    def installed(self, model: CausalModel, study: Study, values: NDArray[np.float32]) -> Adapter | None:
        """Return the adapter with these moved factors, None where their size or norm is off."""
        start = self.start(model, study)
        if values.shape != start.values.shape or not float(np.linalg.norm(values.astype(np.float64))) <= MAX_NORM:
            return None
        return start.with_values(values)

    def moving(self, model: CausalModel, study: Study, number: int) -> NDArray[np.bool_] | None:
        """Return which values round ``number`` moves: of an alternating adapter B in odd rounds, A in even ones."""
        if _options(study).variant != "alternating":
            return None
        side = B if number % 2 else A
        moved = self.start(model, study).moved.items()
        return np.concatenate([np.full(int(np.prod(shape)), name.endswith(side)) for name, shape in moved])

    def objective(
        self, model: CausalModel, study: Study, cases: Sequence[Case], **how: Unpack[Preparing]
    ) -> MeteredObjective:
        """Return cases prepared for the template that the adapter is tuned for."""
        return prepare_adapter(_tunes(model), model, self.start(model, study), study, cases, **how)


def drawn(model: str, shapes: Mapping[str, tuple[int, int]], options: Lora) -> Adapter:
    """Return an adapter that changes nothing.

    Args:
        model: the digest of the base model.
        shapes: module -> (out, in).
        options: the study's.
    """
    arrays: dict[str, NDArray[np.float32]] = {}
    for module, (out, inner) in shapes.items():
        words = hashlib.sha256(f"{options.seed} {module}".encode()).digest()
        rng = np.random.default_rng(np.random.SeedSequence(int.from_bytes(words, "big")))
        bound = 1 / np.sqrt(inner)
        arrays[module + A] = rng.uniform(-bound, bound, (options.rank, inner)).astype(np.float32)
        arrays[module + B] = np.zeros((out, options.rank), np.float32)
    frozen = A if options.variant == "ffa" else ""
    return Adapter(arrays, model, options.alpha, options.targets, frozen)


def _options(study: Study) -> Lora:
    assert study.tunable is not None
    return study.tunable.part


def _tunes(model: CausalModel) -> TunesAdapters:
    if not isinstance(model, TunesAdapters):
        raise ModelError(f"{model.info.name} takes no adapter; take 'tunable:' out of the study", code="no-adapters")
    return model
