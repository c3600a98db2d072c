"""Adapters beside the bank: safetensors files named by their SHA-256, in a folder of the home; a row holds the name.

A file is written before the row that names it, whole or not at all. It is never changed, but a damaged one is written
anew. Invariant: what is read has the digest that it was asked for by.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedprompt.boundary.tensor_header import MODEL_TENSORS, check_tensors
from fedprompt.boundary.unfit import Unfit
from fedprompt.errors import BankError
from fedprompt.private_file import write_private
from fedprompt.prompts.adapter import MAX_NUMBERS, Adapter

__all__ = ["FOLDER", "AdapterFiles"]

FOLDER = "adapters"
RESTORE = "restore it from a backup"
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
MAX_BYTES = 4 * MAX_NUMBERS + MODEL_TENSORS.size


class AdapterFiles:
    """``folder`` is where files are kept; ``also`` are folders where one may be found too."""

    def __init__(self, folder: Path, also: Sequence[Path] = ()) -> None:
        self.folder, self._also = folder, tuple(also)

    def keep(self, adapters: Iterable[Adapter]) -> None:
        """Write the files of adapters that are not there yet.

        Raises:
            BankError: one cannot be written.
        """
        for adapter in adapters:
            self._write(_name(adapter.digest), adapter.file)

    def read(self, digest: str) -> dict[str, NDArray[np.float32]]:
        """Return the arrays of the file of a digest.

        Raises:
            BankError: it is not there, or is damaged.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        data = self._data(digest)
        try:
            check_tensors(data, MODEL_TENSORS)
            found: dict[str, NDArray[Any]] = load(data)
        except (SafetensorError, Unfit, ValueError, KeyError) as error:
            raise BankError(f"the adapter's file {_name(digest)} is damaged; {RESTORE}", code="damaged") from error
        if any(array.dtype != np.float32 for array in found.values()):
            raise BankError(f"the adapter's file {_name(digest)} is not of float32", code="damaged")
        return found

    def copy(self, digests: Iterable[str], folder: Path) -> None:
        """Write files into another folder too, those that are there left as they are.

        Raises:
            BankError: one is not here, or cannot be written.
        """
        other = AdapterFiles(folder)
        for digest in digests:
            other._write(_name(digest), self._data(digest))

    def _write(self, name: str, data: bytes) -> None:
        path = self.folder / name
        try:
            if _whole(path) is not None:
                return
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(path, data)
        except OSError as error:
            raise BankError(
                f"{path}: the adapter cannot be kept ({error.strerror}); free some space, or check the home",
                code="cannot-write",
            ) from error

    def _data(self, digest: str) -> bytes:
        name, damaged = _name(digest), None
        for path in (folder / name for folder in (self.folder, *self._also)):
            try:
                if (data := _whole(path)) is not None:
                    return data
                damaged = damaged or (path if path.exists() else None)
            except OSError as error:
                raise BankError(f"{path} cannot be read ({error.strerror})", code="cannot-read") from error
        if damaged is not None:
            raise BankError(f"{damaged} is damaged: its content has another digest; {RESTORE}", code="damaged")
        raise BankError(
            f"the adapter's file {self.folder / name} is not there; {RESTORE}",
            code="adapter-missing",
        )


def _whole(path: Path) -> bytes | None:
    """Return a file's bytes; None if it is not there, or they have not the digest that names it."""
    if not path.is_file() or path.stat().st_size > MAX_BYTES:
        return None
    data = path.read_bytes()
    return data if hashlib.sha256(data).hexdigest() == path.stem else None


def _name(digest: str) -> str:
    match = _DIGEST.fullmatch(digest)
    if match is None:
        raise BankError("an adapter's row names no digest of a file", code="damaged")
    return f"{match[1]}.safetensors"
