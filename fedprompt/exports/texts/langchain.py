"""LangChain JSON (langchain-core 1.7): ``dumpd`` of a text or chat prompt template in f-string syntax.

The template's text is all that LangChain runs; label words, how to read the answer and what else the prompt's
id is made of travel in the prompt's ``metadata``, which LangChain keeps. A destination that ends in ``.json``
becomes one file (a list where there are several prompts), any other a folder or zip with a README. On the way
in the JSON alone is read (``langchain_reading``), LangChain makes nothing of it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fedprompt.errors import ExportError
from fedprompt.exports.document_text import parse_json, parse_yaml
from fedprompt.exports.documents import (
    KEY,
    carried,
    dropped_demonstrations,
    fields_of,
    file_of,
    peek,
    read_documents,
    refuse_soft,
    write_documents,
)
from fedprompt.exports.protocol import ExportContext, Exported, ImportContext, Imported, Refusal, Snippet
from fedprompt.exports.texts.beside import Beside
from fedprompt.exports.texts.langchain_reading import read_value
from fedprompt.prompts.tools import openai_tools

__all__ = ["LangChain"]

TITLE = "LangChain JSON"
FILE = "langchain.json"
SUFFIXES = (".json",)
SAVED = (".yaml", ".yml")
MAX_PROMPTS = 2000
_SAVED = re.compile(rb"(?:\xef\xbb\xbf)?[\"']?(?:_type|template_path|input_variables)[\"']?\s*:")


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
        return refuse_soft(item, "LangChain", tools=True)

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
        """Return whether it is a ``.json`` file or an older YAML, or holds ``.json`` files and at most a README."""
        if path.suffix.lower() in SAVED and not path.is_dir():
            return any(_SAVED.match(line) for line in peek(path).splitlines())
        return all(name.endswith(SUFFIXES) for name in names - {"README.md"}) and bool(names - {"README.md"})

    def read(self, path: Path, context: ImportContext) -> tuple[Imported, ...]:
        """Read prompts from a ``.json`` file, or a folder or zip of them.

        Raises:
            ExportError: not JSON, not a LangChain prompt, or a template that is more than plain variables.
        """
        if path.suffix.lower() in SAVED and not path.is_dir():
            (document,) = read_documents(path, SAVED)
            value = parse_yaml(document.content, document.where)
            return (read_value(value, document.where, document.stem, Beside(root=path.parent)),)
        folder = path if path.is_dir() else path.parent if path.suffix.lower() in SUFFIXES else None
        beside = None if folder is None else Beside(root=folder)
        found: list[Imported] = []
        for one in read_documents(path, SUFFIXES):
            value = parse_json(one)
            many = isinstance(value, list)
            for number, each in enumerate(value if isinstance(value, list) else [value], 1):
                where = f"{one.where}, prompt {number}" if many else one.where
                found.append(read_value(each, where, f"{one.stem} {number}" if many else one.stem, beside))
            if len(found) > MAX_PROMPTS:
                raise ExportError(
                    f"{one.where} holds more than {MAX_PROMPTS:,} prompts; import fewer at a time", code="too-many"
                )
        if not found:
            raise ExportError(f"{path} holds no prompt; its list is empty", code="no-prompt")
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
    metadata: dict[str, Any] = {KEY: carried(item, context)}
    if template.messages is None:
        return dumpd(PromptTemplate.from_template(template.text or "", metadata=metadata))
    kinds: Mapping[str, Any] = {
        "assistant": AIMessagePromptTemplate,
        "system": SystemMessagePromptTemplate,
        "user": HumanMessagePromptTemplate,
    }
    if template.tools:
        metadata["tools"] = openai_tools(template.tools)
    messages = [kinds[message.role].from_template(message.content) for message in template.messages]
    return dumpd(ChatPromptTemplate(messages=messages, metadata=metadata))


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
_NOTE = """
`prompt.metadata["fedprompt"]["reading"]` holds the label words and how to read the answer. If the prompt has tools,
`model.bind_tools(prompt.metadata["tools"])` offers them to a chat model.
"""
