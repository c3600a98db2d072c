"""LangChain JSON (langchain-core 1.7): ``dumpd`` of a text or chat prompt template in f-string syntax.

The template's text is all that LangChain runs; label words, how to read the answer and what else the prompt's
id is made of travel in the prompt's ``metadata``, which LangChain keeps. A destination that ends in ``.json``
becomes one file (a list where there are several prompts), any other a folder or zip with a README. On the way
in only plain prompt and message classes are allowed, and templates that are not f-strings are refused before
LangChain sees them.
"""

import json
import os
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fedprompt.errors import ExportError, PromptError
from fedprompt.exports.archive import open_archive
from fedprompt.exports.identity import identity_of, prompt_of
from fedprompt.exports.protocol import ExportContext, Exported, ImportContext, Imported, Refusal
from fedprompt.exports.reading import readme, score_sentence
from fedprompt.exports.writing import publishing, write_text
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Message, Template

__all__ = ["LangChain"]

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 40
_KEY = "fedprompt"


class LangChain:
    """Holds templates."""

    name = "langchain"
    title = "LangChain JSON"
    description = "A template as text or chat messages, for LangChain's prompt classes."
    suffix = ".json"
    many = True
    needs_model = False

    def refuses(self, item: Exported) -> Refusal | None:
        """Return why LangChain cannot hold a prompt, or None if it can."""
        if item.prompt.soft is not None:
            wanted = "bundle" if item.prompt.template.is_chat or item.prompt.template.demonstrations else "any-slot"
            return Refusal("its soft prompt is vectors, and LangChain holds only text", wanted)
        return None

    def write(self, items: Sequence[Exported], destination: Path, context: ExportContext) -> Path:
        """Write prompts as one ``.json`` file, or as a folder or zip with a file each and a README.

        Raises:
            ExportError: no prompts, one that is refused, or the destination cannot be written.
        """
        if not items:
            raise ExportError(f"{destination}: there is no prompt to write")
        for item in items:
            if refusal := self.refuses(item):
                raise ExportError(
                    f"prompt '{item.name}' cannot be LangChain JSON: {refusal.reason}; take {refusal.instead} instead"
                )
        dumped = [_dump(item) for item in items]
        if destination.suffix.lower() == ".json":
            _write_one(destination, _text(dumped[0] if len(dumped) == 1 else dumped))
            return destination
        with publishing(destination) as folder:
            for item, value in zip(items, dumped, strict=True):
                write_text(folder / f"{item.prompt.id.replace(':', '-')}.json", _text(value))
            write_text(folder / "README.md", readme("Prompts for LangChain", _USE, items, context))
        return destination

    def recognises(self, path: Path, names: frozenset[str]) -> bool:
        """Return whether it is a ``.json`` file, or holds such files and at most a README besides."""
        return all(name.endswith(".json") for name in names - {"README.md"}) and bool(names - {"README.md"})

    def read(self, path: Path, context: ImportContext) -> tuple[Imported, ...]:
        """Read prompts from a ``.json`` file, or a folder or zip of them.

        Raises:
            ExportError: not JSON, not a LangChain prompt, or a template that is not an f-string.
        """
        texts: list[tuple[str, bytes]] = []
        if path.suffix.lower() == ".json":
            texts.append((path.stem, _read_one(path)))
        else:
            with open_archive(path) as archive:
                names = [name for name in archive.names if name != "README.md"]
                texts += [(Path(name).stem, archive.read(name, MAX_BYTES)) for name in names]
        found: list[Imported] = []
        for stem, raw in texts:
            try:
                value = json.loads(raw)
            except (ValueError, RecursionError) as error:
                raise ExportError(f"{path}: {stem}.json is not JSON") from error
            values = value if isinstance(value, list) else [value]
            found += [_revive(one, f"{path}: {stem}.json", stem) for one in values]
        return tuple(found)


def _dump(item: Exported) -> Any:
    from langchain_core.load import dumpd
    from langchain_core.prompts import (
        AIMessagePromptTemplate,
        ChatPromptTemplate,
        HumanMessagePromptTemplate,
        PromptTemplate,
        SystemMessagePromptTemplate,
    )

    template = item.prompt.template
    metadata = {
        _KEY: {
            "prompt": identity_of(item.prompt, item.name),
            "words": dict(item.reading.words),
            "how_to_read": f"{item.reading.how} {score_sentence(item.reading)}",
        }
    }
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
    ours = (revived.metadata or {}).get(_KEY)
    if isinstance(ours, dict) and isinstance(ours.get("prompt"), dict):
        prompt = prompt_of(ours["prompt"], None, where)
        if (prompt.template.text, prompt.template.messages) != (text, messages):
            raise ExportError(f"{where} was changed after fedprompt wrote it; take its 'metadata' out to import it")
        return Imported(prompt, {}, tuple(dropped))
    dropped.append(f"'{name}' names no label words, so each label stands for itself until a study says more")
    try:
        template = Template(name, text=text, messages=messages)
        if template.has_soft:
            raise ExportError(f"{where} has a variable named 'soft', which is kept for soft prompts; rename it")
        return Imported(Prompt(template), {}, tuple(dropped))
    except PromptError as error:
        raise ExportError(f"{where}: {error}") from error


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


def _text(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _write_one(destination: Path, text: str) -> None:
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{destination.name}.", dir=destination.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text.encode("utf-8"))
            os.replace(name, destination)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ExportError(f"{destination}: cannot be written ({error.strerror}); choose another place") from error


def _read_one(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ExportError(f"{path}: larger than {MAX_BYTES:,} bytes, which no prompt's JSON is")
        return path.read_bytes()
    except OSError as error:
        raise ExportError(f"{path}: cannot be read ({error.strerror})") from error


_USE = """
```python
import json, pathlib
from langchain_core import prompts as p
from langchain_core.load import load

kinds = [p.PromptTemplate, p.ChatPromptTemplate, p.SystemMessagePromptTemplate]
kinds += [p.HumanMessagePromptTemplate, p.AIMessagePromptTemplate]
prompt = load(json.loads(pathlib.Path("FILE.json").read_text("utf-8")), allowed_objects=kinds)
print(prompt.invoke({"FIELD": "..."}).to_string())
```

`prompt.metadata["fedprompt"]` holds the label words and how to read the answer.
"""
