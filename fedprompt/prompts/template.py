"""A template: text, or chat messages, with ``{field}`` variables in LangChain's f-string syntax.

Two names are reserved: ``{soft}`` is the slot for a soft prompt (at most one), ``{demonstrations}`` the place for
few-shot cases. Label words are part of a template, since other words are another question to the model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from string import Formatter
from typing import Any

from fedprompt.errors import PromptError
from fedprompt.prompts.habits import plain_name
from fedprompt.prompts.rendered import SOFT, Piece, Rendered, Turn
from fedprompt.prompts.tools import Tool, tools_of

__all__ = ["RESERVED", "ROLES", "Demonstrations", "Message", "Template", "escaped"]

RESERVED = frozenset({"soft", "demonstrations"})
ROLES = ("system", "user", "assistant")
MAX_TEMPLATE_CHARACTERS = 100_000
MOST_SHOWN = 60


@dataclass(frozen=True)
class Demonstrations:
    """How many labelled cases of the site's own tune split are shown, and what stands between them."""

    count: int
    separator: str = "\n\n"

    def __post_init__(self) -> None:
        if not 1 <= self.count <= 64:
            raise PromptError(
                f"demonstrations need a count from 1 to 64, not {self.count}", code="demonstrations-count"
            )


@dataclass(frozen=True)
class Message:
    """One chat message of a template."""

    role: str
    content: str

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise PromptError(f"a message's role is one of {', '.join(ROLES)}, not '{self.role}'", code="message-role")


@dataclass(frozen=True)
class Template:
    """Text or messages with variables, and the words that stand for each label.

    Args:
        name: what people call it; no part of its identity.
        text: a bare completion. Exactly one of ``text`` and ``messages`` is given.
        messages: chat messages, run through the model's own chat format.
        words: label -> the exact continuation that means it, a leading space included.
        demonstrations: needed where ``{demonstrations}`` occurs, refused elsewhere.
        tools: what a chat offers to the model. A template without tools has the id that it always had.

    Raises:
        PromptError: braces do not match, a variable is not a plain name, or a reserved name is used wrongly.
    """

    name: str
    text: str | None = None
    messages: tuple[Message, ...] | None = None
    words: Mapping[str, str] | None = field(default=None, hash=False)
    demonstrations: Demonstrations | None = None
    tools: tuple[Tool, ...] = ()

    def __post_init__(self) -> None:
        if (self.text is None) == (self.messages is None):
            raise PromptError(
                f"template '{self.name}' needs either text or messages, not both or none", code="text-or-messages"
            )
        if self.messages is not None and not self.messages:
            raise PromptError(f"template '{self.name}' has no messages", code="no-message")
        if sum(map(len, self._sources())) > MAX_TEMPLATE_CHARACTERS:
            raise PromptError(
                f"template '{self.name}' is longer than {MAX_TEMPLATE_CHARACTERS:,} characters", code="too-long"
            )
        try:
            "".join((*self._sources(), *(self.words or {}).values(), *(self.words or {}))).encode()
        except UnicodeEncodeError as error:
            raise PromptError(
                f"template '{self.name}' holds half of a surrogate pair, which is not Unicode text",
                code="half-a-character",
            ) from error
        if self.tools and self.messages is None:
            raise PromptError(
                f"template '{self.name}' has tools and is a text; write it as a chat", code="tools-need-a-chat"
            )
        names = [name for source in self._parsed for _, name in source if name is not None]
        if names.count("soft") > 1:
            raise PromptError(
                f"template '{self.name}' has {names.count('soft')} soft slots; one is the most",
                code="several-soft-slots",
            )
        if ("demonstrations" in names) != (self.demonstrations is not None):
            raise PromptError(
                f"template '{self.name}' needs both a {{demonstrations}} slot and 'demonstrations: {{count: N}}'",
                code="demonstrations-in-part",
            )
        if self.words is not None:
            object.__setattr__(self, "words", dict(self.words))  # what the caller keeps may change
            if any(not word for word in self.words.values()):
                raise PromptError(f"template '{self.name}' has an empty label word", code="empty-word")
            if len(set(self.words.values())) != len(self.words):
                raise PromptError(f"template '{self.name}' uses one word for two labels", code="same-word")

    def _sources(self) -> tuple[str, ...]:
        if self.text is not None:
            return (self.text,)
        return tuple(message.content for message in self.messages or ())

    @cached_property
    def _parsed(self) -> tuple[tuple[tuple[str, str | None], ...], ...]:
        return tuple(_parse(source, self.name) for source in self._sources())

    @property
    def variables(self) -> tuple[str, ...]:
        """The fields that a case must have, in order of first appearance."""
        names = (name for source in self._parsed for _, name in source if name is not None and name not in RESERVED)
        return tuple(dict.fromkeys(names))

    @property
    def has_soft(self) -> bool:
        """Whether the template has a soft slot."""
        return any(name == "soft" for source in self._parsed for _, name in source)

    @property
    def is_chat(self) -> bool:
        """Whether the template is messages."""
        return self.messages is not None

    def with_words(self, labels: Sequence[str]) -> "Template":
        """Return the template with a word for every label.

        A label without a word of its own stands for itself, after a space unless the template ends in white space
        or in a chat turn.

        Raises:
            PromptError: words are given for something that is no label.
        """
        given = dict(self.words or {})
        if stray := [label for label in given if label not in labels]:
            raise PromptError(
                f"template '{self.name}' has a word for '{stray[0][:MOST_SHOWN]}', which is not a label",
                code="word-without-label",
            )
        space = "" if self.is_chat or (self.text or "")[-1:].isspace() or not self.text else " "
        return replace(self, words={label: given.get(label, space + label) for label in labels})

    def canonical(self) -> dict[str, Any]:
        """Return the JSON value that the content id is made of: all but the name."""
        return {
            "demonstrations": None
            if self.demonstrations is None
            else {"count": self.demonstrations.count, "separator": self.demonstrations.separator},
            "messages": None
            if self.messages is None
            else [{"content": message.content, "role": message.role} for message in self.messages],
            "text": self.text,
            "words": None if self.words is None else dict(self.words),
            **({"tools": [one.canonical() for one in self.tools]} if self.tools else {}),
        }

    @classmethod
    def from_canonical(cls, name: str, body: Mapping[str, Any]) -> "Template":
        """Rebuild a template from its name and its canonical JSON value.

        Raises:
            PromptError: the value is not a template.
        """
        try:
            if set(body) - {"tools"} != {"demonstrations", "messages", "text", "words"} or body.get("tools", 0) == []:
                raise PromptError(f"template '{name}' has the wrong keys", code="not-well-formed")
            shots, messages = body["demonstrations"], body["messages"]
            return cls(
                name=name,
                text=body["text"],
                messages=None if messages is None else tuple(Message(m["role"], m["content"]) for m in messages),
                words=None if body["words"] is None else {str(k): str(v) for k, v in body["words"].items()},
                demonstrations=None if shots is None else Demonstrations(int(shots["count"]), str(shots["separator"])),
                tools=tools_of(body["tools"]) if "tools" in body else (),
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise PromptError(
                f"template '{name}' is not well formed ({type(error).__name__})", code="not-well-formed"
            ) from error

    def render(
        self, fields: Mapping[str, str], demonstrations: Sequence[tuple[Mapping[str, str], str]] = ()
    ) -> Rendered:
        """Fill in one case.

        Args:
            fields: field -> text of the case.
            demonstrations: (fields, label) of the cases to show first; used where the template has the slot.

        Raises:
            PromptError: a field is missing, or fewer demonstrations are given than the template asks for.
        """
        shown = "" if self.demonstrations is None else self._show(self.demonstrations, demonstrations)
        turns = []
        for source, role in zip(self._parsed, self._roles(), strict=True):
            turns.append(Turn(role, self._fill(source, fields, shown)))
        return Rendered(tuple(turns), self.tools)

    def showing(self, demonstrations: Sequence[tuple[Mapping[str, str], str]]) -> "Template":
        """Return this template with these cases written out where it shows cases of a site.

        Args:
            demonstrations: (fields, label) of each case.

        Raises:
            PromptError: there are fewer than the template asks for, or the text becomes too long.
        """
        if self.demonstrations is None:
            return self
        shown = escaped(self._show(self.demonstrations, demonstrations))
        return self._put({"demonstrations": shown})

    def filled(self, values: Mapping[str, str]) -> "Template":
        """Return this template with some of its variables filled in; names that are no variable are ignored.

        Args:
            values: variable, or ``soft`` -> its text.

        Raises:
            PromptError: the text becomes too long.
        """
        given = {name: escaped(value) for name, value in values.items() if name in (*self.variables, "soft")}
        return self._put(given) if given else self

    def _put(self, written: Mapping[str, str]) -> "Template":
        """Return a template with texts in place of some names, their braces doubled already."""

        def one(parsed: tuple[tuple[str, str | None], ...]) -> str:
            slots = ((literal, "" if name is None else written.get(name, f"{{{name}}}")) for literal, name in parsed)
            return "".join(escaped(literal) + slot for literal, slot in slots)

        sources = [one(parsed) for parsed in self._parsed]
        shots = None if "demonstrations" in written else self.demonstrations
        if self.messages is None:
            return replace(self, text=sources[0], demonstrations=shots)
        messages = tuple(Message(m.role, source) for m, source in zip(self.messages, sources, strict=True))
        return replace(self, messages=messages, demonstrations=shots)

    def _roles(self) -> tuple[str | None, ...]:
        return (None,) if self.messages is None else tuple(message.role for message in self.messages)

    def _fill(
        self, source: tuple[tuple[str, str | None], ...], fields: Mapping[str, str], shown: str
    ) -> tuple[Piece, ...]:
        pieces: list[Piece] = [""]
        for literal, name in source:
            values: list[Piece] = [literal]
            if name == "soft":
                values.append(SOFT)
            elif name == "demonstrations":
                values.append(shown)
            elif name is not None:
                if name not in fields:
                    raise PromptError(
                        f"template '{self.name}' names the field '{name}', which the case lacks", code="field-missing"
                    )
                values.append(fields[name])
            for value in values:
                last = pieces[-1]
                if isinstance(value, str) and isinstance(last, str):
                    pieces[-1] = last + value
                else:
                    pieces.append(value)
        return tuple(piece for piece in pieces if piece != "")

    def _show(self, spec: Demonstrations, cases: Sequence[tuple[Mapping[str, str], str]]) -> str:
        if len(cases) < spec.count:
            raise PromptError(
                f"template '{self.name}' shows {spec.count} demonstrations, only {len(cases)} are there",
                code="too-few-demonstrations",
            )
        words = self.words or {}
        shown = []
        for fields, label in cases[: spec.count]:
            if missing := [name for name in self.variables if name not in fields]:
                raise PromptError(
                    f"template '{self.name}' names the field '{missing[0]}', which a demonstration lacks",
                    code="field-missing",
                )
            body = "".join(
                literal + ("" if name is None or name in RESERVED else fields[name])
                for source in self._parsed
                for literal, name in source
            )
            shown.append(body + words.get(label, " " + label) + spec.separator)
        return "".join(shown)


def escaped(text: str) -> str:
    """Return text with its braces doubled, so that a template holds it as it is."""
    return text.replace("{", "{{").replace("}", "}}")


def _parse(source: str, name: str) -> tuple[tuple[str, str | None], ...]:
    try:
        parsed = list(Formatter().parse(source))
    except ValueError as error:
        raise PromptError(
            f"template '{name}' has braces that do not match ({error}); write {{{{ and }}}} for plain braces",
            code="braces",
        ) from error
    for _, variable, spec, conversion in parsed:
        if variable is not None and (not variable.isidentifier() or spec or conversion):
            raise PromptError(_not_plain(name, variable, spec, conversion), code="not-plain-variable")
    return tuple((literal, variable) for literal, variable, _, _ in parsed)


def _not_plain(name: str, variable: str, spec: str | None, conversion: str | None) -> str:
    """Return what to write for a variable that is more, or less, than a field's name."""
    inner = f"{variable}{'!' + conversion if conversion else ''}{':' + spec if spec else ''}"
    shown = inner if len(inner) <= MOST_SHOWN else f"{inner[:MOST_SHOWN]}…"
    plain = "write {{ and }} for plain braces"
    if variable[:1] in ("%", "#"):
        return (
            f"template '{name}' has the tag '{{{shown}}}', and a template runs no program; write the text out, with "
            f"{{text}} or another field where a case's text is to stand, or {plain}"
        )
    if not variable or variable.isdecimal():
        return (
            f"template '{name}' has '{{{shown}}}', which is not a plain field name; write the field's name in the "
            f"braces, or {plain}"
        )
    meant = plain_name(inner)
    own = "" if meant is None else f"write {{{meant}}}, or "
    return f"template '{name}' has the variable '{{{shown}}}', which is not a plain field name; {own}{plain}"
