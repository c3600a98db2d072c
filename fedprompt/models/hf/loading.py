"""Reads a model's folder: configuration, tokenizer and weights, with nothing of it run and nothing fetched."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fedprompt.errors import ModelError
from fedprompt.models.assets.folder_check import check_files
from fedprompt.models.hf.attention import IMPLEMENTATION
from fedprompt.models.hf.digest import model_digest
from fedprompt.models.hf.self_check import architecture_of, refusal
from fedprompt.models.hf.size_check import check_size
from fedprompt.models.protocols import RunSettings

__all__ = ["ReadFolder", "read_config", "read_folder", "read_weights", "refusing_folder"]


@dataclass(frozen=True)
class ReadFolder:
    """What a folder holds, as transformers has it, and its digest."""

    lm: Any
    tokenizer: Any
    config: Any
    digest: str


def read_folder(folder: Path, settings: RunSettings) -> ReadFolder:
    """Return what a folder holds.

    Raises:
        ModelError: no such folder, no safetensors, code of its own, not a causal language model, or weights missing.
    """
    from transformers import AutoTokenizer

    _check_folder(folder)
    digest = model_digest(folder)
    lm, config = _weights(folder, getattr(torch, settings.dtype), IMPLEMENTATION)
    with refusing_folder(folder):
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    return ReadFolder(lm, tokenizer, config, digest)


def read_weights(folder: Path, dtype: torch.dtype, attention: str) -> tuple[Any, Any]:
    """Return a folder's model and its configuration, as transformers has them.

    Args:
        folder: it.
        dtype: what the weights are held in.
        attention: the name of transformers' implementation of attention.

    Raises:
        ModelError: as of ``read_folder``.
    """
    _check_folder(folder)
    return _weights(folder, dtype, attention)


def read_config(folder: Path) -> Any:
    """Return a folder's configuration, which builds no more than the weights hold; nothing is built.

    Raises:
        ModelError: as of ``read_folder``.
    """
    _check_folder(folder)
    return _config(folder)


def _weights(folder: Path, dtype: torch.dtype, attention: str) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    config = _config(folder)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # who loads a model tells it in words of its own
    with refusing_folder(folder):
        try:
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                folder,
                config=config,
                dtype=dtype,
                attn_implementation=attention,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                output_loading_info=True,
            )
        except KeyError as error:
            if error.args == (IMPLEMENTATION,):  # it chooses among classes of its own
                raise refusal(architecture_of(config), "it does not use transformers' attention interface") from error
            raise
    lm, about = loaded
    if lacking := sorted(about["missing_keys"]):  # transformers would draw them at random
        raise ModelError(
            f"{folder}: the weights lack {len(lacking)} tensors of this model, such as '{lacking[0]}'; "
            "download the model again",
            code="weights-missing",
        )
    return lm, config


def _config(folder: Path) -> Any:
    from transformers import AutoConfig

    with refusing_folder(folder):
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        check_size(folder, config)
    return config


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise ModelError(f"{folder} is not a model folder", code="no-such-folder")
    if list(folder.glob("*.safetensors")):
        check_files(folder)


@contextmanager
def refusing_folder(folder: Path) -> Iterator[None]:
    """Tell in words of our own what transformers raises within this block."""
    try:
        yield
    except ModelError:
        raise
    except Exception as error:  # what a library raises for files that are no model's is up to it
        if "trust_remote_code" in str(error):  # what transformers advises is never done here
            raise ModelError(
                f"{folder} needs its own code, which never runs here; choose a model that transformers supports "
                "without it",
                code="runs-code",
            ) from error
        raise ModelError(
            f"{folder} is not a causal language model that can be loaded ({_brief(error)})",
            code="not-a-language-model",
        ) from error


def _brief(error: Exception) -> str:
    said = " ".join(str(error).split())
    return said[:300] if isinstance(error, OSError | ValueError | KeyError) and said else type(error).__name__
