"""LangChain JSON (langchain-core 1.7): ``dumpd`` of a text or chat prompt template in f-string syntax.

The template's text is all that LangChain runs; label words, how to read the answer and what else the prompt's
id is made of travel in the prompt's ``metadata``, which LangChain keeps. A destination that ends in ``.json``
becomes one file (a list where there are several prompts), any other a folder or zip with a README. On the way
in only plain prompt and message classes are allowed, and templates that are not f-strings are refused before
LangChain sees them.
"""

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fedprompt.errors import ExportError
from fedprompt.exports.documents import (
    KEY,
    carried,
    dropped_demonstrations,
    fields_of,
    file_of,
    parse_json,
    read_documents,
    refuse_soft,
    revive,
    write_documents,
)
from fedprompt.exports.protocol import ExportContext, Exported, ImportContext, Imported, Refusal, Snippet
from fedprompt.prompts.template import Message

__all__ = ["LangChain"]

TITLE = "LangChain JSON"
FILE = "langchain.json"
SUFFIXES = (".json",)
MAX_DEPTH = 40


class LangChain:
    """Holds templates."""

    name = "langchain"
    title = TITLE
    description = "A template as text or chat messages, for LangChain's prompt classes."
    suffix = ".json"
    many = True
    needs_model = False

    def drops(self, item: Exported) -> tuple[str, ...]:
        """Return what is lost: demonstrations."""
        return dropped_demonstrations(item)

    def refuses(self, item: Exported) -> Refusal | None:
        """Return why LangChain cannot hold a prompt, or None if it can."""
        return refuse_soft(item, "LangChain")

    def use(self, items: Sequence[Exported], name: str) -> Snippet:
        """Return lines that fill in the first prompt."""
        many = len(items) > 1 and name.lower().endswith(SUFFIXES)
        code = _CODE.format(
            file=file_of(items, name, SUFFIXES[0]), first="[0]" if many else "", fields=json.dumps(fields_of(items[0]))
        )
        return Snippet("python", code, _NOTE)

    def write(self, items: Sequence[Exported], destination: Path, context: ExportContext) -> Path:
        """Write prompts as one ``.json`` file, or as a folder or zip with a file each and the model card.

        Raises:
            ExportError: no prompts, one that is refused, or the destination cannot be written.
        """
        single = destination.suffix.lower() in SUFFIXES
        return write_documents(
            items,
            destination,
            context,
            title=TITLE,
            suffixes=SUFFIXES,
            use=self.use,
            refuses=self.refuses,
            text=lambda some: _text(some, context),
            one_file=FILE if single else None,
        )

    def recognises(self, path: Path, names: frozenset[str]) -> bool:
        """Return whether it is a ``.json`` file, or holds such files and at most a README besides."""
        return all(name.endswith(SUFFIXES) for name in names - {"README.md"}) and bool(names - {"README.md"})

    def read(self, path: Path, context: ImportContext) -> tuple[Imported, ...]:
        """Read prompts from a ``.json`` file, or a folder or zip of them.

        Raises:
            ExportError: not JSON, not a LangChain prompt, or a template that is not an f-string.
        """
        found: list[Imported] = []
        for one in read_documents(path, SUFFIXES):
            value = parse_json(one)
            found += [_revive(each, one.where, one.stem) for each in (value if isinstance(value, list) else [value])]
        return tuple(found)


def _dump(item: Exported, context: ExportContext) -> Any:
    from langchain_core.load import dumpd
    from langchain_core.prompts import (
        AIMessagePromptTemplate,
        ChatPromptTemplate,
        HumanMessagePromptTemplate,
        PromptTemplate,
        SystemMessagePromptTemplate,
    )

    template = item.prompt.template
    metadata = {KEY: carried(item, context)}
    if template.messages is None:
        return dumpd(PromptTemplate.from_template(template.text or "", metadata=metadata))
    kinds: Mapping[str, Any] = {
        "assistant": AIMessagePromptTemplate,
        "system": SystemMessagePromptTemplate,
        "user": HumanMessagePromptTemplate,
    }
    messages = [kinds[message.role].from_template(message.content) for message in template.messages]
    return dumpd(ChatPromptTemplate(messages=messages, metadata=metadata))


def _revive(value: Any, where: str, name: str) -> Imported:
    from langchain_core.load import load
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
    from langchain_core.prompts import (
        AIMessagePromptTemplate,
        ChatPromptTemplate,
        HumanMessagePromptTemplate,
        PromptTemplate,
        SystemMessagePromptTemplate,
    )

    _check(value, where)
    allowed: Any = [
        AIMessage,
        AIMessagePromptTemplate,
        ChatPromptTemplate,
        HumanMessage,
        HumanMessagePromptTemplate,
        PromptTemplate,
        SystemMessage,
        SystemMessagePromptTemplate,
    ]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # load() is a beta interface and says so each time
            revived = load(value, allowed_objects=allowed, secrets_from_env=False)
    except (ValueError, TypeError, KeyError, NotImplementedError, AttributeError, ImportError) as error:
        reason = str(error).split("\n")[0][:200]
        raise ExportError(f"{where} is not a LangChain prompt that can be read ({reason})") from error
    if not isinstance(revived, PromptTemplate | ChatPromptTemplate):
        raise ExportError(f"{where} is not a LangChain prompt; only text and chat prompts can be read")
    text, messages = None, None
    if isinstance(revived, PromptTemplate):
        text = revived.template
    else:
        messages = tuple(_message(one, where) for one in revived.messages)
    left = ("partial_variables", "output_parser")
    dropped = [f"{where}: its {key} were left out" for key in left if getattr(revived, key)]
    return revive(revived.metadata, text, messages, where, name, dropped)


def _message(one: Any, where: str) -> Message:
    from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
    from langchain_core.prompts import (
        AIMessagePromptTemplate,
        HumanMessagePromptTemplate,
        PromptTemplate,
        SystemMessagePromptTemplate,
    )

    roles = (
        ("assistant", (AIMessage, AIMessagePromptTemplate)),
        ("system", (SystemMessage, SystemMessagePromptTemplate)),
        ("user", (HumanMessage, HumanMessagePromptTemplate)),
    )
    for role, kinds in roles:
        if isinstance(one, kinds):
            prompt = getattr(one, "prompt", None)
            if isinstance(one, BaseMessage) and isinstance(one.content, str):
                return Message(role, one.content.replace("{", "{{").replace("}", "}}"))
            if isinstance(prompt, PromptTemplate):
                return Message(role, prompt.template)
    raise ExportError(f"{where} has a message of the kind {type(one).__name__}, which a template cannot hold")


def _check(value: Any, where: str, depth: int = 0) -> None:
    """Refuse other templates than f-strings, secrets, and endless nesting, before anything is revived."""
    if depth > MAX_DEPTH:
        raise ExportError(f"{where} is nested too deep for a prompt; refused")
    if isinstance(value, dict):
        if value.get("type") == "secret":
            raise ExportError(f"{where} asks for a secret of this machine; refused")
        syntax = value.get("template_format", "f-string")
        if syntax != "f-string":
            raise ExportError(
                f"{where} is a {syntax} template; only f-string templates are read, since others run code"
            )
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check(inner, where, depth + 1)


def _text(items: Sequence[Exported], context: ExportContext) -> str:
    dumped = [_dump(item, context) for item in items]
    return json.dumps(dumped[0] if len(dumped) == 1 else dumped, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


_CODE = """
import json, pathlib
from langchain_core import prompts as p
from langchain_core.load import load

kinds = [p.PromptTemplate, p.ChatPromptTemplate, p.SystemMessagePromptTemplate]
kinds += [p.HumanMessagePromptTemplate, p.AIMessagePromptTemplate]
prompt = load(json.loads(pathlib.Path("{file}").read_text("utf-8")), allowed_objects=kinds){first}
print(prompt.invoke({fields}).to_string())
"""
_NOTE = """`prompt.metadata["fedprompt"]["reading"]` holds the label words and how to read the answer."""
