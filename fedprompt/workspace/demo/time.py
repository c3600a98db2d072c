"""How long the demo will take on this machine, from a few timed steps before it begins."""

import time

from fedprompt.bank.store import Bank
from fedprompt.evaluation.runs.demonstrations import Shown
from fedprompt.evaluation.runs.runner import query, run_prompts
from fedprompt.models.protocols import CausalModel
from fedprompt.prompts.prompt import Prompt
from fedprompt.site.worker import Worker
from fedprompt.study.schema import Study
from fedprompt.tuning.settings import settings_at_home
from fedprompt.workspace.demo.settings import DemoSettings
from fedprompt.workspace.demo.tasks import DemoTask
from fedprompt.workspace.rounds.start_prompt import start_prompt

__all__ = ["demo_time"]

TIMED = 4  # cases that are timed


def demo_time(
    model: CausalModel, study: Study, bank: Bank, worker: Worker, task: DemoTask, settings: DemoSettings
) -> dict[str, float]:
    """Return stage -> seconds.

    Args:
        worker: one of the sites', whose cases are timed.
        task: how many sites there are, and what is done in the end.
        settings: filled in.
    """
    cases, sites = worker.side.splits.validation[:TIMED], len(task.sites)
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
    assert settings.cases is not None and settings.held_out is not None, "preparing the settings"
    rounds, tune, held = study.rounds.count, settings.cases, settings.held_out
    scored = len(study.rounds.scored_of(rounds))
    tuned = rounds * tuning.steps * step * sites
    checked = scored * held * sites * check
    planned = {
        "score": score * held * sites * 0.9,
        "federate": tuned + checked + prefill * (tune + held) * sites,
        "alone": tuned + checked,
        "centralised": tuned + checked,
        "test": sites * held * (2 * prefill + (sites + 2) * check),
    }
    if not task.pooled:
        del planned["centralised"]
    sizes = task.newcomer_of(settings)
    if sizes is None:
        return planned
    every, members = sizes.pool + sizes.asked, sites + 1
    steps = settings_at_home(study).steps * step
    # Of one number of cases alone a prompt is tuned, and cases are shown before one of the templates.
    showing = (sizes.spare + sizes.asked) * score / len(prompts)
    drawn = sizes.draws_of(sizes.n) * (steps * min(1.0, sizes.n / tuning.batch) + every * check + showing)
    newcomer = every * (prefill + members * check + score * 0.9) + drawn
    return {**planned, "newcomer": newcomer, "donors": sites * held * members * check}
