"""Free text for every case and prompt, judged as it comes: values and counts of reasons, never the texts.

Texts are asked for in chunks of a fixed size, so that batches depend on the data alone and memory is bounded. A case
that the model did not answer or a scorer could not judge has no value (NaN).
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.scorers.configured import configure, weighted_mean
from fedprompt.evaluation.scorers.scorer import Resources, Sample
from fedprompt.models.protocols import Decoding, GenerateQuery, Writer
from fedprompt.prompts.prompt import Prompt
from fedprompt.study.schema import Answer

__all__ = ["CHUNK", "Judged", "generate_and_judge"]

CHUNK = 64
Shown = Sequence[tuple[Mapping[str, str], str]]


@dataclass(frozen=True, eq=False)
class Judged:
    """``values``: [cases, prompts] float64; ``reasons``: for each prompt, scorer -> reason -> cases."""

    values: NDArray[np.float64]
    reasons: tuple[Mapping[str, Mapping[str, int]], ...]
    tokens: int
    seconds: float


def generate_and_judge(
    model: Writer,
    prompts: Sequence[Prompt],
    cases: Sequence[Case],
    answer: Answer,
    shown: Sequence[Shown],
    progress: Callable[[int, int], None] | None = None,
    resources: Resources | None = None,
) -> Judged:
    """Write a text for every case and prompt, and judge it by the study's scorers.

    Args:
        shown: the demonstrations of each prompt.
        progress: hears (texts done, texts in all).
        resources: the encoder and the judge that scorers may need.

    Raises:
        StudyError: an unknown scorer or option.
        ModelError: a prompt does not fit the model's window, or a scorer lacks what it needs.
    """
    scorers = configure(answer.scorers, resources)
    decoding = Decoding(answer.max_tokens, answer.stop, answer.temperature, answer.top_p, answer.seed)
    # Case by case, so that what prompts share of one case lies together.
    spots = [(case, prompt) for case in range(len(cases)) for prompt in range(len(prompts))]
    values = np.full((len(cases), len(prompts)), np.nan)
    reasons = [{scorer.label: Counter[str]() for scorer in scorers} for _ in prompts]
    tokens, seconds = 0, 0.0
    for start in range(0, len(spots), CHUNK):
        chunk = spots[start : start + CHUNK]
        queries = [
            GenerateQuery(prompts[p].template.render(cases[c].fields, shown[p]), prompts[p].soft) for c, p in chunk
        ]
        began = time.perf_counter()
        made = model.generate(queries, decoding)
        seconds += time.perf_counter() - began
        tokens += sum(each.tokens for each in made)
        for each, (_, p) in zip(made, chunk, strict=True):
            if each.failure is not None:
                reasons[p].setdefault("model", Counter())[each.failure] += 1
        written = [(each, spot) for each, spot in zip(made, chunk, strict=True) if each.failure is None]
        samples = [Sample(each.text, cases[c].answer, cases[c].fields) for each, (c, _) in written]
        found = {scorer.label: scorer.score_all(samples) for scorer in scorers}
        for place, (_, (c, p)) in enumerate(written):
            scored = {label: column[place] for label, column in found.items()}
            for label, judged in scored.items():
                reasons[p][label][judged.reason] += 1
            if (value := weighted_mean(scored, scorers)) is not None:
                values[c, p] = value
        if progress is not None:
            progress(start + len(chunk), len(spots))
    return Judged(values, tuple(reasons), tokens, seconds)
