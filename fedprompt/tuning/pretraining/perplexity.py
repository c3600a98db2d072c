"""How well a model predicts text that it was not trained on."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from fedprompt.corpora.tokens import TokenFile
from fedprompt.errors import TuningError
from fedprompt.stopping import NEVER, StopToken
from fedprompt.tuning.pretraining.flat import FlatModel
from fedprompt.tuning.pretraining.lm_loss import LMLoss

__all__ = ["HeldOut", "held_out_loss", "looked_at"]

TOGETHER = 4096  # tokens


@dataclass(frozen=True)
class HeldOut:
    """The summed loss (nats) over ``tokens`` predicted tokens of ``windows`` windows in ``documents`` documents."""

    total: float
    tokens: int
    windows: int
    documents: int

    @property
    def perplexity(self) -> float:
        """The exponential of the mean loss."""
        return math.exp(min(700.0, self.total / self.tokens))


def looked_at(text: TokenFile, window: int, most: int) -> list[int]:
    """Return the windows that are looked at, evenly apart, so that they are of many documents."""
    windows = text.windows(window)
    count = min(most, windows)
    return [place * windows // count for place in range(count)]


def held_out_loss(
    model: FlatModel,
    text: TokenFile,
    window: int,
    *,
    most: int = 256,
    progress: Callable[[int, int], None] | None = None,
    stop: StopToken = NEVER,
) -> HeldOut:
    """Return the loss on at most ``most`` windows of a held-out text.

    Raises:
        TuningError: the text has less than one window, or the loss is no number.
    """
    chosen = looked_at(text, window, most)
    windows = len(chosen)
    if not windows:
        raise TuningError(
            f"the held-out text has {len(text.tokens):,} tokens, fewer than one window of {window}; add text, raise "
            "'held_out', or lower 'window'",
            code="too-little-text",
        )
    loss_of, total = LMLoss(model.lm, 512), 0.0
    model.lm.eval()
    each = max(1, TOGETHER // window)
    with torch.no_grad():
        for at in range(0, windows, each):
            stop.check()
            rows = chosen[at : at + each]
            tokens = torch.from_numpy(text.batch(rows, window)).to(model.weights.device)
            total += float(loss_of(tokens)) * len(rows) * (window - 1)
            if progress is not None:
                progress(min(windows, at + each), windows)
    if not math.isfinite(total):
        raise TuningError("the loss on the held-out text is not a finite number", code="not-finite")
    documents = len(text.documents_in(chosen, window))
    return HeldOut(total, windows * (window - 1), windows, documents)
