"""``federate``: a whole federation of a user's own files in one process, through the same gates as across machines."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fedprompt.errors import FederationError
from fedprompt.federation.hub import Hub
from fedprompt.federation.rounds import RoundRecord, best_round
from fedprompt.federation.transports.local import LocalTransport
from fedprompt.prompts.ids import canonical_json, content_id
from fedprompt.site.folder import SiteFolder
from fedprompt.workspace.federation_run import FederationRun, pooled_best, start_prompt
from fedprompt.workspace.progress import Report, quiet
from fedprompt.workspace.result_table import difference, entry, headline
from fedprompt.workspace.scoring import open_study
from fedprompt.workspace.sites import cases_of, contents_digest, make_worker
from fedprompt.workspace.timing import Clock
from fedprompt.workspace.workspace import Workspace

__all__ = ["federate"]


def federate(
    ws: Workspace,
    study: Path,
    sites: Mapping[str, Path],
    *,
    mapping: Mapping[str, str] | None = None,
    group: str | None = None,
    seed: int = 0,
    report: Report = quiet,
) -> dict[str, Any]:
    """Score the templates at every site, tune in rounds, and evaluate the best template and the tuned prompt on test.

    The same study, files and seed are the same run: stopped, it goes on; finished, it is shown.

    Returns:
        ``templates``, ``rounds``, ``test`` (``manual`` and, where the study has a soft slot, ``federated``),
        ``differences``, ``sentences`` and the ids of the prompts.

    Raises:
        FederationError: fewer than two sites, or a site refused.
        StudyError, DataError, ModelError: says where and what to do.
    """
    if len(sites) < 2:
        raise FederationError("a federation needs two sites or more: --site a=a.csv --site b=b.csv")
    parsed, model, digest = open_study(ws, study, None, report)
    workers, contents = {}, {}
    for name, path in sorted(sites.items()):
        folder = SiteFolder(ws.home.sites / name)
        folder.prepare()
        cases = cases_of(path, parsed, mapping, group)
        contents[name] = contents_digest(folder, cases)
        workers[name] = make_worker(name=name, folder=folder, study=parsed, model=model, cases=cases, where=str(path))
    settings = {"seed": seed, "sites": contents}
    run = content_id("r1", canonical_json({"kind": "federate", "study": digest, "settings": settings}))
    row = ws.bank.start_run(run, kind="federate", study=digest, settings=settings)
    if row.result is not None:
        return row.result
    hub = Hub(LocalTransport({name: worker.handle for name, worker in workers.items()}), digest)
    clock = Clock(report, {"score": 4.0, "federate": 4.0, "test": 1.0})
    federation = FederationRun(ws.bank, run, parsed, digest, hub, clock)
    ws.bank.record_stage(run, "sites", _described(hub, parsed.answer.labels, sites))
    with clock.stage("score", "the sites score the candidate templates"):
        scores = federation.score_templates()
        manual = federation.templates[pooled_best(scores, list(federation.templates))]
    nominated = [manual]
    records: tuple[RoundRecord, ...] = ()
    if parsed.soft is not None:
        with clock.stage("federate", "the sites tune a soft prompt together"):
            records = federation.tune(start_prompt(model, parsed), seed)
            nominated.append(best_round(records).prompt)
            federation.compare_on_validation([nominated[-1], manual])
    with clock.stage("test", "the nominated prompts are evaluated on test, once"):
        pairs = [(nominated[-1].id, manual.id)] if len(nominated) > 1 else []
        look = federation.look_at_test(nominated, {site: pairs for site in hub.sites})
    names = ("manual", "federated")[: len(nominated)]
    test = {
        name: entry({site: look.scores[site][prompt.id] for site in hub.sites}, seed)
        for name, prompt in zip(names, nominated, strict=True)
    }
    differences = {}
    if pairs:
        differences["federated_vs_manual"] = difference(look, {site: pairs[0] for site in hub.sites}, seed)
    result = {
        "seed": seed,
        "run": run,
        "study": digest,
        "templates": [
            {
                "prompt": prompt.id,
                "name": prompt.name,
                "by_site": {s: scores[s][prompt.id].total / scores[s][prompt.id].n for s in hub.sites},
            }
            for prompt in federation.templates.values()
        ],
        "rounds": [
            {"round": r.number, "by_site": r.by_site, "mean": r.mean, "bytes": r.bytes, "prompt": r.prompt.id}
            for r in records
        ],
        "test": test,
        "differences": differences,
        "prompts": {name: prompt.id for name, prompt in zip(names, nominated, strict=True)},
        "sentences": [headline(test, differences["federated_vs_manual"])] if pairs else [],
        "seconds": clock.seconds,
    }
    ws.bank.finish_run(run, result)
    return result


def _described(hub: Hub, labels: tuple[str, ...], sites: Mapping[str, Path]) -> dict[str, Any]:
    found = {}
    for site in hub.sites:
        reply = hub.describe(site)
        found[site] = {
            "source": sites[site].name,
            "tune": reply.tune,
            "validation": reply.validation,
            "test": reply.test,
            "labels": dict(zip(labels, reply.labels, strict=True)),
        }
    return found
