"""What an export would hold, before it is written: its files, their first lines, and lines that use it.

The export is written for real into a folder that is gone afterwards, but for the weights of a copied model: what is
shown is what :func:`fedprompt.workspace.exchange.exporting.export_prompts` writes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from fedprompt.errors import ExportError
from fedprompt.exports.protocol import Snippet
from fedprompt.exports.registry import format_named
from fedprompt.stopping import NEVER, StopToken
from fedprompt.workspace.exchange.each_alone import goes_alone, use_each, write_each
from fedprompt.workspace.exchange.exporting import context_of, gathered, refuse_mixtures
from fedprompt.workspace.progress import Report, quiet
from fedprompt.workspace.workspace import Workspace

__all__ = ["ExportPreview", "PreviewFile", "preview_export"]

MOST_FILES, MOST_SHOWN, MOST_LINES, LONGEST = 40, 12, 14, 160


@dataclass(frozen=True)
class PreviewFile:
    """A file of an export: its name in it, its bytes, and its first lines where it is text and is shown.

    ``more`` says whether the text goes on after these lines.
    """

    name: str
    size: int
    head: str | None
    more: bool


@dataclass(frozen=True)
class ExportPreview:
    """The ``files``, how many are ``left_out`` of the list, all bytes, lines that use it, and what is not held."""

    files: tuple[PreviewFile, ...]
    left_out: int
    size: int
    snippet: Snippet
    dropped: tuple[str, ...]


def preview_export(
    ws: Workspace,
    prompt_ids: Sequence[str],
    format: str,
    name: str,
    report: Report = quiet,
    stop: StopToken = NEVER,
) -> ExportPreview:
    """Return what :func:`export_prompts` would write to a destination of this name.

    Raises:
        BankError: a prompt is not in the bank.
        ExportError: no such format, or one that cannot hold a prompt.
    """
    chosen = format_named(format)
    if not prompt_ids:
        raise ExportError("no prompt was chosen; choose one first", code="no-prompt-chosen")
    items = gathered(ws, prompt_ids, report, stop=stop)
    refuse_mixtures(chosen, items)
    alone = goes_alone(chosen, items)
    parts = [[item] for item in items] if alone else [items]
    contexts = [replace(context_of(ws, chosen, part), weights=False) for part in parts]
    with TemporaryDirectory(dir=ws.home.path, prefix="preview-") as folder:
        # A zip is shown as the folder that it unpacks to.
        inside = name.lower().endswith(".zip")
        target = Path(folder) / ("export" if inside else Path(name).name)
        written = write_each(chosen, items, target, contexts) if alone else chosen.write(items, target, contexts[0])
        paths = sorted(path for path in written.rglob("*") if path.is_file()) if written.is_dir() else [written]
        root = written if written.is_dir() else written.parent
        files = tuple(
            _file(path, path.relative_to(root).as_posix(), shown=place < MOST_SHOWN)
            for place, path in enumerate(paths[:MOST_FILES])
        )
        size = sum(path.stat().st_size for path in paths)
    use = use_each(chosen, items, name) if alone else chosen.use(items, name)
    dropped = tuple(sentence for item in items for sentence in chosen.drops(item))
    return ExportPreview(files, max(0, len(paths) - MOST_FILES), size, use, dropped)


def _file(path: Path, name: str, *, shown: bool) -> PreviewFile:
    size = path.stat().st_size
    with path.open("rb") as opened:
        begin = opened.read(MOST_LINES * LONGEST * 4)
    whole = len(begin) == size
    try:
        # The last character may be cut in the middle.
        text = begin.decode("utf-8") if whole else begin[: begin.rfind(b"\n") + 1].decode("utf-8")
    except UnicodeDecodeError:
        return PreviewFile(name, size, None, more=False)
    if not shown or not text or "\0" in text:
        return PreviewFile(name, size, None, more=False)
    lines = text.splitlines()
    head = "\n".join(
        line if len(line) <= LONGEST else f"{line[:LONGEST]}\N{HORIZONTAL ELLIPSIS}" for line in lines[:MOST_LINES]
    )
    return PreviewFile(name, size, head, more=not whole or len(lines) > MOST_LINES)
