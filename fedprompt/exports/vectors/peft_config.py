"""What an ``adapter_config.json`` of PEFT says, and which model its vectors are for; nothing of it is acted on.

PEFT writes the name or the folder that a model was loaded from, and no digest. So a name is looked up among the models
of the home and the bank, and a folder counts if it has the digest of one of them. Invariant: vectors are bound to a
digest that this machine knows, or refused with what was looked for. Source: ``PromptTuningConfig`` of PEFT 0.21.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedprompt.errors import ExportError
from fedprompt.exports.card import public_model_name
from fedprompt.exports.document_text import Document, parse_json
from fedprompt.exports.protocol import ImportContext

__all__ = ["CONFIG", "MAX_CONFIG_BYTES", "Base", "base_of", "check_shape", "not_honoured", "read_config"]

CONFIG = "adapter_config.json"
MAX_CONFIG_BYTES = 1024 * 1024
MAX_DEPTH = 50
_WITHOUT_EFFECT = frozenset(
    {
        "auto_mapping",
        "base_model_name_or_path",
        "inference_mode",
        "modules_to_save",
        "num_attention_heads",
        "num_layers",
        "num_transformer_submodules",
        "num_virtual_tokens",
        "peft_type",
        "peft_version",
        "task_type",
        "token_dim",
    }
)
_KINDS = {
    "PREFIX_TUNING": "prefix tuning, which puts vectors into every layer",
    "P_TUNING": "p-tuning, which needs its encoder",
    "MULTITASK_PROMPT_TUNING": "multitask prompt tuning, which needs its task's factors",
    "CPT": "context-aware prompt tuning, which needs its own loss",
}
_TRANSFORMERS = re.compile(r"transformers(\.\w+)*")


@dataclass(frozen=True)
class Base:
    """The digest of the model that vectors are for, and what is told of how it was found."""

    digest: str
    told: tuple[str, ...] = ()


def read_config(raw: bytes, path: Path) -> dict[str, Any]:
    """Return a configuration of prompt tuning.

    Raises:
        ExportError: no JSON, another method, another task, or one that asks to run code.
    """
    config = parse_json(Document(f"{path}: {CONFIG}", "", raw))
    kind = config.get("peft_type") if isinstance(config, dict) else None
    if not isinstance(config, dict) or kind != "PROMPT_TUNING":
        known = _KINDS.get(kind) if isinstance(kind, str) else None
        named = known or f"of the kind {str(kind)[:40]!r}, which changes the model's weights or is unknown"
        raise ExportError(
            f"{path}: {CONFIG} is {named}; only PROMPT_TUNING can be read, because its vectors are before the text",
            code="other-method",
        )
    if _asks_for_code(config):
        raise ExportError(
            f"{path}: {CONFIG} asks to run remote code, which no import does; remove it", code="runs-code"
        )
    mapping = config.get("auto_mapping")
    library = mapping.get("parent_library") if isinstance(mapping, Mapping) else mapping
    if library is not None and not (isinstance(library, str) and _TRANSFORMERS.fullmatch(library)):
        raise ExportError(
            f"{path}: auto_mapping of {CONFIG} asks to load code of its own, which no import does; remove it",
            code="runs-code",
        )
    task, parts = config.get("task_type"), config.get("num_transformer_submodules")
    if task not in (None, "CAUSAL_LM") or parts not in (None, 1):
        raise ExportError(
            f"{path}: {CONFIG} is for the task {str(task)[:40]!r} with {str(parts)[:10]} parts of a model; only "
            "CAUSAL_LM, a model that continues a text, is read",
            code="other-task",
        )
    if saved := config.get("modules_to_save"):
        raise ExportError(
            f"{path}: modules_to_save of {CONFIG} names {str(saved)[:60]}, weights of the model itself, and a soft "
            "prompt is vectors only; tune it without them",
            code="trains-weights",
        )
    return config


def check_shape(config: Mapping[str, Any], shape: Sequence[int], path: Path) -> None:
    """Refuse vectors of another shape than the configuration says.

    Raises:
        ExportError: they differ; a width that the configuration leaves out is not compared.
    """
    tokens, width = config.get("num_virtual_tokens"), config.get("token_dim")
    if tokens != shape[0] or width not in (None, shape[1]):
        raise ExportError(
            f"{path}: {CONFIG} says {str(tokens)[:20]} tokens of the width {str(width)[:20]}, and its vectors are "
            f"{shape[0]} of the width {shape[1]}; fetch both files again",
            code="wrong-shape",
        )


def not_honoured(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a sentence for each setting that PEFT would act on and an import does not."""
    return tuple(
        f"{key[:60]} of {CONFIG} was not honoured"
        for key in sorted(config)
        if config[key] and key not in _WITHOUT_EFFECT and not (key == "prompt_tuning_init" and config[key] == "RANDOM")
    )


def base_of(config: Mapping[str, Any], width: int, context: ImportContext, path: Path) -> Base:
    """Return the model that vectors of this width are for.

    Raises:
        ExportError: it is not on this machine, or takes vectors of another width.
    """
    base = config.get("base_model_name_or_path")
    if not isinstance(base, str) or not base.strip():
        raise ExportError(
            f"{path}: it names no model as its base model; write its name into base_model_name_or_path of {CONFIG}",
            code="no-base-model",
        )
    base = base.strip()
    short = public_model_name(base)
    digest, name = context.digest_of(base), base
    told: tuple[str, ...] = ()
    if digest is None and short != base and not _is_here(base) and context.width_of(short) is not None:
        digest, name = context.digest_of(short), short
        told = (
            f"{path.name} names the folder {base[:200]}, which is not on this machine: it was taken for the model "
            f"'{short}', which has the folder's name and takes vectors of this width. PEFT writes no digest, so make "
            "sure that it is the same model",
        )
    if digest is None:
        looked = f"a model called '{short[:80]}'"
        if short != base:
            looked += f", and a folder {base[:200]} with the digest of a known model"
        known = ", ".join(f"'{one}'" for one in context.models()) or "none"
        raise ExportError(
            f"{path}: it names {short[:80]} as its base model, which is not on this machine, so its vectors "
            f"have no model to be bound to. Looked for: {looked}; known here: {known}. Download that model "
            f"first, or write the name of one of these into base_model_name_or_path of {CONFIG} if it is the "
            "same",
            code="model-not-here",
        )
    takes = context.width_of(name)
    if takes is not None and takes != width:
        raise ExportError(
            f"{path}: its vectors are {width} wide and {short} takes {takes}, so they are another model's; refused",
            code="wrong-shape",
        )
    return Base(digest, told)


def _is_here(folder: str) -> bool:
    try:
        return Path(folder).expanduser().is_dir()
    except (OSError, RuntimeError, ValueError):
        return False


def _asks_for_code(value: Any, depth: int = 0) -> bool:
    if depth > MAX_DEPTH:
        return True
    if isinstance(value, Mapping):
        return bool(value.get("trust_remote_code")) or any(_asks_for_code(one, depth + 1) for one in value.values())
    return isinstance(value, list) and any(_asks_for_code(one, depth + 1) for one in value)
