"""``score`` with a chat model: what was answered and what was not, tokens, and money where its price is known.

A host elsewhere is a way out for cases: this machine's configuration must allow it, and the site's ledger holds the run
before its first call. What was answered is kept in the site's folder and paid for once. Places of unparsed cases are
returned to whoever ran it and kept nowhere.
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from fedprompt.evaluation.column_map import Columns
from fedprompt.evaluation.runs.chat_runner import score_chat
from fedprompt.evaluation.scorers import judged_by
from fedprompt.models.chat.choice import digest_with
from fedprompt.models.chat.through_langchain import load_chat
from fedprompt.prompts.ids import canonical_json, content_id
from fedprompt.prompts.origins import STUDY
from fedprompt.prompts.prompt import Prompt
from fedprompt.site.chat_runs import ChatAtSite
from fedprompt.site.judge_calls import recorded
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.schema import Study
from fedprompt.study.score import SplitName
from fedprompt.workspace.as_json import as_json
from fedprompt.workspace.bills.judge_bill import judge_paid
from fedprompt.workspace.bills.paid import paid
from fedprompt.workspace.bills.scorer_resources import scorer_resources
from fedprompt.workspace.cases.own_cases import OWN_SITE, own_cases
from fedprompt.workspace.local.scored import ChatScored, TemplateScored
from fedprompt.workspace.progress import Progress, Report
from fedprompt.workspace.results.shown import method_of, shown_run
from fedprompt.workspace.results.told_apart import all_pairs, told_apart
from fedprompt.workspace.workspace import Workspace

__all__ = ["score_with_chat"]


def score_with_chat(
    ws: Workspace,
    parsed: Study,
    study: Path,
    data: Path,
    *,
    columns: Columns,
    split: SplitName,
    seed: int,
    report: Report,
    anew: bool = False,
    judge: str | None = None,
    stop: StopToken = NEVER,
) -> ChatScored:
    """Score a study's templates with its chat model; as :func:`fedprompt.workspace.local.scoring.score`.

    Args:
        parsed: the study, and ``study`` its file, for messages.
        anew: pay again for what is known.
        judge: the model that judges texts by a rubric; the one that the environment names if None.

    Raises:
        DataError, ModelError: the file or the model cannot be used; says where and what to do.
        LedgerError: the run cannot be written into the site's ledger, so nothing was sent.
    """
    name = parsed.model
    own = own_cases(ws, parsed, study, data, columns, split)
    prompts = [Prompt(template) for template in parsed.candidates()]
    began = time.monotonic()

    def tell(done: int, total: int) -> None:
        left = (time.monotonic() - began) * (total - done) / max(1, done)
        report(Progress("score", f"{len(prompts)} templates on {len(own.chosen)} cases", done, total, left))

    report(Progress("prepare", f"asking {name}"))
    stop.check()
    with load_chat(name, ws.home.path) as model:
        chat = ChatAtSite(model, own.folder, parsed.answer, own.splits.tune, anew=anew)
        probe = chat.method(prompts, own.chosen)
        method = None if probe is None else probe.method
        model_digest = digest_with(model.info, method)
        digest = parsed.digest(model_digest)
        kept = None if anew else own.folder.chat_replies
        resources = recorded(scorer_resources(ws.home.path, judge), own.folder.ledger, digest, kept)
        found = chat.run(digest, prompts, own.chosen, method, tell, resources, stop)
        replies = (*([] if probe is None or probe.reply is None else [probe.reply]), *found.replies)
        settings = model.settings
    by = judged_by(parsed.answer, resources)
    scores = [score_chat(one, own.chosen, split, parsed.answer, method, by) for one in found.runs]
    ws.bank.record_study(parsed, digest, model_digest)
    run = content_id("r1", canonical_json({"kind": "score", "study": digest, "file": str(data), "at": time.time_ns()}))
    ws.bank.start_run(run, kind="score", study=digest, settings={"split": split, "seed": seed, "method": method})
    for prompt in prompts:
        ws.bank.record_prompt(prompt, study=digest, origin=STUDY.key)
    ws.bank.record_scores(run, OWN_SITE, scores)
    runs = [one.run for one in found.runs]
    ws.bank.record_comparisons(run, OWN_SITE, all_pairs(runs, own.chosen, split))
    result = ChatScored(
        study=parsed.study,
        model=name,
        split=split,
        results=tuple(
            TemplateScored(
                prompt=prompt.id,
                name=prompt.name,
                method=method_of(score),
                judged_by=score.judged_by,
                run=shown_run(score, one.run, own.chosen, seed),
                failed=_failed(one.run.reasons),
                unparsed=len(one.unparsed),
            )
            for prompt, score, one in zip(prompts, scores, found.runs, strict=True)
        ),
        apart=told_apart(runs, own.chosen, split, seed),
        share_ratio=1.0,
        paid=paid(replies, settings.price),
        judge=judge_paid(ws.home.path, parsed, [resources], judge),
        tokens_per_second=None,
        left_out=len(own.splits.left_out),
        seconds=round(time.monotonic() - began, 3),
        run=run,
    )
    ws.bank.finish_run(run, as_json(result))
    places = {
        prompt.id: sorted(own.chosen[place].line for place in one.unparsed)
        for prompt, one in zip(prompts, found.runs, strict=True)
        if one.unparsed
    }
    return replace(result, unparsed_lines=places)


def _failed(reasons: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    return {reason: count for reason, count in reasons.get("model", {}).items() if count}
