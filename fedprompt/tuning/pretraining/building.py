"""Builds the model that is trained: a folder's weights, or fresh ones for a folder's tokenizer."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from fedprompt.errors import ModelError
from fedprompt.models.hf.loading import read_config, read_weights, refusing_folder
from fedprompt.tuning.pretraining.flat import FlatModel

__all__ = ["FolderTokenizer", "built", "fresh_config", "weights_in", "write_folder"]

ROUND_UP = 64  # rows of a fresh vocabulary, which products like


class FolderTokenizer:
    """The tokenizer of a model's folder; markers inside a text stay text."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoTokenizer

        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        except Exception as error:  # what a library raises for files that are no tokenizer's is up to it
            raise ModelError(
                f"{folder}: holds no tokenizer that can be loaded; name a model's folder", code="no-tokenizer"
            ) from error
        end = self.tokenizer.eos_token_id
        if end is None:
            raise ModelError(f"{folder}: its tokenizer has no token that ends a text", code="no-tokenizer")
        self.end = int(end)
        self.vocabulary = len(self.tokenizer)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return each text's tokens."""
        found = self.tokenizer(
            list(texts), add_special_tokens=False, split_special_tokens=True, verbose=False, return_attention_mask=False
        )
        return [list(row) for row in found["input_ids"]]


def fresh_config(shape: Mapping[str, int], vocabulary: int, end: int, window: int) -> Any:
    """Return the configuration of a Llama (Touvron et al. 2023) of a shape: layers, width, heads, feed_forward."""
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=-(-vocabulary // ROUND_UP) * ROUND_UP,
        hidden_size=shape["width"],
        intermediate_size=shape["feed_forward"],
        num_hidden_layers=shape["layers"],
        num_attention_heads=shape["heads"],
        num_key_value_heads=shape["heads"],
        max_position_embeddings=max(window, 512),
        tie_word_embeddings=True,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=None,
    )


def weights_in(folder: Path, config: Any = None) -> tuple[Any, int]:
    """Return the configuration of what :func:`built` would return, and how many weights it has; none are made.

    Raises:
        ModelError: the folder's configuration is not one of a causal language model, or builds more than it holds.
    """
    from transformers import AutoModelForCausalLM

    auto: Any = AutoModelForCausalLM
    found = config or read_config(folder)
    with refusing_folder(folder), torch.device("meta"):
        lm = auto.from_config(found, trust_remote_code=False)
    return found, sum(one.numel() for one in lm.parameters())


def built(folder: Path, config: Any = None, seed: int = 0, device: str = "cpu") -> FlatModel:
    """Return the model of a folder, or a fresh one of a configuration, whose weights follow from the seed.

    Raises:
        ModelError: the folder's model cannot be loaded, or lacks weights.
    """
    from transformers import AutoModelForCausalLM

    if config is not None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            auto: Any = AutoModelForCausalLM
            lm: Any = auto.from_config(config, trust_remote_code=False, attn_implementation="sdpa")
    else:
        lm, _ = read_weights(folder, torch.float32, "sdpa")
    return FlatModel(lm.to(device))


def write_folder(model: FlatModel, tokenizer: FolderTokenizer, folder: Path) -> None:
    """Write the model as a folder of safetensors with its tokenizer, private to its owner.

    Raises:
        ModelError: it cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True)
        model.lm.eval().save_pretrained(folder)
        tokenizer.tokenizer.save_pretrained(folder)
    except OSError as error:
        raise ModelError(f"{folder}: cannot be written ({error.strerror}); make room", code="cannot-write") from error
