"""promptfoo's configurations and prompt files as other people write them, read into prompts.

What a prompt may be is promptfoo's own documentation (Prompt Configuration) and the source of its 0.123: a text, a
file, a pattern for several, a chat as JSON or YAML, a map of files to labels. Files are read only beside the
configuration; nothing is run, fetched or looked up. Invariant: a prompt comes in as promptfoo would send it, or is
refused by the name of what it is; what stands around the prompts is left out and told.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

from fedprompt.errors import ExportError
from fedprompt.exports.document_text import Document, json_value, parse_yaml
from fedprompt.exports.documents import left_out, revive
from fedprompt.exports.protocol import Imported
from fedprompt.exports.syntax import MAX_TEXT, f_string, read_braces, tags_of
from fedprompt.exports.texts.beside import Beside
from fedprompt.exports.texts.chat import read_messages, tell
from fedprompt.exports.texts.promptfoo_files import GUARD, PROMPT_FILES, Raw, prompts_in, value_in

__all__ = ["read_configuration", "read_prompt_file"]

MAX_PROMPTS = 2000
MAX_PATH = 4096
_PROGRAMS: tuple[str, ...] = (
    ".js",
    ".cjs",
    ".mjs",
    ".ts",
    ".cts",
    ".mts",
    ".py",
    ".rb",
    ".go",
    ".sh",
    ".bash",
    ".exe",
    ".bat",
)
_PROGRAMS += (".cmd", ".ps1", ".pl")
_ELSEWHERE = {
    "langfuse://": "export it from Langfuse as JSON and import that",
    "helicone://": "copy its text into the configuration",
    "portkey://": "copy its text into the configuration",
    "http://": "fetch it and import the file",
    "https://": "fetch it and import the file",
    "package:": "write the text that it makes",
}
_LIKE_A_PATH = re.compile(r"[*/\\]|\..{2,3}\Z")
_CHAT = re.compile(r"\s*-\s+role\s*:")
_DUMP = re.compile(r"\{\{-?\s*([^\W\d]\w*(?:-\w+)*)\s*\|\s*dump\s*(?:\|\s*safe\s*)?-?\}\}")
_TAG = re.compile(r"\{\{(?:(?!\{\{|\}\}).)*\}\}", re.S)
_SHOWN = ("description", "prompts")
_MARKS = ("\ue000", "\ue001")  # stand for a tag while YAML is read


def read_configuration(config: Any, where: str, beside: Beside, stem: str) -> tuple[Imported, ...]:
    """Read the prompts of a configuration.

    Args:
        config: the value of its YAML.
        where: begins the message of an error.
        beside: where the files lie that it names.
        stem: the name of a prompt that has none.

    Raises:
        ExportError: it lists no prompts, or one that cannot be read as text.
    """
    if not isinstance(config, Mapping):
        raise ExportError(f"{where} is not a mapping with the key 'prompts'", code="not-this-format")
    listed = config.get("prompts")
    dropped = _around(config, where)
    raws: list[Raw] = []
    for number, (one, label) in enumerate(_entries(listed, where), 1):
        made = _raws(one, label, f"{where}, prompt {number}", beside, dropped, stem, number)
        raws += islice(made, MAX_PROMPTS + 1)
        if len(raws) > MAX_PROMPTS:
            raise ExportError(
                f"{where} holds more than {MAX_PROMPTS:,} prompts; import fewer at a time", code="too-many"
            )
    found = [_imported(raw, dropped if not number else []) for number, raw in enumerate(raws)]
    return tuple(_with_defaults(found, config, where))


def read_prompt_file(document: Document, name: str) -> tuple[Imported, ...]:
    """Read one file of prompts, as a configuration would name it; ``name`` has its suffix.

    Raises:
        ExportError: it holds no prompt, or one that cannot be read as text.
    """
    dropped: list[str] = []
    raws = list(islice(prompts_in(document, name, None, dropped), MAX_PROMPTS + 1))
    if len(raws) > MAX_PROMPTS:
        raise ExportError(
            f"{document.where} holds more than {MAX_PROMPTS:,} prompts; import fewer at a time", code="too-many"
        )
    return tuple(_imported(raw, dropped if not number else []) for number, raw in enumerate(raws))


def _around(config: Mapping[Any, Any], where: str) -> list[str]:
    """Return what stands around the prompts and is left out."""
    left = [str(key)[:40] for key in config if key not in _SHOWN and config[key] not in (None, "", [], {})]
    found = list(left_out(where, left))
    providers = config.get("providers")
    if any(_has_filter(one) for one in providers) if isinstance(providers, list) else False:
        found.append(f"{where}: which provider gets which prompt was left out")
    default = config.get("defaultTest")
    options = default.get("options") if isinstance(default, Mapping) else None
    for key in ("prefix", "suffix"):
        if isinstance(options, Mapping) and options.get(key):
            raise ExportError(
                f"{where}: its defaultTest adds a {key} to every prompt; write it into the prompts instead",
                code="adds-to-every-prompt",
            )
    return found


def _has_filter(provider: Any) -> bool:
    if not isinstance(provider, Mapping):
        return False
    return "prompts" in provider or any(isinstance(one, Mapping) and "prompts" in one for one in provider.values())


def _with_defaults(found: list[Imported], config: Mapping[Any, Any], where: str) -> Iterator[Imported]:
    """Yield the prompts; the first tells of variables that the configuration fills in for every case."""
    default = config.get("defaultTest")
    given = default.get("vars") if isinstance(default, Mapping) else None
    used = {name for one in found for name in one.prompt.template.variables}
    filled = [name for name in given if name in used] if isinstance(given, Mapping) else []
    for number, one in enumerate(found):
        told = one.dropped
        if number == 0 and filled:
            names = ", ".join(f"'{name}'" for name in filled[:8])
            told = (f"{where}: the values that its defaultTest gives to {names} were left out; they stay fields", *told)
        yield Imported(one.prompt, one.notes, told)


def _entries(listed: Any, where: str) -> Iterator[tuple[Any, Any]]:
    """Yield (prompt, label) of what stands under ``prompts``: a list, one text, or the old map of files to labels."""
    if isinstance(listed, str) and listed:
        yield listed, None
    elif isinstance(listed, list) and listed:
        for one in listed:
            yield one, None
    elif isinstance(listed, Mapping) and listed:
        if "$ref" in listed:
            raise ExportError(
                f"{where}: its prompts are a '$ref' to another place; write them out here", code="refers-elsewhere"
            )
        yield from listed.items()
    else:
        raise ExportError(f"{where} lists no prompts; write them under 'prompts:'", code="no-prompt")


def _raws(one: Any, label: Any, at: str, beside: Beside, dropped: list[str], stem: str, number: int) -> Iterator[Raw]:
    raw = one
    if isinstance(one, Mapping):
        if "$ref" in one:
            raise ExportError(f"{at} is a '$ref' to another place; write the prompt out here", code="refers-elsewhere")
        if "function" in one:
            raise ExportError(
                f"{at} is made by a function, and nothing of a file is run; write the text that it makes",
                code="runs-code",
            )
        raw, label = one.get("raw") or one.get("id"), one.get("label")
        left = [
            str(key)[:40] for key in one if key not in ("raw", "id", "label") and one[key] not in (None, "", {}, [])
        ]
        if left:
            dropped.append(f"{at}: its {', '.join(left[:8])} was left out")
    if not isinstance(raw, str) or not raw:
        raise ExportError(
            f"{at} has no text of its own; write it as text, in quotes, or as 'file://' and a file's name",
            code="no-text",
        )
    named = str(label)[:200] if isinstance(label, str | int | float) and str(label).strip() else None
    named_file = _reference(raw, at, dropped)
    if named_file is None:
        if any(line.strip() == "---" for line in raw.split("\n")):
            dropped.append(
                f"{at}: its line '---' was kept as text: promptfoo divides files at such a line, and no other prompts"
            )
        yield Raw(named or f"prompt {number}", raw, at)
        return
    for name in beside.matching(named_file, at):
        yield from _of_named(name, named, f"{at} ({name})", beside, dropped, at)


def _of_named(name: str, label: str | None, at: str, beside: Beside, dropped: list[str], where: str) -> Iterator[Raw]:
    """Yield the prompts of a file beside the configuration, which may be a list of prompts of its own."""
    document = Document(at, PurePosixPath(name).stem, beside.read(name, where))
    if PurePosixPath(name).suffix.lower() in (".yaml", ".yml", ".json"):
        value = value_in(document, name)
        if isinstance(value, list) and value and not any(isinstance(one, Mapping) and "role" in one for one in value):
            for number, one in enumerate(value, 1):  # promptfoo's guide divides large configurations this way
                inner = one.get("raw") or one.get("id") if isinstance(one, Mapping) else one
                if isinstance(inner, str) and _reference(inner, f"{at}, prompt {number}", []) is not None:
                    raise ExportError(
                        f"{at}, prompt {number} names another file; name it in the configuration itself",
                        code="refers-elsewhere",
                    )
                yield from _raws(one, None, f"{at}, prompt {number}", beside, dropped, document.stem, number)
            return
    yield from prompts_in(document, name, label, dropped)


def _reference(raw: str, at: str, dropped: list[str]) -> str | None:
    """Return the file or pattern that a prompt names, None where it is a text of its own.

    Raises:
        ExportError: it names a program, or a place that is none of this folder's.
    """
    one = raw.strip()
    if len(one) > MAX_PATH and not one.startswith(("exec:", "file://")):
        return None
    if one.startswith("exec:"):
        raise ExportError(
            f"{at} runs a program ({one[:60]!r}), and nothing of a file is run; write the text that it makes",
            code="runs-code",
        )
    for begin, do in _ELSEWHERE.items():
        if one.startswith(begin):
            raise ExportError(f"{at} is in another place ({one[:60]!r}); {do}", code="refers-elsewhere")
    is_url = one.startswith("file://")
    path = one.removeprefix("file://")
    if "\n" in path and not is_url:
        return None
    tokens = path.split(":")
    suffix = _suffix(tokens[-1]) or (_suffix(tokens[-2]) if len(tokens) > 1 else "")
    named = suffix in _PROGRAMS or _suffix(tokens[-1]) in PROMPT_FILES
    spaced, tagged = bool(re.search(r"\s", path)), "{{" in path
    if not is_url and ((spaced and tagged) or not (named or (_LIKE_A_PATH.search(path) and not spaced and not tagged))):
        if _LIKE_A_PATH.search(path) or named:
            dropped.append(
                f"{at} holds '/', '*' or '.' in one line, for which promptfoo looks for a file; it was read as text"
            )
        return None
    if raw != one:
        raise ExportError(
            f"{at} names the file {one[:60]!r} with white space around it; write the name alone", code="odd-file-name"
        )
    if "\n" in path or tagged:
        raise ExportError(
            f"{at} names the file {path[:60]!r}, whose name is no plain one; write the name out", code="odd-file-name"
        )
    if suffix in _PROGRAMS:
        raise ExportError(
            f"{at} is made by the program {path[:60]!r}, and nothing of a file is run; write the text that it makes",
            code="runs-code",
        )
    if _suffix(path) and _suffix(path) not in PROMPT_FILES and not re.search(r"[*?\[]", path):
        raise ExportError(
            f"{at} names {path[:60]!r}, and prompts are not read from such files; take {', '.join(PROMPT_FILES)}",
            code="unknown-ending",
        )
    return path


def _suffix(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).suffix.lower()


def _imported(raw: Raw, before: list[str]) -> Imported:
    """Return a prompt: chat where the text is a list of messages, in JSON or YAML, and plain text otherwise."""
    dropped = list(before)
    if len(raw.text) > MAX_TEXT:
        raise ExportError(
            f"{raw.where}: its text is longer than {MAX_TEXT:,} characters, the limit for a prompt", code="too-long"
        )
    own = raw.text.removeprefix(GUARD)
    value = _structure(own, raw.where)

    def filled(text: str, where: str) -> str:
        if re.search(r"\{\{-?\s*_conversation\b", text):
            raise ExportError(
                f"{where}: '_conversation' stands for earlier answers, which no case has; remove it",
                code="placeholder",
            )
        if text.startswith("file://"):
            raise ExportError(
                f"{where}: its text is in the file {text[7:67]!r}; write it here", code="refers-elsewhere"
            )
        return f_string(read_braces(_without_comments(text, where, dropped), where))

    if value is None:
        return revive(None, filled(own, raw.where), None, raw.where, raw.name, dropped)
    if not isinstance(value, list):
        raise ExportError(
            f"{raw.where} is JSON or YAML, but no list of messages; write it as a list with a role and a content each",
            code="not-a-chat",
        )
    messages = read_messages(value, raw.where, filled, dropped)
    return revive(None, None, messages, raw.where, raw.name, dropped)


def _without_comments(text: str, where: str, dropped: list[str]) -> str:
    """Return a text without Nunjucks' comments, which never reach a model; that there were some is told."""
    found, at = "", 0
    for begin, end in tags_of(text):
        if text[begin + 1] != "#":
            continue
        found += text[at:begin]
        found = found.rstrip() if text[begin + 2] == "-" else found
        at = end
        while text[end - 3] == "-" and text[at : at + 1].isspace():
            at += 1
        tell(dropped, f"{where}: its template's comments were left out")
    return found + text[at:]


def _structure(text: str, where: str) -> Any:
    """Return the value of a text that is JSON or a chat in YAML, None where it is plain text."""
    begins = text.lstrip()
    if begins[:1] in ("{", "["):
        value = _as_json(text, where)
        if value is not None:
            return value
        if re.search(r"[\"']role[\"']\s*:", text):
            raise ExportError(
                f"{where} is a chat in JSON that is none before its tags are filled in; write each content as text in "
                "quotes with plain variables",
                code="not-a-chat",
            )
        return None
    if _CHAT.match(text):
        return _as_yaml(text, where)
    if all(re.search(rf"^[ \t]*(?:-[ \t]+)?{key}[ \t]*:", text, re.M) for key in ("role", "content")):
        raise ExportError(
            f"{where} looks like a chat in YAML, and promptfoo takes for one only what begins with '- role:'; write "
            "the role first",
            code="not-a-chat",
        )
    return None


def _as_json(text: str, where: str) -> Any:
    """Return the value of JSON, where ``{{name | dump}}`` may stand for a text; None where it is none."""
    for candidate in (text, _DUMP.sub(r'"{{ \1 }}"', text)):
        try:
            value = json_value(candidate, where)
        except (ValueError, RecursionError):
            continue
        return value if isinstance(value, dict | list) else None
    return None


def _as_yaml(text: str, where: str) -> Any:
    """Return the value of a chat in YAML, whose tags may stand without quotes, since promptfoo fills them in first."""
    if any(mark in text for mark in _MARKS):
        raise ExportError(
            f"{where} holds characters that stand for nothing (U+E000, U+E001); remove them", code="reserved-name"
        )
    tags: list[str] = []

    def kept(match: re.Match[str]) -> str:
        tags.append(match[0])
        return f"{_MARKS[0]}{len(tags) - 1}{_MARKS[1]}"

    def back(value: Any) -> Any:
        if isinstance(value, str):
            return re.sub(f"{_MARKS[0]}(\\d+){_MARKS[1]}", lambda match: tags[int(match[1])], value)
        if isinstance(value, list):
            return [back(one) for one in value]
        return {key: back(one) for key, one in value.items()} if isinstance(value, Mapping) else value

    return back(parse_yaml(_TAG.sub(kept, text), where))
