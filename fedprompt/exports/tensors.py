"""One float32 tensor as a safetensors file, in bytes; nothing else is taken for one."""

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import ExportError
from fedprompt.prompts.soft import MAX_TOKENS, MAX_WIDTH
from fedprompt.study.tensor_header import check_tensors

__all__ = ["MAX_TENSOR_BYTES", "load_tensor", "save_tensor"]

MAX_TENSOR_BYTES = MAX_TOKENS * MAX_WIDTH * 4 + 1024 * 1024


def save_tensor(name: str, vectors: NDArray[np.float32]) -> bytes:
    """Return [tokens, width] float32 vectors as a safetensors file with one tensor."""
    from safetensors.numpy import save

    return bytes(save({name: np.ascontiguousarray(vectors, dtype=np.float32)}, metadata={"format": "pt"}))


def load_tensor(blob: bytes, name: str, where: str) -> NDArray[np.float32]:
    """Return the one tensor of a safetensors file, [tokens, width] float32; float16 is widened.

    Raises:
        ExportError: it is too large, damaged, or holds something else; ``where`` begins the message.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    if len(blob) > MAX_TENSOR_BYTES:
        raise ExportError(f"{where}: its vectors are larger than any soft prompt's")
    try:
        check_tensors(blob)
        tensors = load(blob)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ExportError(f"{where}: its vectors are no safetensors file, or are damaged") from error
    if set(tensors) != {name}:
        raise ExportError(f"{where}: its safetensors file must hold the tensor '{name}' and nothing else")
    found = tensors[name]
    if found.ndim != 2 or found.dtype not in (np.float32, np.float16):
        raise ExportError(f"{where}: '{name}' is {found.dtype} of shape {found.shape}, not [tokens, width] float32")
    return np.ascontiguousarray(found, dtype=np.float32)
