"""A PEFT folder (prompt tuning, 0.21): ``adapter_config.json`` and ``adapter_model.safetensors``.

PEFT knows only vectors in front of everything, the beginning-of-text token included, so a prompt fits only if
its soft slot is the very first thing in its text. The template travels in the README and in
``fedprompt.json``, which PEFT does not read. On the way in nothing of the configuration is acted on: no text
initialisation, no tokenizer path, no code.

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
from fedprompt.exports.documents import fields_of
from fedprompt.exports.identity import FILE, MAX_IDENTITY_BYTES, identity_of, prompt_of
from fedprompt.exports.protocol import ExportContext, Exported, ImportContext, Imported, Refusal, Snippet
from fedprompt.exports.reading import dropped_normalising
from fedprompt.exports.slot import only_one, refuse_unheld, sides
from fedprompt.exports.tensors import MAX_TENSOR_BYTES, load_tensor, save_tensor
from fedprompt.exports.writing import publishing, write_text
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Template

__all__ = ["Peft"]

CONFIG, WEIGHTS, TENSOR = "adapter_config.json", "adapter_model.safetensors", "prompt_embeddings"
MAX_CONFIG_BYTES = 1024 * 1024
FOREIGN_TEMPLATE = "{soft}{text}"
_NEVER_HONOURED = ("prompt_tuning_init", "prompt_tuning_init_text", "revision")
_ASKS = {"tokenizer_name_or_path": "a tokenizer", "tokenizer_kwargs": "a tokenizer", "auto_mapping": "code of its own"}


class Peft:
    """Holds a soft prompt that stands at the very start."""

    name = "peft"
    title = "PEFT folder"
    description = "A soft prompt in front of the text, for PEFT and whatever loads its adapters."
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
                "its soft prompt stands inside the text, and PEFT puts vectors only in front of everything",
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

        Another's has no template, so ``{soft}{text}`` is taken; it is bound to the model that it names, which
        must be on this machine.

        Raises:
            ExportError: no prompt tuning, no safetensors, shapes that disagree, or a model that is not here.
        """
        with open_archive(path) as archive:
            config = _config(archive.read(CONFIG, MAX_CONFIG_BYTES), path)
            vectors = load_tensor(archive.read(WEIGHTS, MAX_TENSOR_BYTES), TENSOR, str(path))
            ours = archive.read(FILE, MAX_IDENTITY_BYTES) if FILE in archive.names else None
        said = (config.get("num_virtual_tokens"), config.get("token_dim"))
        if said != vectors.shape and said != (vectors.shape[0], None):
            raise ExportError(f"{path}: {CONFIG} says {said} for tokens and width, its vectors are {vectors.shape}")
        if ours is not None:
            return (Imported(prompt_of(ours, vectors, str(path))),)
        base = config.get("base_model_name_or_path")
        digest = context.digest_of(base) if isinstance(base, str) and base == public_model_name(base) else None
        if digest is None:
            told = public_model_name(base) if isinstance(base, str) else "no model"
            raise ExportError(
                f"{path}: it names {told} as its base model, which is not on this machine, so its vectors "
                "have no model to be bound to; fetch that model first"
            )
        width = context.width_of(str(base))
        if width is not None and width != vectors.shape[1]:
            raise ExportError(
                f"{path}: its vectors are {vectors.shape[1]} wide and {base} takes {width}, "
                "so they are another model's; refused"
            )
        dropped = [
            f"{path.name} holds no template and no label words, so '{FOREIGN_TEMPLATE}' was taken",
            *(f"{key} of {CONFIG} was not honoured" for key in _NEVER_HONOURED if config.get(key)),
        ]
        try:
            prompt = Prompt(Template(path.stem[:80], text=FOREIGN_TEMPLATE), SoftPrompt(vectors, digest))
        except PromptError as error:
            raise ExportError(f"{path}: {error}") from error
        return (Imported(prompt, {}, tuple(dropped)),)


def _config(raw: bytes, path: Path) -> dict[str, Any]:
    try:
        config = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ExportError(f"{path}: {CONFIG} is not JSON") from error
    if not isinstance(config, dict) or config.get("peft_type") != "PROMPT_TUNING":
        kind = config.get("peft_type") if isinstance(config, dict) else None
        raise ExportError(f"{path}: {CONFIG} is of the kind {kind!r}; only PROMPT_TUNING can be read")
    for key, what in _ASKS.items():
        if config.get(key):
            raise ExportError(f"{path}: {key} of {CONFIG} asks to load {what}, which no import does; take it out")
    if "trust_remote_code" in raw.decode("utf-8", "replace"):
        raise ExportError(f"{path}: {CONFIG} asks to run remote code, which no import does; take it out")
    return config


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
