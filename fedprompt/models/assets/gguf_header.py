"""Walks a GGUF file's header before a library does: its counts, the lengths of its texts and lists, its sizes.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Invariant: what passes holds no more than the
file is long, and no more layers than tensors.
"""

import mmap
import struct
from pathlib import Path

from fedprompt.errors import ModelError

__all__ = ["check_gguf"]

MOST_TENSORS, MOST_VALUES, MOST_MEMBERS, MOST_LAYERS = 100_000, 10_000, 16_777_216, 2_000
TEXT, LIST = 8, 9
WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # type -> bytes
WHOLE = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 10: "<Q", 11: "<q"}


def check_gguf(path: Path) -> None:
    """Refuse a file whose header says more than the file holds, or what no model has.

    Raises:
        ModelError: it is no GGUF file, or its header is damaged or hostile.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        if path.stat().st_size < 24:
            raise ModelError(f"{path} is not a GGUF file, or it is incomplete; download it again", code="not-gguf")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as held:
            try:
                _Walk(held).walk()
            except (ValueError, struct.error, IndexError) as error:
                said = str(error) if isinstance(error, ValueError) else "is incomplete: its header is cut off"
                raise ModelError(f"{path}: {said}; fetch the GGUF file again", code="not-gguf") from None


class _Walk:
    def __init__(self, held: mmap.mmap) -> None:
        self._held, self._at = held, 0

    def walk(self) -> None:
        magic, version, tensors, values = struct.unpack("<4sIQQ", self._take(24))
        if magic != b"GGUF" or version not in (2, 3):
            raise ValueError("is not a GGUF file of version 2 or 3")
        if tensors > MOST_TENSORS or values > MOST_VALUES:
            raise ValueError(f"claims {tensors:,} tensors and {values:,} values, above the limits")
        for _ in range(values):
            name = self._text()
            (kind,) = struct.unpack("<I", self._take(4))
            self._value(name, kind, tensors)
        for _ in range(tensors):
            self._text()
            (sides,) = struct.unpack("<I", self._take(4))
            if sides > 8:
                raise ValueError(f"has a tensor of {sides:,} dimensions")
            self._take(8 * sides + 12)

    def _value(self, name: bytes, kind: int, tensors: int) -> None:
        if kind == TEXT:
            self._text()
        elif kind == LIST:
            inner, count = struct.unpack("<IQ", self._take(12))
            if count > MOST_MEMBERS or inner not in (TEXT, *WIDTHS):
                raise ValueError(f"has a list of {count:,} members, above the limit")
            if inner == TEXT:
                for _ in range(count):
                    self._text()
            else:
                self._take(WIDTHS[inner] * count)
        elif kind in WIDTHS:
            found = self._take(WIDTHS[kind])
            if name.endswith(b".block_count"):
                (layers,) = struct.unpack(WHOLE[kind], found) if kind in WHOLE else (-1,)
                if not 0 < layers <= min(MOST_LAYERS, max(1, tensors)):
                    raise ValueError(f"claims {layers:,} layers but has {tensors:,} tensors")
        else:
            raise ValueError(f"has a value of an unknown type ({kind})")

    def _text(self) -> bytes:
        (length,) = struct.unpack("<Q", self._take(8))
        return self._take(length)

    def _take(self, count: int) -> bytes:
        if count > len(self._held) - self._at:
            raise ValueError("is incomplete: its header is cut off")
        self._at += count
        return self._held[self._at - count : self._at]
