"""A causal language model's loss on windows: fused where the model's last layer is a plain product, else its own."""

from typing import Any

import torch
from torch import Tensor

from fedprompt.tuning.pretraining.fused_loss import fused_loss

__all__ = ["LMLoss"]

APART = 2e-5  # of the loss, in nats
BENT = ("final_logit_softcapping", "logits_scaling", "logit_scale")  # settings of models that change their logits
PROBE = 16


class LMLoss:
    """Computes the mean loss (nats) of a batch of windows; whether the fused way is the model's is looked at once."""

    def __init__(self, lm: Any, rows: int) -> None:
        self._lm, self._rows = lm, rows
        self._head = lm.get_output_embeddings()
        self.fused = self._agrees()

    def __call__(self, tokens: Tensor) -> Tensor:
        """Return the mean loss over [windows, window] int64 tokens; each token but a window's first is predicted."""
        return self._fused(tokens) if self.fused else self._plain(tokens)

    def _fused(self, tokens: Tensor) -> Tensor:
        hidden = self._lm.base_model(tokens[:, :-1], use_cache=False).last_hidden_state
        return fused_loss(
            hidden.reshape(-1, hidden.shape[-1]), self._head.weight, tokens[:, 1:].reshape(-1), self._rows
        )

    def _plain(self, tokens: Tensor) -> Tensor:
        logits = self._lm(tokens[:, :-1], use_cache=False).logits.float()
        return torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), tokens[:, 1:].reshape(-1))

    def _agrees(self) -> bool:
        """Compare both ways on a few tokens: a model may scale or bend its logits."""
        if self._head is None or getattr(self._head, "bias", None) is not None:
            return False
        if any(getattr(self._lm.config, name, None) not in (None, 1) for name in BENT):
            return False
        size = self._head.weight.shape[0]
        probe = (torch.arange(PROBE, device=self._head.weight.device) * 7919 % size)[None]
        with torch.no_grad():
            try:
                return abs(float(self._fused(probe)) - float(self._plain(probe))) < APART
            except (AttributeError, RuntimeError):
                return False
