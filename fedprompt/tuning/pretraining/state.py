"""Where a training stands: weights, AdamW's two moments and the step, in one private file of safetensors.

The file is replaced whole, so that a process that is killed while it writes leaves the one before. Invariant: a run
that goes on from it takes, bit for bit, the steps that it would have taken.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import TuningError
from fedprompt.private_file import private_file

__all__ = ["NAMES", "TrainState", "read_arrays", "write_arrays"]

NAMES = ("weights", "first", "second")
BLOCK = 1 << 26  # bytes written at once


@dataclass(frozen=True, eq=False)
class TrainState:
    """``weights``, ``first`` and ``second`` moments, each [size] float32, after ``step`` steps of this file's run."""

    step: int
    weights: NDArray[np.float32]
    first: NDArray[np.float32]
    second: NDArray[np.float32]

    def write(self, path: Path, key: str) -> None:
        """Replace the file.

        Raises:
            TuningError: it cannot be written.
        """
        write_arrays(path, {name: getattr(self, name) for name in NAMES}, {"key": key, "step": str(self.step)})

    @classmethod
    def read(cls, path: Path, key: str, size: int) -> "TrainState | None":
        """Return the state, None where there is none of this run and model or it cannot be read."""
        found = read_arrays(path, NAMES)
        if found is None:
            return None
        arrays, about = found
        step = about.get("step", "")
        if about.get("key") != key or not step.isdecimal() or any(arrays[name].shape != (size,) for name in NAMES):
            return None
        return cls(int(step), *(arrays[name] for name in NAMES))


def write_arrays(path: Path, arrays: dict[str, NDArray[np.float32]], about: dict[str, str]) -> None:
    """Write arrays of float32 as a private file of safetensors, without a copy of them in memory.

    Raises:
        TuningError: it cannot be written.
    """
    header: dict[str, object] = {"__metadata__": about}
    at = 0
    for name in sorted(arrays):
        array = arrays[name]
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    try:
        with private_file(path) as file:
            file.write(len(head).to_bytes(8, "little") + head)
            for name in sorted(arrays):
                flat = np.ascontiguousarray(arrays[name], np.float32).reshape(-1).view(np.uint8)
                for begin in range(0, flat.size, BLOCK):
                    file.write(flat[begin : begin + BLOCK].data)
    except OSError as error:
        raise TuningError(
            f"{path}: cannot be written ({error.strerror}); make room on the disk", code="cannot-write"
        ) from error


def read_arrays(path: Path, names: tuple[str, ...]) -> tuple[dict[str, NDArray[np.float32]], dict[str, str]] | None:
    """Return the arrays of these names and what stands beside them; None where they cannot be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            if set(file.keys()) != set(names):
                return None
            arrays = {name: file.get_tensor(name) for name in names}
            return (
                (arrays, dict(file.metadata() or {})) if all(a.dtype == np.float32 for a in arrays.values()) else None
            )
    except (OSError, SafetensorError):
        return None
