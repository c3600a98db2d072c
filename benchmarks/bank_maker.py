"""The bank that benchmarks of size read: prompts of which a fifth are soft, each scored at four sites, run after run.

Everything follows from a prompt's number, so two banks of one size hold the same ids. Vectors of texts come from a
stand-in for the encoder where what is measured is the store.
"""

import hashlib
import sys
import time
from collections.abc import Sequence
from statistics import median

import numpy as np
from numpy.typing import NDArray

from fedprompt.bank.store import Bank
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Template
from fedprompt.study.schema import Answer, Study, TemplateSpec
from fedprompt.study.score import Score

__all__ = [
    "DIGEST",
    "MODEL",
    "RUNS",
    "SITES",
    "STUDY",
    "StandInEncoder",
    "fill_bank",
    "made_prompt",
    "made_score",
    "tell",
]

MODEL = "sha256:" + "a" * 64
SITES, RUNS = ("tweets", "movies", "products", "news"), 5
TOKENS, WIDTH, SOFT_EVERY = 8, 576, 5
CALL, CHUNK, LAST = 10_000, 2_000, 7
WORDS = ("overall", "feeling", "clearly", "review", "sentiment", "good", "bad", "mood", "answer", "says", "tone", "of")
STUDY = Study(
    study="scale",
    fields=("text",),
    answer=Answer(type="choice", labels=("positive", "negative")),
    templates=(TemplateSpec(name="plain", text="Review: {text}\nSentiment:"),),
)
DIGEST = STUDY.digest(MODEL)


def fill_bank(bank: Bank, prompts: int, runs: int = RUNS) -> float:
    """Fill a bank with ``prompts`` prompts and as many scores times ``runs`` times the four sites.

    Returns:
        The median seconds of the last calls that recorded 10,000 scores.
    """
    bank.record_study(STUDY, DIGEST, MODEL)
    ids: list[str] = []
    for at in range(0, prompts, CHUNK):
        batch = [made_prompt(number) for number in range(at, min(prompts, at + CHUNK))]
        ids += bank.record_prompts([(prompt, {}) for prompt in batch], study=DIGEST, origin="study")
        tell(f"{len(ids):,} of {prompts:,} prompts")
    rng, took = np.random.default_rng(1), []
    for run in range(runs):
        bank.start_run(f"r{run}", kind="score", study=DIGEST, settings={"run": run})
        for site in SITES:
            for at in range(0, prompts, CALL):
                right = rng.integers(50, 101, size=CALL)
                scores = [made_score(id, int(one)) for id, one in zip(ids[at : at + CALL], right, strict=False)]
                began = time.perf_counter()
                bank.record_scores(f"r{run}", site, scores)
                took.append(time.perf_counter() - began)
            tell(f"run {run + 1} of {runs} at {site}: {took[-1]:.2f} s for {min(CALL, prompts):,} scores")
    return median(took[-LAST:])


def made_prompt(number: int) -> Prompt:
    """Return the prompt of this number."""
    rng = np.random.default_rng(number)
    text = " ".join(rng.choice(WORDS, size=12)) + f" {number}: {{text}}"
    if number % SOFT_EVERY:
        return Prompt(Template(f"t{number}", text=text))
    vectors = rng.standard_normal((TOKENS, WIDTH), dtype=np.float32)
    return Prompt(Template(f"s{number}", text=text + "{soft}"), SoftPrompt(vectors, MODEL))


def made_score(prompt: str, right: int) -> Score:
    """Return a score of ``right`` cases of 100."""
    confusion = ((right // 2, 50 - right // 2), (50 - (right - right // 2), right - right // 2))
    return Score(
        prompt=prompt,
        split="validation",
        metric="accuracy",
        n=100,
        total=right,
        squares=right,
        groups=100,
        group_squares=right * (100 - right) / 100,
        confusion=confusion,
    )


class StandInEncoder:
    """Stands for the encoder: the same words give near vectors, any text some vector."""

    width = 384

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return [texts, width] float32, rows of length 1."""
        found = np.stack([sum((_word(word) for word in text.split()), np.zeros(self.width, "f4")) for text in texts])
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)


_known: dict[str, NDArray[np.float32]] = {}


def _word(word: str) -> NDArray[np.float32]:
    if word not in _known:
        seed = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest())
        _known[word] = np.random.default_rng(seed).standard_normal(384, dtype=np.float32)
        if len(_known) > 50_000:
            _known.clear()
            return _word(word)
    return _known[word]


def tell(sentence: str) -> None:
    """Say to standard error how far a benchmark is."""
    print(sentence, file=sys.stderr, flush=True)
