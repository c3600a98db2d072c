"""Where tuning stands, in one private file: vectors, AdamW's moments, the order of cases, and the generator's state.

A run that goes on from it takes the steps, bit for bit, that it would have taken. The file is replaced whole, so a
process that is killed while writing leaves the one before.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, StringConstraints
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from fedprompt.boundary.checked import Bounds, Unfit, checked_json
from fedprompt.boundary.closed import Closed
from fedprompt.errors import TuningError
from fedprompt.private_file import write_private

__all__ = ["Checkpoint", "Progressed"]

ARRAYS = ("vectors", "first", "second")
LIMIT = 1 << 28  # bytes of the file
_STATE = Bounds(LIMIT, values=12_000_000, nested=20, members=50, depth=4)


class Progressed(Closed):
    """The numbers of a checkpoint; ``generator`` is the state of numpy's bit generator."""

    key: Annotated[str, StringConstraints(max_length=2000)]
    step: Annotated[int, Field(ge=0)]
    losses: Annotated[tuple[float, ...], Field(max_length=1_000_000)]
    queue: Annotated[tuple[int, ...], Field(max_length=10_000_000)]
    generator: dict[str, object]


@dataclass(frozen=True)
class Checkpoint:
    """``path`` is the file; ``key`` names the run, so that another run's state is never taken up."""

    path: Path
    key: str

    def write(self, state: Progressed, arrays: dict[str, NDArray[np.float32]]) -> None:
        """Replace the file; the arrays are float32 of one shape.

        Raises:
            TuningError: it cannot be written.
        """
        try:
            write_private(self.path, save(arrays, {"state": state.model_dump_json()}))
        except OSError as error:
            raise TuningError(
                f"{self.path}: the checkpoint cannot be written ({error.strerror})", code="cannot-write"
            ) from error

    def read(self) -> tuple[Progressed, dict[str, NDArray[np.float32]]] | None:
        """Return the state, or None where there is none of this run or it cannot be read."""
        try:
            if self.path.stat().st_size > LIMIT:
                return None
            with safe_open(self.path, framework="numpy") as file:
                state = checked_json(Progressed, (file.metadata() or {}).get("state", "").encode(), _STATE)
                arrays = {name: file.get_tensor(name) for name in file.keys() if name in ARRAYS}  # noqa: SIM118
        except (OSError, SafetensorError, Unfit):
            return None
        return (state, arrays) if state.key == self.key and set(arrays) == set(ARRAYS) else None

    def remove(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)
