"""Loads a Hugging Face model, adds tokens and their rows to it, and reads such rows back from its folder."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import ExportError

__all__ = ["check_rows", "embedding_rows", "load_model", "new_tokens", "save_shapes", "widen"]

EMBEDDINGS = (
    "embed_tokens.weight",
    "wte.weight",
    "embed_in.weight",
    "word_embeddings.weight",
    "embed.weight",
)


def load_model(folder: Path, *, weights: bool = True) -> tuple[Any, Any]:
    """Return a folder's tokenizer and its causal language model in float32; without ``weights`` their shapes alone.

    Raises:
        ExportError: it cannot be loaded.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GenerationConfig

    safe: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **safe)
        model: Any
        if weights:
            model = AutoModelForCausalLM.from_pretrained(folder, dtype="float32", use_safetensors=True, **safe)
        else:
            build: Any = AutoModelForCausalLM.from_config
            with torch.device("meta"):
                model = build(AutoConfig.from_pretrained(folder, **safe), dtype="float32")
            if (folder / "generation_config.json").is_file():
                model.generation_config = GenerationConfig.from_pretrained(folder, **safe)
    except (OSError, ValueError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise ExportError(
            f"the model cannot be loaded ({reason.replace(str(folder), folder.name)})", code="model-not-loaded"
        ) from error
    return tokenizer, model


def new_tokens(tokenizer: Any, count: int) -> list[int]:
    """Add ``<fp-0>`` .. to a tokenizer as special tokens and return their ids.

    Raises:
        ExportError: the tokenizer has such tokens already, or does not take new ones.
    """
    from transformers import AddedToken

    names = [f"<fp-{number}>" for number in range(count)]
    before = len(tokenizer)
    if any(name in tokenizer.get_vocab() for name in names):
        raise ExportError(
            "this model already has tokens named <fp-0>, so it is an export; use the model it came from",
            code="model-is-an-export",
        )
    tokens = [AddedToken(name, lstrip=False, rstrip=False, normalized=False, special=True) for name in names]
    added = tokenizer.add_tokens(tokens, special_tokens=True)
    ids = [int(id) for id in tokenizer.convert_tokens_to_ids(names)]
    if added != count or ids != list(range(before, before + count)):
        raise ExportError(
            "this model's tokenizer does not take new tokens; use the bundle instead", code="cannot-widen"
        )
    return ids


def widen(model: Any, tokenizer: Any, tokens: Sequence[int], vectors: NDArray[np.float32]) -> int:
    """Give the new tokens their input rows, untie the output rows, and forbid that they are generated.

    Args:
        model: a loaded causal language model, which is changed.
        tokenizer: its tokenizer, which has the tokens already.
        tokens: their ids.
        vectors: [tokens, width] float32.

    Returns:
        How many output rows the model had before: its own vocabulary.

    Raises:
        ExportError: the model's embeddings are not a plain table, or have another width.
    """
    import torch

    inputs, outputs = model.get_input_embeddings(), model.get_output_embeddings()
    if outputs is None or inputs.weight.ndim != 2 or inputs.weight.shape[1] != vectors.shape[1]:
        raise ExportError("this model's embeddings cannot be widened; use the bundle instead", code="cannot-widen")
    # A padded table has rows past the tokenizer's last token; the new tokens take those, and their output
    # rows stay.
    old = int(inputs.weight.shape[0])
    own = int(outputs.weight.shape[0])
    rows = max(old, max(tokens) + 1)
    with torch.no_grad():
        table = inputs.weight.new_zeros((rows, vectors.shape[1]))
        table[:old] = inputs.weight
        table[list(tokens)] = torch.from_numpy(np.array(vectors)).to(table)
        head = outputs.weight.new_empty((rows, outputs.weight.shape[1]))
        head[:own] = outputs.weight
        head[own:] = outputs.weight.double().mean(0).to(head)
        if getattr(outputs, "bias", None) is not None:
            bias = outputs.bias.new_empty(rows)
            bias[:own] = outputs.bias
            bias[own:] = outputs.bias.double().mean().to(bias)
            outputs.bias = torch.nn.Parameter(bias)
    inputs.weight, outputs.weight = torch.nn.Parameter(table), torch.nn.Parameter(head)
    inputs.num_embeddings = outputs.out_features = rows
    text = model.config.get_text_config()
    for config in {id(c): c for c in (model.config, text)}.values():
        config.tie_word_embeddings = False
    text.vocab_size = rows
    model.all_tied_weights_keys = {}
    model.config._name_or_path = tokenizer.name_or_path = ""
    if getattr(model, "vocab_size", None) is not None:
        model.vocab_size = rows
    suppressed = list(model.generation_config.suppress_tokens or [])
    model.generation_config.suppress_tokens = suppressed + list(tokens)
    if inputs.weight.is_meta:
        return own
    with torch.no_grad():
        seen = inputs(torch.tensor(list(tokens))).numpy()
    if not np.array_equal(seen, vectors):
        raise ExportError(
            "this model changes its embeddings after looking them up; use the bundle instead", code="cannot-widen"
        )
    return own


def save_shapes(model: Any, folder: Path) -> None:
    """Write what a model's ``save_pretrained`` does, the weights as a hole of their size that takes no disk."""
    model.config.save_pretrained(folder)
    model.generation_config.save_pretrained(folder)
    with (folder / "model.safetensors").open("wb") as hole:
        hole.truncate(sum(part.numel() * part.element_size() for part in model.parameters()))


def embedding_rows(folder: Path, tokens: Sequence[int]) -> NDArray[np.float32]:
    """Return the rows [tokens, width] float32 of the input embeddings in a folder of safetensors.

    Raises:
        ExportError: there is no such table, it is not float32, or it has no such rows.
    """
    from safetensors import SafetensorError, safe_open

    try:
        for shard in sorted(folder.glob("*.safetensors")):
            with safe_open(shard, framework="numpy") as opened:
                for name in opened.keys():  # noqa: SIM118
                    if not name.endswith(EMBEDDINGS):
                        continue
                    table = opened.get_slice(name)
                    shape = table.get_shape()
                    if len(shape) != 2 or max(tokens) >= shape[0] or table.get_dtype() != "F32":
                        raise ExportError(
                            f"{folder}: its embeddings are not a float32 table with rows for the tokens",
                            code="cannot-widen",
                        )
                    return np.stack([np.asarray(table[token : token + 1])[0] for token in tokens]).astype(np.float32)
    except (OSError, SafetensorError) as error:
        raise ExportError(f"{folder}: its weights are damaged ({type(error).__name__})", code="damaged") from error
    raise ExportError(f"{folder}: it holds no safetensors with input embeddings", code="no-safetensors")


def check_rows(folder: Path, tokens: Sequence[int], vectors: NDArray[np.float32]) -> None:
    """Read a written folder back and compare: the vectors must be there and the output rows untied.

    Raises:
        ExportError: they are not.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if not np.array_equal(embedding_rows(folder, tokens), vectors) or config.get("tie_word_embeddings"):
        raise ExportError(
            "this model could not be saved with the new tokens; use the bundle instead", code="cannot-widen"
        )
