"""Looks at the beginning of a safetensors file before the library does: how long its header is and what it counts.

A file of 64 MB may be all header, of which a parser makes gigabytes. Invariant: what passes has a header within the
bounds, of plain JSON.
"""

from pathlib import Path

from fedprompt.boundary.json_bounds import Bounds, measure
from fedprompt.boundary.unfit import Unfit

__all__ = ["FEW_TENSORS", "MODEL_TENSORS", "check_tensors", "check_tensors_file"]

FEW_TENSORS = Bounds(512 * 1024, values=30_000, nested=8_000, members=2_100, depth=4)
MODEL_TENSORS = Bounds(32 * 1024 * 1024, values=1_000_000, nested=250_000, members=80_000, depth=4)


def check_tensors(data: bytes, bounds: Bounds = FEW_TENSORS) -> None:
    """Refuse a header that is too long or counts too much.

    Args:
        data: the file, or as much of its beginning as holds the header.
        bounds: by default for a message or a soft prompt.

    Raises:
        Unfit: a bound is passed, or there is no header.
    """
    length = int.from_bytes(data[:8], "little")
    if length > bounds.size:
        raise Unfit((), f"has a header of {length:,} bytes, and at most {bounds.size:,} are taken")
    if len(data) < 8 + length or length < 2:
        raise Unfit((), "is cut off within its header")
    measure(data[8 : 8 + length], bounds)


def check_tensors_file(path: Path, bounds: Bounds = MODEL_TENSORS) -> None:
    """Refuse a file as :func:`check_tensors` does, without reading more than its header.

    Raises:
        Unfit: as there.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        begin = file.read(8)
        check_tensors(begin + file.read(min(bounds.size, int.from_bytes(begin, "little"))), bounds)
