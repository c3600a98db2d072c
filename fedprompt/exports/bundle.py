"""The bundle: a folder or zip that holds any prompts without loss, and is checked bit by bit on the way in.

``bank.json`` (a closed, versioned schema), ``soft/<id>.safetensors`` for each soft prompt, ``README.md``,
``hashes.json`` with the SHA-256 of each of these, and, where the home has a key, ``signature.json`` over
``hashes.json``. The same prompts give the same bytes. Invariant: an import either re-derives every prompt's id
from what it read, or takes nothing.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from fedprompt.boundary.checked import Bounds, Unfit, checked_json, first_fault
from fedprompt.boundary.json_bounds import measure
from fedprompt.errors import ExportError, PromptError
from fedprompt.exports.archive import Archive, open_archive
from fedprompt.exports.bundle_schema import (
    MAX_PROMPTS,
    SOFT_FILE,
    VERSION,
    BundleAdapted,
    BundleFile,
    BundlePrompt,
    Hashes,
    Signature,
)
from fedprompt.exports.card import card
from fedprompt.exports.protocol import ExportContext, Exported, ImportContext, Imported, Reading, Refusal, Snippet
from fedprompt.exports.tensors import load_tensor, save_tensor
from fedprompt.exports.writing import json_text, publishing, write_text
from fedprompt.prompts.adapted import Adapted
from fedprompt.prompts.prompt import Prompt
from fedprompt.trust.signing import fingerprint, is_signed

__all__ = ["Bundle", "read_bundle", "write_bundle"]

MAX_JSON_BYTES = 64 * 1024 * 1024
# 10,000 prompts of 13 lists and objects each, with words for 256 labels where they are few.
_PROMPTS = Bounds(MAX_JSON_BYTES, values=2_000_000, nested=400_000, members=11_000, depth=32)
_HASHES = Bounds(8 * 1024 * 1024, values=50_000, nested=4, members=21_000, depth=3)
_SIGNATURE = Bounds(4096, values=10, nested=1, members=5, depth=1)
TENSOR = "vectors"
SIGNED = b"fedprompt bundle 1\n"  # what is signed says what it is, so that no other signature passes for it
_FILES = frozenset({"bank.json", "hashes.json", "README.md", "signature.json"})


class Bundle:
    """Holds every prompt."""

    name = "bundle"
    title = "Bundle"
    description = "Everything for another fedprompt: prompts, vectors, scores and hashes, without loss."
    suffix = ".zip"
    many = True
    needs_model = False

    def drops(self, item: Exported) -> tuple[str, ...]:
        """Return nothing: a bundle holds all that a prompt is, and its best scores."""
        return ()

    def refuses(self, item: Exported) -> Refusal | None:
        """Return None: a bundle holds every prompt."""
        return None

    def use(self, items: Sequence[Exported], name: str) -> Snippet:
        """Return lines that read the bundle into a bank."""
        return Snippet("bash", f"fedprompt import {name or '.'}", _NOTE, inside=not name)

    def write(self, items: Sequence[Exported], destination: Path, context: ExportContext) -> Path:
        """Write a bundle; the same prompts in any order give the same bytes.

        Raises:
            ExportError: no prompts, too many, or the destination cannot be written.
        """
        ordered = [item for _, item in sorted({item.id: item for item in items}.items())]
        if not 1 <= (prompts := len(_prompts(ordered))) <= MAX_PROMPTS:
            raise ExportError(f"a bundle holds 1 to {MAX_PROMPTS:,} prompts, not {prompts:,}", code="number-of-prompts")
        with publishing(destination) as folder:
            write_bundle(folder, ordered, context)
        return destination

    def recognises(self, path: Path, names: frozenset[str]) -> bool:
        """Return whether there is a ``bank.json`` in it."""
        return path.suffix.lower() != ".json" and "bank.json" in names

    def read(self, path: Path, context: ImportContext) -> tuple[Imported, ...]:
        """Read a bundle; every hash and every id must agree.

        Raises:
            ExportError: it is damaged, hostile, or written by a newer fedprompt.
        """
        with open_archive(path) as archive:
            return read_bundle(archive, adapted=True)


def write_bundle(folder: Path, items: Sequence[Exported], context: ExportContext) -> None:
    """Write a bundle's files into a folder that is there; ``items`` are distinct, adapted ones with their members.

    Raises:
        ExportError: the schema does not hold a prompt.
    """
    ordered = sorted(items, key=lambda item: item.id)
    prompts = _prompts(ordered)
    mixed = [item for item in ordered if item.adapted is not None]
    headed = any(item.adapted.head is not None for item in mixed if item.adapted is not None)
    version: Literal[1, 2, 3] = 3 if headed else 2 if mixed or any(item.reading.bias for item in prompts) else 1
    try:
        body = BundleFile(
            format="fedprompt-bundle",
            version=version,
            prompts=tuple(map(_describe, prompts)),
            adapted=tuple(map(_describe_adapted, mixed)),
        )
    except ValidationError as error:
        raise ExportError(f"a bundle cannot hold this ({first_fault(error)})", code="not-well-formed") from error
    files = {
        "bank.json": json_text(_earlier(body.model_dump(mode="json"), version)).encode(),
        "README.md": card("A bundle of prompts", Bundle().use(ordered, ""), ordered, context).encode(),
    }
    for item in prompts:
        if item.prompt.soft is not None:
            (folder / "soft").mkdir(exist_ok=True)
            files[_soft_name(item.prompt.id)] = save_tensor(TENSOR, item.prompt.soft.vectors)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    hashes = json_text({"algorithm": "sha256", "files": sums})
    write_text(folder / "hashes.json", hashes)
    if context.signer is not None:
        signature = context.signer.sign(SIGNED + hashes.encode()).hex()
        signed = Signature(algorithm="ed25519", key=context.signer.key, signature=signature)
        write_text(folder / "signature.json", json_text(signed.model_dump(mode="json")))


def read_bundle(archive: Archive, *, adapted: bool = False) -> tuple[Imported, ...]:
    """Read a bundle's files; each prompt's notes say under ``signature`` whether and by whom it was signed.

    Args:
        archive: the bundle.
        adapted: whether it may hold adapted prompts; they come after the prompts.

    Raises:
        ExportError: it is damaged, hostile, written by a newer fedprompt, or its signature is false.
    """
    path = archive.path
    for name in archive.names:
        if name not in _FILES and not SOFT_FILE.fullmatch(name):
            raise ExportError(f"{path}: {name} does not belong in a bundle; refused", code="stray-file")
    _check_hashes(archive)
    signature = _check_signature(archive)
    body = _parse(archive)
    named = {prompt.soft.file for prompt in body.prompts if prompt.soft is not None}
    if stray := sorted(name for name in archive.names if SOFT_FILE.fullmatch(name) and name not in named):
        raise ExportError(f"{path}: {stray[0]} belongs to no prompt of bank.json; refused", code="stray-file")
    if len({prompt.id for prompt in body.prompts}) != len(body.prompts):
        raise ExportError(f"{path}: bank.json lists a prompt twice; refused", code="prompt-twice")
    if body.adapted and not adapted:
        raise ExportError(
            f"{path}: bank.json has an adapted prompt, which belongs to one home only; refused",
            code="adapted-prompt",
        )
    if len({one.id for one in body.adapted}) != len(body.adapted):
        raise ExportError(f"{path}: bank.json lists an adapted prompt twice; refused", code="prompt-twice")
    found = tuple(_rebuild(archive, described, signature) for described in body.prompts)
    held = {one.prompt.id: one.prompt for one in found}
    return (*found, *(_rebuild_adapted(path, described, held, signature) for described in body.adapted))


def _prompts(items: Sequence[Exported]) -> list[Exported]:
    """Return the prompts to be written, by id: each that was chosen, and the members of adapted prompts."""
    members = {member.prompt.id: member for item in items if item.is_mixture for member in item.members}
    return [item for _, item in sorted((members | {i.prompt.id: i for i in items if not i.is_mixture}).items())]


def _earlier(body: dict[str, Any], version: int) -> dict[str, Any]:
    """Return ``bank.json`` without the keys that a reader of this version does not know."""
    if version == 1:
        del body["adapted"]
        for prompt in body["prompts"]:
            del prompt["reading"]["bias"]
    for one in body["adapted"] if version == 2 else ():
        del one["head"], one["part"]
    return body


def _describe_adapted(item: Exported) -> BundleAdapted:
    assert item.adapted is not None
    return BundleAdapted.model_validate(
        {"id": item.id, "name": item.name, **item.adapted.canonical(), "reading": _reading(item.reading)}
    )


def _rebuild_adapted(
    path: Path, described: BundleAdapted, held: Mapping[str, Prompt], signature: Mapping[str, Any]
) -> Imported:
    where = f"{path}: adapted prompt {described.id}"
    if missing := [id for id in described.members if id not in held]:
        raise ExportError(
            f"{where}: its member {missing[0]} is not in the bundle, so the bundle is incomplete", code="member-missing"
        )
    try:
        members = tuple(held[id] for id in described.members)
        head = None if described.head is None else described.head.head()
        adapted = Adapted(members, described.weights, described.labels, described.bias, head=head, part=described.part)
    except PromptError as error:
        raise ExportError(f"{where}: {error}", code=error.code) from error
    if adapted.id != described.id:
        raise ExportError(f"{where} does not match its id; refused", code="another-content")
    notes = {
        "name": described.name,
        "reading": described.reading.model_dump(mode="json"),
        "signature": dict(signature),
    }
    return Imported(adapted.heaviest, notes, adapted=adapted)


def _describe(item: Exported) -> BundlePrompt:
    soft, study = item.prompt.soft, item.study
    return BundlePrompt.model_validate(
        {
            "id": item.prompt.id,
            "name": item.prompt.name if item.adapted is not None else item.name,
            "template": item.prompt.template.canonical(),
            "soft": None
            if soft is None
            else {
                "model": soft.model,
                "tokens": soft.tokens,
                "width": soft.width,
                "file": _soft_name(item.prompt.id),
            },
            "study": None
            if study is None
            else {
                "name": study.study,
                "fields": study.fields,
                "answer": study.answer.type,
                "labels": study.answer.labels,
            },
            "reading": _reading(item.reading),
        }
    )


def _reading(reading: Reading) -> dict[str, Any]:
    return {
        "words": dict(reading.words),
        "how": reading.how,
        "metric": reading.metric,
        "scores": dict(reading.scores),
        "mean": reading.mean,
        "low": reading.low,
        "high": reading.high,
        "split": reading.split,
        "cases": dict(reading.cases),
        "normalise": reading.normalise,
        "prior": reading.prior,
        "writing": asdict(reading.writing),
        "bias": dict(reading.bias),
    }


def _check_hashes(archive: Archive) -> None:
    try:
        hashes = checked_json(Hashes, archive.read("hashes.json", MAX_JSON_BYTES), _HASHES, strict=True)
    except Unfit as error:
        raise ExportError(f"{archive.path}: hashes.json: {error}", code="not-well-formed") from None
    there = set(archive.names) - {"hashes.json", "signature.json"}
    if missing := sorted(set(hashes.files) - there):
        raise ExportError(
            f"{archive.path}: the file {missing[0]} is missing; the bundle is incomplete", code="file-missing"
        )
    if stray := sorted(there - set(hashes.files)):
        raise ExportError(f"{archive.path}: {stray[0]} is not listed in hashes.json; refused", code="stray-file")
    for name in sorted(there):
        if hashlib.sha256(archive.read(name)).hexdigest() != hashes.files[name]:
            raise ExportError(
                f"{archive.path}: {name} does not match its SHA-256; download the bundle again", code="another-content"
            )


def _check_signature(archive: Archive) -> dict[str, Any]:
    """Return ``{"state": "unsigned" | "signed", "signer": fingerprint}``; a false signature is refused."""
    if "signature.json" not in archive.names:
        return {"state": "unsigned", "signer": None}
    try:
        signed = checked_json(Signature, archive.read("signature.json", 4096), _SIGNATURE, strict=True)
    except Unfit as error:
        raise ExportError(f"{archive.path}: signature.json: {error}", code="not-well-formed") from None
    message = SIGNED + archive.read("hashes.json", MAX_JSON_BYTES)
    if not is_signed(signed.key, message, bytes.fromhex(signed.signature)):
        raise ExportError(
            f"{archive.path}: its signature does not match its key; download the bundle again",
            code="not-the-signature",
        )
    return {"state": "signed", "signer": fingerprint(signed.key)}


def _parse(archive: Archive) -> BundleFile:
    raw = archive.read("bank.json", MAX_JSON_BYTES)
    try:
        for version in measure(raw, _PROMPTS, "version"):
            if version.isascii() and version.isdigit() and int(version) > VERSION:
                raise ExportError(
                    f"{archive.path}: bank.json has version {version}, but this fedprompt reads up to "
                    f"{VERSION}; update fedprompt",
                    code="newer-version",
                )
        return checked_json(BundleFile, raw, _PROMPTS, strict=True)
    except Unfit as error:
        raise ExportError(f"{archive.path}: bank.json: {error}", code="not-well-formed") from None


def _rebuild(archive: Archive, described: BundlePrompt, signature: Mapping[str, Any]) -> Imported:
    vectors: NDArray[np.float32] | None = None
    where = f"{archive.path}: prompt {described.id}"
    soft: Mapping[str, Any] | None = None
    if described.soft is not None:
        if described.soft.file != _soft_name(described.id):
            raise ExportError(f"{where} has the vectors of another prompt; refused", code="vectors-of-another")
        vectors = load_tensor(archive.read(described.soft.file), TENSOR, where)
        soft = described.soft.model_dump(include={"model", "tokens", "width"})
    try:
        body = {"soft": soft, "template": described.template.model_dump(mode="json")}
        prompt = Prompt.from_canonical(described.name, body, vectors)
    except PromptError as error:
        raise ExportError(f"{where}: {error}", code=error.code) from error
    if prompt.id != described.id:
        raise ExportError(f"{where} does not match its id; refused", code="another-content")
    notes: dict[str, Any] = {"reading": described.reading.model_dump(mode="json"), "signature": dict(signature)}
    if described.study is not None:
        notes["study"] = described.study.model_dump(mode="json")
    return Imported(prompt, notes)


def _soft_name(id: str) -> str:
    return f"soft/{id.replace(':', '-')}.safetensors"


_NOTE = """
It reads the folder or zip into a bank: each file must have the SHA-256 in `hashes.json`, and each prompt's id is
derived anew from its content. `bank.json` holds the prompts, `soft/` their vectors (safetensors, one tensor
`vectors` of [tokens, width] float32). `signature.json`, where there is one, is an Ed25519 signature of
`hashes.json`; without it nobody vouches for the bundle.
"""
