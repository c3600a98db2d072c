"""Fills in an exported prompt with one case, by the library that the export is for, and compares the texts.

The export is written into a folder that is gone afterwards, and its own lines run there in a process of their own.
Invariant: that process gets none of this one's environment, so that no key and no tracer of a library is in it.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from fedprompt.errors import ExportError
from fedprompt.exports.documents import fields_of
from fedprompt.exports.protocol import Exported
from fedprompt.exports.registry import format_named
from fedprompt.stopping import NEVER, StopToken
from fedprompt.workspace.exchange.exporting import context_of, gathered
from fedprompt.workspace.progress import Progress, Report, quiet
from fedprompt.workspace.workspace import Workspace

__all__ = ["LIBRARIES", "Tried", "can_try", "try_export"]

# format -> the library's module and its name; each fills in a text and asks no model
LIBRARIES: Mapping[str, tuple[str, str]] = {
    "dotprompt": ("dotpromptz", "Dotprompt"),
    "hf-templates": ("prompt_templates", "Hugging Face's prompt-templates"),
    "langchain": ("langchain_core", "LangChain"),
    "prompty": ("prompty", "Prompty"),
}
LONGEST_SECONDS, POLL_SECONDS = 60.0, 0.1
LONGEST_OUTPUT = 20_000


@dataclass(frozen=True)
class Tried:
    """What the ``library`` printed, whether it is the ``same`` text as fedprompt's, and the seconds it took.

    ``same`` is None where the prompt shows a site's examples, which an export leaves out.
    """

    library: str
    output: str
    same: bool | None
    seconds: float


def can_try(format: str) -> bool:
    """Return whether the library that a format is for is installed, and fills in a text by itself."""
    return format in LIBRARIES and find_spec(LIBRARIES[format][0]) is not None


def try_export(
    ws: Workspace,
    prompts: Sequence[str],
    format: str,
    fields: Mapping[str, str],
    report: Report = quiet,
    stop: StopToken = NEVER,
) -> Tried:
    """Return what the library makes of the first prompt and one case.

    Args:
        prompts: as ``export_prompts`` takes them.
        fields: the case, a text for each variable.

    Raises:
        BankError: a prompt is not in the bank.
        ExportError: the format cannot hold it, its library is not installed, or the library failed.
    """
    chosen = format_named(format)
    if not can_try(format):
        raise ExportError(f"the library of {chosen.title} is not installed on this machine", code="package-missing")
    (item, *_) = gathered(ws, prompts, report, scored=False, stop=stop)
    library = LIBRARIES[format][1]
    report(Progress("try", f"rendering with {library}"))
    with TemporaryDirectory(dir=ws.home.path, prefix="preview-") as work:
        name = f"export{chosen.suffix}"
        chosen.write([item], Path(work) / name, replace(context_of(ws, chosen, [item]), weights=False))
        code = _filled(chosen.use([item], name).code, item, fields)
        began = time.monotonic()
        output = _run(code, Path(work), library, stop)
        took = time.monotonic() - began
    return Tried(library, output[:LONGEST_OUTPUT], _holds(output, item, fields), round(took, 2))


def _filled(code: str, item: Exported, fields: Mapping[str, str]) -> str:
    """Return an export's own lines with the case in place of the texts to fill in."""
    case = {name: fields.get(name, "") for name in fields_of(item)}
    return code.replace(json.dumps(fields_of(item)), repr(case))


def _run(code: str, folder: Path, library: str, stop: StopToken) -> str:
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(folder), "PYTHONUTF8": "1", "NO_COLOR": "1"}
    printed = folder / "printed.txt"
    with printed.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-I", "-X", "utf8", "-c", code],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + LONGEST_SECONDS
        try:
            while process.poll() is None and time.monotonic() < until:
                stop.check()
                time.sleep(POLL_SECONDS)
        finally:
            if process.poll() is None:
                process.kill()
            code_ended = process.wait()
    if code_ended != 0:
        raise ExportError(f"{library} could not render the exported prompt; its version may differ", code="untried")
    with printed.open("rb") as file:
        return file.read(4 * LONGEST_OUTPUT).decode("utf-8", "replace").strip()


def _holds(output: str, item: Exported, fields: Mapping[str, str]) -> bool | None:
    """Return whether every text that fedprompt would send stands in what the library printed, as it is or quoted."""
    if item.prompt.template.demonstrations is not None:
        return None
    rendered = item.prompt.template.render({name: fields.get(name, "") for name in fields_of(item)})
    texts = ["".join(map(str, turn.pieces)) for turn in rendered.turns]
    return all(text.strip() in output or repr(text)[1:-1].strip() in output for text in texts)
