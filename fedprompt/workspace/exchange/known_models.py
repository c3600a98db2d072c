"""The models that an imported file may be bound to: those of the home, and those that studies of the bank name.

A file names a model by a name, or by the folder that it was loaded from. Nothing is fetched for a file. A folder that
a file names counts only if it is one of the known models, or has the digest of one.
"""

import json
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

from fedprompt.errors import FedPromptError
from fedprompt.exports.card import public_model_name
from fedprompt.exports.protocol import ImportContext
from fedprompt.workspace.workspace import Workspace

__all__ = ["import_context"]

MAX_CONFIG_BYTES = 1024 * 1024


def import_context(ws: Workspace) -> ImportContext:
    """Return what an import may ask of this home's models; each is asked once, since a file names few, many times."""
    return ImportContext(cache(partial(_digest_of, ws)), cache(partial(_width_of, ws)), partial(_names, ws))


def _folders(ws: Workspace) -> Iterator[tuple[str, Path]]:
    """Yield name and folder of each model that lies in the home."""
    from fedprompt.models.assets.catalogue import MODELS, asset_folder

    for name in MODELS:
        try:
            yield name, asset_folder(ws.home.path, name)
        except FedPromptError:
            continue
    fetched = ws.home.path / "models"
    for folder in sorted(fetched.iterdir()) if fetched.is_dir() else ():
        if folder.is_dir() and not folder.name.startswith("."):
            yield folder.name.replace("--", "/", 1), folder


def _names(ws: Workspace) -> tuple[str, ...]:
    """Return the names of the known models, of a folder only its last part."""
    named = [name for name, _ in _folders(ws)] + [row.study.model for row in ws.bank.studies()]
    return tuple(dict.fromkeys(map(public_model_name, named)))


def _digest_of(ws: Workspace, name: str) -> str | None:
    """Return the digest of the model that a file calls by this name or folder, None where it is not known."""
    from fedprompt.models.hf.digest import model_digest

    studies = ws.bank.studies()
    for row in studies:
        if row.study.model == name:
            return row.model_digest
    folders = dict(_folders(ws))
    folder = folders.get(name)
    if folder is None and (path := _here(name)) is not None:
        for known in folders.values():
            if known.resolve() == path:
                folder = known
        for row in studies:
            if public_model_name(row.study.model) != row.study.model and _here(row.study.model) == path:
                return row.model_digest
        if folder is None:
            digest = _quietly(path)
            others = {row.model_digest for row in studies} | {_quietly(known) for known in folders.values()}
            return digest if digest in others else None
    return None if folder is None else model_digest(folder)


def _here(name: str) -> Path | None:
    """Return the folder that a path names if it is on this machine; a bare name is no path."""
    if public_model_name(name) == name:
        return None
    try:
        path = Path(name).expanduser().resolve()
        return path if path.is_dir() else None
    except (OSError, RuntimeError, ValueError):
        return None


def _quietly(folder: Path) -> str | None:
    from fedprompt.models.hf.digest import model_digest

    try:
        return model_digest(folder)
    except (FedPromptError, OSError):
        return None


def _width_of(ws: Workspace, name: str) -> int | None:
    """Return the embedding width of a model of the home, None where it is not here or does not say."""
    folder = dict(_folders(ws)).get(name) or _here(name)
    try:
        raw = None if folder is None else (folder / "config.json").read_bytes()[: MAX_CONFIG_BYTES + 1]
        found = None if raw is None or len(raw) > MAX_CONFIG_BYTES else json.loads(raw).get("hidden_size")
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
    return found if isinstance(found, int) else None
