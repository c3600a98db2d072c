"""What a study file may say of its prompts: candidate templates, and the template with the slot of soft tokens."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag, model_validator

from fedprompt.prompts.template import Demonstrations, Message, Template
from fedprompt.study.answer import Closed, Name
from fedprompt.study.sharing import absent

__all__ = ["DemonstrationsSpec", "Init", "MessageSpec", "Soft", "TemplateSpec"]

Text = Annotated[str, StringConstraints(min_length=1, max_length=100_000)]


class MessageSpec(Closed):
    """One chat message."""

    role: Literal["system", "user", "assistant"]
    content: Text


Messages = Annotated[tuple[MessageSpec, ...], Field(min_length=1, max_length=64)]


class DemonstrationsSpec(Closed):
    """How many of the site's own tune cases are shown."""

    count: Annotated[int, Field(ge=1, le=64)]
    separator: Annotated[str, StringConstraints(max_length=80)] = "\n\n"


class TemplateSpec(Closed):
    """One candidate template."""

    name: Name
    text: Text | None = None
    messages: Messages | None = None
    words: dict[str, str] | None = None
    demonstrations: DemonstrationsSpec | None = None

    def template(self) -> Template:
        """Return the value that this describes."""
        return _template(self.name, self.text, self)


class Init(Closed):
    """What soft tokens start from if not from text: drawn words of the ``vocabulary``, or a prompt of the ``bank``."""

    source: Literal["vocabulary", "bank"]
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    prompt: Annotated[str, StringConstraints(pattern=r"^p1:[0-9a-f]{32}$")] | None = None

    @model_validator(mode="after")
    def _named(self) -> "Init":
        if (self.source == "bank") != (self.prompt is not None):
            raise ValueError(
                "'source: bank' names its prompt by id, and no other source does: {source: bank, prompt: 'p1:...'}"
            )
        return self


class Soft(Closed):
    """The template with the slot, how many soft tokens stand there, and the text (or other source) they start from.

    ``template`` is one text; ``messages``, in its place, are a chat with the slot in one of them.
    """

    template: Annotated[Text | None, Field(exclude_if=absent)] = None
    messages: Annotated[Messages | None, Field(exclude_if=absent)] = None
    demonstrations: Annotated[DemonstrationsSpec | None, Field(exclude_if=absent)] = None
    tokens: Annotated[int, Field(ge=1, le=512)] = 8
    # Told apart by form, so that what is wrong with a mapping is said of the mapping.
    init: Annotated[
        Annotated[Text, Tag("text")] | Annotated[Init, Tag("mapping")],
        Discriminator(lambda given: "text" if isinstance(given, str) else "mapping"),
    ]
    words: dict[str, str] | None = None

    @model_validator(mode="after")
    def _one(self) -> "Soft":
        if (self.template is None) == (self.messages is None):
            given = "neither is" if self.template is None else "both are"
            raise ValueError(
                f"'soft' needs either 'template' (one text) or 'messages' (a chat), and {given} given; use one of them"
            )
        return self

    def slot(self) -> Template:
        """Return the template with the slot, without words for the labels that it gives none."""
        return _template("soft prompt", self.template, self)


def _template(name: str, text: str | None, spec: TemplateSpec | Soft) -> Template:
    messages, shots = spec.messages, spec.demonstrations
    return Template(
        name=name,
        text=text,
        messages=None if messages is None else tuple(Message(m.role, m.content) for m in messages),
        words=spec.words,
        demonstrations=None if shots is None else Demonstrations(shots.count, shots.separator),
    )
