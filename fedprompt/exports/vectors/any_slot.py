"""A model folder that carries a soft prompt as new tokens ``<fp-0>`` .. for use anywhere in a text.

The tokens are added to the tokenizer as special tokens, so that decoding for people leaves them out, and
their input embeddings are the soft prompt's vectors. The weights are saved in float32 so that nothing is
rounded.

Added tokens must never be generated. Input and output embeddings are untied, and the output rows added for
the new tokens are the mean of the old rows (and of the old biases, if any): the logit of a new token is then
the mean of the old logits at each position, which is never above their maximum, so greedy decoding cannot
choose it, and by Jensen's inequality its probability is at most one over the size of the vocabulary.
``generation_config.json`` also lists them in ``suppress_tokens``, which plain ``generate`` honours when
sampling too. Log-likelihoods that must agree exactly with fedprompt's are taken over the old vocabulary alone
(``vocabulary`` in ``prompt.json``), as the README's lines do.

``<fp-0>`` inside a case's text must stay text: encode with ``split_special_tokens=True`` and join the ids.
The soft slot is a hard boundary: the text before it and the text after it, label word included, are each
tokenised whole.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fedprompt.errors import ExportError
from fedprompt.exports.card import card
from fedprompt.exports.documents import fields_of
from fedprompt.exports.identity import MAX_IDENTITY_BYTES, identity_of, prompt_of
from fedprompt.exports.protocol import ExportContext, Exported, ImportContext, Imported, Refusal, Snippet
from fedprompt.exports.reading import dropped_normalising, reading_body
from fedprompt.exports.vectors.slot import Sides, only_one, refuse_unheld, sides
from fedprompt.exports.vectors.widening import check_rows, embedding_rows, load_model, new_tokens, save_shapes, widen
from fedprompt.exports.writing import check_space, publishing, write_text
from fedprompt.models.nested import may_nest

__all__ = ["AnySlot"]

SPARE_BYTES = 64 * 1024 * 1024


class AnySlot:
    """Holds a soft prompt anywhere in a bare completion, together with its model."""

    name = "any-slot"
    title = "Model folder, any slot"
    description = "A copy of the model with the soft prompt as tokens, for plain transformers."
    suffix = ""
    many = False
    needs_model = True

    def drops(self, item: Exported) -> tuple[str, ...]:
        """Return what its own lines do not compute: likelihoods that the study normalises or frees of a prior."""
        return dropped_normalising(item)

    def refuses(self, item: Exported) -> Refusal | None:
        """Return why a model folder cannot hold a prompt, or None if it can."""
        return refuse_unheld(item)

    def use(self, items: Sequence[Exported], name: str) -> Snippet:
        """Return lines that run the prompt with plain transformers."""
        words = tuple(items[0].reading.words.values())
        lines = [
            "import json, pathlib, torch, transformers as t",
            f'folder, case = ".", {json.dumps(fields_of(items[0]))}',
            "tokenizer = t.AutoTokenizer.from_pretrained(folder)",
            "model = t.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)",
            'p = json.loads(pathlib.Path(folder, "prompt.json").read_text("utf-8"))',
            "encode = lambda s: tokenizer(s, add_special_tokens=False, split_special_tokens=True).input_ids",
            'start = p["opening"] + encode(p["before"].format(**case)) + p["slot"]',
            *(_GENERATE if not words else _NESTED if may_nest(words) else _CHOICE),
        ]
        return Snippet("python", "\n".join(lines), _NOTE)

    def write(self, items: Sequence[Exported], destination: Path, context: ExportContext) -> Path:
        """Write one prompt with its model; takes about twice the model's size in memory, four bytes a weight.

        Raises:
            ExportError: not exactly one prompt, one that is refused, no model or another model, or too little
                disk.
        """
        item, soft = only_one(items, destination, "a model folder", self.refuses)
        if context.model_folder is None:
            raise ExportError(
                f"prompt '{item.name}' needs its model for a model folder, but the model is not on this "
                "machine; 'fedprompt assets pull' downloads the default one",
                code="model-not-here",
            )
        soft.check_model(context.model_digest, context.model_name, _width(context.model_folder, soft.width))
        if context.weights:
            copies = 2 if destination.suffix.lower() == ".zip" else 1
            check_space(destination, _float32_bytes(context.model_folder) * copies + SPARE_BYTES)
        tokenizer, model = load_model(context.model_folder, weights=context.weights)
        tokens = new_tokens(tokenizer, soft.tokens)
        vocabulary = widen(model, tokenizer, tokens, soft.vectors)
        prompt = _describe(item, tokenizer, tokens, vocabulary)
        text = card("A model with a soft prompt", self.use([item], ""), [item], context)
        with publishing(destination) as folder:
            if context.weights:
                model.save_pretrained(folder)
                check_rows(folder, tokens, soft.vectors)
            else:
                save_shapes(model, folder)
            tokenizer.save_pretrained(folder)
            _scrub(folder, context.model_folder)
            write_text(
                folder / "prompt.json",
                json.dumps(prompt, indent=1, sort_keys=True, ensure_ascii=False) + "\n",
            )
            write_text(folder / "README.md", text)
        return destination

    def recognises(self, path: Path, names: frozenset[str]) -> bool:
        """Return whether it is a folder with a ``prompt.json`` beside a model."""
        return path.is_dir() and {"prompt.json", "config.json"} <= names

    def read(self, path: Path, context: ImportContext) -> tuple[Imported, ...]:
        """Read the prompt back out of a model folder that fedprompt wrote; only its new rows are read.

        Raises:
            ExportError: it is damaged, or what it holds has another id than it says.
        """
        file = path / "prompt.json"
        try:
            if file.is_symlink() or file.stat().st_size > MAX_IDENTITY_BYTES:
                raise ExportError(f"{file} is not the prompt.json of a model folder; refused", code="not-this-format")
            body = json.loads(file.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            raise ExportError(f"{file} cannot be read as JSON", code="not-json") from error
        tokens = body.get("slot_tokens") if isinstance(body, dict) else None
        identity = body.get("prompt") if isinstance(body, dict) else None
        if not isinstance(tokens, list) or not isinstance(identity, dict) or not 1 <= len(tokens) <= 512:
            raise ExportError(
                f"{file}: not the prompt.json of a model folder that fedprompt wrote", code="not-this-format"
            )
        if any(type(token) is not int or token < 0 for token in tokens):
            raise ExportError(f"{file}: slot_tokens must be token ids", code="not-well-formed")
        return (Imported(prompt_of(identity, embedding_rows(path, tokens), str(path))),)


def _width(folder: Path, otherwise: int) -> int:
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError) as error:
        raise ExportError(
            "the model's config.json cannot be read; download the model again", code="cannot-read"
        ) from error
    return int(config.get("hidden_size", otherwise))


def _float32_bytes(folder: Path) -> int:
    """Return how many bytes a folder's weights take in float32, with untied output embeddings."""
    from safetensors import SafetensorError, safe_open

    total = largest = 0
    try:
        for shard in sorted(folder.glob("*.safetensors")):
            with safe_open(shard, framework="numpy") as opened:
                for name in opened.keys():  # noqa: SIM118
                    count = 1
                    for side in opened.get_slice(name).get_shape():
                        count *= side
                    total, largest = total + count, max(largest, count)
    except (OSError, SafetensorError) as error:
        raise ExportError("the model's weights cannot be read; download the model again", code="cannot-read") from error
    return 4 * (total + largest)


def _describe(item: Exported, tokenizer: Any, tokens: Sequence[int], vocabulary: int) -> dict[str, Any]:
    template = item.prompt.template
    parts: Sides = sides(template)
    marks = "".join(f"<fp-{number}>" for number in range(len(tokens)))
    # The token that this tokenizer begins every text with, if it does; a soft prompt at the very start comes
    # before it.
    found = tokenizer("", add_special_tokens=True)["input_ids"]
    opening = [int(id) for id in found if id == tokenizer.bos_token_id]
    first = not parts.before
    return {
        "text": parts.before + marks + parts.after,
        "opening": [] if first else opening,
        "before": parts.before,
        "slot": [*tokens, *opening] if first else list(tokens),
        "slot_tokens": list(tokens),
        "after": parts.after,
        "words": dict(item.reading.words),
        "vocabulary": vocabulary,
        "max_tokens": item.reading.writing.max_tokens,
        "stop": list(item.reading.writing.stop),
        "reading": reading_body(item.reading),
        "prompt": identity_of(item.prompt, item.name),
    }


def _scrub(folder: Path, source: Path) -> None:
    """Take the path that the model was loaded from out of the files that transformers wrote."""
    for file in folder.glob("*.json"):
        text = file.read_text(encoding="utf-8")
        if file.name in ("config.json", "generation_config.json", "tokenizer_config.json"):
            body = json.loads(text)
            for key in ("_name_or_path", "name_or_path", "is_local", "local_files_only"):
                body.pop(key, None)
            text = json.dumps(body, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
            write_text(file, text)
        if json.dumps(str(source))[1:-1] in text:
            raise ExportError(
                f"the model's {file.name} names a path of this machine; it is not written", code="names-a-path"
            )


_SHARES = "{}dict(zip(ends, torch.stack([logs(end) for end in ends.values()]).softmax(0).tolist())){}"
_CHOICE = (
    'ends = {label: encode(p["after"].format(**case) + word) for label, word in p["words"].items()}',
    'logs = lambda end: model(torch.tensor([start + end])).logits[0, len(start) - 1 : -1, : p["vocabulary"]]'
    ".log_softmax(-1)[range(len(end)), end].sum()",
    _SHARES.format("print(", ")"),
)
# Each text counts for the longest word that it begins with.
_NESTED = (
    *_CHOICE[:-1],
    _SHARES.format("shares = ", ""),
    "longer = lambda a: [b for b, end in ends.items() if b != a and end[: len(ends[a])] == ends[a]]",
    "own = lambda a: max(0, shares[a] - sum(map(own, longer(a))))",
    "print({a: own(a) / sum(map(own, ends)) for a in ends})",
)
_GENERATE = (
    'ids = torch.tensor([start + encode(p["after"].format(**case))])',
    'more = dict(attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=p["max_tokens"])',
    "text = tokenizer.decode(model.generate(ids, **more)[0, ids.shape[1] :], skip_special_tokens=True)",
    'print(min((text.split(mark)[0] for mark in p["stop"]), key=len, default=text))',
)
_NOTE = """
Plain transformers runs it, anywhere in a text. Set `folder` and `case`. The fields are encoded with
`split_special_tokens=True` and the ids are joined, so that `<fp-0>` typed by a user stays text. The texts before and
after the soft slot are tokenised apart, and each label word together with the text before it. The new tokens are
never generated: `suppress_tokens` forbids it, and their output rows are the mean of all others. `vocabulary` is the
size of the model's own vocabulary, over which fedprompt takes log-likelihoods.
"""
