"""Finds a model by name: the shipped fake, an asset of the home folder, or a folder on disk.

Settings are measured once and kept in the home folder; nothing that changes from run to run moves them.
Loaded models are kept, a few at most, by folder and settings.
"""

import json
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedprompt.errors import AssetError, ModelError
from fedprompt.models.chat.config import is_chat
from fedprompt.models.matrix_product import matrix_product
from fedprompt.models.protocols import CacheDtype, CausalModel, RunSettings
from fedprompt.models.scripted import NAME as SCRIPTED
from fedprompt.models.scripted import ScriptedModel
from fedprompt.models.sources import source_of
from fedprompt.private_file import write_first, write_private

if TYPE_CHECKING:
    from fedprompt.models.hf.encoding import Encoder

__all__ = [
    "BUILT_IN",
    "DEFAULT_MODEL",
    "chosen_settings",
    "find_model_folder",
    "has_bfloat16",
    "load",
    "physical_cores",
    "recommended_settings",
    "settings_for",
    "word_reader",
]

DEFAULT_MODEL = "smollm2-135m-instruct"
# Models without files, by name: what makes one, of the machine's settings or of its own.
BUILT_IN: Mapping[str, Callable[[RunSettings | None], CausalModel]] = {
    SCRIPTED: ScriptedModel,
}
KEPT = 2
PACKS = {"cpu": 1024, "cuda": 8192}  # tokens at once
_kept: OrderedDict[tuple[str, str, RunSettings], CausalModel] = OrderedDict()
_lock = threading.Lock()


def load(name: str, home: Path, settings: RunSettings | None = None) -> CausalModel:
    """Return the model called ``name``, from memory if it was loaded before with the same settings.

    Args:
        name: one that is built in (``scripted``), the name of an asset, a folder with safetensors, a tokenizer and
            ``config.json``, a GGUF file, or a hub's id (``owner/name``, ``owner/name@revision``).
        home: the home folder, where assets lie.
        settings: dtype, threads and the like; :func:`settings_for` the home if None.

    Raises:
        ModelError: there is no such model, or it cannot be loaded.
        AssetError: the asset is not there yet, or is damaged.
    """
    if name in BUILT_IN:
        return BUILT_IN[name](settings)
    if is_chat(name):
        raise ModelError(
            f"'{name}' is a chat model, which can be scored and tried but not tuned; tuning and rounds need a "
            f"model of this machine, such as '{DEFAULT_MODEL}'",
            code="needs-local-model",
        )
    folder = find_model_folder(name, home)
    chosen = settings or settings_for(home)
    key = (name, str(folder), chosen)
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
        from fedprompt.models.hf.model import HFModel

        model = HFModel.load(folder, name=name, settings=chosen, checked=home / "checked")
        _kept[key] = model
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
        return model


def find_model_folder(name: str, home: Path) -> Path:
    """Return the folder of an asset, of a folder, of a GGUF file converted once, or of a model fetched by its hub id.

    Raises:
        ModelError: none of these, or it cannot be fetched; the message gives the nearest name.
        AssetError: the asset is not there yet or is damaged, or a GGUF file cannot be converted.
    """
    from fedprompt.models.assets.catalogue import asset_folder
    from fedprompt.models.assets.fetched import converted_gguf, fetched_model

    source = source_of(name, home)
    match source.kind:
        case "bundled":
            return asset_folder(home, name)
        case "folder":
            return Path(source.where)
        case "GGUF file":
            return converted_gguf(Path(source.where), home)
        case "fetched" | "hub":
            return fetched_model(name, home)
    raise ModelError(f"'{name}' has no folder, because it is {source.told}", code="unknown-model")


def word_reader(name: str, home: Path) -> "Encoder | CausalModel | None":
    """Return what reads words as a model does, its tokenizer alone; None of a chat model or one that is not here.

    Nothing is fetched or converted for it.

    Raises:
        ModelError: the model's folder holds no tokenizer that can be loaded.
    """
    if name in BUILT_IN:
        return BUILT_IN[name](None)
    if is_chat(name):
        return None
    try:
        if source_of(name, home).kind not in ("bundled", "folder", "fetched"):
            return None
        folder = find_model_folder(name, home)
    except (AssetError, ModelError):
        return None
    from transformers import AutoTokenizer

    from fedprompt.models.hf.encoding import Encoder

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"{folder}: its tokenizer cannot be loaded ({error}); fetch the model again", code="no-tokenizer"
        ) from error
    return Encoder(tokenizer, 1)


def settings_for(home: Path) -> RunSettings:
    """Return this machine's settings, as measured the first time and kept in the home folder ever since.

    Processors that can compute in bfloat16 do not all gain by it, and some virtual ones lose, so both are
    timed once. Kept, because what moves a number's last digits must not change from run to run.
    """
    path = home / "machine.json"
    found = _read_settings(path)
    if found is not None:
        return found
    chosen = recommended_settings()
    kept = json.dumps({"dtype": chosen.dtype, "threads": chosen.threads, "device": chosen.device}).encode()
    try:
        if path.exists():
            write_private(path, kept)  # what was there could not be read
        elif not write_first(path, kept):
            return _read_settings(path) or chosen  # another process was faster, and its measurement stands for both
    except OSError as error:
        raise ModelError(
            f"{path}: the machine's settings cannot be saved ({error.strerror}); check the home folder",
            code="cannot-write",
        ) from error
    return chosen


def chosen_settings(
    home: Path, cache_bytes: int | None = None, cache_dtype: CacheDtype | None = None
) -> RunSettings | None:
    """Return this machine's settings with what a run chooses in their place; None where it chooses nothing."""
    asked: dict[str, Any] = {"cache_bytes": cache_bytes, "cache_dtype": cache_dtype}
    chosen = {name: value for name, value in asked.items() if value is not None}
    return replace(settings_for(home), **chosen) if chosen else None


def _read_settings(path: Path) -> RunSettings | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        threads, device = max(1, int(found["threads"])), _device(found.get("device", "cpu"))
        return RunSettings(dtype=_dtype(found["dtype"]), threads=threads, device=device, pack=PACKS[device])
    except (OSError, ValueError, KeyError, TypeError):
        return None


@cache
def recommended_settings() -> RunSettings:
    """Return a GPU where there is one, else the processor with a thread for each core; bfloat16 where it is faster."""
    import torch

    if torch.cuda.is_available():
        dtype = "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
        return RunSettings(dtype=dtype, threads=physical_cores(), device="cuda", pack=PACKS["cuda"])
    pays = has_bfloat16() and matrix_product("bfloat16") > 1.2 * matrix_product("float32")
    return RunSettings(dtype="bfloat16" if pays else "float32", threads=physical_cores())


def has_bfloat16() -> bool:
    """Return whether the processor has instructions for bfloat16."""
    return not _processor_flags().isdisjoint(("avx512_bf16", "amx_bf16"))


def _dtype(name: object) -> str:
    if name not in ("bfloat16", "float32"):
        raise ValueError("not a known dtype")
    return str(name)


def _device(name: object) -> str:
    if name not in ("cpu", "cuda"):
        raise ValueError("not a known device")
    return str(name)


def physical_cores() -> int:
    """Return how many physical cores this process may use; at least one."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    siblings = set()
    for cpu in allowed:
        try:
            path = f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"
            siblings.add(Path(path).read_text().strip())
        except OSError:
            siblings.add(str(cpu))
    return max(1, len(siblings))


def _processor_flags() -> frozenset[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.partition(":")[2] for line in lines if line.startswith("flags")), "").split())
