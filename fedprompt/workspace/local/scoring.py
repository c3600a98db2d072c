"""``score``: every template of a study on one site's own cases. Nothing leaves; the scores go into the bank.

What was computed before is not computed again: it lies in the site's folder.
"""

import time
from dataclasses import asdict
from pathlib import Path

from fedprompt.evaluation.column_map import BY_NAME, Columns
from fedprompt.evaluation.runs.label_pairs import label_pairs
from fedprompt.evaluation.runs.runner import run_prompts, to_score
from fedprompt.evaluation.scorers import complete_scorers, judged_by
from fedprompt.models.chat.config import is_chat
from fedprompt.models.protocols import CacheDtype, CausalModel
from fedprompt.models.registry import chosen_settings, load
from fedprompt.prompts.ids import canonical_json, content_id
from fedprompt.prompts.origins import STUDY
from fedprompt.prompts.prompt import Prompt
from fedprompt.site.judge_calls import recorded
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.files import read_study
from fedprompt.study.schema import Study
from fedprompt.study.score import SplitName
from fedprompt.workspace.as_json import as_json
from fedprompt.workspace.bills.judge_bill import judge_paid
from fedprompt.workspace.bills.scorer_resources import scorer_resources
from fedprompt.workspace.cases.own_cases import OWN_SITE, own_cases
from fedprompt.workspace.local.scored import ChatScored, Scored, TemplateScored
from fedprompt.workspace.progress import Progress, Report, quiet
from fedprompt.workspace.results.shown import method_of, shown_run, shown_work
from fedprompt.workspace.results.told_apart import all_pairs, told_apart
from fedprompt.workspace.workspace import Workspace

__all__ = ["OWN_SITE", "open_study", "score"]


def open_study(
    ws: Workspace,
    path: Path,
    model: str | None,
    report: Report = quiet,
    *,
    cache_bytes: int | None = None,
    cache_dtype: CacheDtype | None = None,
) -> tuple[Study, CausalModel, str]:
    """Return a study, its model and its digest, and record it.

    Args:
        model: to use instead of the study's, or None.
        cache_bytes: keys and values that tuning may keep in memory; the machine's own setting if None.
        cache_dtype: what they are kept in; the model's own dtype if None.

    Raises:
        StudyError: the file is not a study.
        ModelError: its model cannot be loaded, or cannot tell two of its labels apart.
    """
    study = _read(path, model)
    return study, *_loaded(ws, study, report, cache_bytes, cache_dtype)


def _read(path: Path, model: str | None) -> Study:
    study = read_study(path, complete_scorers)
    return study if model is None else study.model_copy(update={"model": model})


def _loaded(
    ws: Workspace, study: Study, report: Report, cache_bytes: int | None, cache_dtype: CacheDtype | None = None
) -> tuple[CausalModel, str]:
    """Return a study's model and its digest, and record the study."""
    report(Progress("prepare", f"loading {study.model}"))
    loaded = load(study.model, ws.home.path, chosen_settings(ws.home.path, cache_bytes, cache_dtype))
    label_pairs(loaded, study)  # refuses labels that the model cannot tell apart, before anything is run
    digest = study.digest(loaded.info.digest)
    ws.bank.record_study(study, digest, loaded.info.digest)
    return loaded, digest


def score(
    ws: Workspace,
    study: Path,
    data: Path,
    *,
    columns: Columns = BY_NAME,
    split: SplitName = "validation",
    seed: int = 0,
    model: str | None = None,
    cache_bytes: int | None = None,
    anew: bool = False,
    judge: str | None = None,
    report: Report = quiet,
    stop: StopToken = NEVER,
) -> Scored | ChatScored:
    """Score a study's templates on a split of a file's cases.

    Args:
        cache_bytes: keys and values that may be held in memory; the machine's own setting if None.
        anew: compute, and with a chat model pay for, what is known from earlier runs.
        judge: the model that judges texts by a rubric; the one that the environment names if None.
        report: hears how far it is.
        stop: looked at between two batches; what was computed is kept, and the next run of the same goes on from it.

    Raises:
        StudyError, DataError, ModelError: a file or the model cannot be used; says where and what to do.
    """
    parsed = _read(study, model)
    if is_chat(parsed.model):
        from fedprompt.workspace.local.chat_scoring import score_with_chat

        return score_with_chat(
            ws,
            parsed,
            study,
            data,
            columns=columns,
            split=split,
            seed=seed,
            report=report,
            anew=anew,
            judge=judge,
            stop=stop,
        )
    loaded, digest = _loaded(ws, parsed, report, cache_bytes)
    stop.check()
    own = own_cases(ws, parsed, study, data, columns, split)
    chosen, splits = own.chosen, own.splits
    prompts = [Prompt(template) for template in parsed.candidates()]
    run = content_id("r1", canonical_json({"kind": "score", "study": digest, "file": str(data), "at": time.time_ns()}))
    machine = asdict(loaded.info.settings)
    ws.bank.start_run(run, kind="score", study=digest, settings={"split": split, "seed": seed, "machine": machine})
    began = time.monotonic()

    def tell(done: int, total: int) -> None:
        left = (time.monotonic() - began) * (total - done) / max(1, done)
        report(Progress("score", f"{len(prompts)} templates on {len(chosen)} cases", done, total, left))

    kept = None if anew else own.folder.chat_replies
    resources = recorded(scorer_resources(ws.home.path, judge), own.folder.ledger, digest, kept)
    cache = None if anew else own.folder.scores
    runs, cost = run_prompts(loaded, prompts, chosen, parsed.answer, splits.tune, tell, cache, resources, stop=stop)
    pairs = label_pairs(loaded, parsed)
    by = judged_by(parsed.answer, resources, nested=bool(pairs))
    scores = [to_score(one, chosen, split, parsed.answer).model_copy(update={"judged_by": by}) for one in runs]
    for prompt in prompts:
        ws.bank.record_prompt(prompt, study=digest, origin=STUDY.key)
    ws.bank.record_scores(run, OWN_SITE, scores)
    ws.bank.record_comparisons(run, OWN_SITE, all_pairs(runs, chosen, split))
    result = Scored(
        study=parsed.study,
        model=parsed.model,
        split=split,
        results=tuple(
            TemplateScored(
                prompt.id, prompt.name, method_of(found), found.judged_by, shown_run(found, one, chosen, seed)
            )
            for prompt, found, one in zip(prompts, scores, runs, strict=True)
        ),
        apart=told_apart(runs, chosen, split, seed),
        work=shown_work(cost.work, loaded.info),
        label_pairs=pairs,
        judge=judge_paid(ws.home.path, parsed, [resources], judge),
        cached=cost.cached,
        clipped=cost.clipped,
        left_out=len(splits.left_out),
        settings=loaded.info.settings,
        seconds=round(time.monotonic() - began, 3),
        run=run,
    )
    ws.bank.finish_run(run, as_json(result))
    return result
