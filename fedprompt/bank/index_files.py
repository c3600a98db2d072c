"""An index on disk: segments of vectors, and a manifest that says what they index, of which bank, made by what.

Derived, so it is thrown away rather than repaired: whatever is missing, damaged, of another bank or another encoder is
no index, and a new one is made. A segment is never changed; the manifest names it only once it is whole.
"""

import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, StringConstraints

from fedprompt.boundary.checked import Bounds, Unfit, checked_json
from fedprompt.boundary.tensor_header import check_tensors
from fedprompt.errors import BankError
from fedprompt.private_file import write_private
from fedprompt.study.schema import Closed

__all__ = ["IndexFiles", "Indexed"]

MANIFEST = "manifest.json"
VERSION = 1
MOST_SEGMENTS = 16
MAX_MANIFEST_BYTES = 1_000_000
Short = Annotated[str, StringConstraints(max_length=500)]
_MANIFEST = Bounds(MAX_MANIFEST_BYTES, values=1_000, nested=20, members=20, depth=3)


class Segment(Closed):
    """One file of vectors and its blake2b-256."""

    file: Short
    rows: Annotated[int, Field(ge=0, le=2**40)]
    digest: Short


class Manifest(Closed):
    """``maker``: the encoder, or the model whose soft prompts these are; ``last``: the id of the newest prompt."""

    version: Annotated[int, Field(ge=0, le=1000)]
    bank: Short
    maker: Short
    width: Annotated[int, Field(ge=1, le=1_000_000)]
    last: Short
    segments: Annotated[tuple[Segment, ...], Field(max_length=MOST_SEGMENTS)]


@dataclass(frozen=True)
class Indexed:
    """``numbers``: [rows] int64 the prompts' numbers in the bank, rising; ``vectors``: [rows, width] float32."""

    numbers: NDArray[np.int64]
    vectors: NDArray[np.float32]
    last: str


class IndexFiles:
    """The folder of one index."""

    def __init__(self, folder: Path, *, bank: str, maker: str, width: int) -> None:
        self._folder, self._bank, self._maker, self._width = folder, bank, maker, width

    def load(self) -> Indexed | None:
        """Return what is indexed, None where there is no index that holds."""
        try:
            manifest = self._manifest()
            if manifest is None:
                return None
            parts = [self._segment(one) for one in manifest.segments]
        except (OSError, ValueError, KeyError):
            return None
        if any(part is None for part in parts):
            return None
        found = [part for part in parts if part is not None]
        numbers = np.concatenate([np.zeros(0, np.int64), *(part[0] for part in found)])
        vectors = np.concatenate([np.zeros((0, self._width), np.float32), *(part[1] for part in found)])
        return Indexed(numbers, vectors, manifest.last)

    def append(self, numbers: NDArray[np.int64], vectors: NDArray[np.float32], last: str) -> None:
        """Add rows, the last of them of the prompt ``last``.

        Raises:
            BankError: the index cannot be written.
        """
        try:
            manifest = self._manifest()
        except (OSError, ValueError):
            manifest = None
        segments = () if manifest is None else manifest.segments
        if len(segments) >= MOST_SEGMENTS and (whole := self.load()) is not None:
            numbers, vectors = np.concatenate([whole.numbers, numbers]), np.concatenate([whole.vectors, vectors])
            segments = ()
        self._write(segments, numbers, vectors, last)

    def replace(self, numbers: NDArray[np.int64], vectors: NDArray[np.float32], last: str) -> None:
        """Begin anew with these rows.

        Raises:
            BankError: the index cannot be written.
        """
        self._write((), numbers, vectors, last)

    def _write(
        self, kept: tuple[Segment, ...], numbers: NDArray[np.int64], vectors: NDArray[np.float32], last: str
    ) -> None:
        from safetensors.numpy import save

        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            data = save({"numbers": np.ascontiguousarray(numbers), "vectors": np.ascontiguousarray(vectors)})
            name = f"{secrets.token_hex(8)}.safetensors"
            self._put(name, data)
            segment = Segment(file=name, rows=len(numbers), digest=_digest(data))
            manifest = Manifest(
                version=VERSION,
                bank=self._bank,
                maker=self._maker,
                width=self._width,
                last=last,
                segments=(*kept, segment),
            )
            self._put(MANIFEST, manifest.model_dump_json().encode())
            named = {one.file for one in manifest.segments} | {MANIFEST}
            for path in self._folder.iterdir():
                if path.name not in named:
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise BankError(
                f"{self._folder}: the search index cannot be written ({error.strerror})", code="cannot-write"
            ) from error

    def _put(self, name: str, data: bytes) -> None:
        write_private(self._folder / name, data)

    def _manifest(self) -> Manifest | None:
        path = self._folder / MANIFEST
        if not path.is_file() or path.stat().st_size > MAX_MANIFEST_BYTES:
            return None
        found = checked_json(Manifest, path.read_bytes(), _MANIFEST)
        wanted = (VERSION, self._bank, self._maker, self._width)
        return found if (found.version, found.bank, found.maker, found.width) == wanted else None

    def _segment(self, segment: Segment) -> tuple[NDArray[np.int64], NDArray[np.float32]] | None:
        from safetensors import SafetensorError
        from safetensors.numpy import load

        if Path(segment.file).name != segment.file:
            return None
        data = (self._folder / segment.file).read_bytes()
        if _digest(data) != segment.digest:
            return None
        try:
            check_tensors(data)
            found = load(data)
        except (SafetensorError, Unfit):
            return None
        numbers, vectors = found["numbers"], found["vectors"]
        if numbers.shape != (segment.rows,) or vectors.shape != (segment.rows, self._width):
            return None
        return numbers.astype(np.int64), vectors.astype(np.float32)


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=32).hexdigest()
