"""Label scoring against lm-evaluation-harness on the same model, prompts and label words.

    pip install lm_eval==0.4.13
    python -m benchmarks.scoring_vs_lm_eval [--home DIR] [--cases 300] [--repeats 5] [--dtype float32] [--json]

24 templates (12 with the text first, 12 with the instruction first, 4 of these with two demonstrations) over the demo's
cases, 2 to 4 label words each, in half of the templates of one token. The harness runs its Hugging Face model, its
``logits_cache`` on, in batches of 16 sorted by length, without its cache of responses. Both sides begin with
strings and end with log-likelihoods. Medians; log-likelihoods and the templates' ranking are compared.
"""

import argparse
import os
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.report import Row, need, report, show
from fedprompt.models.threads import spin_briefly
from fedprompt.workspace.home import find_home

MODEL, TEXT = "smollm2-135m-instruct", "vader-text"
ONE = [(" positive", " negative"), (" good", " bad", " mixed"), (" great", " fine", " poor", " awful")]
SEVERAL = [
    (" very positive", " very negative"),
    (" clearly favourable", " clearly unfavourable", " undecided"),
    (" a good review", " a bad review", " a mixed review", " no review"),
]
TEXT_FIRST = ("Review: {text}\n", "{text}\n", "Text: {text}\n")
ASKS = ("Sentiment:", "The review is", "Overall, this was", "Verdict:")
INSTRUCTIONS = (
    "Say whether the text is positive or negative.\n",
    "How does the writer feel? Read closely.\n",
    "Classify the sentiment of the review below.\n",
)
SHOWN = "Text: an hour well spent\nAnswer: good\n\nText: dull from the first minute\nAnswer: bad\n\n"


def main() -> None:
    """Run both sides in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    need("lm_eval", "pip install lm_eval==0.4.13")
    options.home = find_home(options.home).path
    spin_briefly(os.environ)
    os.environ["HF_HUB_OFFLINE"] = "1"
    prompts = [(source.replace("{text}", text), words) for text in _texts(options) for source, words in _templates()]
    ours, peer = _Ours(options), _LmEval(options)
    warm = prompts[: len(_templates())]
    ours.run(warm)
    peer.run(warm)
    times: dict[str, list[float]] = {"ours": [], "peer": []}
    for _ in range(options.repeats):
        for name, side in (("ours", ours), ("peer", peer)):
            began = time.perf_counter()
            side.run(prompts)
            times[name].append(time.perf_counter() - began)
            print(name, f"{times[name][-1]:.1f} s", flush=True) if not options.json else None
    one, other = median(times["ours"]), median(times["peer"])
    gap = max(
        abs(a - b) for own, their in zip(ours.found, peer.found, strict=True) for a, b in zip(own, their, strict=True)
    )
    bound = 1e-3 if options.dtype == "float32" else None
    flipped = sum(np.argmax(a) != np.argmax(b) for a, b in zip(ours.found, peer.found, strict=True))
    rows = [
        Row(f"scoring, {options.dtype}, {options.cases} cases", "s", one, other, other / one, 8.0, other / one >= 8),
        Row("log-likelihoods apart at most", "nats", gap, target=bound, met=None if bound is None else gap <= bound),
        Row("answers that differ", "answers", float(flipped)),
        Row("templates ranked alike", "rankings", float(_ranking(ours.found) == _ranking(peer.found)), target=1.0,
            met=_ranking(ours.found) == _ranking(peer.found)),
        Row("distinct over all tokens", "ratio", ours.share),
        Row("distinct tokens", "tokens/s", ours.distinct / one),
    ]  # fmt: skip
    show(report("scoring_vs_lm_eval", rows, threads=options.threads, prompts=len(prompts)), as_json=options.json)


def _templates() -> list[tuple[str, tuple[str, ...]]]:
    """Return 24 (text with ``{text}``, label words)."""
    found = []
    for number, (start, ask) in enumerate((start, ask) for start in TEXT_FIRST for ask in ASKS):
        found.append((start + ask, (ONE if number % 2 else SEVERAL)[number % 3]))
    for number, (start, ask) in enumerate((start, ask) for start in INSTRUCTIONS for ask in ASKS):
        shown = SHOWN if number % 3 == 2 else ""
        found.append((start + shown + "Text: {text}\n" + ask, (ONE if number % 2 else SEVERAL)[number % 3]))
    return found


def _texts(options: argparse.Namespace) -> list[str]:
    from fedprompt.models.assets.catalogue import asset_folder
    from fedprompt.workspace.demo.text import SOURCES, draw_cases, read_source

    found: list[str] = []
    folder = asset_folder(options.home, TEXT)
    for source in SOURCES:
        wanted = options.cases // len(SOURCES)
        cases = draw_cases(read_source(folder, source), wanted, np.random.SeedSequence([0, 2]))
        found += [case.fields["text"].rstrip() for case in cases]
    return found


def _ranking(found: list[list[float]]) -> list[int]:
    """Return the templates by how sure they are of their answers, the mean margin over cases to four digits."""
    count = len(_templates())
    margins = []
    for place in range(count):
        own = [sorted(values)[-1] - sorted(values)[-2] for values in found[place::count]]
        margins.append(round(float(np.mean(own)), 3))
    return [int(i) for i in np.argsort(margins, kind="stable")]


class _Ours:
    def __init__(self, options: argparse.Namespace) -> None:
        from fedprompt.models.protocols import RunSettings
        from fedprompt.models.registry import load

        self._model = load(MODEL, options.home, RunSettings(options.dtype, options.threads, options.device))
        self.found: list[list[float]] = []
        self.share = self.distinct = 0.0

    def run(self, prompts: list[tuple[str, tuple[str, ...]]]) -> None:
        from fedprompt.models.protocols import ChoiceQuery
        from fedprompt.prompts.rendered import Rendered, Turn

        asked = [ChoiceQuery(Rendered((Turn(None, (text,)),)), words) for text, words in prompts]
        result = self._model.choices(asked)
        self.found = [values.tolist() for values in result.loglikelihoods]
        self.share, self.distinct = result.distinct / result.tokens, float(result.distinct)


class _LmEval:
    def __init__(self, options: argparse.Namespace) -> None:
        import torch
        from lm_eval.models.huggingface import HFLM
        from transformers import AutoModelForCausalLM, AutoTokenizer

        from fedprompt.models.registry import find_model_folder

        folder = find_model_folder(MODEL, options.home)
        torch.set_num_threads(options.threads)
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, options.dtype)).to(options.device)
        self._lm: Any = HFLM(model.eval(), tokenizer=AutoTokenizer.from_pretrained(folder), batch_size=16)
        self.found: list[list[float]] = []

    def run(self, prompts: list[tuple[str, tuple[str, ...]]]) -> None:
        from lm_eval.api.instance import Instance

        asked = [
            Instance("loglikelihood", {}, (text, word), place)
            for place, (text, words) in enumerate(prompts)
            for word in words
        ]
        flat = iter(self._lm.loglikelihood(asked, disable_tqdm=True))
        self.found = [[float(next(flat)[0]) for _ in words] for _, words in prompts]


if __name__ == "__main__":
    main()
