"""Which packs of shared prompts this home has: those of the package, those that it pulled, and files dropped on a page.

Invariant: a pack that cannot be used is listed with the reason, and none is read but by :func:`read_pack`, which checks
it; a dropped file that is none is not kept. No model is loaded.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fedprompt.errors import ExportError, FedPromptError
from fedprompt.file_names import file_name
from fedprompt.models.assets.catalogue import MODELS, installed
from fedprompt.private_file import write_private
from fedprompt.workspace.acting import needs
from fedprompt.workspace.exchange.kept_packs import kept_packs
from fedprompt.workspace.exchange.pack import Pack, PackFile, public_packs, read_pack
from fedprompt.workspace.exchange.pack_files import MAX_PACK_BYTES
from fedprompt.workspace.home import Home
from fedprompt.workspace.workspace import Workspace

__all__ = ["MAX_PACK_MEGABYTES", "PackHere", "is_missing", "keep_dropped", "pack_files", "packs_here", "remove_dropped"]

MAX_PACK_MEGABYTES = MAX_PACK_BYTES // (1024 * 1024)
MOST_DROPPED = 50
Kind = Literal["public", "pulled", "dropped"]
Signed = Literal["vouched", "unknown", "nobody"]


@dataclass(frozen=True)
class PackHere:
    """A pack, and the ``reference`` that ``adapt`` takes; ``model`` is what it runs on here.

    ``signed``: by a hub that the authority known here vouches for, by one that is not known, or by nobody. Where it is
    of no use, ``pack`` is None and ``problem`` says why.
    """

    reference: str
    kind: Kind
    pack: Pack | None
    model: str = ""
    signed: Signed = "nobody"
    problem: str | None = None

    @property
    def title(self) -> str:
        """What it is called on the pages: its study, or its file where that cannot be known."""
        return Path(self.reference).name if self.pack is None else self.pack.study


def packs_here(ws: Workspace) -> tuple[PackHere, ...]:
    """Return every pack of this home: dropped ones, the newest first, then pulled and public ones, by name."""
    return tuple(_look(ws, reference, kind) for reference, kind, _ in _known(ws.home))


def pack_files(home: Home) -> tuple[tuple[str, int, int], ...]:
    """Return what :func:`packs_here` reads of the home, each with its size and time, for a cache."""
    paths = [path for _, kind, path in _known(home) if kind != "public" and path is not None]
    states = [(path, _state(path)) for path in (*paths, home.path / "packs" / "superseded.json")]
    return tuple((str(path), state.st_size, state.st_mtime_ns) for path, state in states if state is not None)


def is_missing(home: Home, model: str) -> bool:
    """Return whether a model is one that comes as an asset, and is not here yet; looks at names alone."""
    return model in MODELS and model not in installed(home.path)


@needs("exchange")
def keep_dropped(ws: Workspace, name: str, content: bytes) -> PackHere:
    """Keep a dropped file under the home, once it was checked.

    Raises:
        FedPromptError: it is no pack, is too large, or cannot be used here; nothing is kept.
    """
    if len(content) > MAX_PACK_BYTES:
        raise ExportError(f"{name[:80]} is larger than {MAX_PACK_MEGABYTES} MB, the limit of a pack", code="too-large")
    path = _folder(ws.home) / file_name(Path(name).stem, ".zip", other="pack", apart=True)
    coming = path.parent / f".{hashlib.sha256(content).hexdigest()[:16]}.zip"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(coming, content)
        found = read_pack(ws, coming)
        os.replace(coming, path)
    except FedPromptError as error:
        raise type(error)(str(error).replace(str(coming), name[:80]), code=error.code) from None
    except OSError as error:
        raise ExportError(
            f"{path} cannot be written ({error.strerror}); check the home folder", code="cannot-write"
        ) from error
    finally:
        coming.unlink(missing_ok=True)
    return _here(str(path), "dropped", found)


@needs("exchange")
def remove_dropped(ws: Workspace, reference: str) -> None:
    """Delete a file that was dropped here; what was made with it stays in the bank."""
    for path in _dropped(ws.home):
        if str(path) == reference:
            path.unlink(missing_ok=True)


def _look(ws: Workspace, reference: str, kind: Kind) -> PackHere:
    try:
        found = read_pack(ws, reference)
    except FedPromptError as error:
        return PackHere(reference, kind, None, problem=str(error).removeprefix(f"{reference}: "))
    return _here(reference, kind, found)


def _here(reference: str, kind: Kind, found: PackFile) -> PackHere:
    signed: Signed = "nobody" if found.release is None else "vouched" if found.vouched else "unknown"
    return PackHere(reference, kind, found.pack, found.model_name, signed)


def _known(home: Home) -> tuple[tuple[str, Kind, Path | None], ...]:
    return (
        *((str(path), "dropped", path) for path in _dropped(home)[:MOST_DROPPED]),
        *((name, "pulled", path) for name, path in kept_packs(home).items()),
        *((f"public:{name}", "public", None) for name in public_packs()),
    )


def _dropped(home: Home) -> list[Path]:
    """Return the files that were dropped, the newest first."""
    found = [(path, _state(path)) for path in _folder(home).glob("*.zip") if not path.name.startswith(".")]
    known = [(path, state.st_mtime_ns) for path, state in found if state is not None]
    return [path for path, _ in sorted(known, key=lambda one: (-one[1], one[0]))]


def _folder(home: Home) -> Path:
    return home.path / "packs" / "dropped"


def _state(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None
