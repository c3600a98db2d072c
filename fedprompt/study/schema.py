"""What a study file may hold: frozen, closed models with the defaults filled in.

A study is one task that sites work on together. The digest is over canonical JSON with defaults filled in and the
model's digest, so a comment changes nothing and a default that changes does.
"""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from fedprompt.errors import PromptError
from fedprompt.prompts.ids import canonical_json, content_id
from fedprompt.prompts.template import RESERVED, Demonstrations, Message, Template

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
StudyName = Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=r"^\w[\w +-]*$")]  # names a file
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

    study: StudyName
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
        for name in self.fields:
            if name in RESERVED:
                raise _misfit(("fields",), f"'{name}' is reserved for a template's slot; give the field another name")
            if self.fields.count(name) > 1:
                raise _misfit(("fields",), f"'{name}' is named twice; name each field once")
        names: set[str] = set()
        for place, spec in enumerate(self.templates):
            template = self._checked(("templates", place), spec.template)
            if template.name in names:
                raise _misfit(("templates", place), f"two templates are called '{template.name}'")
            if template.has_soft:
                raise _misfit(
                    ("templates", place),
                    f"template '{template.name}' has a {{soft}} slot; that belongs under 'soft:'",
                )
            names.add(template.name)
        if self.soft is not None and not self._checked(("soft",), self.soft_template).has_soft:
            raise _misfit(("soft",), "soft.template has no {soft} slot")
        return self

    def _checked(self, place: tuple[str | int, ...], make: Callable[[], Template]) -> Template:
        """Return a template that fits the labels and the fields; what is wrong is said of its place."""
        try:
            template = make()
            if self.answer.type == "choice":
                template = template.with_words(self.answer.labels)
        except PromptError as error:
            raise _misfit(place, str(error)) from error
        if unknown := [name for name in template.variables if name not in self.fields]:
            raise _misfit(
                place,
                f"template '{template.name}' names the field '{unknown[0]}', which is not among the study's "
                f"fields ({', '.join(self.fields)})",
            )
        return template

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


def _misfit(place: tuple[str | int, ...], reason: str) -> PydanticCustomError:
    """Return an error of the whole study whose context says which part does not fit the others."""
    return PydanticCustomError("misfit", "{reason}", {"reason": reason, "place": place})
