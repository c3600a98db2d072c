"""A model whose weights are views of one array: what a round moves, and what one fused AdamW steps over.

Matrices come first, then vectors, each in the order in which the model names them, so that every site that builds the
same model has the same layout. Tied weights stand in it once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fedprompt.errors import TuningError
from fedprompt.tuning.pretraining.flat_files import blocks

__all__ = ["FlatModel", "Weight"]


@dataclass(frozen=True)
class Weight:
    """One array of the model: its name and shape, and where it begins in the flat view."""

    name: str
    shape: tuple[int, ...]
    begin: int


class FlatModel:
    """Makes a model's weights and gradients views of two arrays of [size] float32."""

    def __init__(self, lm: Any) -> None:
        self.lm = lm.float()
        named = dict(lm.named_parameters())
        order = sorted(named, key=lambda name: named[name].ndim < 2)  # stable: otherwise as the model has them
        self.size = sum(named[name].numel() for name in order)
        self.matrices = sum(named[name].numel() for name in order if named[name].ndim >= 2)
        device = next(iter(named.values())).device
        self.weights = torch.empty(self.size, device=device)
        self.gradient = torch.zeros(self.size, device=device)
        layout, at = [], 0
        for name in order:
            one = named[name]
            shape, end = tuple(one.shape), at + one.numel()
            self.weights[at:end] = one.detach().reshape(-1)
            one.data = self.weights[at:end].view(shape)
            one.requires_grad_(True)
            one.grad = self.gradient[at:end].view(shape)
            layout.append(Weight(name, shape, at))
            at = end
        self.layout: Sequence[Weight] = tuple(layout)

    @property
    def values(self) -> NDArray[np.float32]:
        """A copy of the weights, [size] float32."""
        return self.weights.detach().cpu().numpy().copy()

    def install(self, values: NDArray[np.float32]) -> None:
        """Take other weights, [size] float32.

        Raises:
            TuningError: they are of another model, or hold NaN or infinity.
        """
        if values.shape != (self.size,):
            raise TuningError(
                f"weights of {values.size:,} numbers do not fit a model of {self.size:,}; take those of the same model",
                code="other-model",
            )
        if not all(np.isfinite(values[low:high]).all() for low, high in blocks(self.size)):
            raise TuningError("the weights hold NaN or infinity; take an earlier round's", code="not-finite")
        with torch.no_grad():
            for low, high in blocks(self.size):  # a copy of each: what is mapped cannot be written to
                self.weights[low:high] = torch.from_numpy(np.array(values[low:high]))
