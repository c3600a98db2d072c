"""Packs that ``site pull`` kept, found by their study's name; and which packs a newer release has superseded.

They lie in ``packs/`` of the home, ``STUDY@FEDERATION.zip``, one a study of a federation: the one that was pulled last.
Invariant: what was superseded once stays so, also where the older release is shown again; and no federation supersedes
another's pack, or a public one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fedprompt.errors import ExportError
from fedprompt.file_names import file_name
from fedprompt.private_file import write_private
from fedprompt.workspace.home import Home
from fedprompt.workspace.json_file import now, read_json, write_json

__all__ = ["Superseded", "keep_pack", "kept_pack", "kept_packs", "supersede", "superseded_by"]

FOLDER = "packs"


@dataclass(frozen=True)
class Superseded:
    """The release that superseded a pack."""

    federation: str
    number: int
    at: str


def keep_pack(home: Home, data: bytes, *, study: str, federation: str) -> str:
    """Keep a release that was checked, in place of an older one; return the name that finds it."""
    name = _stem(f"{study}@{federation}")
    folder = home.path / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    write_private(folder / f"{name}.zip", data)
    others = [full for full in kept_packs(home) if full != name and full.startswith(f"{_stem(study)}@")]
    return name if others else study


def kept_packs(home: Home) -> dict[str, Path]:
    """Return ``STUDY@FEDERATION`` -> the file, by name."""
    return {path.stem: path for path in sorted((home.path / FOLDER).glob("*@*.zip"))}


def kept_pack(home: Home, name: str) -> Path | None:
    """Return the file of ``STUDY`` or ``STUDY@FEDERATION``, None where nothing of that name was pulled.

    Raises:
        ExportError: studies of several federations have this name.
    """
    known, wanted = kept_packs(home), _stem(name)
    if wanted in known:
        return known[wanted]
    found = [full for full in known if full.partition("@")[0] == wanted]
    if len(found) > 1:
        raise ExportError(
            f"packs of several federations are named '{name}': {' and '.join(found)}; give one of these names",
            code="several-packs",
        )
    return known[found[0]] if found else None


def supersede(home: Home, packs: Sequence[str], *, federation: str, number: int) -> None:
    """Remember that a release superseded packs of its federation."""
    known = read_json(_file(home)) or {}
    body = {"federation": federation, "number": number, "at": now()}
    new = {key: body for id in packs if (key := f"{id}@{federation}") not in known}
    if new:
        write_json(_file(home), {**known, **new})


def superseded_by(home: Home, pack: str, federation: str | None) -> Superseded | None:
    """Return what superseded a federation's pack, None where nothing did.

    Args:
        home: the home.
        pack: its id.
        federation: whose it is; None where nothing says so, as of a pack that was taken out of its release.
    """
    known = read_json(_file(home)) or {}
    keys = [key for key in known if key.partition("@")[0] == pack] if federation is None else [f"{pack}@{federation}"]
    found = next((known[key] for key in keys if key in known), None)
    return None if found is None else Superseded(found["federation"], int(found["number"]), found["at"])


def _stem(name: str) -> str:
    """Return a file's name: a study's that no disk holds, shortened, and the federation's as it is."""
    study, at, federation = name.partition("@")
    return file_name(study, apart=True) + at + (file_name(federation, apart=True) if at else "")


def _file(home: Home) -> Path:
    return home.path / FOLDER / "superseded.json"
