"""How a prompt's answers are read and what it scores that way, out of its rows in the bank.

The score is of the run that scored it at the most sites, test cases before validation cases.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from fedprompt.bank.rows import ScoreRow
from fedprompt.evaluation.statistics.clusters import cluster_variance, effective_n
from fedprompt.evaluation.statistics.intervals import Estimate
from fedprompt.evaluation.statistics.ranking import beta_summary
from fedprompt.exports.protocol import Reading
from fedprompt.exports.reading import how_to_read
from fedprompt.models.protocols import Decoding
from fedprompt.prompts.prompt import Prompt
from fedprompt.study.schema import Study

__all__ = ["reading_of"]

Z95 = 1.959963984540054
DRAWS = 5_000  # an end of the interval then moves by about a fiftieth of its width


def reading_of(prompt: Prompt, study: Study | None, rows: Sequence[ScoreRow]) -> Reading:
    """Return how a prompt's answers are read and what it scores that way, out of its rows in the bank."""
    words = dict(prompt.template.words or {})
    answer = study.answer if study else None
    found = Reading(words, how_to_read(words.values(), answer), study.metric if study else "accuracy")
    if answer is not None:
        writing = Decoding(answer.max_tokens, answer.stop, answer.temperature, answer.top_p, answer.seed)
        found = replace(found, normalise=answer.normalise, prior=answer.prior, writing=writing)
    best = _best_rows(rows)
    if not best:
        return found
    first = next(iter(best.values())).score
    estimate = _estimate(prompt.id, best)
    return replace(
        found,
        metric=first.metric,
        scores={site: row.score.value for site, row in best.items() if row.score.value is not None},
        mean=estimate.value,
        low=estimate.low,
        high=estimate.high,
        split=first.split,
        cases={site: row.score.n for site, row in best.items()},
    )


def _best_rows(rows: Sequence[ScoreRow]) -> dict[str, ScoreRow]:
    """Return site -> row, of test before validation, of the last run among those with the most sites."""
    for split in ("test", "validation"):
        by_run: dict[str, dict[str, ScoreRow]] = {}
        for row in rows:
            if row.score.split == split and row.score.n:
                # The last row of a site within a run wins.
                by_run.setdefault(row.run, {})[row.site] = row
        if by_run:
            most = max(map(len, by_run.values()))
            return [found for found in by_run.values() if len(found) == most][-1]
    return {}


def _estimate(prompt: str, rows: Mapping[str, ScoreRow]) -> Estimate:
    """Return the unweighted mean over sites with its 95 % interval; the same rows give the same numbers."""
    scores = {site: row.score for site, row in rows.items()}
    if all(score.metric == "accuracy" for score in scores.values()):
        counts = {}
        for site, score in scores.items():
            size = effective_n(score.n, score.total, score.squares, score.groups, score.group_squares) or 1.0
            right = min(max(score.total, 0.0), float(score.n))
            counts[site] = (right * size / score.n, size)
        rng = np.random.default_rng(int(prompt[3:], 16))
        return beta_summary({prompt: counts}, rng, DRAWS)[prompt].mean
    mean = sum(score.total / score.n for score in scores.values()) / len(scores)
    variances = [cluster_variance(s.n, s.groups, s.group_squares) or 0.0 for s in scores.values()]
    half = Z95 * math.sqrt(sum(variances)) / len(scores)
    return Estimate(mean, mean - half, mean + half)
