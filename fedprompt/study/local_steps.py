"""How a site takes its own steps: how many, over how many cases, at which rate and with which loss."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from fedprompt.boundary.closed import Closed
from fedprompt.study.sharing import absent

__all__ = ["Tuning"]


class Tuning(Closed):
    """Local steps a round, cases a step, AdamW's learning rate and how it goes over all rounds.

    ``objective``: what the answer's likelihood is normalised over. ``accumulate``: parts that a batch is cut into.
    ``prior_free``: each site adds the logarithm of how common each class is among its cases to that class's score while
    it tunes, so that the prompt learns nothing of a site's mix of classes.
    """

    steps: Annotated[int, Field(ge=1, le=10_000)] = 8
    batch: Annotated[int, Field(ge=1, le=1024)] = 16
    lr: Annotated[float, Field(gt=0, le=10)] = 0.01
    schedule: Literal["constant", "cosine"] = "constant"
    warmup: Annotated[int, Field(ge=0, le=10_000)] = 0
    accumulate: Annotated[int, Field(ge=1, le=1024)] = 1
    objective: Literal["labels", "vocabulary"] = "labels"
    prior_free: Annotated[bool, Field(exclude_if=absent)] = False

    @model_validator(mode="after")
    def _over_labels(self) -> "Tuning":
        if self.prior_free and self.objective != "labels":
            raise ValueError(
                "'prior_free' needs label scores, which 'objective: vocabulary' does not have; remove one of them"
            )
        return self
