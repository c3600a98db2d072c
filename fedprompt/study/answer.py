"""What a study asks for: a choice among labels, or free text and the scorers that judge it."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    JsonValue,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from fedprompt.boundary.closed import Closed
from fedprompt.prompts.ids import canonical_json
from fedprompt.study.labels import alike, is_kept, label_trouble

__all__ = ["Answer", "Closed", "FieldName", "Name", "ScorerSpec"]

Name = Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=r"^[\w .+/:-]+$")]
FieldName = Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=r"^[A-Za-z_]\w*$")]
MAX_OPTIONS = 50_000


def _usable(label: str, info: ValidationInfo) -> str:
    if not is_kept(info.context) and (trouble := label_trouble(label)) is not None:
        raise ValueError(trouble)
    return label


Label = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_usable)]


class ScorerSpec(Closed):
    """A scorer by its name, or with ``weight``, ``negate``, ``threshold`` and options of its own beside them.

    With a threshold a value becomes 1 (at or above it) or 0; negated, one minus that. What options there are is known
    to the scorer, which checks them when the study is read and again before it judges.
    """

    name: Name
    weight: Annotated[float, Field(gt=0, le=1000)] = 1.0
    negate: bool = False
    threshold: Annotated[float, Field(gt=0, le=1)] | None = None
    options: dict[FieldName, JsonValue] = Field(default_factory=dict, max_length=100)

    @model_validator(mode="before")
    @classmethod
    def _folded(cls, given: Any) -> Any:
        """Fold the short forms: a bare name, and options written beside the name."""
        if isinstance(given, str):
            return {"name": given}
        if not isinstance(given, Mapping) or not isinstance(given.get("options", {}), Mapping):
            return given
        own = {key: value for key, value in given.items() if key in cls.model_fields}
        beside = {key: value for key, value in given.items() if key not in cls.model_fields}
        if twice := sorted(str(key) for key in beside.keys() & own.get("options", {}).keys()):
            raise ValueError(f"the option '{twice[0]}' is given twice; keep one of them")
        return {**own, "options": {**own.get("options", {}), **beside}}

    @model_validator(mode="after")
    def _bounded(self) -> "ScorerSpec":
        if len(canonical_json(self.options)) > MAX_OPTIONS:
            raise ValueError(f"the options of '{self.name}' are longer than {MAX_OPTIONS:,} bytes of JSON")
        return self


class Answer(Closed):
    """``choice`` among labels, or free text that scorers judge.

    A label's log-likelihood is normalised by the length of its word, or freed of what the template alone makes likely
    (``prior``), as ``evaluation.likelihoods`` says. Text is written greedily at ``temperature`` 0, else drawn under
    ``seed`` from the likeliest tokens that hold ``top_p``. It ends at the first of the ``stop`` texts, by default an
    empty line, or after ``max_tokens``.
    """

    type: Literal["choice", "generate"]
    labels: Annotated[tuple[Label, ...], Field(max_length=10_000)] = ()
    normalise: Literal["none", "tokens", "characters"] = "none"
    prior: Literal["none", "pmi", "contextual"] = "none"
    scorers: Annotated[tuple[ScorerSpec, ...], Field(max_length=16)] = ()
    max_tokens: Annotated[int, Field(ge=1, le=4096)] = 64
    stop: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=80)], ...], Field(max_length=16)
    ] = ("\n\n",)
    temperature: Annotated[float, Field(ge=0, le=10)] = 0.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    @field_validator("labels")
    @classmethod
    def _apart(cls, labels: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if not is_kept(info.context) and (found := alike(labels)) is not None:
            one, other, difference = found
            raise ValueError(
                f"the labels {one!r} and {other!r} differ only in {difference}, so readers and chat models "
                "confuse them; rename one, or merge them, here and in the cases"
            )
        return labels

    @model_validator(mode="after")
    def _complete(self) -> "Answer":
        if self.type == "choice" and (len(self.labels) < 2 or len(set(self.labels)) != len(self.labels)):
            raise ValueError("a choice needs at least two labels, all different")
        if self.type == "choice" and len(self.labels) > 256:
            raise ValueError("a choice has at most 256 labels")
        if self.type == "choice" and self.scorers:
            raise ValueError("scorers judge free text; remove them, or use 'type: generate'")
        if self.type == "generate" and not self.scorers:
            raise ValueError("generate needs at least one scorer, for example 'scorers: [exact]'")
        return self
