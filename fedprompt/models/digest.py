"""A model's digest: SHA-256 over its weights' names, shapes, dtypes and bytes in sorted order, and its tokenizer.

Sorted by name and not by file, so that re-sharded copies of the same weights agree.
"""

import hashlib
from pathlib import Path
from typing import Any

from fedprompt.errors import ModelError

__all__ = ["model_digest"]

TOKENIZER_FILES = ("chat_template.jinja", "tokenizer.json")


def model_digest(folder: Path) -> str:
    """Return ``sha256:`` and 64 hexadecimal digits for a folder of safetensors and a tokenizer.

    Raises:
        ModelError: the folder has no safetensors weights or no tokenizer.json.
    """
    import torch
    from safetensors import SafetensorError, safe_open

    shards = sorted(folder.glob("*.safetensors"))
    if not shards:
        raise ModelError(f"{folder}: no safetensors weights; fedprompt loads no other format of weights")
    if not (folder / "tokenizer.json").is_file():
        raise ModelError(f"{folder}: no tokenizer.json; save the model's fast tokenizer beside its weights")
    total = hashlib.sha256()
    try:
        handles: list[Any] = [safe_open(shard, framework="pt") for shard in shards]
        where = {name: handle for handle in handles for name in handle.keys()}  # noqa: SIM118
        for name in sorted(where):
            tensor = where[name].get_tensor(name).contiguous()
            total.update(f"{name}\0{list(tensor.shape)}\0{tensor.dtype}\0".encode())
            if tensor.numel():
                total.update(tensor.view(-1).view(torch.uint8).numpy().data)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{folder}: the weights cannot be read ({type(error).__name__}); fetch them again") from error
    for name in TOKENIZER_FILES:
        if (folder / name).is_file():
            total.update(name.encode() + b"\0" + hashlib.sha256((folder / name).read_bytes()).digest())
    return f"sha256:{total.hexdigest()}"
