"""Writes a pack and reads one as a stranger's: bounds first, then every number, then whether its prompts can answer.

A pack is ``pack.json`` beside a ``bundle/`` with its members, as a folder or zip; in a release ``release.json`` signs
both. Invariant: what :func:`read_pack` returns holds each member as its content id says, all of them prompts that
answer among the pack's labels on one model that this home knows already, and no vector longer than a site takes from
a hub. Nothing is fetched because a pack says so.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fedprompt.boundary.checked import Bounds, Unfit, checked_json
from fedprompt.errors import ExportError, ModelMismatch, PromptError, did_you_mean
from fedprompt.exports.archive import Archive, open_archive
from fedprompt.exports.bundle import read_bundle, write_bundle
from fedprompt.exports.protocol import ExportContext, Exported
from fedprompt.exports.writing import json_text, publishing, write_text
from fedprompt.models.protocols import ModelInfo
from fedprompt.prompts.adapted import Adapted
from fedprompt.prompts.prompt import Prompt
from fedprompt.tuning.tunables.soft import MAX_SOFT_NORM
from fedprompt.workspace.exchange.pack_schema import Member, Pack

__all__ = [
    "MAX_PACK_BYTES",
    "MAX_PACK_JSON_BYTES",
    "PACK_FILE",
    "PREFIX",
    "PUBLIC",
    "OpenedPack",
    "checked_members",
    "open_pack",
    "pack_of",
    "public_pack",
    "public_packs",
    "write_pack",
    "write_pack_json",
]

PACK_FILE = "pack.json"
MAX_PACK_BYTES = 64 * 1024 * 1024
MAX_PACK_JSON_BYTES = 512 * 1024
_PACK = Bounds(MAX_PACK_JSON_BYTES, values=8_000, nested=400, members=40, depth=6)
PUBLIC = Path(__file__).parent / "public"
PREFIX = "public:"


@dataclass(frozen=True)
class OpenedPack:
    """A pack and its ``members``, in the pack's order, both checked; ``path`` is where it lies."""

    pack: Pack
    members: tuple[Prompt, ...]
    path: Path

    def check_model(self, info: ModelInfo) -> None:
        """Refuse a model that the pack was not made for.

        Raises:
            ModelMismatch: it is another one, or its vectors have another width.
        """
        soft = next((member.soft for member in self.members if member.soft is not None), None)
        if soft is not None:
            soft.check_model(info.digest, info.name, info.width)
        if self.pack.model != info.digest:
            raise ModelMismatch(
                f"{self.path}: the pack was made for the model {self.pack.model[:19]}, not for {info.name} "
                f"({info.digest[:19]}); load the model it was made for",
                code="another-revision",
            )
        if soft is not None and soft.width != info.width:
            raise ModelMismatch(
                f"{self.path}: its vectors have width {soft.width}, but {info.name} has width {info.width}, so "
                "they belong to another model than the pack claims; do not use it",
                code="another-width",
            )


def public_packs() -> tuple[str, ...]:
    """Return the names of the packs that come with fedprompt."""
    return tuple(sorted(path.stem for path in PUBLIC.glob("*.zip")))


def public_pack(reference: str) -> Path | None:
    """Return the file of ``public:NAME``; None where the reference is none of this form.

    Raises:
        ExportError: no such pack comes with fedprompt.
    """
    if not reference.startswith(PREFIX):
        return None
    name, known = reference.removeprefix(PREFIX), public_packs()
    if name not in known:
        raise ExportError(
            f"there is no public pack '{name[:80]}'{did_you_mean(name[:80], known)}; available: "
            f"{', '.join(known) or 'none'}",
            code="no-such-pack",
        )
    return PUBLIC / f"{name}.zip"


def write_pack(destination: Path, pack: Pack, items: Sequence[Exported], context: ExportContext) -> Path:
    """Write a pack by itself, as a folder or a ``.zip``; ``items`` are its members.

    Raises:
        ExportError: the members are not the pack's, cannot answer like it says, or the file cannot be written.
    """
    checked_members(pack, {item.prompt.id: item.prompt for item in items}, destination)
    with publishing(destination) as folder:
        (folder / "bundle").mkdir()
        write_bundle(folder / "bundle", items, context)
        write_pack_json(folder, pack)
    return destination


def write_pack_json(folder: Path, pack: Pack) -> str:
    """Write ``pack.json`` into a folder; return its SHA-256."""
    content = json_text(pack.model_dump(mode="json"))
    write_text(folder / PACK_FILE, content)
    return hashlib.sha256(content.encode()).hexdigest()


def open_pack(path: Path) -> OpenedPack:
    """Return a pack that lies by itself in a folder or zip, once all of it was checked.

    Raises:
        ExportError: it is damaged, hostile or no pack; says what is wrong with which file.
    """
    if path.is_file() and path.stat().st_size > MAX_PACK_BYTES:
        raise ExportError(f"{path} is larger than {MAX_PACK_BYTES:,} bytes, the limit of a pack", code="too-large")
    with open_archive(path) as archive:
        return _opened(archive)


def _opened(archive: Archive) -> OpenedPack:
    if PACK_FILE not in archive.names:
        raise ExportError(
            f"{archive.path} has no {PACK_FILE}, so it is not a pack of shared prompts; 'fedprompt import' "
            "reads other exports",
            code="not-a-pack",
        )
    if stray := [name for name in archive.names if name != PACK_FILE and not name.startswith("bundle/")]:
        raise ExportError(f"{archive.path}: {stray[0]} does not belong in a pack; refused", code="stray-file")
    pack = pack_of(archive)
    prompts = {one.prompt.id: one.prompt for one in read_bundle(archive.under("bundle"))}
    found = OpenedPack(pack, checked_members(pack, prompts, archive.path), archive.path)
    if odd := sorted(set(prompts) - {member.prompt for member in pack.members}):
        raise ExportError(
            f"{archive.path}: the prompt {odd[0]} is not a member of the pack; refused", code="stray-file"
        )
    return found


def pack_of(archive: Archive) -> Pack:
    """Return what a pack says; its members are not looked at.

    Raises:
        ExportError: it is not well formed; says which field.
    """
    try:
        return checked_json(Pack, archive.read(PACK_FILE, MAX_PACK_JSON_BYTES), _PACK, strict=True)
    except Unfit as error:
        raise ExportError(f"{archive.path}: {PACK_FILE}, {error}", code="not-well-formed") from None


def checked_members(pack: Pack, prompts: dict[str, Prompt], path: Path) -> tuple[Prompt, ...]:
    """Return the pack's members among these prompts, once each was seen to fit it.

    Raises:
        ExportError: one is missing, is of another kind, model, shape or class set, or is longer than any that is
            taken.
    """
    found = []
    for member in pack.members:
        if (prompt := prompts.get(member.prompt)) is None:
            raise ExportError(
                f"{path}: the member {member.prompt} is not in its bundle; the pack is incomplete",
                code="member-missing",
            )
        _check_member(pack, member, prompt, path)
        found.append(prompt)
    widths = {prompt.soft.width for prompt in found if prompt.soft is not None}
    if len(widths) > 1:
        raise ExportError(
            f"{path}: its vectors have the widths {min(widths)} and {max(widths)}, but a model has one width; refused",
            code="wrong-shape",
        )
    try:
        made = Adapted(tuple(found), pack.shares_of_members, pack.labels, (0.0,) * len(pack.labels))
    except PromptError as error:
        raise ExportError(f"{path}: {error}", code=error.code) from error
    if odd := [name for name in made.fields if name not in pack.fields]:
        raise ExportError(
            f"{path}: a member uses the field '{odd[0][:80]}', which is not a field of the pack; refused",
            code="unknown-field",
        )
    return made.members


def _check_member(pack: Pack, member: Member, prompt: Prompt, path: Path) -> None:
    where = f"{path}: member {member.prompt}"
    if (prompt.soft is None) != (member.kind == "template"):
        raise ExportError(
            f"{where} is not a {member.kind}, because its vectors contradict that; refused", code="not-well-formed"
        )
    if prompt.soft is None:
        return
    if prompt.soft.model != pack.model:
        raise ExportError(
            f"{where} was tuned for the model {prompt.soft.model[:19]}, but the pack is for {pack.model[:19]}; refused",
            code="another-model",
        )
    norm = float(np.linalg.norm(prompt.soft.vectors.astype(np.float64)))
    if norm > MAX_SOFT_NORM:
        raise ExportError(
            f"{where} has norm {norm:.3g}, above the limit of {MAX_SOFT_NORM:g}; it was not tuned by "
            "fedprompt, so do not use it",
            code="out-of-range",
        )
