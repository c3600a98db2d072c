"""The bundle: a folder or zip that holds any prompts without loss, and is checked bit by bit on the way in.

``bank.json`` (a closed, versioned schema), ``soft/<id>.safetensors`` for each soft prompt, ``README.md``, and
``hashes.json`` with the SHA-256 of each of these. The same prompts give the same bytes. Invariant: an import
either re-derives every prompt's id from what it read, or takes nothing.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, StringConstraints, ValidationError

from fedprompt.errors import ExportError, PromptError
from fedprompt.exports.archive import Archive, open_archive
from fedprompt.exports.protocol import ExportContext, Exported, ImportContext, Imported, Reading, Refusal
from fedprompt.exports.reading import readme
from fedprompt.exports.tensors import load_tensor, save_tensor
from fedprompt.exports.writing import publishing, write_text
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import MAX_TOKENS, MAX_WIDTH
from fedprompt.study.schema import Closed

__all__ = ["VERSION", "Bundle", "BundleFile"]

VERSION = 1
MAX_JSON_BYTES = 64 * 1024 * 1024
MAX_PROMPTS = 10_000
TENSOR = "vectors"
_SOFT = re.compile(r"soft/p1-[0-9a-f]{32}\.safetensors")

Short = Annotated[str, StringConstraints(max_length=300)]
Long = Annotated[str, StringConstraints(max_length=100_000)]
PromptId = Annotated[str, Field(pattern=r"^p1:[0-9a-f]{32}$")]


class BundleMessage(Closed):
    """A chat message."""

    role: Literal["system", "user", "assistant"]
    content: Long


class BundleDemonstrations(Closed):
    """How many demonstrations a template shows."""

    count: Annotated[int, Field(ge=1, le=64)]
    separator: Short


class BundleTemplate(Closed):
    """A template's canonical JSON."""

    text: Long | None
    messages: tuple[BundleMessage, ...] | None
    words: dict[Short, Long] | None
    demonstrations: BundleDemonstrations | None


class BundleSoft(Closed):
    """A soft prompt's shape, the digest of its model, and the file with its vectors."""

    model: Short
    tokens: Annotated[int, Field(ge=1, le=MAX_TOKENS)]
    width: Annotated[int, Field(ge=1, le=MAX_WIDTH)]
    file: Annotated[str, Field(pattern=_SOFT.pattern)]


class BundleStudy(Closed):
    """What the prompt was made for."""

    name: Short
    fields: tuple[Short, ...]
    answer: Literal["choice", "generate"]
    labels: tuple[Short, ...]


class BundleReading(Closed):
    """How its answers are read, and the score it gets that way."""

    words: dict[Short, Long]
    how: Long
    metric: Short
    scores: dict[Short, float]
    mean: float | None
    low: float | None
    high: float | None
    split: Short | None


class BundlePrompt(Closed):
    """One prompt."""

    id: PromptId
    name: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    template: BundleTemplate
    soft: BundleSoft | None
    study: BundleStudy | None
    reading: BundleReading


class BundleFile(Closed):
    """``bank.json``."""

    format: Literal["fedprompt-bundle"]
    version: Literal[1]
    prompts: Annotated[tuple[BundlePrompt, ...], Field(min_length=1, max_length=MAX_PROMPTS)]


class Hashes(Closed):
    """``hashes.json``."""

    algorithm: Literal["sha256"]
    files: dict[Short, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]]


class Bundle:
    """Holds every prompt."""

    name = "bundle"
    title = "Bundle"
    description = "Everything, for another fedprompt: prompts, vectors, scores and hashes, without loss."
    suffix = ".zip"
    many = True
    needs_model = False

    def refuses(self, item: Exported) -> Refusal | None:
        """Return None: a bundle holds every prompt."""
        return None

    def write(self, items: Sequence[Exported], destination: Path, context: ExportContext) -> Path:
        """Write a bundle; the same prompts in any order give the same bytes.

        Raises:
            ExportError: no prompts, too many, or the destination cannot be written.
        """
        ordered = [item for _, item in sorted({item.prompt.id: item for item in items}.items())]
        if not 1 <= len(ordered) <= MAX_PROMPTS:
            raise ExportError(f"a bundle holds 1 to {MAX_PROMPTS:,} prompts, not {len(ordered):,}")
        try:
            body = BundleFile(format="fedprompt-bundle", version=1, prompts=tuple(map(_describe, ordered)))
        except ValidationError as error:
            raise ExportError(f"{destination}: a bundle cannot hold this ({_first(error)})") from error
        with publishing(destination) as folder:
            for item in ordered:
                if item.prompt.soft is not None:
                    (folder / "soft").mkdir(exist_ok=True)
                    blob = save_tensor(TENSOR, item.prompt.soft.vectors)
                    (folder / _soft_name(item.prompt.id)).write_bytes(blob)
            write_text(folder / "bank.json", _json(body.model_dump(mode="json")))
            write_text(folder / "README.md", readme("A bundle of prompts", _USE, ordered, context))
            files = {
                path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
                for path in folder.rglob("*")
                if path.is_file()
            }
            write_text(folder / "hashes.json", _json({"algorithm": "sha256", "files": files}))
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
            for name in archive.names:
                if name not in ("bank.json", "hashes.json", "README.md") and not _SOFT.fullmatch(name):
                    raise ExportError(f"{path}: {name} is no file of a bundle; refused")
            _check_hashes(archive)
            body = _parse(archive)
            named = {prompt.soft.file for prompt in body.prompts if prompt.soft is not None}
            if stray := sorted(name for name in archive.names if _SOFT.fullmatch(name) and name not in named):
                raise ExportError(f"{path}: {stray[0]} belongs to no prompt of bank.json; refused")
            if len({prompt.id for prompt in body.prompts}) != len(body.prompts):
                raise ExportError(f"{path}: bank.json holds a prompt twice; refused")
            return tuple(_rebuild(archive, described) for described in body.prompts)


def _describe(item: Exported) -> BundlePrompt:
    soft, study = item.prompt.soft, item.study
    return BundlePrompt.model_validate(
        {
            "id": item.prompt.id,
            "name": item.name,
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
    }


def _check_hashes(archive: Archive) -> None:
    try:
        hashes = Hashes.model_validate_json(archive.read("hashes.json", MAX_JSON_BYTES), strict=True)
    except ValidationError as error:
        raise ExportError(f"{archive.path}: hashes.json: {_first(error)}") from error
    there = set(archive.names) - {"hashes.json"}
    if missing := sorted(set(hashes.files) - there):
        raise ExportError(f"{archive.path}: the file {missing[0]} is missing; the bundle is cut off")
    if stray := sorted(there - set(hashes.files)):
        raise ExportError(f"{archive.path}: {stray[0]} is not listed in hashes.json; refused")
    for name in sorted(there):
        if hashlib.sha256(archive.read(name)).hexdigest() != hashes.files[name]:
            raise ExportError(f"{archive.path}: {name} does not have its SHA-256; fetch the bundle again")


def _parse(archive: Archive) -> BundleFile:
    raw = archive.read("bank.json", MAX_JSON_BYTES)
    try:
        version = json.loads(raw).get("version")
    except (ValueError, AttributeError, RecursionError) as error:
        raise ExportError(f"{archive.path}: bank.json is not a JSON object") from error
    if isinstance(version, int) and version > VERSION:
        raise ExportError(
            f"{archive.path}: bank.json has version {version} and this fedprompt reads up to {VERSION}; "
            "update fedprompt"
        )
    try:
        return BundleFile.model_validate_json(raw, strict=True)
    except ValidationError as error:
        raise ExportError(f"{archive.path}: bank.json: {_first(error)}") from error


def _rebuild(archive: Archive, described: BundlePrompt) -> Imported:
    vectors: NDArray[np.float32] | None = None
    where = f"{archive.path}: prompt {described.id}"
    soft: Mapping[str, Any] | None = None
    if described.soft is not None:
        if described.soft.file != _soft_name(described.id):
            raise ExportError(f"{where} names the vectors of another prompt; refused")
        vectors = load_tensor(archive.read(described.soft.file), TENSOR, where)
        soft = described.soft.model_dump(include={"model", "tokens", "width"})
    try:
        body = {"soft": soft, "template": described.template.model_dump(mode="json")}
        prompt = Prompt.from_canonical(described.name, body, vectors)
    except PromptError as error:
        raise ExportError(f"{where}: {error}") from error
    if prompt.id != described.id:
        raise ExportError(f"{where} has another content than its id says; refused")
    notes: dict[str, Any] = {"reading": described.reading.model_dump(mode="json")}
    if described.study is not None:
        notes["study"] = described.study.model_dump(mode="json")
    return Imported(prompt, notes)


def _soft_name(id: str) -> str:
    return f"soft/{id.replace(':', '-')}.safetensors"


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"]) or "the whole"
    if first["type"] == "extra_forbidden":
        return f"{field} is not a field of it; refused"
    return f"{field}: {first['msg']}"


_USE = """
`fedprompt import FILE` reads this folder or zip into a bank: each file must have the SHA-256 in
`hashes.json`, and each prompt's id is derived anew from its content. `bank.json` holds the prompts, `soft/`
their vectors (safetensors, one tensor `vectors` of [tokens, width] float32).
"""
