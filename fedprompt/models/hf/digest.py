"""A model's digest: SHA-256 over its weights' names, shapes, dtypes and bytes in sorted order, its tokenizer and chat.

Sorted by name and not by file, so that re-sharded copies of the same weights agree.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from fedprompt.errors import ModelError
from fedprompt.prompts.ids import canonical_json

__all__ = ["model_digest", "tokenizer_digest"]

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
        raise ModelError(
            f"{folder} has no safetensors weights, and other formats are never loaded", code="no-safetensors"
        )
    if not (folder / "tokenizer.json").is_file():
        raise ModelError(
            f"{folder} has no tokenizer.json; save the model's fast tokenizer beside its weights", code="no-tokenizer"
        )
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
        raise ModelError(
            f"{folder}: the weights cannot be read ({type(error).__name__}); fetch them again", code="damaged"
        ) from error
    for name in TOKENIZER_FILES:
        if (folder / name).is_file():
            total.update(name.encode() + b"\0" + hashlib.sha256((folder / name).read_bytes()).digest())
    if (chat := _older_chat(folder)) is not None:
        total.update(b"chat_template\0" + hashlib.sha256(chat).digest())
    return f"sha256:{total.hexdigest()}"


def tokenizer_digest(folder: Path) -> str:
    """Return ``sha256:`` and the digest of a folder's tokenizer.

    Raises:
        ModelError: there is none.
    """
    try:
        return f"sha256:{hashlib.sha256((folder / 'tokenizer.json').read_bytes()).hexdigest()}"
    except OSError as error:
        raise ModelError(
            f"{folder}: no tokenizer.json; save the model's fast tokenizer beside its weights", code="no-tokenizer"
        ) from error


def _older_chat(folder: Path) -> bytes | None:
    """Return the chat format of a folder that has it in ``tokenizer_config.json``, where no file of its own goes first.

    Raises:
        ModelError: the file is no JSON object.
    """
    path = folder / "tokenizer_config.json"
    if (folder / TOKENIZER_FILES[0]).is_file() or not path.is_file():
        return None
    try:
        found = json.loads(path.read_bytes()).get("chat_template")
        return None if found is None else canonical_json(found)
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(
            f"{path}: the tokenizer's settings cannot be read; fetch the model again", code="no-tokenizer"
        ) from error
