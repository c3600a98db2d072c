"""``tune``: a soft prompt on one site's own cases, the step to keep chosen on validation, test looked at once."""

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fedprompt.federation.hub import Hub
from fedprompt.federation.rounds import best_round
from fedprompt.federation.transports.local import LocalTransport
from fedprompt.prompts.ids import canonical_json, content_id
from fedprompt.site.folder import SiteFolder
from fedprompt.site.signing import site_identity
from fedprompt.workspace.federation_run import FederationRun, start_prompt
from fedprompt.workspace.progress import Report, quiet
from fedprompt.workspace.scoring import OWN_SITE, open_study, shown_score
from fedprompt.workspace.sites import cases_of, contents_digest, make_worker
from fedprompt.workspace.timing import Clock
from fedprompt.workspace.workspace import Workspace

__all__ = ["tune"]


def tune(
    ws: Workspace,
    study: Path,
    data: Path,
    *,
    mapping: Mapping[str, str] | None = None,
    group: str | None = None,
    seed: int = 0,
    cache_bytes: int | None = None,
    report: Report = quiet,
) -> dict[str, Any]:
    """Tune the study's soft prompt for ``rounds.count`` times ``tuning.steps`` steps and keep the best on validation.

    A run that was stopped goes on: the same study, data and seed are the same run.

    Returns:
        The JSON that section 8 of the design describes for ``fedprompt tune --json``.

    Raises:
        StudyError, DataError, ModelError, TuningError: says where and what to do.
    """
    parsed, model, digest = open_study(ws, study, None, report, cache_bytes=cache_bytes)
    parsed.soft_template()
    cases = cases_of(data, parsed, mapping, group)
    folder = SiteFolder(ws.home.sites / OWN_SITE)
    folder.prepare()
    ws.bank.register_site(OWN_SITE, site_identity(folder.key))
    worker = make_worker(name=OWN_SITE, folder=folder, study=parsed, model=model, cases=cases, where=str(data))
    machine = asdict(model.info.settings)
    settings = {"seed": seed, "cases": len(cases), "contents": contents_digest(folder, cases)}
    run = content_id("r1", canonical_json({"kind": "tune", "study": digest, "settings": settings}))
    row = ws.bank.start_run(run, kind="tune", study=digest, settings={**settings, "machine": machine})
    if row.result is not None:
        return row.result
    clock = Clock(report, {"tune": 9.0, "test": 1.0})
    began = time.monotonic()
    hub = Hub(LocalTransport({OWN_SITE: worker.handle}), digest)
    federation = FederationRun(ws.bank, run, parsed, digest, hub, clock)
    with clock.stage("tune", "tuning the soft prompt"):
        start = start_prompt(model, parsed, ws.bank)
        # One site: what it tuned is the next prompt, whatever strategy the study has for many.
        records = federation.rounds(hub, run, start, seed, parsed.alone(), "tuned", "part")
        kept = best_round(records)
    with clock.stage("test", "one look at test"):
        look = federation.look_at_test([kept.prompt], {OWN_SITE: []})
    result = {
        "prompt": kept.prompt.id,
        "steps": parsed.rounds.count * parsed.tuning.steps,
        "kept_after": kept.number * parsed.tuning.steps,
        "loss": [record.loss[OWN_SITE] for record in records],
        "validation": shown_score(kept.scores[OWN_SITE]),
        "test": shown_score(look.scores[OWN_SITE][kept.prompt.id]),
        "seconds": round(time.monotonic() - began, 3),
        "run": run,
    }
    ws.bank.finish_run(run, result)
    return result
