"""Which prompts of one scoring run can be told from its best, and how many cases it would take where they cannot.

At the site, where each case's value is at hand: McNemar's exact test or the paired bootstrap, corrected by Holm over
all prompts (``evaluation.comparisons``). What is kept in the bank are sums over cases, never a value of a single one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.runner import PromptRun, compare_runs
from fedprompt.evaluation.statistics.comparisons import compare_with
from fedprompt.evaluation.statistics.power import cases_needed, power_sentence
from fedprompt.study.score import Comparison, SplitName

__all__ = ["AgainstBest", "Apart", "all_pairs", "told_apart"]

MOST = 32  # prompts that are all compared with each other; of more, each with the best


@dataclass(frozen=True)
class AgainstBest:
    """A prompt and the best over ``n`` cases: a ``difference`` of means never above zero, and its 95 % interval.

    ``p`` is of this test, ``p_adjusted`` corrected for their number. ``cases_needed`` would tell the two apart; None
    where no number does.
    """

    prompt: str
    n: int
    difference: float
    low: float
    high: float
    test: str
    p: float
    p_adjusted: float
    cases_needed: int | None


@dataclass(frozen=True)
class Apart:
    """The best prompt of a run, and a row for each other one, the nearest first; None and none where nothing is judged.

    ``power`` is a sentence on the best two, None where there are not two.
    """

    best: str | None
    against_best: tuple[AgainstBest, ...]
    power: str | None


def all_pairs(runs: Sequence[PromptRun], cases: Sequence[Case], split: SplitName) -> list[Comparison]:
    """Return the comparison of every two prompts, or of each with the best where there are many."""
    best = _best(runs)
    if best is None:
        return []
    pairs = list(combinations(runs, 2)) if len(runs) <= MOST else [(best, run) for run in runs if run is not best]
    found = [compare_runs(first, second, cases, split) for first, second in pairs]
    return [one for one in found if one.n]


def told_apart(runs: Sequence[PromptRun], cases: Sequence[Case], split: SplitName, seed: int) -> Apart:
    """Return which prompts of a run can be told from its best."""
    best = _best(runs)
    if best is None:
        return Apart(None, (), None)
    groups = [case.group for case in cases]
    others = {run.prompt.id: run for run in runs if run is not best}
    tests = compare_with(
        best.values, {id: run.values for id, run in others.items()}, np.random.default_rng(seed), groups
    )
    rows: list[AgainstBest] = []
    for id, test in tests.items():
        if test is None:
            continue
        rows.append(
            AgainstBest(
                prompt=id,
                n=test.n,
                difference=test.difference.value,
                low=test.difference.low,
                high=test.difference.high,
                test=test.test,
                p=test.pvalue,
                p_adjusted=test.adjusted,
                cases_needed=cases_needed(compare_runs(best, others[id], cases, split)),
            )
        )
    rows.sort(key=lambda row: (-row.difference, row.prompt))
    nearest = None if not rows else compare_runs(best, others[rows[0].prompt], cases, split)
    return Apart(best.prompt.id, tuple(rows), None if nearest is None else power_sentence(nearest))


def _best(runs: Sequence[PromptRun]) -> PromptRun | None:
    """Return the run with the highest mean, the first of equals; None where nothing was judged."""
    judged = [run for run in runs if run.scored.any()]
    return max(judged, key=lambda run: float(run.values[run.scored].mean()), default=None)
