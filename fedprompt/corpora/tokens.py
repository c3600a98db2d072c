"""Token files: the tokens of a text one behind another, and where its documents begin. Read through a memory map.

``NAME.tokens`` holds numbers of 16 or 32 bits, little-endian; ``NAME.documents`` the place of each document's first
token, of 64 bits. Invariant: what was written since the last mark can be taken back.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import DataError

__all__ = ["TokenFile", "TokenWriter", "token_type"]

MODE = 0o600
PLACES = np.dtype("<i8")


def token_type(vocabulary: int) -> np.dtype[Any]:
    """Return the type of number that holds each of so many tokens."""
    return np.dtype("<u2" if vocabulary <= 1 << 16 else "<u4")


class TokenWriter:
    """Writes one token file; :meth:`sync` makes it durable."""

    def __init__(self, folder: Path, name: str, dtype: np.dtype[Any]) -> None:
        self._dtype = dtype
        self._tokens, self._documents = (_private(folder / f"{name}.{part}") for part in ("tokens", "documents"))
        self.size, self.documents = 0, 0
        self._mark = (0, 0)

    def add(self, tokens: Sequence[int], *, first: bool) -> None:
        """Write a passage's tokens; ``first`` where a document begins with it."""
        if first:
            self._documents.write(np.array([self.size], PLACES).tobytes())
            self.documents += 1
        self._tokens.write(np.asarray(tokens, self._dtype).tobytes())
        self.size += len(tokens)

    def mark(self) -> None:
        """Keep what was written."""
        self._mark = (self.size, self.documents)

    def take_back(self) -> None:
        """Remove what was written since the last mark."""
        self.size, self.documents = self._mark
        for file, end in (
            (self._tokens, self.size * self._dtype.itemsize),
            (self._documents, self.documents * PLACES.itemsize),
        ):
            file.flush()
            file.truncate(end)
            file.seek(end)

    def sync(self) -> None:
        """Write all to the disk."""
        for file in (self._tokens, self._documents):
            file.flush()
            os.fsync(file.fileno())

    def close(self) -> None:
        """Close the files."""
        self._tokens.close()
        self._documents.close()


@dataclass(frozen=True, eq=False)
class TokenFile:
    """``tokens``: [size], mapped and not read; ``documents``: [documents] int64, where each begins."""

    tokens: NDArray[Any]
    documents: NDArray[np.int64]

    @classmethod
    def open(cls, folder: Path, name: str, dtype: np.dtype[Any]) -> "TokenFile":
        """Map a file that was written.

        Raises:
            DataError: it is missing or empty.
        """
        try:
            tokens = np.memmap(folder / f"{name}.tokens", dtype=dtype, mode="r")
            documents = np.memmap(folder / f"{name}.documents", dtype=PLACES, mode="r")
        except (OSError, ValueError) as error:
            raise DataError(
                f"{folder}: the prepared text cannot be read; remove the folder and run the command again",
                code="damaged",
            ) from error
        return cls(tokens, documents)

    def windows(self, length: int) -> int:
        """Return how many whole windows of ``length`` tokens there are."""
        return len(self.tokens) // length

    def batch(self, numbers: Sequence[int], length: int) -> NDArray[np.int64]:
        """Return [windows, length], the tokens of windows by their numbers."""
        return np.stack([self.tokens[at * length : (at + 1) * length] for at in numbers]).astype(np.int64)

    def documents_in(self, numbers: Sequence[int], length: int) -> NDArray[np.int64]:
        """Return the distinct documents of which windows hold a token, as places in ``documents``."""
        starts = np.asarray(sorted(set(numbers)), np.int64) * length
        first = np.searchsorted(self.documents, starts, side="right") - 1
        last = np.searchsorted(self.documents, starts + length, side="left") - 1
        parts = [np.arange(max(0, low), high + 1) for low, high in zip(first, last, strict=True)]
        return np.unique(np.concatenate(parts)) if parts else np.zeros(0, np.int64)


def _private(path: Path) -> Any:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, MODE), "r+b")
