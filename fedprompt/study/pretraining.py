"""What a study of pre-training asks of each site: windows, steps, and how its own AdamW goes.

A site's unlabelled text takes the place of labelled cases. A study of text alone needs no fields, answer or templates;
what is filled in for them is the text itself.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from fedprompt.boundary.closed import Closed
from fedprompt.study.sharing import absent

__all__ = ["STRATEGIES", "FromScratch", "Pretraining", "text_alone", "unfit_rounds"]

# Strategies that look at each number by itself, so that an update need never be in memory as a whole.
STRATEGIES = ("fedavg", "fedavgm", "diloco", "fedadam", "fedyogi", "median", "trimmed-mean")
TASK = ("fields", "answer", "templates")
ALONE: Mapping[str, Any] = {
    "fields": ["text"],
    "answer": {"type": "generate", "scorers": ["exact"]},
    "templates": [{"name": "text", "text": "{text}"}],
}


class FromScratch(Closed):
    """A fresh Llama in place of the model's weights; its tokenizer is that of the study's model."""

    layers: Annotated[int, Field(ge=1, le=200)]
    width: Annotated[int, Field(ge=8, le=32_768)]
    heads: Annotated[int, Field(ge=1, le=512)]
    feed_forward: Annotated[int, Field(ge=8, le=131_072)]

    @model_validator(mode="after")
    def _divided(self) -> "FromScratch":
        if self.width % (2 * self.heads):
            raise ValueError(f"a width of {self.width} is no multiple of twice {self.heads} heads; change one of them")
        return self


class Pretraining(Closed):
    """Each round, a site takes ``steps`` steps of ``batch`` windows of ``window`` tokens of its own text.

    ``accumulate``: parts that a batch is computed in. ``clip``: the norm that a step's gradient is cut to.
    ``decay``: weight decay of matrices. ``held_out``: the share of documents that is not trained on, of which at most
    ``looked_at`` windows say how well text is predicted. With ``scratch`` training begins with fresh weights.
    """

    window: Annotated[int, Field(ge=16, le=131_072)] = 256
    batch: Annotated[int, Field(ge=1, le=4096)] = 8
    steps: Annotated[int, Field(ge=1, le=100_000)] = 50
    lr: Annotated[float, Field(gt=0, le=1)] = 3e-4
    schedule: Literal["constant", "cosine"] = "cosine"
    warmup: Annotated[int, Field(ge=0, le=100_000)] = 0
    accumulate: Annotated[int, Field(ge=1, le=4096)] = 1
    clip: Annotated[float, Field(gt=0, le=1000)] = 1.0
    decay: Annotated[float, Field(ge=0, le=1)] = 0.1
    held_out: Annotated[float, Field(gt=0, lt=1)] = 0.1
    looked_at: Annotated[int, Field(ge=1, le=100_000)] = 256
    scratch: Annotated[FromScratch | None, Field(exclude_if=absent)] = None

    @model_validator(mode="after")
    def _parts(self) -> "Pretraining":
        if self.accumulate > self.batch:
            raise ValueError(
                f"a batch of {self.batch} windows cannot be computed in {self.accumulate} parts; lower 'accumulate'"
            )
        return self


def text_alone(given: Any) -> Any:
    """Return a study's content with the text itself as its task, where it is of text alone."""
    if not isinstance(given, Mapping) or "pretraining" not in given or any(name in given for name in TASK):
        return given
    return {**given, **ALONE}


def unfit_rounds(rounds: Any, *, moves: bool, dp: bool) -> tuple[str, str] | None:
    """Return which part of a study does not go with pre-training and why, None where all do.

    Args:
        rounds: the study's.
        moves: whether its rounds move something else, such as a soft prompt.
        dp: whether it asks for differential privacy.
    """
    name = rounds.strategy.name
    if moves:
        return "pretraining", "a study moves one thing: take 'soft:' out, and tune a prompt for the trained model after"
    if dp:
        return "pretraining", "'dp' adds no noise to weights yet; take 'dp:' out, or tune a prompt"
    if name not in STRATEGIES:
        return "rounds", (
            f"the strategy '{name}' looks at whole updates, or asks for other local steps; weights are moved by "
            f"{', '.join(STRATEGIES)}"
        )
    if rounds.secure_sums is not None:
        return "rounds", "'secure_sums' are not there for weights yet; take it out, or tune a prompt"
    if rounds.patience is not None:
        return "rounds", "'patience' looks at scores, and a study of pre-training has none; take it out"
    if rounds.keep_updates:
        return "rounds", "'keep_updates' keeps updates in the bank, for which weights are too large; take it out"
    return None
