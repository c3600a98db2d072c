"""What a tunable is: how a study's rounds start it, what of it may come to a site, and how it is tuned and scored.

A new one is one file and one line in ``registry``, beside its options in ``study`` and its ``Tensors`` in ``prompts``.
The round loop, the strategies, the gate and the bank know its ``Tensors.values`` alone.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, Unpack

import numpy as np
from numpy.typing import NDArray

from fedprompt.evaluation.cases import Case
from fedprompt.models.protocols import CausalModel
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.tensors import Tensors
from fedprompt.study.schema import Study
from fedprompt.tuning.metered import MeteredObjective, Preparing

__all__ = ["PromptOf", "Tunable"]

PromptOf = Callable[[str], Prompt]
"""Returns a prompt of the bank by its id."""


class Tunable(Protocol):
    """One kind of what rounds move; all its methods take a study whose rounds move it."""

    name: str

    def start(self, model: CausalModel, study: Study, prompt_of: PromptOf | None = None) -> Tensors:
        """Return what round 1 starts from.

        Args:
            prompt_of: the bank's prompts; None where there is no bank, as in a rehearsal.

        Raises:
            ModelError, PromptError: the study's start does not fit the model.
        """
        ...

    def shape(self, model: CausalModel, study: Study) -> tuple[int, ...]:
        """Return the shape of the values that rounds move: the only one that may come to a site or leave it.

        Raises:
            ModelError: the model has no such parts.
        """
        ...

    def installed(self, model: CausalModel, study: Study, values: NDArray[np.float32]) -> Tensors | None:
        """Return what these values stand for, None where their shape or norm is off."""
        ...

    def moving(self, model: CausalModel, study: Study, number: int) -> NDArray[np.bool_] | None:
        """Return which of the values round ``number`` moves, of their shape; None if all."""
        ...

    def objective(
        self, model: CausalModel, study: Study, cases: Sequence[Case], **how: Unpack[Preparing]
    ) -> MeteredObjective:
        """Return cases prepared: ``loss_and_gradient`` tunes the values, ``loglikelihoods`` scores them.

        Raises:
            ModelError, DataError: as of ``prepare_template``.
        """
        ...
