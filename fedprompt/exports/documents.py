"""What formats that hold a prompt's text have in common: one file a prompt, and metadata that keeps the rest.

A destination with the format's own suffix becomes one file, any other a folder or zip with a file a prompt and the
model card. The metadata carries the prompt itself, so that what fedprompt wrote comes back with the same id, and how
to read its answers. Invariant: a file whose text was changed after it was written is refused rather than taken for
the prompt that its metadata describes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from string import Formatter
from typing import Any

from fedprompt.errors import ExportError, PromptError
from fedprompt.exports.archive import open_archive
from fedprompt.exports.card import card, public_model_name
from fedprompt.exports.document_text import Document
from fedprompt.exports.identity import identity_of, prompt_of
from fedprompt.exports.protocol import ExportContext, Exported, Imported, Refusal, Snippet
from fedprompt.exports.reading import reading_body
from fedprompt.exports.syntax import Variable, f_string, field_name_for, parts_of
from fedprompt.exports.writing import publishing, write_one, write_text
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import RESERVED, Message, Template
from fedprompt.prompts.tools import Tool, tools_of

__all__ = [
    "KEY",
    "MAX_DOCUMENT_BYTES",
    "NO_WORDS",
    "carried",
    "dropped_demonstrations",
    "fields_of",
    "file_of",
    "left_out",
    "name_of",
    "peek",
    "read_documents",
    "read_tools_of",
    "refuse_soft",
    "revive",
    "write_documents",
]

KEY = "fedprompt"
MAX_DOCUMENT_BYTES = 4 * 1024 * 1024
NO_WORDS = "no label words are in the file, so each label stands for itself"


def refuse_soft(item: Exported, what: str, *, tools: bool = False) -> Refusal | None:
    """Return why a format of plain text cannot hold a prompt, or None if it can; ``tools``: whether it holds tools."""
    if item.prompt.template.tools and not tools:
        return Refusal(f"it offers tools to the model, and {what} does not hold them", "langchain")
    if item.prompt.soft is None:
        return None
    nested = item.prompt.template.is_chat or item.prompt.template.demonstrations is not None
    return Refusal(f"its soft prompt is vectors, but {what} holds only text", "bundle" if nested else "any-slot")


def dropped_demonstrations(item: Exported) -> tuple[str, ...]:
    """Return what any plain text loses of a template with demonstrations."""
    if item.prompt.template.demonstrations is None:
        return ()
    return (
        f"'{item.name}' shows a site's own examples: they are left out, and {{demonstrations}} is now a "
        "variable for your own",
    )


def carried(item: Exported, context: ExportContext) -> dict[str, Any]:
    """Return the metadata: the prompt's identity, the model it is for, and how its answers are read."""
    model = item.study.model if item.study is not None else context.model_name
    return {
        "prompt": identity_of(item.prompt, item.name),
        "model": public_model_name(model),
        "reading": reading_body(item.reading),
    }


def document_name(item: Exported, suffix: str) -> str:
    """Return what a prompt's file is called in a folder of several."""
    return f"{item.prompt.id.replace(':', '-')}{suffix}"


def file_of(items: Sequence[Exported], name: str, suffix: str) -> str:
    """Return the file to load: the destination where it is one file, else the first prompt's in the folder."""
    return name if name.lower().endswith(suffix) else document_name(items[0], suffix)


def fields_of(item: Exported) -> dict[str, str]:
    """Return the fields of a prompt with a text to fill in, for lines that run it."""
    return dict.fromkeys(item.prompt.template.variables, "...")


def write_documents(
    items: Sequence[Exported],
    destination: Path,
    context: ExportContext,
    *,
    title: str,
    suffixes: Sequence[str],
    use: Callable[[Sequence[Exported], str], Snippet],
    refuses: Callable[[Exported], Refusal | None],
    text: Callable[[Sequence[Exported]], str],
    one_file: str | None = None,
) -> Path:
    """Write prompts as one file with the format's suffix, or as a folder or zip with the model card.

    Args:
        items: the prompts.
        destination: where to.
        context: the model they run on.
        title: the format, in words.
        suffixes: of a single file, in small letters.
        use: the lines that load it, of the prompts and a destination's name.
        refuses: why a prompt cannot be held.
        text: the text of a file with these prompts.
        one_file: the name of the one file in a folder that holds all prompts; None where each has its own.

    Raises:
        ExportError: no prompts, one that is refused, several where a file holds one, or a destination that cannot
            be written.
    """
    if not items:
        raise ExportError(f"{destination}: there is no prompt to write", code="no-prompt")
    for item in items:
        if refusal := refuses(item):
            raise ExportError(
                f"prompt '{item.name}' cannot be written as {title}: {refusal.reason}; use {refusal.instead} instead",
                code="cannot-hold",
            )
    if destination.suffix.lower() in suffixes:
        if one_file is None and len(items) > 1:
            raise ExportError(
                f"{destination}: one {title} file holds one prompt, not {len(items)}; give a folder or a .zip",
                code="one-prompt-only",
            )
        write_one(destination, text(items).encode())
        return destination
    with publishing(destination) as folder:
        if one_file is not None:
            write_text(folder / one_file, text(items))
        else:
            for item in items:
                write_text(folder / document_name(item, suffixes[0]), text([item]))
        write_text(folder / "README.md", card(f"Prompts as {title}", use(items, ""), items, context))
    return destination


def read_documents(path: Path, suffixes: Sequence[str]) -> Iterable[Document]:
    """Yield the files of a format: the one that ``path`` is, or those in a folder or zip, its README left out.

    Raises:
        ExportError: it is not there, too large, hostile, or holds a file of another kind.
    """
    if path.suffix.lower() in suffixes and not _is_folder(path):
        yield Document(str(path), path.stem, _bounded(path))
        return
    with open_archive(path) as archive:
        for name in archive.names:
            if name == "README.md":
                continue
            if Path(name).suffix.lower() not in suffixes:
                raise ExportError(f"{path}: {name} does not belong in this format; refused", code="stray-file")
            yield Document(f"{path}: {name}", Path(name).stem, archive.read(name, MAX_DOCUMENT_BYTES))


def peek(path: Path) -> bytes:
    """Return a file's bytes to tell formats apart by, empty where it is a folder or too large."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_DOCUMENT_BYTES:
            return b""
        return path.read_bytes()
    except OSError:
        return b""


def revive(
    metadata: Any,
    text: str | None,
    messages: tuple[Message, ...] | None,
    where: str,
    name: str,
    dropped: Sequence[str],
    tools: tuple[Tool, ...] = (),
) -> Imported:
    """Return the prompt of a file: the one in its metadata if its text agrees, otherwise a new one of its text.

    Args:
        metadata: what :func:`carried` wrote, or anything else.
        text: the bare completion that was read; None for chat.
        messages: the chat messages that were read; None for a bare completion.
        where: begins the message of an error.
        name: of a prompt that is not ours.
        dropped: what was left out already.
        tools: that were read with a chat.

    Raises:
        ExportError: the text does not agree with the metadata, or is no template.
    """
    ours = metadata.get(KEY) if isinstance(metadata, Mapping) else None
    if isinstance(ours, Mapping) and isinstance(ours.get("prompt"), Mapping):
        prompt = prompt_of(ours["prompt"], None, where)
        held = prompt.template
        as_user = (Message("user", held.text),) if held.text is not None else None
        same = (text, messages) in ((held.text, held.messages), (None, as_user))
        if not same or tools != held.tools:
            raise ExportError(
                f"{where} was changed after fedprompt wrote it; remove its '{KEY}' part to import it", code="changed"
            )
        return Imported(prompt, {}, tuple(dropped))
    try:
        text, messages, renamed = _as_fields(text, messages, where)
        template = Template(_readable(name), text=text, messages=messages, tools=tools)
        if not template.variables:
            renamed = (f"{where}: its text shows no field, so the prompt is the same for every case; add a field",)
        return Imported(Prompt(template), {}, (*dropped, *renamed, NO_WORDS))
    except PromptError as error:
        raise ExportError(f"{where}: {error}", code=error.code) from error


def read_tools_of(value: Any, where: str) -> tuple[Tool, ...]:
    """Return the tools of a file; none if it holds none.

    Raises:
        ExportError: they are no tools, or out of their bounds.
    """
    if not value:
        return ()
    try:
        return tools_of(value)
    except PromptError as error:
        raise ExportError(f"{where}: {error}", code=error.code) from error


def _as_fields(
    text: str | None, messages: tuple[Message, ...] | None, where: str
) -> tuple[str | None, tuple[Message, ...] | None, tuple[str, ...]]:
    """Return the texts with variables that are fields' names, and a sentence for each that was renamed.

    Raises:
        ExportError: a variable has a name that fedprompt keeps for itself, or none that a field could have.
    """
    sources = [text or ""] if messages is None else [one.content for one in messages]
    try:
        parsed = [list(Formatter().parse(source)) for source in sources]
    except ValueError:
        return text, messages, ()  # the template says what is wrong with its braces
    found = dict.fromkeys(name for source in parsed for _, name, _, _ in source if name is not None)
    if kept := [name for name in found if name in RESERVED]:
        what = "soft prompts" if kept[0] == "soft" else "cases shown as examples"
        raise ExportError(
            f"{where} has a variable named '{kept[0]}', which is reserved for {what}; rename it", code="reserved-name"
        )
    if any(spec or conversion for source in parsed for _, _, spec, conversion in source):
        return text, messages, ()
    taken = {name for name in found if name.isidentifier()}
    names: dict[str, str] = {}
    for name in found:
        if name in taken:
            continue
        wanted = field_name_for(name)
        if not wanted:
            raise ExportError(
                f"{where} has the variable {name[:60]!r}, which is not a valid field name; rename it",
                code="odd-variable",
            )
        wanted = f"{wanted}_field" if wanted in RESERVED else wanted
        while wanted in taken:
            wanted += "_2"
        taken.add(wanted)
        names[name] = wanted
    if not names:
        return text, messages, ()
    told = tuple(
        f"{where}: the variable '{name}' became the field '{new}', because a field's name has only letters, "
        "digits and _"
        for name, new in names.items()
    )

    def named(source: str) -> str:
        parts = parts_of(source)
        return f_string([Variable(names.get(p.name, p.name)) if isinstance(p, Variable) else p for p in parts])

    if messages is None:
        return named(text or ""), None, told
    return None, tuple(Message(one.role, named(one.content)) for one in messages), told


def _readable(name: str) -> str:
    """Return a prompt's name on one line, in at most 80 characters that UTF-8 can hold."""
    shown = "".join(one if one.isprintable() else " " for one in name[:500])
    return " ".join(shown.split())[:80].strip() or "imported"


def name_of(value: Any, stem: str) -> str:
    """Return a prompt's name: what its file says, or else the file's own name."""
    said = str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
    return _readable(said if said.strip() else stem)


def left_out(where: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return the sentence that tells which keys of a file were left out, if any were."""
    if not names:
        return ()
    shown = [*names[:12], f"{len(names) - 12} more"] if len(names) > 12 else list(names)
    listed = " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
    return (f"{where}: its {listed} {'was' if len(names) == 1 else 'were'} left out",)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # which reading it tells
        return False


def _bounded(path: Path) -> bytes:
    try:
        if not path.is_file() and not path.is_dir() and path.exists():  # a pipe that nobody writes to never ends
            raise ExportError(f"{path} is not a regular file; save it to a file first", code="not-a-file")
        if path.stat().st_size > MAX_DOCUMENT_BYTES:
            raise ExportError(
                f"{path}: larger than {MAX_DOCUMENT_BYTES:,} bytes, the limit for a prompt file", code="too-large"
            )
        return path.read_bytes()
    except OSError as error:
        raise ExportError(f"{path} cannot be read ({error.strerror})", code="cannot-read") from error
