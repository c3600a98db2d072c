"""Looks at a model's files before a library does: their sizes, and the numbers that say what will be built.

A ``config.json`` of a hundred bytes may ask for a billion layers, and a header of tensors for more than is there.
Invariant: what passes builds no more layers than the weights have tensors, and no more numbers than a few times what
the weights hold.
"""

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fedprompt.boundary.checked import Bounds, Unfit, plain_json
from fedprompt.boundary.tensor_header import check_tensors_file
from fedprompt.errors import ModelError

__all__ = ["ROOM", "check_files", "model_config", "stored_numbers"]

MEGABYTE = 1024 * 1024
CONFIG = Bounds(4 * MEGABYTE, values=100_000, nested=10_000, members=50_000, depth=16)
SETTINGS = Bounds(64 * MEGABYTE, values=3_000_000, nested=500_000, members=500_000, depth=16)
MOST = {  # bytes of files that are read whole
    "tokenizer.json": 256 * MEGABYTE,
    "tokenizer.model": 64 * MEGABYTE,
    "vocab.txt": 64 * MEGABYTE,
    "vocab.json": 64 * MEGABYTE,
    "merges.txt": 64 * MEGABYTE,
    "chat_template.jinja": MEGABYTE,
}
READ = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "generation_config.json")
# What sizes of a model are called, and the most that they may be: ten times the largest model that is known.
LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "num_decoder_layers", "num_encoder_layers")
SIZES: Mapping[str, int] = {
    **dict.fromkeys(LAYERS, 2_000),
    **dict.fromkeys(("num_attention_heads", "num_key_value_heads", "n_head", "n_heads", "num_heads"), 4_096),
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts", "num_experts_per_tok"), 16_384),
    **dict.fromkeys(("hidden_size", "n_embd", "d_model", "head_dim", "d_kv", "word_embed_proj_dim"), 262_144),
    **dict.fromkeys(("intermediate_size", "moe_intermediate_size", "n_inner", "ffn_dim", "d_ff"), 4_194_304),
    **dict.fromkeys(("vocab_size", "type_vocab_size"), 16_777_216),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "n_ctx", "sliding_window"), 1_000_000_000),
}
LARGEST = 2**53  # of any other number: tokens' ids, seeds, dates
ROOM = 64_000_000  # numbers that a model may have beyond its weights: tables of positions, and small models' heads


def model_config(folder: Path) -> dict[str, Any]:
    """Return a model folder's ``config.json``, each size in it a whole number within its bounds.

    Raises:
        ModelError: it cannot be read, is no JSON object, or asks for what no model has; names the field.
    """
    path = folder / "config.json"
    try:
        with path.open("rb") as file:
            found = plain_json(file.read(CONFIG.size + 1), CONFIG)
    except OSError as error:
        raise ModelError(
            f"{path} cannot be read ({error.strerror}); copy the model's whole folder", code="cannot-read"
        ) from error
    except Unfit as error:
        raise ModelError(f"{path}: {error}; fetch the model again", code="not-well-formed") from None
    if not isinstance(found, dict):
        raise ModelError(f"{path} is not a model's configuration; download the model again", code="not-well-formed")
    for place, name, value in _named(found, ""):
        _check(path, place, name, value)
    return found


def check_files(folder: Path) -> None:
    """Refuse a model folder whose files a library would choke on.

    Raises:
        ModelError: a file is too large or holds too much, or the configuration asks for what the weights do not have.
    """
    config = model_config(folder)
    for name, most in MOST.items():
        size = _size(folder / name)
        if size > most:
            raise ModelError(
                f"{folder / name} has {size:,} bytes, above the limit of {most:,} for a tokenizer; refused",
                code="too-large",
            )
    for name in READ:
        if (path := folder / name).is_file():
            try:
                with path.open("rb") as file:
                    plain_json(file.read(SETTINGS.size + 1), SETTINGS)
            except OSError as error:
                raise ModelError(
                    f"{path}: cannot be read ({error.strerror}); fetch the model again", code="cannot-read"
                ) from error
            except Unfit as error:
                raise ModelError(f"{path}: {error}; fetch the model again", code="not-well-formed") from None
    tensors, held = 0, 0
    for shape in _shapes(folder):
        tensors, held = tensors + 1, held + math.prod(shape)
    for place, name, value in _named(config, ""):
        if tensors and name in LAYERS and value > tensors:
            raise ModelError(
                f"{folder / 'config.json'}, {place}: claims {value:,} layers, but the weights have {tensors:,} "
                "tensors; refused",
                code="sizes-unlike-weights",
            )
    inner = config.get("text_config")
    text: Mapping[str, Any] = inner if isinstance(inner, dict) else config
    rows, width = (next((text[n] for n in names if text.get(n)), 0) for names in (("vocab_size",), _WIDTHS))
    if tensors and rows * width > 2 * held + ROOM:
        raise ModelError(
            f"{folder / 'config.json'}, vocab_size: claims {rows:,} tokens of width {width:,}, but the weights "
            f"have {held:,} numbers in total; refused",
            code="sizes-unlike-weights",
        )


def stored_numbers(folder: Path) -> int:
    """Return how many numbers the weights of a folder hold, by their headers.

    Raises:
        ModelError: a header is damaged, or says other than there is.
    """
    return sum(math.prod(shape) for shape in _shapes(folder))


_WIDTHS = ("hidden_size", "n_embd", "d_model")


def _named(config: Mapping[str, Any], above: str) -> Iterator[tuple[str, str, Any]]:
    for name, value in config.items():
        place = f"{above}{name[:60]}"
        if isinstance(value, Mapping):
            yield from _named(value, f"{place}.")
        else:
            yield place, name, value


def _check(path: Path, place: str, name: str, value: Any) -> None:
    values: Sequence[Any] = value if isinstance(value, list) else [value]
    for one in values:
        whole = isinstance(one, int) and not isinstance(one, bool)
        if name in SIZES and one is not None and not (whole and 0 <= one <= SIZES[name]):
            raise ModelError(
                f"{path}, {place}: is not a whole number from 0 to {SIZES[name]:,}, the limit for models; refused",
                code="size-out-of-bounds",
            )
        if whole and abs(one) > LARGEST:
            raise ModelError(
                f"{path}, {place}: a number above {LARGEST:,}, the limit for models; refused", code="size-out-of-bounds"
            )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _shapes(folder: Path) -> Iterator[list[int]]:
    """Yield the shape of each tensor of the folder's weights.

    Raises:
        ModelError: a header is damaged, or says other than there is.
    """
    for shard in sorted(folder.glob("*.safetensors")):
        again = "fetch the model again"
        try:
            check_tensors_file(shard)
            with shard.open("rb") as file:
                header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
                room = os.fstat(file.fileno()).st_size
            for name, about in header.items():
                if name == "__metadata__":
                    continue
                shape, (begin, end) = about["shape"], about["data_offsets"]
                if not 0 <= begin <= end <= room or math.prod(shape) > 8 * (end - begin):
                    raise ModelError(f"{shard}: a tensor claims to be longer than the file; {again}", code="damaged")
                yield shape
        except OSError as error:
            raise ModelError(f"{shard}: cannot be read ({error.strerror}); {again}", code="cannot-read") from error
        except Unfit as error:
            raise ModelError(f"{shard}: {error}; {again}", code="damaged") from None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise ModelError(f"{shard}: its header is damaged; {again}", code="damaged") from None
