"""The sentence encoder (Reimers and Gurevych 2019, arXiv 1908.10084): a folder on disk, loaded once a process.

Always float32 and always the same batch size, so that the same text has the same vector to about 1e-6 whatever it
comes with. Nothing is fetched, no code of a folder runs, and weights are safetensors or nothing.
"""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import ModelError
from fedprompt.models.assets.catalogue import asset_folder
from fedprompt.models.assets.folder_check import check_files

__all__ = ["ENCODER", "SentenceEncoder", "load_encoder"]

ENCODER = "all-minilm-l6-v2"
BATCH = 32
_kept: dict[Path, "SentenceEncoder"] = {}
_lock = threading.Lock()


class SentenceEncoder:
    """An :class:`~fedprompt.models.protocols.Encoder`; texts past its window are cut there, as it was trained."""

    def __init__(self, model: Any, width: int) -> None:
        self._model, self._width = model, width
        self._lock = threading.Lock()

    @classmethod
    def load(cls, folder: Path) -> "SentenceEncoder":
        """Return the encoder in a sentence-transformers folder.

        Raises:
            ModelError: the folder has no safetensors, or cannot be loaded.
        """
        if not list(folder.glob("*.safetensors")):
            raise ModelError(
                f"{folder} has no *.safetensors, and other weights are never loaded", code="no-safetensors"
            )
        check_files(folder)
        import torch
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            model = SentenceTransformer(
                str(folder),
                device="cpu",
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"dtype": torch.float32, "use_safetensors": True},
            )
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise ModelError(
                f"{folder}: the encoder cannot be loaded ({type(error).__name__}: {error})", code="model-not-loaded"
            ) from error
        return cls(model, int(model.encode(["width"], show_progress_bar=False).shape[1]))

    @property
    def width(self) -> int:
        """How many numbers a vector has."""
        return self._width

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return [texts, width] float32, each row of length 1, in the order given."""
        if not texts:
            return np.zeros((0, self._width), np.float32)
        with self._lock:
            found = self._model.encode(
                list(texts), batch_size=BATCH, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
            )
        return np.asarray(found, dtype=np.float32)


def load_encoder(home: Path, name: str = ENCODER) -> SentenceEncoder:
    """Return an asset that is an encoder, from memory if this process has loaded it.

    Raises:
        AssetError: there is no such asset, or it is not ready.
        ModelError: it cannot be loaded.
    """
    folder = asset_folder(home, name).resolve()
    with _lock:
        if folder not in _kept:
            _kept[folder] = SentenceEncoder.load(folder)
        return _kept[folder]
