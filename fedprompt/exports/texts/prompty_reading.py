"""Reads a Prompty file, of version 1 or 2, ours or another's; nothing that it refers to is looked up.

As Prompty does, the text is filled in first (Jinja, here left as parts) and then split at the lines that name a role.
Invariant: what Prompty would send beside text from text fields is refused by its name, and what is not part of the
prompt is told as left out. Sources: ``spec/spec.md`` and, for version 1, the branch ``v1`` of
github.com/microsoft/prompty.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fedprompt.errors import ExportError
from fedprompt.exports.document_text import Document, split_front_matter, texts_in
from fedprompt.exports.documents import KEY, left_out, name_of, revive
from fedprompt.exports.protocol import Imported
from fedprompt.exports.syntax import Variable, f_string
from fedprompt.exports.texts.chat import role_of
from fedprompt.exports.texts.jinja_reading import read_jinja
from fedprompt.prompts.template import Message

__all__ = ["REFERENCE", "read_prompty"]

REFERENCE = re.compile(r"\$\{(\w+):")
MARKS = ("---", "+++")
# As Prompty 2 has it; the last three are version 1's.
_ROLE = re.compile(
    r"(?i)^\s*#?\s*(system|user|assistant|developer|tools?|function)"
    r"(\[(?:\w++\s*+=\s*+(?:\"[^\"]*\"|[^\",\]]*+)\s*+,?+\s*+)+\])?\s*:\s*$"
)
_YAML = re.compile(r"(?:\s|#[^\n]*\n)*(?:description|inputs|instructions|model|template)\s*:")
_FIRST_ROLES = ("tool", "tools", "function")
_MARK = "\0"
_IMAGE = re.compile(r"!\[[^\]]*\]\(")
_READ = frozenset({"name", "inputs", "template"})
_FIRST = frozenset({"sample", "authors", "tags", "version", "base"})  # keys at the top that only version 1 has
_RICH = ("thread", "image", "file", "audio")
_TEXT_KINDS = (None, "", "string", "str")
_APIS = (None, "", "chat", "responses", "agent")


def read_prompty(document: Document) -> Imported:
    """Return the prompt of a file.

    Raises:
        ExportError: a template that is a program or another engine's, a message or input that is no text, or a
            reference to the environment or a file in what is read.
    """
    found = split_front_matter(document, MARKS)
    front, where = found.front, document.where
    if not found.given and _YAML.match(found.body):
        raise ExportError(
            f"{where} holds YAML without lines '---' around it; put one before and one after its front matter",
            code="front-matter",
        )
    metadata = front.get("metadata")
    ours = isinstance(metadata, Mapping) and KEY in metadata
    if front.get("base"):
        raise ExportError(
            f"{where}: it is based on another file ('base'), which is not looked up; write all of it here",
            code="refers-elsewhere",
        )
    for key in sorted(_READ & set(front)):
        _refuse_references(front[key], key, where)
    _check_template(front.get("template"), where)
    second = _is_second(front)
    completion = _api(front.get("model"), where) == "completion"
    body = found.body.lstrip() if found.given else found.body
    line = found.line + found.body[: len(found.body) - len(body)].count("\n")
    attributes: list[str] = []
    marked, roles = (body, []) if completion else _marked(body, where, second, attributes)
    read = read_jinja(marked, where, line=line, ends=not completion)
    told: list[str] = []
    if not ours:
        told += left_out(where, [key for key in sorted(front) if key not in _READ and front[key]])
    if not ours and any(REFERENCE.search(text) for key in front for text in texts_in(front[key])):
        told.append(f"{where}: what its front matter refers to with '${{...}}' was not looked up")
    if read.comments:
        told.append(f"{where}: the comments in its template were left out")
    told += _check_inputs(
        front.get("inputs"), {one.name for one in read.parts if isinstance(one, Variable)}, where, ours
    )
    text = f_string(read.parts)
    name = name_of(front.get("name"), document.stem)
    if completion:
        return revive(metadata, text.lstrip(), None, where, name, told)
    told += attributes
    return revive(metadata, None, _messages(text, roles, where, second, told), where, name, told)


def _is_second(front: Mapping[str, Any]) -> bool:
    """Return whether a file is surely of version 2, by the words that only that version has."""
    template, model, inputs = front.get("template"), front.get("model"), front.get("inputs")
    form = template.get("format") if isinstance(template, Mapping) else None
    listed = list(inputs.values()) if isinstance(inputs, Mapping) else inputs if isinstance(inputs, list) else []
    return not _FIRST & set(front) and (
        isinstance(form, Mapping)
        or (isinstance(model, Mapping) and "apiType" in model)
        or any(isinstance(one, Mapping) and "kind" in one for one in listed)
    )


def _marked(body: str, where: str, second: bool, told: list[str]) -> tuple[str, list[str]]:
    """Return the text with a mark for each line that names a role, and the roles; Prompty too marks them beforehand.

    So a line that a tag makes up is no role's, and a tag that swallows a role's line is noticed.
    """
    if _MARK in body:
        raise ExportError(f"{where}: its text holds a NUL character; remove it", code="nul")
    lines: list[str] = []
    roles: list[str] = []
    for line in body.splitlines(keepends=True):
        match = _ROLE.match(line.strip())
        if match is None or (second and match[1].lower() in _FIRST_ROLES):
            lines.append(line)
            continue
        if match[2]:
            told.append(f"{where}: the attributes of its role '{match[1].lower()}' were left out")
        lines.append(f"{_MARK}{len(roles)}\n")
        roles.append(match[1].lower())
    return "".join(lines), roles


def _messages(text: str, roles: Sequence[str], where: str, second: bool, told: list[str]) -> tuple[Message, ...]:
    if not second and any(line.strip().startswith("![thread]") for line in text.splitlines()):
        raise ExportError(
            f"{where}: '![thread]' stands for earlier messages, which no field holds; remove it", code="placeholder"
        )
    if not second and _IMAGE.search(text):
        raise ExportError(
            f"{where}: its text shows an image ('![...](...)'), which version 1 of Prompty sends as one; "
            "remove it, or say 'template: {format: {kind: jinja2}}' if it is text",
            code="not-only-text",
        )
    turns: list[tuple[str, list[str]]] = [("system", [])]  # what stands before the first role is the system's
    for line in text.splitlines():
        if line == f"{_MARK}{len(turns) - 1}" and len(turns) <= len(roles):
            turns.append((roles[len(turns) - 1], []))
        elif _MARK in line or ((match := _ROLE.match(line.strip())) and not (second and match[1] in _FIRST_ROLES)):
            raise _moved(where)
        else:
            turns[-1][1].append(line)
    if len(turns) != len(roles) + 1:
        raise _moved(where)
    messages = []
    for role, lines in turns:
        content = "\n".join(lines).strip("\n")
        if not content:
            continue
        messages.append(Message(role_of(role, where, told), content))
    if not messages:
        raise ExportError(f"{where} has no message; write its text under a line 'user:'", code="no-message")
    return tuple(messages)


def _moved(where: str) -> ExportError:
    return ExportError(
        f"{where}: a tag makes or takes away a line that names a role, which Prompty refuses; write each role on a "
        "line of its own, with no tag beside it",
        code="tag-beside-role",
    )


def _check_template(template: Any, where: str) -> None:
    form = template.get("format") if isinstance(template, Mapping) else template
    parser = template.get("parser") if isinstance(template, Mapping) else None
    engine = form.get("kind") if isinstance(form, Mapping) else form
    by = parser.get("kind") if isinstance(parser, Mapping) else parser
    if engine not in (None, "", "jinja2"):
        raise ExportError(
            f"{where}: its template is written in {str(engine)[:40]!r}; only jinja2 with plain variables is read, so "
            "write {{name}} for each field and 'template: jinja2'",
            code="unread-syntax",
        )
    if by not in (None, "", "prompty", "prompty.chat", "prompty.completion"):
        raise ExportError(
            f"{where}: its parser is {str(by)[:40]!r}; only Prompty's own ('prompty') is read", code="unread-syntax"
        )


def _api(model: Any, where: str) -> str:
    said = (model.get("apiType") or model.get("api")) if isinstance(model, Mapping) else None
    if said == "completion":
        return "completion"
    if said not in _APIS:
        raise ExportError(
            f"{where}: its model is asked for {str(said)[:40]!r}, which answers no prompt with text; only chat and "
            "completion are read",
            code="asks-for-no-text",
        )
    return "chat"


def _check_inputs(inputs: Any, used: set[str], where: str, ours: bool) -> list[str]:
    """Refuse inputs that are no text, and return what is told of the others."""
    if isinstance(inputs, Mapping):
        listed: Sequence[tuple[Any, Any]] = list(inputs.items())
    elif isinstance(inputs, list):
        listed = [(one.get("name"), one) for one in inputs if isinstance(one, Mapping)]
    else:
        listed = []
    valued, other = [], []
    for name, described in listed:
        of = described if isinstance(described, Mapping) else {"default": described}
        kind = of.get("kind") or of.get("type")
        if name in used and kind in _RICH:
            what = "earlier messages" if kind == "thread" else "no text"
            raise ExportError(
                f"{where}: its input '{name}' is of the kind '{kind}', which is {what} and no field; remove "
                f"{{{{{name}}}}} from its text",
                code="input-is-no-text",
            )
        if name in used and kind not in _TEXT_KINDS:
            other.append(str(name)[:60])
        if any(of.get(key) not in (None, "") for key in ("default", "sample", "example")):
            valued.append(str(name)[:60])
    if ours:
        return []
    told = (
        [f"{where}: the default or sample of its {_listed(valued)} was left out: a case must give each"]
        if valued
        else []
    )
    if other:
        told.append(f"{where}: its {_listed(other)} is declared as something else than text, and is a text here")
    return told


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:5])
    return f"input {shown}" if len(names) == 1 else f"inputs {shown}" + (" and others" if len(names) > 5 else "")


def _refuse_references(value: Any, key: str, where: str) -> None:
    match = next(filter(None, map(REFERENCE.search, texts_in(value))), None)
    if match is not None:
        raise ExportError(
            f"{where}: its '{key}' refers to ${{{match[1]}:...}}, and nothing of this machine is looked up for "
            "a prompt; write what it stands for, or remove it",
            code="refers-elsewhere",
        )
