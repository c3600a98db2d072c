"""vLLM: the vectors, the text around them, and a script that sends both as ``prompt_embeds``; no copy of the model.

The server must run the very model that the soft prompt was tuned for, with ``--enable-prompt-embeds``. The slot may
stand anywhere. ``bundle/`` brings the prompt back into a bank.
"""

from collections.abc import Sequence
from pathlib import Path

from fedprompt.errors import ExportError
from fedprompt.exports.archive import open_archive
from fedprompt.exports.bundle import read_bundle, write_bundle
from fedprompt.exports.card import card, public_model_name
from fedprompt.exports.protocol import ExportContext, Exported, ImportContext, Imported, Refusal, Snippet
from fedprompt.exports.reading import dropped_normalising, reading_body
from fedprompt.exports.tensors import load_tensor, save_tensor
from fedprompt.exports.vectors.slot import only_one, refuse_unheld, sides
from fedprompt.exports.vectors.vllm_script import SEND
from fedprompt.exports.writing import json_text, publishing, write_text

__all__ = ["Vllm"]

ABOUT, WEIGHTS, SCRIPT, BUNDLE, TENSOR = "prompt.json", "soft_prompt.safetensors", "send.py", "bundle", "vectors"


class Vllm:
    """Holds a soft prompt anywhere in a bare completion, without its model."""

    name = "vllm"
    title = "vLLM script"
    description = "The vectors and a script that sends them to a vLLM server, at any position in the text."
    suffix = ".zip"
    many = False
    needs_model = False

    def drops(self, item: Exported) -> tuple[str, ...]:
        """Return what its own lines do not compute: likelihoods that the study normalises or frees of a prior."""
        return dropped_normalising(item)

    def refuses(self, item: Exported) -> Refusal | None:
        """Return why the script cannot run a prompt, or None if it can."""
        return refuse_unheld(item)

    def use(self, items: Sequence[Exported], name: str) -> Snippet:
        """Return lines that start a server and ask it."""
        fields = " ".join(f'--field {field}="..."' for field in items[0].prompt.template.variables)
        return Snippet("bash", _CODE.format(fields=fields), _NOTE)

    def write(self, items: Sequence[Exported], destination: Path, context: ExportContext) -> Path:
        """Write a folder or zip with one prompt.

        Raises:
            ExportError: not exactly one prompt, one that is refused, or a destination that cannot be written.
        """
        item, soft = only_one(items, destination, "a vLLM script", self.refuses)
        parts = sides(item.prompt.template)
        about = {
            "version": 1,
            "id": item.prompt.id,
            "name": item.name,
            "model": public_model_name(context.model_name) if context.model_digest == soft.model else None,
            "model_digest": soft.model,
            "before": parts.before,
            "after": parts.after,
            "words": dict(item.reading.words),
            "max_tokens": item.reading.writing.max_tokens,
            "stop": list(item.reading.writing.stop),
            "reading": reading_body(item.reading),
        }
        with publishing(destination) as folder:
            write_text(folder / ABOUT, json_text(about))
            (folder / WEIGHTS).write_bytes(save_tensor(TENSOR, soft.vectors))
            write_text(folder / SCRIPT, SEND)
            (folder / BUNDLE).mkdir()
            write_bundle(folder / BUNDLE, [item], context)
            write_text(folder / "README.md", card("A soft prompt for vLLM", self.use([item], ""), [item], context))
        return destination

    def recognises(self, path: Path, names: frozenset[str]) -> bool:
        """Return whether it holds the script and its vectors."""
        return {ABOUT, WEIGHTS, SCRIPT} <= names

    def read(self, path: Path, context: ImportContext) -> tuple[Imported, ...]:
        """Read the prompt back from the bundle in it; the script is not looked at.

        Raises:
            ExportError: it is damaged or hostile, or its vectors are not the bundle's.
        """
        with open_archive(path) as archive:
            found = read_bundle(archive.under(BUNDLE), adapted=True)
            vectors = load_tensor(archive.read(WEIGHTS), TENSOR, str(path))
        soft = found[0].prompt.soft
        if len(found) != 1 or soft is None or soft.vectors.tobytes() != vectors.tobytes():
            raise ExportError(
                f"{path}: its vectors differ from those in its bundle; refused", code="vectors-of-another"
            )
        return found


_CODE = """
pip install torch transformers safetensors
vllm serve MODEL --enable-prompt-embeds
python send.py --model MODEL {fields}
"""
_NOTE = """
MODEL is the folder of the model that the card names, with that digest: the server and the script must have the same.
The script looks up the text's embeddings, puts the vectors into the slot and sends `prompt_embeds`. Label words are
compared by the log-likelihoods of their tokens, a request each (`allowed_token_ids`, `logprobs`).
"""
