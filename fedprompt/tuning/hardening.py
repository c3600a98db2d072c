"""A soft prompt made into words, for models that take only text: projected first, then searched for.

Projection takes each vector to the token whose input embedding is nearest, the step that PEZ makes in every iteration
(Wen et al. 2023, arXiv 2302.03668, algorithm 1). The search swaps one token at a time: the gradient at the slot ranks
swaps to first order (AutoPrompt: Shin et al. 2020, arXiv 2010.15980, eq. 2), some of the best at random positions are
measured, and the best is kept (GCG: Zou et al. 2023, arXiv 2307.15043, algorithm 1).

Invariants: the words, written out, are read as the tokens that were measured; a search ends no worse than it began; the
same start, objective, settings and seed give the same words, in one go or resumed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import TuningError
from fedprompt.models.protocols import SoftObjective
from fedprompt.models.vocabulary import Vocabulary
from fedprompt.stopping import NEVER, StopToken
from fedprompt.tuning.word_objective import WordObjective, Words

__all__ = ["SearchSettings", "Searched", "project", "search_words"]

NEAR = 256  # tokens that come into question for a vector


@dataclass(frozen=True)
class SearchSettings:
    """How the search goes.

    Each step draws ``draws`` swaps out of the ``top`` ranked tokens of each position, measures them on ``few`` cases,
    and the ``confirmed`` best of them on all. It ends after ``steps``, or ``patience`` steps in a row without gain.
    """

    steps: int
    seed: int = 0
    draws: int = 32
    top: int = 64
    few: int = 16
    confirmed: int = 4
    patience: int = 10

    def __post_init__(self) -> None:
        if not 0 <= self.steps <= 10_000 or self.seed < 0:
            raise TuningError(
                f"a search has 0 to 10,000 steps and a seed from 0, not {self.steps} and {self.seed}",
                code="search-settings",
            )


@dataclass(frozen=True)
class Searched:
    """Where a search stands: the best words yet, the steps taken, and how many in a row brought nothing."""

    words: Words
    step: int = 0
    fruitless: int = 0


def project(vocabulary: Vocabulary, vectors: NDArray[np.float32], by: Literal["cosine", "euclid"]) -> tuple[int, ...]:
    """Return the nearest token of each vector ([tokens, width] float32).

    Where these would not be read back as they are, each next vector takes its nearest token that, after those before
    it, is.

    Raises:
        TuningError: no near token can follow.
    """
    found = vocabulary.nearest(vectors, NEAR, by).tokens
    first = tuple(int(token) for token in found[:, 0])
    if vocabulary.reads_back(first):
        return first
    chosen: tuple[int, ...] = ()
    for place, row in enumerate(found.tolist(), 1):
        longer = ((*chosen, token) for token in row)
        follows = next((tokens for tokens in longer if vocabulary.reads_back(tokens)), None)
        if follows is None:
            raise TuningError(
                f"no word near vector {place} of the soft prompt can be written after those before it",
                code="no-word-near",
            )
        chosen = follows
    return chosen


def search_words(
    vocabulary: Vocabulary,
    objective: WordObjective,
    start: Searched,
    settings: SearchSettings,
    progress: Callable[[Searched], None] | None = None,
    stop: StopToken = NEVER,
) -> Searched:
    """Look for better words than those of ``start``, from the step where it stands.

    ``progress`` hears where the search is after each step; a search that begins there goes on as this one would have.
    ``stop`` is looked at before each step.

    Raises:
        TuningError: a measure is not a finite number.
    """
    slopes = objective.slopes() if start.step < settings.steps else None
    here = start
    while slopes is not None and here.step < settings.steps and here.fruitless < settings.patience:
        stop.check()
        rng = np.random.default_rng(np.random.SeedSequence([settings.seed, here.step]))
        best = _best_swap(vocabulary, objective, slopes, here.words, settings, rng)
        gained = best is not None and best.objective < here.words.objective
        words = best if gained and best is not None else here.words
        here = Searched(words, here.step + 1, 0 if gained else here.fruitless + 1)
        if progress is not None:
            progress(here)
    return here


def _best_swap(
    vocabulary: Vocabulary,
    objective: WordObjective,
    slopes: SoftObjective,
    words: Words,
    settings: SearchSettings,
    rng: np.random.Generator,
) -> Words | None:
    """Return the best of some swaps, measured on all cases; None where no swap can be written."""
    few = sorted(int(row) for row in rng.permutation(len(objective))[: settings.few])
    gradient = slopes.loss_and_gradient(vocabulary.vectors(words.tokens), few).gradient
    # To first order a swap at a position changes the loss by (new - old) . gradient, and old is the same for all.
    ranked = vocabulary.nearest(-gradient, settings.top, "dot").tokens
    swaps = _drawn(vocabulary, words.tokens, ranked, settings.draws, rng)
    if not swaps:
        return None
    if len(swaps) > settings.confirmed and len(few) < len(objective):
        rated = sorted(objective.measure(swaps, few), key=lambda one: (one.objective, one.tokens))
        swaps = [one.tokens for one in rated[: settings.confirmed]]
    return min(objective.measure(swaps), key=lambda one: (one.objective, one.tokens))


def _drawn(
    vocabulary: Vocabulary, tokens: Sequence[int], ranked: NDArray[np.int64], count: int, rng: np.random.Generator
) -> list[tuple[int, ...]]:
    """Return up to ``count`` different swaps of one token that are read back as they are written."""
    found: dict[tuple[int, ...], None] = {}
    for place in rng.permutation(ranked.size).tolist():
        position, rank = divmod(place, ranked.shape[1])
        swap = (*tokens[:position], int(ranked[position, rank]), *tokens[position + 1 :])
        if swap != tuple(tokens) and vocabulary.reads_back(swap):
            found[swap] = None
        if len(found) == count:
            break
    return list(found)
