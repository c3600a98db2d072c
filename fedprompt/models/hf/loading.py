"""Reads a model's folder: configuration, tokenizer and weights, with nothing of it run and nothing fetched."""

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

__all__ = ["ReadFolder", "read_folder"]


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
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    if not folder.is_dir():
        raise ModelError(f"{folder} is not a model folder", code="no-such-folder")
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # who loads a model tells it in words of its own
    if list(folder.glob("*.safetensors")):
        check_files(folder)
    digest = model_digest(folder)
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        check_size(folder, config)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            config=config,
            dtype=getattr(torch, settings.dtype),
            attn_implementation=IMPLEMENTATION,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
        )
        lm, about = loaded
    except ModelError:
        raise
    except Exception as error:  # what a library raises for files that are no model's is up to it
        if isinstance(error, KeyError) and error.args == (IMPLEMENTATION,):  # it chooses among classes of its own
            raise refusal(architecture_of(config), "it does not use transformers' attention interface") from error
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
    if lacking := sorted(about["missing_keys"]):  # transformers would draw them at random
        raise ModelError(
            f"{folder}: the weights lack {len(lacking)} tensors of this model, such as '{lacking[0]}'; "
            "download the model again",
            code="weights-missing",
        )
    return ReadFolder(lm, tokenizer, config, digest)


def _brief(error: Exception) -> str:
    said = " ".join(str(error).split())
    return said[:300] if isinstance(error, OSError | ValueError | KeyError) and said else type(error).__name__
