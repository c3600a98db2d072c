"""How long the demo will take on this machine, from a few timed steps before it begins."""

import time

from fedprompt.bank.store import Bank
from fedprompt.evaluation.runs.demonstrations import Shown
from fedprompt.evaluation.runs.runner import query, run_prompts
from fedprompt.models.protocols import CausalModel
from fedprompt.prompts.prompt import Prompt
from fedprompt.site.worker import Worker
from fedprompt.study.schema import Study
from fedprompt.workspace.demo.text import SOURCES
from fedprompt.workspace.rounds.start_prompt import start_prompt

__all__ = ["demo_time"]

TIMED = 4  # cases that are timed


def demo_time(
    model: CausalModel, study: Study, bank: Bank, worker: Worker, *, tune: int, held_out: int
) -> dict[str, float]:
    """Return stage -> seconds.

    Args:
        worker: one of the sites', whose cases are timed.
        tune: cases a site tunes on; ``held_out`` each for validation and for test.
    """
    cases, sites = worker.side.splits.validation[:TIMED], len(SOURCES)
    answer, tuning = study.answer, study.tuning
    prompts = [Prompt(template) for template in study.candidates()]
    run_prompts(model, prompts[:1], cases, answer, worker.side.splits.tune)  # the first pass warms up
    began = time.perf_counter()
    run_prompts(model, prompts, cases, answer, worker.side.splits.tune)
    score = (time.perf_counter() - began) / len(cases)
    slot = Prompt(study.soft_template(), start_prompt(model, study, bank))
    assert slot.soft is not None and study.soft is not None
    began = time.perf_counter()
    shown = Shown(slot.template, worker.side.splits.tune)
    queries = [query(slot, case, answer.labels, shown.to(case)) for case in cases]
    objective = model.objective(queries, [0] * len(cases), study.soft.tokens)
    prefill = (time.perf_counter() - began) / len(cases)
    batch = [row % len(cases) for row in range(tuning.batch)]
    objective.loss_and_gradient(slot.soft.vectors, batch)  # the first step lays the weights out for the way back
    began = time.perf_counter()
    objective.loss_and_gradient(slot.soft.vectors, batch)
    step = time.perf_counter() - began
    # A pass without a gradient takes about two fifths of a step.
    check = 0.4 * step / tuning.batch
    rounds, held = study.rounds.count, held_out
    tuned = rounds * tuning.steps * step * sites
    checked = rounds * held * sites * check
    return {
        "score": score * held * sites * 0.9,
        "federate": tuned + checked + prefill * (tune + held) * sites,
        "alone": tuned + checked,
        "centralised": tuned + checked,
        "test": sites * held * (2 * prefill + (sites + 2) * check),
    }
