"""``score``: every template of a study on one site's own cases. Nothing leaves; the scores go into the bank."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fedprompt.errors import DataError
from fedprompt.evaluation.runner import run_prompts, to_score
from fedprompt.evaluation.splits import SplitName, SplitSizes
from fedprompt.evaluation.statistics import effective_n, wilson
from fedprompt.models.protocols import CausalModel
from fedprompt.models.registry import load
from fedprompt.prompts.ids import canonical_json, content_id
from fedprompt.prompts.prompt import Prompt
from fedprompt.site.folder import SiteFolder
from fedprompt.study.files import read_study
from fedprompt.study.schema import Study
from fedprompt.study.score import Score
from fedprompt.workspace.progress import Progress, Report, quiet
from fedprompt.workspace.sites import cases_of, split_cases
from fedprompt.workspace.workspace import Workspace

__all__ = ["OWN_SITE", "open_study", "score", "shown_score"]

OWN_SITE = "this-site"


def open_study(ws: Workspace, path: Path, model: str | None, report: Report = quiet) -> tuple[Study, CausalModel, str]:
    """Return a study, its model and its digest, and record it.

    Args:
        model: to use instead of the study's, or None.

    Raises:
        StudyError: the file is not a study.
        ModelError: its model cannot be loaded.
    """
    study = read_study(path)
    if model is not None:
        study = study.model_copy(update={"model": model})
    report(Progress("prepare", f"loading {study.model}"))
    loaded = load(study.model, ws.home.path)
    digest = study.digest(loaded.info.digest)
    ws.bank.record_study(study, digest, loaded.info.digest)
    return study, loaded, digest


def score(
    ws: Workspace,
    study: Path,
    data: Path,
    *,
    mapping: Mapping[str, str] | None = None,
    group: str | None = None,
    split: SplitName = "validation",
    seed: int = 0,
    model: str | None = None,
    report: Report = quiet,
) -> dict[str, Any]:
    """Score a study's templates on a split of a file's cases.

    Returns:
        The JSON that section 8 of the design describes for ``fedprompt score --json``.

    Raises:
        StudyError, DataError, ModelError: a file or the model cannot be used; says where and what to do.
    """
    parsed, loaded, digest = open_study(ws, study, model, report)
    cases = cases_of(data, parsed, mapping, group)
    folder = SiteFolder(ws.home.sites / OWN_SITE)
    folder.prepare()
    splits = split_cases(folder, parsed, cases)
    chosen = splits.cases(split)
    if not chosen:
        raise DataError(
            f"{data}: the {split} split is empty; add cases or change 'splits:' in {study} "
            f"(it asks for {SplitSizes(**parsed.splits.model_dump()).wanted})"
        )
    prompts = [Prompt(template) for template in parsed.candidates()]
    run = content_id("r1", canonical_json({"kind": "score", "study": digest, "file": str(data), "at": time.time_ns()}))
    ws.bank.start_run(run, kind="score", study=digest, settings={"split": split, "seed": seed})
    began = time.monotonic()

    def tell(done: int, total: int) -> None:
        left = (time.monotonic() - began) * (total - done) / max(1, done)
        report(Progress("score", f"{len(prompts)} templates on {len(chosen)} cases", done, total, left))

    runs, cost = run_prompts(loaded, prompts, chosen, parsed.answer, splits.tune, tell)
    scores = [to_score(found, chosen, split, parsed.answer) for found in runs]
    for prompt in prompts:
        ws.bank.record_prompt(prompt, study=digest, origin="study")
    ws.bank.record_scores(run, OWN_SITE, scores)
    result = {
        "study": parsed.study,
        "model": parsed.model,
        "split": split,
        "results": [
            {"prompt": prompt.id, "name": prompt.name, **shown_score(found)}
            for prompt, found in zip(prompts, scores, strict=True)
        ],
        "share_ratio": cost.share_ratio,
        "tokens": cost.tokens,
        "tokens_per_second": cost.distinct / cost.seconds if cost.seconds else None,
        "seconds": round(time.monotonic() - began, 3),
        "run": run,
    }
    ws.bank.finish_run(run, result)
    return result


def shown_score(score: Score) -> dict[str, Any]:
    """Return metric, n, value and Wilson's 95 % interval, over effective cases where they come in groups."""
    size = effective_n(score.n, score.total, score.squares, score.groups, score.group_squares)
    if size is None or score.value is None:
        return {"metric": score.metric, "n": 0, "value": None, "low": None, "high": None}
    interval = wilson(score.value * size, size)
    return {
        "metric": score.metric,
        "n": score.n,
        "groups": score.groups,
        "value": score.value,
        "low": interval.low,
        "high": interval.high,
    }
