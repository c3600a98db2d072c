"""A PEFT folder of an adapter (LoRA, 0.21): ``adapter_config.json`` and ``adapter_model.safetensors``.

PEFT puts the factors beside the base model's layers. The template travels in the README and in ``fedprompt.json``,
which PEFT does not read. Only a folder that has that file is read back: another's names a model and no digest of it.

Method: Hu et al. (2021), LoRA: Low-Rank Adaptation of Large Language Models, arXiv 2106.09685.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedprompt.boundary.tensor_header import MODEL_TENSORS, check_tensors
from fedprompt.boundary.unfit import Unfit
from fedprompt.errors import ExportError
from fedprompt.exports.archive import open_archive
from fedprompt.exports.card import card, public_model_name
from fedprompt.exports.documents import fields_of
from fedprompt.exports.identity import FILE, MAX_IDENTITY_BYTES, identity_of, prompt_of
from fedprompt.exports.protocol import ExportContext, Exported, ImportContext, Imported, Refusal, Snippet
from fedprompt.exports.reading import dropped_normalising
from fedprompt.exports.vectors.peft_config import CONFIG
from fedprompt.exports.writing import publishing, write_text
from fedprompt.prompts.adapter import MAX_NUMBERS

__all__ = ["PeftAdapter"]

WEIGHTS = "adapter_model.safetensors"
PREFIX, SUFFIX = "base_model.model.", ".weight"
MAX_BYTES = 4 * MAX_NUMBERS + MODEL_TENSORS.size


class PeftAdapter:
    """Holds a prompt that was tuned with an adapter."""

    name = "peft-adapter"
    title = "PEFT adapter"
    description = "A LoRA adapter for PEFT and whatever loads its adapters, with its template in the card."
    suffix = ".zip"
    many = False
    needs_model = False

    def drops(self, item: Exported) -> tuple[str, ...]:
        """Return what its own lines do not compute: likelihoods that the study normalises or frees of a prior."""
        return dropped_normalising(item)

    def refuses(self, item: Exported) -> Refusal | None:
        """Return why it cannot hold a prompt, or None if it can."""
        if item.prompt.adapter is None:
            return Refusal("it was not tuned with an adapter", "langchain" if item.prompt.soft is None else "peft")
        if item.prompt.template.demonstrations is not None:
            return Refusal("it shows demonstrations, which are a site's own and never leave it", "")
        return None

    def use(self, items: Sequence[Exported], name: str) -> Snippet:
        """Return lines that compute what follows the text."""
        template = items[0].prompt.template
        text = template.text if template.text is not None else "\n".join(m.content for m in template.messages or ())
        shown = json.dumps(text, ensure_ascii=False)
        return Snippet("python", _CODE.format(text=shown, fields=json.dumps(fields_of(items[0]))))

    def write(self, items: Sequence[Exported], destination: Path, context: ExportContext) -> Path:
        """Write one prompt as a PEFT folder or a zip of one.

        Raises:
            ExportError: not exactly one prompt, or one that is refused.
        """
        from safetensors.numpy import save

        if len(items) != 1:
            raise ExportError(
                f"{destination}: a PEFT adapter holds one prompt, not {len(items)}; write one at a time",
                code="one-prompt-only",
            )
        (item,) = items
        adapter = item.prompt.adapter
        if (refusal := self.refuses(item)) is not None or adapter is None:
            why = "" if refusal is None else refusal.reason
            raise ExportError(f"prompt '{item.name}' cannot be a PEFT adapter: {why}", code="cannot-hold")
        named = context.model_digest == adapter.model
        config: dict[str, Any] = {
            "base_model_name_or_path": public_model_name(context.model_name) if named else None,
            "bias": "none",
            "fan_in_fan_out": False,
            "inference_mode": True,
            "lora_alpha": adapter.alpha,
            "lora_dropout": 0.0,
            "modules_to_save": None,
            "peft_type": "LORA",
            "r": adapter.rank,
            "revision": None,
            "target_modules": sorted(adapter.targets),
            "task_type": "CAUSAL_LM",
        }
        weights = {f"{PREFIX}{name}{SUFFIX}": array for name, array in adapter.arrays.items()}
        with publishing(destination) as folder:
            write_text(folder / CONFIG, json.dumps(config, indent=2, sort_keys=True) + "\n")
            (folder / WEIGHTS).write_bytes(save(weights, metadata={"format": "pt"}))
            write_text(folder / FILE, json.dumps(identity_of(item.prompt, item.name), indent=1, sort_keys=True) + "\n")
            write_text(folder / "README.md", card("A LoRA adapter for PEFT", self.use([item], ""), [item], context))
        return destination

    def recognises(self, path: Path, names: frozenset[str]) -> bool:
        """Return whether it is one of ours: an adapter's configuration, its weights, and a prompt with an adapter."""
        if not {CONFIG, WEIGHTS, FILE} <= names:
            return False
        try:
            with open_archive(path) as archive:
                found = json.loads(archive.read(FILE, MAX_IDENTITY_BYTES))
            return "adapter" in found["canonical"]
        except (ExportError, ValueError, TypeError, KeyError, RecursionError):
            return False

    def read(self, path: Path, context: ImportContext) -> tuple[Imported, ...]:
        """Read the prompt of a folder of ours; its adapter is bound to the model whose digest it names.

        Raises:
            ExportError: the weights are not those that the prompt names, or the file is damaged.
        """
        with open_archive(path) as archive:
            arrays = _arrays(archive.read(WEIGHTS, MAX_BYTES), str(path))
            told = archive.read(FILE, MAX_IDENTITY_BYTES)
        return (Imported(prompt_of(told, None, str(path), arrays)),)


def _arrays(data: bytes, where: str) -> dict[str, NDArray[np.float32]]:
    """Return the factors of PEFT's file by our names.

    Raises:
        ExportError: it is no safetensors file of float32 factors.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        check_tensors(data, MODEL_TENSORS)
        found: dict[str, NDArray[Any]] = load(data)
    except (SafetensorError, Unfit, ValueError, KeyError, TypeError) as error:
        raise ExportError(f"{where}: its weights are no safetensors file, or are damaged", code="damaged") from error
    if any(
        array.dtype != np.float32 or not n.startswith(PREFIX) or not n.endswith(SUFFIX) for n, array in found.items()
    ):
        raise ExportError(f"{where}: its weights are not the float32 factors of an adapter", code="other-tensors")
    return {name.removeprefix(PREFIX).removesuffix(SUFFIX): array for name, array in found.items()}


_CODE = """
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained(BASE_MODEL)  # the model that the card names, with that digest
model = PeftModel.from_pretrained(model, ".")
text = {text}.format(**{fields})  # the template, its fields filled in
ids = AutoTokenizer.from_pretrained(BASE_MODEL)(text, split_special_tokens=True, return_tensors="pt")
logits = model(**ids).logits
"""
