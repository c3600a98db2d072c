"""The loss of a language model's last layer, a block of rows at a time, so that no table of all logits is ever held.

Each block's logits become its gradient in place, as in Liger (Hsu et al. 2024, arXiv 2410.10989). The numbers are those
of ``cross_entropy(hidden @ weight.T, targets)`` in float32.
"""

from typing import Any

import torch
from torch import Tensor

__all__ = ["fused_loss"]


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, rows: int, wanted: bool) -> Tensor:
        total = torch.zeros((), dtype=torch.float64)
        to_hidden = torch.empty_like(hidden) if wanted else None
        to_weight = torch.zeros_like(weight) if wanted else None
        for at in range(0, len(hidden), rows):
            part, aims = hidden[at : at + rows], targets[at : at + rows, None]
            logits = part @ weight.T
            norms = torch.logsumexp(logits, dim=1, keepdim=True)
            total += (norms - logits.gather(1, aims)).double().sum().cpu()
            if to_hidden is None or to_weight is None:
                continue
            slopes = logits.sub_(norms).exp_()
            slopes.scatter_add_(1, aims, torch.full_like(norms, -1.0))
            slopes.mul_(1.0 / len(hidden))
            torch.mm(slopes, weight, out=to_hidden[at : at + rows])
            to_weight.addmm_(slopes.T, part)
        if to_hidden is not None and to_weight is not None:
            ctx.save_for_backward(to_hidden, to_weight)
        return (total / len(hidden)).to(hidden.dtype).to(hidden.device)

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> tuple[Tensor, Tensor, None, None, None]:
        to_hidden, to_weight = ctx.saved_tensors
        slope = slopes[0]
        if slope.item() != 1.0:
            to_hidden, to_weight = to_hidden * slope, to_weight * slope
        return to_hidden, to_weight, None, None, None


def fused_loss(hidden: Tensor, weight: Tensor, targets: Tensor, rows: int) -> Tensor:
    """Return the mean loss in nats.

    Args:
        hidden: [n, width], the states before the last layer.
        weight: [vocabulary, width], the last layer.
        targets: [n] int64, the tokens that come next.
        rows: how many rows' logits are held at once.
    """
    found: Tensor = _Fused.apply(hidden, weight, targets, rows, torch.is_grad_enabled())  # type: ignore[no-untyped-call]
    return found
