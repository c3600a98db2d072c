"""Compares what a configuration builds with what the weights hold, without building it."""

from pathlib import Path
from typing import Any

from fedprompt.errors import ModelError
from fedprompt.models.assets.folder_check import ROOM, stored_numbers

__all__ = ["check_size"]


def check_size(folder: Path, config: Any) -> None:
    """Refuse a configuration that makes more numbers than the weights hold, told without making them.

    Raises:
        ModelError: it does, or cannot be made.
    """
    import torch
    from transformers import AutoModelForCausalLM

    held = stored_numbers(folder)
    with torch.device("meta"):
        classes: Any = AutoModelForCausalLM
        made = classes.from_config(config, trust_remote_code=False)
    asked = sum(part.numel() for part in (*made.parameters(), *made.buffers()))
    if asked > 2 * held + ROOM:  # tied weights are stored once
        raise ModelError(
            f"{folder / 'config.json'}: needs a model of {asked:,} numbers, but the weights have {held:,}; "
            "download the model again",
            code="sizes-unlike-weights",
        )
