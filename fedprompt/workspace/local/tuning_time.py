"""How long tuning will take on this machine: ten steps of the very study on its own cases, timed; nothing is kept.

The estimate is the sum of what ``tune`` does: load, prepare both splits, steps, a look at validation after each part,
one look at test. Each is measured here, the looks by one over a few cases. Cases are prepared as ``tune`` prepares
them: cut to the model's window, for the study's objective, and with what exceeds the memory in the site's folder. The
timed steps start from the study's own start and are thrown away.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from fedprompt.errors import DataError
from fedprompt.evaluation.column_map import BY_NAME, Columns
from fedprompt.stopping import NEVER, StopToken
from fedprompt.tuning.metered import prepare
from fedprompt.tuning.settings import settings_of
from fedprompt.tuning.steps import tune_tensors
from fedprompt.workspace.cases.own_cases import own_cases
from fedprompt.workspace.local.scoring import open_study
from fedprompt.workspace.progress import Progress, Report, quiet
from fedprompt.workspace.rounds.start_prompt import start_prompt
from fedprompt.workspace.workspace import Workspace

__all__ = ["STEPS", "TuningTime", "time_tuning"]

STEPS = 10
LOOKED_AT = 16  # cases of validation


@dataclass(frozen=True)
class TuningTime:
    """What tuning will take: ``steps`` in so many ``parts``, and else seconds.

    ``seconds`` are of all, ``step`` is the median of ``timed`` steps, ``look`` one over validation.
    """

    seconds: float
    step: float
    timed: int
    prepare: float
    look: float
    load: float
    steps: int
    parts: int


def time_tuning(
    ws: Workspace,
    study: Path,
    data: Path,
    *,
    columns: Columns = BY_NAME,
    report: Report = quiet,
    stop: StopToken = NEVER,
) -> TuningTime:
    """Return what ``tune`` with the same arguments would take here.

    Raises:
        StudyError, DataError, ModelError, TuningError: as ``tune`` would.
    """
    began = time.perf_counter()
    parsed, model, _ = open_study(ws, study, None, report)
    parsed.soft_template()
    own = own_cases(ws, parsed, study, data, columns, "tune")
    if not own.splits.validation:
        raise DataError(
            f"{data}: the validation split is empty; add cases or change 'splits:' in {study}", code="empty-split"
        )
    load = time.perf_counter() - began
    report(Progress("prepare", f"preparing {len(own.chosen)} cases", 1.0, 4.0))
    stop.check()
    began = time.perf_counter()
    folder = own.folder.path
    tune = own.splits.tune
    objective = prepare(model, parsed, tune, tune=tune, kind=parsed.tuning.objective, folder=folder, stop=stop)
    start = start_prompt(model, parsed, ws.bank)
    prepared = time.perf_counter() - began
    took: list[float] = []
    last = time.perf_counter()

    def stepped(step: int, _: float) -> None:
        nonlocal last
        now = time.perf_counter()
        took.append(now - last)
        report(
            Progress("time", f"timed step {step} of {STEPS}", 1.0 + 2.0 * step / STEPS, 4.0, (STEPS - step) * took[-1])
        )
        last = time.perf_counter()

    tuning = parsed.tuning
    tune_tensors(
        objective,
        start,
        settings_of(parsed, steps=STEPS),
        rng=np.random.default_rng(0),
        progress=stepped,
        stop=stop,
    )
    step = median(took[1:])
    report(Progress("time", "one validation run", 3.0, 4.0))
    few = own.splits.validation[:LOOKED_AT]
    began = time.perf_counter()
    looked = prepare(model, parsed, few, tune=tune, folder=folder, stop=stop)
    prepare_look = (time.perf_counter() - began) / len(few)
    began = time.perf_counter()
    looked.loglikelihoods(start.vectors)
    look = (time.perf_counter() - began) / len(few)
    validation, test, parts = len(own.splits.validation), len(own.splits.test), parsed.rounds.count
    # Every template is scored on validation twice, the second time to compare it, and the best of them on test.
    beside = (look + prepare_look) * (2 * len(parsed.templates) * validation + test)
    prepared += prepare_look * validation
    tuned = parts * (tuning.steps * step + look * validation) + test * (look + prepare_look)
    return TuningTime(
        seconds=round(load + prepared + tuned + beside, 2),
        step=round(step, 4),
        timed=len(took),
        prepare=round(prepared, 3),
        look=round(look * validation, 3),
        load=round(load, 2),
        steps=parts * tuning.steps,
        parts=parts,
    )
