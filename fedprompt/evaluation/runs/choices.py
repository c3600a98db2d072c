"""Asks a model for label log-likelihoods, a fixed number of cases at a time, and keeps what it said.

Groups of cases are fixed by the data, so that a run that was stopped and goes on asks for the groups that it would
have asked for and gets the same numbers. A prompt that is known for all cases of a group is not asked again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedprompt.evaluation.runs.score_cache import ScoreCache
from fedprompt.models.protocols import CausalModel, ChoiceQuery
from fedprompt.stopping import NEVER, StopToken

__all__ = ["GROUP", "LabelNumbers", "ask"]

GROUP = 64  # cases


@dataclass(frozen=True)
class LabelNumbers:
    """``values`` and ``lengths`` [cases, prompts, words] float64: log-likelihoods, and the words' lengths in tokens.

    ``tokens`` were asked for and ``distinct`` were computed in ``seconds``; ``cached`` of the values were known.
    """

    values: NDArray[np.float64]
    lengths: NDArray[np.float64]
    tokens: int
    distinct: int
    seconds: float
    cached: int


def ask(
    model: CausalModel,
    table: Sequence[Sequence[ChoiceQuery]],
    cache: ScoreCache | None = None,
    progress: Callable[[int, int], None] | None = None,
    *,
    group: int = GROUP,
    stop: StopToken = NEVER,
) -> LabelNumbers:
    """Return the log-likelihoods of a table of queries, a row a case and a column a prompt, all of as many words.

    Args:
        progress: hears (done, total) in thousandths of a group.
        group: how many cases are asked for at once, and kept together.
        stop: looked at between two batches; what is in the cache stays.

    Raises:
        ModelError, ModelMismatch: as ``CausalModel.choices``.
        DataError: the cache cannot be written.
    """
    prompts, words = len(table[0]), len(table[0][0].words)
    numbers = np.zeros((len(table), prompts, 2, words))
    tokens = distinct = cached = 0
    seconds, groups = 0.0, range(0, len(table), group)
    for number, start in enumerate(groups):
        stop.check()
        rows = range(start, min(start + group, len(table)))
        names = [] if cache is None else [cache.names(model.info, table[row]) for row in rows]
        known = {} if cache is None else cache.get([name for own in names for name in own])
        missing = []
        for place in range(prompts):
            if cache is not None and all(own[place] in known for own in names):
                cached += len(rows)
                for row, own in zip(rows, names, strict=True):
                    numbers[row, place] = known[own[place]]
            else:
                missing.append(place)
        if not missing:
            continue

        def told(done: int, total: int, number: int = number) -> None:
            if progress is not None:
                progress(1000 * number + (1000 * done) // max(1, total), 1000 * len(groups))

        # Case by case, so that what prompts share of one case lies together in the walk.
        found = model.choices([table[row][place] for row in rows for place in missing], told, stop=stop)
        tokens, distinct, seconds = tokens + found.tokens, distinct + found.distinct, seconds + found.seconds
        made = np.stack([np.array(found.loglikelihoods), np.array(found.lengths, dtype=np.float64)], axis=1)
        made = made.reshape(len(rows), len(missing), 2, words)
        numbers[rows.start : rows.stop, missing] = made
        if cache is not None:
            cache.put({own[p]: made[r, k] for r, own in enumerate(names) for k, p in enumerate(missing)})
    return LabelNumbers(numbers[:, :, 0], numbers[:, :, 1], tokens, distinct, seconds, cached)
