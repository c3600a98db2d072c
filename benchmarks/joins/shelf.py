"""Arrays kept on disk by name, so that what was computed once is never computed again, nor lost when a run is ended."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Shelf"]


class Shelf:
    """A folder of ``NAME.npy`` files, each written whole."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def has(self, name: str) -> bool:
        """Return whether the array is there."""
        return (self.folder / f"{name}.npy").exists()

    def read(self, name: str) -> NDArray[Any]:
        """Return an array that is there."""
        found: NDArray[Any] = np.load(self.folder / f"{name}.npy", allow_pickle=False)
        return found

    def keep(self, name: str, array: NDArray[Any]) -> NDArray[Any]:
        """Write an array and return it."""
        part = self.folder / f"{name}.part"
        with part.open("wb") as file:
            np.save(file, array, allow_pickle=False)
        os.replace(part, self.folder / f"{name}.npy")
        return array

    def get(self, name: str, make: Callable[..., NDArray[Any]], *given: Any) -> NDArray[Any]:
        """Return the array, made of what is given if it is not there yet."""
        return self.read(name) if self.has(name) else self.keep(name, make(*given))
