"""A PEFT folder (prompt tuning, 0.21): ``adapter_config.json`` and ``adapter_model.safetensors``.

PEFT knows only vectors in front of everything, the beginning-of-text token included, so a prompt fits only if its soft
slot is the very first thing in its text. The template travels in the README and in ``fedprompt.json``, which PEFT does
not read. On the way in (``peft_config``) nothing of the configuration is acted on: no text initialisation, no tokenizer
path, no code.

Method: Lester, Al-Rfou and Constant (2021), The Power of Scale for Parameter-Efficient Prompt Tuning,
arXiv 2104.08691.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fedprompt.errors import ExportError, PromptError
from fedprompt.exports.archive import open_archive
from fedprompt.exports.card import card, public_model_name
from fedprompt.exports.documents import fields_of, name_of
from fedprompt.exports.identity import FILE, MAX_IDENTITY_BYTES, identity_of, prompt_of
from fedprompt.exports.protocol import ExportContext, Exported, ImportContext, Imported, Refusal, Snippet
from fedprompt.exports.reading import dropped_normalising
from fedprompt.exports.tensors import MAX_TENSOR_BYTES, load_tensor, save_tensor
from fedprompt.exports.vectors.peft_config import (
    CONFIG,
    MAX_CONFIG_BYTES,
    base_of,
    check_shape,
    not_honoured,
    read_config,
)
from fedprompt.exports.vectors.slot import only_one, refuse_unheld, sides
from fedprompt.exports.writing import publishing, write_text
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Template

__all__ = ["Peft"]

WEIGHTS, TENSOR = "adapter_model.safetensors", "prompt_embeddings"
FOREIGN_TEMPLATE = "{soft}{text}"


class Peft:
    """Holds a soft prompt that stands at the very start."""

    name = "peft"
    title = "PEFT folder"
    description = "A soft prompt before the text, for PEFT and programs that load its adapters."
    suffix = ".zip"
    many = False
    needs_model = False

    def drops(self, item: Exported) -> tuple[str, ...]:
        """Return what its own lines do not compute: likelihoods that the study normalises or frees of a prior."""
        return dropped_normalising(item)

    def refuses(self, item: Exported) -> Refusal | None:
        """Return why PEFT cannot hold a prompt, or None if it can."""
        if refusal := refuse_unheld(item):
            return refusal
        if sides(item.prompt.template).before:
            return Refusal(
                "its soft prompt is inside the text, but PEFT puts vectors only before the text",
                "any-slot",
            )
        return None

    def use(self, items: Sequence[Exported], name: str) -> Snippet:
        """Return lines that compute what follows the text."""
        after = json.dumps(sides(items[0].prompt.template).after, ensure_ascii=False)
        return Snippet("python", _CODE.format(after=after, fields=json.dumps(fields_of(items[0]))))

    def write(self, items: Sequence[Exported], destination: Path, context: ExportContext) -> Path:
        """Write one prompt as a PEFT folder or a zip of one.

        Raises:
            ExportError: not exactly one prompt, or one that is refused.
        """
        item, soft = only_one(items, destination, "a PEFT folder", self.refuses)
        named = context.model_digest == soft.model
        config = {
            "base_model_name_or_path": public_model_name(context.model_name) if named else None,
            "inference_mode": True,
            "num_attention_heads": None,
            "num_layers": None,
            "num_transformer_submodules": 1,
            "num_virtual_tokens": soft.tokens,
            "peft_type": "PROMPT_TUNING",
            "revision": None,
            "task_type": "CAUSAL_LM",
            "token_dim": soft.width,
            **(_sizes(context.model_folder) if named and context.model_folder is not None else {}),
        }
        with publishing(destination) as folder:
            write_text(folder / CONFIG, json.dumps(config, indent=2, sort_keys=True) + "\n")
            (folder / WEIGHTS).write_bytes(save_tensor(TENSOR, soft.vectors))
            write_text(
                folder / FILE,
                json.dumps(identity_of(item.prompt, item.name), indent=1, sort_keys=True) + "\n",
            )
            write_text(folder / "README.md", card("A soft prompt for PEFT", self.use([item], ""), [item], context))
        return destination

    def recognises(self, path: Path, names: frozenset[str]) -> bool:
        """Return whether there is an ``adapter_config.json`` in it."""
        return CONFIG in names

    def read(self, path: Path, context: ImportContext) -> tuple[Imported, ...]:
        """Read one prompt from a PEFT folder, one of ours or another's.

        Another's has no template, so ``{soft}{text}`` is taken; it is bound to the model that it names, by a name or
        by a folder, which must be on this machine.

        Raises:
            ExportError: no prompt tuning, no safetensors, shapes that disagree, or a model that is not here.
        """
        with open_archive(path) as archive:
            config = read_config(archive.read(CONFIG, MAX_CONFIG_BYTES), path)
            vectors = load_tensor(archive.read(WEIGHTS, MAX_TENSOR_BYTES), TENSOR, str(path))
            ours = archive.read(FILE, MAX_IDENTITY_BYTES) if FILE in archive.names else None
        check_shape(config, vectors.shape, path)
        if ours is not None:
            return (Imported(prompt_of(ours, vectors, str(path))),)
        base = base_of(config, vectors.shape[1], context, path)
        told = (
            f"{path.name} has no template and no label words, so '{FOREIGN_TEMPLATE}' was used",
            *base.told,
            *not_honoured(config),
        )
        try:
            template = Template(name_of(None, path.stem)[:80], text=FOREIGN_TEMPLATE)
            return (Imported(Prompt(template, SoftPrompt(vectors, base.digest)), {}, told),)
        except PromptError as error:
            raise ExportError(f"{path}: {error}", code=error.code) from error


def _sizes(folder: Path) -> dict[str, Any]:
    """Return the numbers of layers and heads, which PEFT's other methods need and its configuration lists."""
    try:
        config = json.loads((folder / "config.json").read_bytes()[:MAX_CONFIG_BYTES])
    except (OSError, ValueError):
        return {}
    wanted = {"num_layers": "num_hidden_layers", "num_attention_heads": "num_attention_heads"}
    return {ours: config[theirs] for ours, theirs in wanted.items() if isinstance(config.get(theirs), int)}


_CODE = """
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained(BASE_MODEL)  # the model that the card names, with that digest
model = PeftModel.from_pretrained(model, ".")
text = {after}.format(**{fields})  # the template after its soft slot, its fields filled in
ids = AutoTokenizer.from_pretrained(BASE_MODEL)(text, split_special_tokens=True, return_tensors="pt")
logits = model(**ids).logits  # the soft prompt stands in front of all of it
"""
