"""What a study's rounds move where it is no soft prompt: one part of ``tunable:``, with bounds and defaults.

Only what may be asked for; what it means is in ``tuning.tunables``. A study without ``tunable:`` moves its soft prompt,
and has the digest that it always had.
"""

from collections.abc import Collection, Mapping
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from fedprompt.boundary.closed import Closed
from fedprompt.study.sharing import absent

__all__ = ["Lora", "Tunable", "Variant"]

Variant = Literal["fedavg", "ffa", "alternating"]
Module = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z]\w*$")]


class Lora(Closed):
    """A low-rank adapter beside the linear layers named ``targets`` (Hu et al. 2021, arXiv 2106.09685).

    A layer's product gains ``alpha / rank`` times B A, with A [rank, in] drawn from ``seed`` and B [out, rank] nought.
    ``template`` names the study's template that it is tuned for, the first if it is not said. ``lr`` is AdamW's rate,
    the study's ``tuning.lr`` if it is not said. ``variant``: how the
    factors are averaged. ``fedavg`` averages both at once, which is not the average of the products. ``ffa`` keeps A as
    it was drawn (FFA-LoRA: Sun et al. 2024, arXiv 2403.12313), and ``alternating`` moves B in rounds of odd and A in
    rounds of even number (RoLoRA: Chen et al. 2025, arXiv 2502.01755); with these two the product of the averages is
    the average of the products.
    """

    rank: Annotated[int, Field(ge=1, le=256)] = 8
    alpha: Annotated[float, Field(gt=0, le=4096)] = 16.0
    targets: Annotated[tuple[Module, ...], Field(min_length=1, max_length=16)] = ("q_proj", "v_proj")
    variant: Variant = "fedavg"
    template: Annotated[str | None, Field(max_length=80, exclude_if=absent)] = None
    lr: Annotated[float | None, Field(gt=0, le=10, exclude_if=absent)] = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    @model_validator(mode="after")
    def _once(self) -> "Lora":
        if len(set(self.targets)) != len(self.targets):
            raise ValueError("'targets' names a layer twice; name each once")
        return self


class Tunable(Closed):
    """Exactly one part: what the rounds move."""

    lora: Annotated[Lora | None, Field(exclude_if=absent)] = None

    @model_validator(mode="after")
    def _one(self) -> "Tunable":
        if len(self.model_fields_set) != 1 or None in [getattr(self, name) for name in self.model_fields_set]:
            raise ValueError("'tunable' has one part, such as 'lora: {rank: 8}'; leave it out for a soft prompt")
        return self

    def misfit(
        self, templates: Collection[str], choice: bool, soft_only: Mapping[str, object]
    ) -> tuple[tuple[str, ...], str] | None:
        """Return the place in the study of what does not fit it and why, None where all does.

        Args:
            templates: the names of the study's templates.
            choice: whether the answer is one of labels.
            soft_only: the study's parts that are about soft prompts alone, by name; None where it has none.
        """
        if not choice:
            return ("tunable",), "it is tuned on labels, and this study asks for free text; take 'tunable' out"
        if self.template is not None and self.template not in templates:
            known = ", ".join(templates)
            return ("tunable", self.name, "template"), f"'{self.template}' is none of the templates, which are {known}"
        for name, part in soft_only.items():
            if part is not None:
                reason = f"'{name}' is about soft prompts, and the rounds move 'tunable: {self.name}'; take one out"
                return tuple(name.split(".")), reason
        return None

    @property
    def lr(self) -> float | None:
        """AdamW's learning rate, None for that of the study's tuning."""
        return self.part.lr

    @property
    def template(self) -> str | None:
        """The name of the template that it is tuned for, None for the study's first."""
        return self.part.template

    @property
    def part(self) -> Lora:
        """What it says of what rounds move."""
        found: Lora = getattr(self, self.name)
        return found

    @property
    def name(self) -> str:
        """The part's name."""
        return next(name for name in type(self).model_fields if getattr(self, name) is not None)
