"""LangChain's older prompt files: JSON or YAML with ``_type``, as ``save`` writes and ``load_prompt`` reads them.

Texts and examples may stand in files beside it; ``examples`` become text, as ``FewShotPromptTemplate.format`` joins
them. Source: ``prompts/loading.py`` and ``prompts/few_shot.py`` of langchain-core 1.7.
"""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from fedprompt.errors import ExportError
from fedprompt.exports.document_text import Document, parse_json, parse_yaml
from fedprompt.exports.documents import revive
from fedprompt.exports.protocol import Imported
from fedprompt.exports.syntax import Variable, f_string
from fedprompt.exports.texts.beside import Beside
from fedprompt.exports.texts.chat import tell
from fedprompt.exports.texts.langchain_text import bound_of, read_text
from fedprompt.prompts.template import MAX_TEMPLATE_CHARACTERS, Message

__all__ = ["is_saved", "read_saved"]

MAX_EXAMPLES = 1000
_LEFT_OUT = ("output_parser", "metadata", "tags", "input_types")


def is_saved(value: Any) -> bool:
    """Whether a value is an older prompt file's."""
    if not isinstance(value, Mapping) or "lc" in value:
        return False
    return "_type" in value or "template_path" in value or ("template" in value and "input_variables" in value)


def read_saved(value: Mapping[str, Any], where: str, name: str, beside: Beside | None) -> Imported:
    """Read one prompt.

    Args:
        value: the file's value.
        where: begins the message of an error.
        name: of a prompt that has none.
        beside: where files lie that it names, None where none can be read.

    Raises:
        ExportError: it is of another type, names a file that is not there, or holds more than plain variables.
    """
    kind = value.get("_type", "prompt")
    dropped = [f"{where}: its {key} was left out" for key in _LEFT_OUT if value.get(key)]
    named = value.get("name")
    name = named if isinstance(named, str) and named else name
    if kind == "prompt":
        return revive(value.get("metadata"), _prompt(value, where, beside, dropped), None, where, name, dropped)
    if kind == "few_shot":
        return revive(value.get("metadata"), _few_shot(value, where, beside, dropped), None, where, name, dropped)
    if kind == "chat":
        listed = value.get("messages")
        if not isinstance(listed, list) or len(listed) != 1 or not isinstance(listed[0], Mapping):
            raise ExportError(
                f"{where} is an old chat prompt, whose messages have no roles; write it with langchain_core.load.dumpd",
                code="not-this-format",
            )
        prompt = listed[0].get("prompt")
        if not isinstance(prompt, Mapping):
            raise ExportError(f"{where}: its message has no prompt", code="no-text")
        text = _prompt(prompt, where, beside, dropped)
        return revive(None, None, (Message("user", text),), where, name, dropped)
    raise ExportError(
        f"{where} is an old prompt of the type {str(kind)[:40]!r}; 'prompt' and 'few_shot' are read",
        code="not-this-format",
    )


def _prompt(value: Mapping[str, Any], where: str, beside: Beside | None, dropped: list[str]) -> str:
    template = _text_of(value, "template", where, beside)
    bound = bound_of(value.get("partial_variables"), where)
    return f_string(read_text(template, value.get("template_format"), bound, where, dropped))


def _few_shot(value: Mapping[str, Any], where: str, beside: Beside | None, dropped: list[str]) -> str:
    """Return the text that LangChain joins: the prefix, each example as its own prompt writes it, and the suffix."""
    if value.get("example_selector"):
        raise ExportError(f"{where} selects its examples with a program; write the examples out", code="runs-code")
    prefix, suffix = _text_of(value, "prefix", where, beside), _text_of(value, "suffix", where, beside)
    separator = value.get("example_separator", "\n\n")
    examples = value.get("examples")
    if isinstance(examples, str):
        examples = _file(examples, where, beside, (".json", ".yaml", ".yml"))
    inner = value.get("example_prompt")
    if isinstance(value.get("example_prompt_path"), str):
        inner = _file(value["example_prompt_path"], where, beside, (".json", ".yaml", ".yml"))
    if not isinstance(inner, Mapping) or not isinstance(examples, list) or not isinstance(separator, str):
        raise ExportError(
            f"{where} is a few_shot prompt without examples, or without a prompt for an example", code="not-well-formed"
        )
    if not all(one is None or isinstance(one, str) for one in (prefix, suffix)):
        raise ExportError(f"{where}: its prefix or suffix is not a text; put it in quotes", code="not-well-formed")
    if len(examples) > MAX_EXAMPLES:
        raise ExportError(f"{where} has more than {MAX_EXAMPLES:,} examples, the limit for a prompt", code="too-many")
    written, size = [], 0
    template = _text_of(inner, "template", where, beside)
    for number, example in enumerate(examples, 1):
        at = f"{where}, example {number}"
        bound = {**bound_of(inner.get("partial_variables"), at), **bound_of(example, at)}
        parts = read_text(template, inner.get("template_format"), bound, at, dropped)
        if missing := [part.name for part in parts if isinstance(part, Variable)]:
            raise ExportError(f"{at} lacks {missing[0][:60]!r}, which its prompt names", code="field-missing")
        written.append("".join(str(part) for part in parts))
        size += len(written[-1]) + len(separator)
        if size > MAX_TEMPLATE_CHARACTERS:
            raise ExportError(
                f"{where}: with its examples it is longer than {MAX_TEMPLATE_CHARACTERS:,} characters", code="too-long"
            )
    whole = separator.join(piece for piece in (prefix, *written, suffix) if piece)
    if written:
        tell(dropped, f"{where}: its {len(written)} examples are text of the prompt now")
    outer = bound_of(value.get("partial_variables"), where)
    return f_string(read_text(whole, value.get("template_format"), outer, where, dropped))


def _text_of(value: Mapping[str, Any], key: str, where: str, beside: Beside | None) -> Any:
    """Return a text of a prompt, which may stand in a ``.txt`` file beside it."""
    path = value.get(f"{key}_path")
    if path is None:
        return value.get(key)
    if key in value:
        raise ExportError(f"{where} has both '{key}' and '{key}_path'; keep one of them", code="key-twice")
    if not isinstance(path, str):
        raise ExportError(f"{where}: its {key}_path is not a file's name", code="not-a-file-name")
    return _file(path, where, beside, (".txt",))


def _file(name: str, where: str, beside: Beside | None, suffixes: tuple[str, ...]) -> Any:
    """Return the value, or the text, of a file beside the prompt."""
    if beside is None:
        raise ExportError(
            f"{where} names the file {name[:100]!r}; import it from a folder that holds both", code="file-missing"
        )
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in suffixes or any(sign in name for sign in "*?["):
        raise ExportError(
            f"{where} names {name[:100]!r}, and only files that end in {', '.join(suffixes)} are read there",
            code="unknown-ending",
        )
    (found,) = beside.matching(name, where)
    document = Document(f"{where} ({found})", PurePosixPath(found).stem, beside.read(found, where))
    if suffix == ".json":
        return parse_json(document)
    try:
        text = document.content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ExportError(f"{document.where} is not UTF-8 text; save it as UTF-8", code="not-utf-8") from error
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if suffix == ".txt" else parse_yaml(text, document.where)
