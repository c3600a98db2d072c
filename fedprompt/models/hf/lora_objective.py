"""An adapter's loss and gradient: a step runs over whole prompts, since every layer changes with the adapter.

Cases and words stand in one tree, as in scoring: what the cases of a pass begin with alike, the template's first words,
is computed once and takes the slopes of all of them.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fedprompt.errors import TuningError
from fedprompt.models.hf.encoding import Encoded
from fedprompt.models.hf.lora import Factors, paired
from fedprompt.models.hf.objective import CachedObjective, Kind
from fedprompt.models.hf.runner import Body, Head
from fedprompt.models.protocols import LossGradient, PerCase
from fedprompt.prompts.adapter import Adapter
from fedprompt.stopping import NEVER, StopToken

__all__ = ["LoraObjective"]


class LoraObjective(CachedObjective):
    """Implements ``PreparedObjective``; ``like`` has the form of what is tuned, and its values are [size]."""

    def __init__(
        self,
        body: Body,
        head: Head,
        cases: Sequence[Encoded],
        answers: Sequence[int],
        like: Adapter,
        *,
        pack: int,
        kind: Kind = "labels",
        stop: StopToken = NEVER,
    ) -> None:
        self._plain, self._like = body, like
        prefixes: list[tuple[int, ...]] = [() for _ in cases]  # nothing can be kept from step to step
        super().__init__(body, head, cases, answers, pack=pack, budget=0, kind=kind, stop=stop, prefixes=prefixes)

    def loss_and_gradient(self, vectors: NDArray[np.float32], rows: Sequence[int]) -> LossGradient:
        """Return the mean loss over the cases ``rows`` and its gradient; ``vectors`` are the values, [size] float32.

        Raises:
            TuningError: the loss is not a finite number.
        """
        total, losses = np.zeros(vectors.shape), []
        for part in self._passes(rows):
            found, slopes = self._whole_slopes(vectors, part)
            losses.append(found)
            total += slopes
        return LossGradient(float(np.concatenate(losses).mean()), (total / len(rows)).astype(np.float32))

    def per_case(self, vectors: NDArray[np.float32], rows: Sequence[int]) -> PerCase:
        """Return every case's own loss and gradient [cases, size], one pass a case.

        Raises:
            TuningError: a loss is not a finite number.
        """
        parts = [self._whole_slopes(vectors, [row]) for row in rows]
        return PerCase(np.concatenate([loss for loss, _ in parts]), np.stack([slope for _, slope in parts]))

    def loglikelihoods(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return [cases, labels]; batches are cut in the order of the cases, by ``pack``."""
        found = []
        with torch.no_grad():
            self._body = self._plain.beside(self._factors(vectors)[0])
            for rows in self._cut(range(len(self._cases))):
                self._stop.check()
                found.append(self._scores(self._none, rows, self._alike(rows)).double().cpu().numpy())
        return np.concatenate(found) if found else np.zeros((0, 0))

    @property
    def _none(self) -> Tensor:
        """No soft prompt."""
        return torch.zeros((0, self._plain.rows.shape[1]), device=self._plain.rows.device)

    def _whole_slopes(
        self, vectors: NDArray[np.float32], rows: Sequence[int]
    ) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Return the losses [rows] and the slope of their sum by the values, [size]."""
        factors, leaves = self._factors(vectors)
        for leaf in leaves:
            leaf.requires_grad_(True)
        self._body = self._plain.beside(factors)
        shared = self._alike(rows)
        if self._loss is None:
            losses = self._losses(self._none, rows, shared)
            torch.autograd.backward(losses.sum())
        else:
            scores = self._scores(self._none, rows, shared)
            given = self._loss(scores.detach().double().cpu().numpy(), rows)
            torch.autograd.backward(scores, torch.from_numpy(given.slopes).to(scores))
            losses = torch.from_numpy(given.losses)
        # In the last layer a factor may meet no row that counts.
        slopes = [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in leaves]
        slope = torch.cat([one.reshape(-1) for one in slopes])
        if not torch.isfinite(losses).all() or not torch.isfinite(slope).all():
            raise TuningError("the loss is not a finite number; lower the learning rate", code="not-finite")
        return losses.detach().double().cpu().numpy(), slope.cpu().numpy()

    def _factors(self, values: NDArray[np.float32]) -> tuple[Factors, list[Tensor]]:
        """Return the adapter of these values as factors, and its moved arrays in the order of the values."""
        device, at = self._plain.rows.device, 0
        tensors: dict[str, Tensor] = {}
        for name, shape in self._like.moved.items():
            size = int(np.prod(shape))
            tensors[name] = torch.tensor(values[at : at + size].reshape(shape), device=device)
            at += size
        leaves = list(tensors.values())
        fixed = {n: torch.tensor(a, device=device) for n, a in self._like.arrays.items() if n not in tensors}
        return paired({**tensors, **fixed}, self._like.alpha / self._like.rank), leaves
