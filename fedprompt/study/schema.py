"""What a study file may hold: frozen, closed models with the defaults filled in.

A study is one task that sites work on together. The digest is over canonical JSON with defaults filled in and the
model's digest, so a comment changes nothing and a default that changes does.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from fedprompt.errors import PromptError
from fedprompt.prompts.ids import canonical_json, content_id
from fedprompt.prompts.template import Demonstrations, Message, Template

__all__ = [
    "Answer",
    "Closed",
    "Privacy",
    "Rounds",
    "Soft",
    "Splits",
    "Strategy",
    "Study",
    "TemplateSpec",
    "Tuning",
]

Name = Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=r"^[\w .+/:-]+$")]
FieldName = Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=r"^[A-Za-z_]\w*$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=100_000)]


class Closed(BaseModel):
    """A frozen model that refuses fields it does not know, and NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Answer(Closed):
    """``choice`` among labels, or free text that scorers judge."""

    type: Literal["choice", "generate"]
    labels: tuple[Annotated[str, StringConstraints(min_length=1, max_length=200)], ...] = ()
    scorers: tuple[Name, ...] = ()
    max_tokens: Annotated[int, Field(ge=1, le=4096)] = 64

    @model_validator(mode="after")
    def _complete(self) -> "Answer":
        if self.type == "choice" and (len(self.labels) < 2 or len(set(self.labels)) != len(self.labels)):
            raise ValueError("a choice needs at least two labels, all different")
        if self.type == "choice" and len(self.labels) > 256:
            raise ValueError("a choice has at most 256 labels")
        if self.type == "generate" and not self.scorers:
            raise ValueError("generate needs at least one scorer, for example 'scorers: [exact]'")
        return self


class MessageSpec(Closed):
    """One chat message."""

    role: Literal["system", "user", "assistant"]
    content: Text


class DemonstrationsSpec(Closed):
    """How many of the site's own tune cases are shown."""

    count: Annotated[int, Field(ge=1, le=64)]
    separator: Annotated[str, StringConstraints(max_length=80)] = "\n\n"


class TemplateSpec(Closed):
    """One candidate template."""

    name: Name
    text: Text | None = None
    messages: Annotated[tuple[MessageSpec, ...], Field(min_length=1, max_length=64)] | None = None
    words: dict[str, str] | None = None
    demonstrations: DemonstrationsSpec | None = None

    def template(self) -> Template:
        """Return the value that this describes."""
        return Template(
            name=self.name,
            text=self.text,
            messages=None if self.messages is None else tuple(Message(m.role, m.content) for m in self.messages),
            words=self.words,
            demonstrations=None
            if self.demonstrations is None
            else Demonstrations(self.demonstrations.count, self.demonstrations.separator),
        )


class Soft(Closed):
    """The template with the slot, how many soft tokens stand there, and the text they start from."""

    template: Text
    tokens: Annotated[int, Field(ge=1, le=512)] = 8
    init: Text
    words: dict[str, str] | None = None


class Tuning(Closed):
    """Local steps a round, cases a step, and AdamW's learning rate."""

    steps: Annotated[int, Field(ge=1, le=10_000)] = 8
    batch: Annotated[int, Field(ge=1, le=1024)] = 16
    lr: Annotated[float, Field(gt=0, le=10)] = 0.01


class Strategy(Closed):
    """How updates become one prompt."""

    name: Name = "fedavg"
    options: dict[Name, float] = {}


class Rounds(Closed):
    """How many rounds, how many sites must answer, and how long to wait (seconds, or ``auto``)."""

    count: Annotated[int, Field(ge=1, le=1000)] = 4
    quorum: Annotated[int, Field(ge=1, le=10_000)] | None = None
    deadline: Annotated[float, Field(gt=0)] | Literal["auto"] = "auto"
    strategy: Strategy = Strategy()


class Privacy(Closed):
    """Nothing computed over fewer than ``min_cases`` cases leaves a site; a site sends at most ``replies`` replies."""

    min_cases: Annotated[int, Field(ge=1)] = 30
    replies: Annotated[int, Field(ge=1)] = 10_000
    max_norm: Annotated[float, Field(gt=0)] = 1000.0


class Splits(Closed):
    """Sizes of tune, validation and test: counts if above 1, fractions otherwise."""

    tune: Annotated[float, Field(gt=0)] = 0.4
    validation: Annotated[float, Field(gt=0)] = 0.3
    test: Annotated[float, Field(gt=0)] = 0.3


class Study(Closed):
    """One task that sites work on together."""

    study: Name
    model: Annotated[str, StringConstraints(min_length=1, max_length=300)] = "smollm2-135m-instruct"
    fields: Annotated[tuple[FieldName, ...], Field(min_length=1, max_length=64)]
    answer: Answer
    metric: Literal["accuracy", "score"] = "accuracy"
    templates: Annotated[tuple[TemplateSpec, ...], Field(min_length=1, max_length=1000)]
    soft: Soft | None = None
    tuning: Tuning = Tuning()
    rounds: Rounds = Rounds()
    privacy: Privacy = Privacy()
    splits: Splits = Splits()

    @model_validator(mode="after")
    def _fits(self) -> "Study":
        try:
            names = [template.name for template in self.candidates()]
            stray = self.soft_template() if self.soft else None
        except PromptError as error:
            raise ValueError(str(error)) from error
        if len(set(names)) != len(names):
            raise ValueError(f"two templates are called '{next(n for n in names if names.count(n) > 1)}'")
        if stray is not None and not stray.has_soft:
            raise ValueError("soft.template has no {soft} slot")
        for template in (*self.candidates(), *((stray,) if stray else ())):
            if unknown := [v for v in template.variables if v not in self.fields]:
                raise ValueError(
                    f"template '{template.name}' names the field '{unknown[0]}', which is not among the study's "
                    f"fields ({', '.join(self.fields)})"
                )
            if template is not stray and template.has_soft:
                raise ValueError(f"template '{template.name}' has a {{soft}} slot; that belongs under 'soft:'")
        return self

    def candidates(self) -> tuple[Template, ...]:
        """Return the candidate templates, a word for every label where the answer is a choice."""
        plain = tuple(spec.template() for spec in self.templates)
        return plain if self.answer.type == "generate" else tuple(t.with_words(self.answer.labels) for t in plain)

    def soft_template(self) -> Template:
        """Return the template with the soft slot.

        Raises:
            PromptError: the study has none.
        """
        if self.soft is None:
            raise PromptError(f"the study '{self.study}' has no 'soft:' part, so there is nothing to tune")
        template = Template("soft prompt", text=self.soft.template, words=self.soft.words)
        return template if self.answer.type == "generate" else template.with_words(self.answer.labels)

    def digest(self, model: str) -> str:
        """Return the study's id, ``s1:`` and a digest over canonical JSON and the model's digest."""
        body: dict[str, Any] = {"model_digest": model, "study": self.model_dump(mode="json")}
        return content_id("s1", canonical_json(body))
