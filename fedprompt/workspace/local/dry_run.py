"""What a scoring run would take, before it is spent: calls, tokens and money on a chat model, else seconds.

No call is made and nothing is kept. A chat model's tokens are estimated from bytes, its answers counted at their
longest; a local model runs a few cases, and the others are taken to cost the same. A judge is counted at the most.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fedprompt.evaluation.column_map import BY_NAME, Columns
from fedprompt.evaluation.runs.runner import run_prompts
from fedprompt.evaluation.scorers import complete_scorers
from fedprompt.models.chat.config import is_chat
from fedprompt.models.registry import load
from fedprompt.prompts.prompt import Prompt
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.files import read_study
from fedprompt.study.schema import ScorerSpec, Study
from fedprompt.study.score import SplitName
from fedprompt.workspace.as_json import INLINE
from fedprompt.workspace.bills.chat_bill import Take, chat_bill
from fedprompt.workspace.bills.judge_bill import JudgeBill, judge_bill
from fedprompt.workspace.cases.own_cases import OwnCases, own_cases
from fedprompt.workspace.progress import Progress, Report, quiet
from fedprompt.workspace.workspace import Workspace

__all__ = ["SAMPLE", "DryRun", "dry_run"]

SAMPLE = 8  # cases that a local model runs


@dataclass(frozen=True)
class DryRun:
    """What ``score`` would take with so many ``templates`` and ``cases``; ``judge`` is None where nobody judges."""

    dry_run: bool
    study: str
    model: str
    split: str
    templates: int
    cases: int
    take: Take = field(metadata=INLINE)
    notes: tuple[str, ...]
    judge: JudgeBill | None


def dry_run(
    ws: Workspace,
    study: Path,
    data: Path,
    *,
    columns: Columns = BY_NAME,
    split: SplitName = "validation",
    model: str | None = None,
    judge: str | None = None,
    report: Report = quiet,
    stop: StopToken = NEVER,
) -> DryRun:
    """Return what ``score`` with the same arguments would take.

    Raises:
        StudyError, DataError, ModelError: as ``score`` would.
    """
    parsed = read_study(study, complete_scorers)
    if model is not None:
        parsed = parsed.model_copy(update={"model": model})
    own = own_cases(ws, parsed, study, data, columns, split)
    prompts = [Prompt(template) for template in parsed.candidates()]
    take, notes = (
        _chat(ws, parsed, own, prompts) if is_chat(parsed.model) else _local(ws, parsed, own, prompts, report, stop)
    )
    bill = judge_bill(ws.home.path, parsed, [(len(prompts), own.chosen)], judge)
    return DryRun(
        dry_run=True,
        study=parsed.study,
        model=parsed.model,
        split=split,
        templates=len(prompts),
        cases=len(own.chosen),
        take=take,
        notes=(*notes, *(() if bill is None else bill.notes)),
        judge=bill,
    )


def _chat(ws: Workspace, study: Study, own: OwnCases, prompts: list[Prompt]) -> tuple[Take, Sequence[str]]:
    bill = chat_bill(ws.home.path, study, [(prompts, own.chosen)], own.splits.tune, own.folder.chat_replies)
    anew = ["--no-cache computes known answers again"] if bill.cached else []
    return bill.take(), [*bill.notes(), *anew]


def _local(
    ws: Workspace, study: Study, own: OwnCases, prompts: list[Prompt], report: Report, stop: StopToken
) -> tuple[Take, Sequence[str]]:
    report(Progress("prepare", f"loading {study.model}"))
    model = load(study.model, ws.home.path)
    sample = own.chosen[:SAMPLE]
    report(Progress("sample", f"running {len(sample)} of {len(own.chosen)} cases"))
    began = time.perf_counter()
    answer = study.answer
    if answer.type == "generate":  # texts are written, and nobody is asked to judge them
        answer = answer.model_copy(update={"scorers": (ScorerSpec(name="exact"),)})
    _, cost = run_prompts(model, prompts, sample, answer, own.splits.tune, stop=stop)
    seconds = time.perf_counter() - began
    times = len(own.chosen) / len(sample)
    take = Take(
        calls=0,
        cached=None,
        tokens=math.ceil(cost.tokens * times),
        input_tokens=None,
        output_tokens=None,
        cost=None,
        remote=False,
        seconds=round(seconds * times, 1),
    )
    return take, [f"estimated from {len(sample)} cases; with more cases the run is probably faster per case"]
