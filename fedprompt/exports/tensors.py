"""One tensor as a safetensors file, in bytes; nothing else is taken for one."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedprompt.boundary.tensor_header import check_tensors
from fedprompt.errors import ExportError
from fedprompt.prompts.soft import MAX_TOKENS, MAX_WIDTH

__all__ = ["MAX_TENSOR_BYTES", "load_tensor", "save_tensor"]

_WIDTHS = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}
MAX_TENSOR_BYTES = MAX_TOKENS * MAX_WIDTH * 4 + 1024 * 1024


def save_tensor(name: str, vectors: NDArray[np.float32]) -> bytes:
    """Return [tokens, width] float32 vectors as a safetensors file with one tensor."""
    from safetensors.numpy import save

    return bytes(save({name: np.ascontiguousarray(vectors, dtype=np.float32)}, metadata={"format": "pt"}))


def load_tensor(blob: bytes, name: str, where: str) -> NDArray[np.float32]:
    """Return the one tensor of a safetensors file, [tokens, width] float32; float16 and bfloat16 are widened.

    Raises:
        ExportError: it is too large, damaged, or holds something else; ``where`` begins the message.
    """
    from safetensors import SafetensorError, deserialize

    if len(blob) > MAX_TENSOR_BYTES:
        raise ExportError(f"{where}: its vectors are larger than any soft prompt's", code="too-large")
    try:
        check_tensors(blob)
        tensors: dict[str, Any] = dict(deserialize(blob))  # type: ignore[no-untyped-call]
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ExportError(f"{where}: its vectors are not safetensors file, or are damaged", code="damaged") from error
    if name not in tensors:
        held = ", ".join(f"'{one[:60]}'" for one in sorted(tensors)[:3]) or "nothing"
        raise ExportError(
            f"{where}: its safetensors file must contain only the tensor '{name}', but contains {held}",
            code="other-tensors",
        )
    if others := sorted(set(tensors) - {name}):
        raise ExportError(
            f"{where}: its safetensors file must contain only the tensor '{name}', but also contains "
            f"'{others[0][:60]}', weights that a soft prompt does not have",
            code="other-tensors",
        )
    found = tensors[name]
    dtype, shape = found["dtype"], tuple(found["shape"])
    if len(shape) != 2 or dtype not in _WIDTHS:
        raise ExportError(
            f"{where}: '{name}' is {dtype} of shape {shape}, not [tokens, width] float32; save it in float32",
            code="wrong-shape",
        )
    if dtype == "BF16":  # the upper half of a float32
        upper = np.frombuffer(found["data"], dtype="<u2").astype("<u4") << np.uint32(16)
        return np.ascontiguousarray(upper.view("<f4").reshape(shape), dtype=np.float32)
    return np.ascontiguousarray(np.frombuffer(found["data"], dtype=_WIDTHS[dtype]).reshape(shape), dtype=np.float32)
