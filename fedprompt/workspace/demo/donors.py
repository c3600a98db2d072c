"""What shared prompts give the sites that took part, each at home: the others' prompts are mixed with its own.

A site learns the weights and the number for each label from its validation cases, which no prompt was tuned on, and so
does its own prompt alone. As at any site, none of it leaves. Invariant: no test case plays a part in what is learnt.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fedprompt.adapting.combining import combined
from fedprompt.adapting.fitting import MemberKind, fit
from fedprompt.adapting.log_probabilities import normalised
from fedprompt.adapting.settings import DEFAULT_SETTINGS, AtN
from fedprompt.evaluation.runs.runner import PromptRun, compare_runs, true_labels
from fedprompt.prompts.prompt import Prompt
from fedprompt.site.worker import Worker
from fedprompt.study.schema import Study
from fedprompt.study.score import Comparison, SplitName
from fedprompt.workspace.demo.worthwhile import DonorsGain, donors_sentence
from fedprompt.workspace.rounds.result_table import difference_of

__all__ = ["donors_gain"]


def donors_gain(
    workers: Mapping[str, Worker],
    study: Study,
    own: Mapping[str, Prompt],
    federated: Prompt,
    seed: int,
    told: Callable[[str], None],
) -> DonorsGain:
    """Return what each site gained over its own prompt.

    Args:
        workers: of the sites that tuned alone.
        own: site -> its own prompt.
        federated: the prompt tuned together.
        told: hears the site that is looked at.
    """
    prompts = list({prompt.id: prompt for prompt in (*own.values(), federated)}.values())
    found: dict[str, Comparison] = {}
    alone, shared, counts = {}, {}, []
    for site, worker in workers.items():
        told(site)
        cases = worker.side.splits.test
        validation, test = (_tables(worker, prompts, "validation"), _tables(worker, prompts, "test"))
        known, true = (true_labels(part, study.answer) for part in (worker.side.splits.validation, cases))
        place = prompts.index(own[site])
        by_way = {
            "alone": _right(AtN(n=len(known), method="alone"), [place], validation, test, known, true),
            "shared": _right(DEFAULT_SETTINGS.for_n(len(known)), None, validation, test, known, true),
        }
        alone[site], shared[site] = (float(by_way[way].mean()) for way in ("alone", "shared"))
        found[site] = compare_runs(
            PromptRun(federated, by_way["shared"]), PromptRun(own[site], by_way["alone"]), cases, "test"
        )
        counts.append(len(known))
    gain = difference_of(found, seed)
    return DonorsGain(min(counts), alone, shared, gain, donors_sentence(alone, shared, gain))


def _tables(worker: Worker, prompts: Sequence[Prompt], split: SplitName) -> NDArray[np.float64]:
    """Return [prompts, cases, labels]; what was asked before, in rounds or for the test table, is not asked again."""
    if split == "validation":
        return normalised(np.stack([worker.side.table(prompt, split) for prompt in prompts]))
    runs = worker.side.run(prompts, split)
    return normalised(np.stack([_known(runs[prompt.id]) for prompt in prompts]))


def _known(run: PromptRun) -> NDArray[np.float64]:
    assert run.table is not None  # of a choice by a model of this machine it is there
    return run.table


def _right(
    settings: AtN,
    places: Sequence[int] | None,
    validation: NDArray[np.float64],
    test: NDArray[np.float64],
    known: NDArray[np.int64],
    true: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return [cases] whether each test case is answered right (1 or 0), learnt from the validation cases."""
    some = list(range(len(test))) if places is None else list(places)
    kinds: list[MemberKind] = ["shared" if places is None else "own"] * len(some)
    fitted = fit(settings, validation[some], known, np.full(len(some), 1 / len(some)), kinds=kinds)
    answered: NDArray[np.int64] = combined(test[some], fitted.weights, fitted.bias).argmax(axis=1)
    return np.where(answered == true, 1.0, 0.0)
