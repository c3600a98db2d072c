"""``federate``: a whole federation, of a user's own files in one process or of sites on their own machines.

The rounds are the same, and so are the bytes: only what carries them differs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from fedprompt.errors import FederationError, StudyError
from fedprompt.evaluation.column_map import BY_NAME, Columns
from fedprompt.evaluation.scorers import complete_scorers
from fedprompt.federation.gathering import PATIENCE
from fedprompt.federation.hub import Hub
from fedprompt.federation.ledgers import Ledgers
from fedprompt.federation.orders import Controls
from fedprompt.federation.rounds import check_sites
from fedprompt.federation.transports.local import LocalTransport
from fedprompt.federation.transports.transport import Transport
from fedprompt.models.chat.through_langchain import LangChainChat
from fedprompt.models.protocols import CacheDtype, RunSettings
from fedprompt.models.registry import load
from fedprompt.models.work import Work
from fedprompt.privacy.promise import promise_of
from fedprompt.prompts.ids import canonical_json, content_id
from fedprompt.prompts.tensors import Tensors
from fedprompt.site.folder import SiteFolder
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.files import read_study
from fedprompt.study.schema import Study
from fedprompt.study.sharing import Worth
from fedprompt.workspace.answers.study_model import machine_settings, model_digest_of, shared_model
from fedprompt.workspace.as_json import as_json, from_json
from fedprompt.workspace.bills.judge_bill import judge_paid
from fedprompt.workspace.bills.paid import ModelPaid
from fedprompt.workspace.bills.scorer_resources import scorer_resources
from fedprompt.workspace.cases.one_cut import cutter_of
from fedprompt.workspace.cases.site_of_file import cases_of, contents_digest, make_worker
from fedprompt.workspace.enrolled.hub_engine import running_hub
from fedprompt.workspace.enrolled.hub_folder import HubFolder
from fedprompt.workspace.enrolled.seen_ledgers import LOCAL, SeenLedgers
from fedprompt.workspace.progress import Progress, Report, quiet
from fedprompt.workspace.results.shown import ShownWork, shown_work
from fedprompt.workspace.rounds.alone import AloneResult, alone_result
from fedprompt.workspace.rounds.federated import FederatedResult, NominatedIds, RoundFound, TemplateValues
from fedprompt.workspace.rounds.federation_run import FederationRun
from fedprompt.workspace.rounds.gathering_now import Teller
from fedprompt.workspace.rounds.given_orders import BankDesk
from fedprompt.workspace.rounds.result_table import difference, entry, headline
from fedprompt.workspace.rounds.shared_result import SharedResult
from fedprompt.workspace.rounds.start_prompt import start_of
from fedprompt.workspace.rounds.steps import Found, take_steps
from fedprompt.workspace.timing import Clock
from fedprompt.workspace.workspace import Workspace

__all__ = ["federate", "federate_flare"]

PATIENCE_SECONDS, QUORUM_PATIENCE_SECONDS = 60.0, 20.0
Took = tuple[ShownWork, ModelPaid | None]
LONGEST_SECONDS = 3600.0  # what a site may take for one answer where the study leaves the deadline to the rounds


def federate(
    ws: Workspace,
    study: Path,
    sites: Mapping[str, Path],
    *,
    columns: Columns = BY_NAME,
    seed: int = 0,
    resume: bool = False,
    cache_bytes: int | None = None,
    cache_dtype: CacheDtype | None = None,
    report: Report = quiet,
    stop: StopToken = NEVER,
    pause_after: int | None = None,
    worth: bool = False,
) -> FederatedResult:
    """Score the templates at every site, tune in rounds, and evaluate the best template and the tuned prompt on test.

    The same study, files and seed are the same run: stopped, it goes on; finished, it is shown.

    Args:
        resume: refuse to begin a new run.
        cache_bytes: keys and values that a site may hold in memory; the machine's own setting if None.
        cache_dtype: what they are kept in; the model's own dtype if None.
        report: hears how far it is.
        stop: ends the work between two sites, steps or batches; the next call goes on.
        pause_after: the round after which the work pauses; the next call goes on.
        worth: measure what joining is worth, as the study's ``worth`` says; a study that has none is taken with the
            defaults, which is another study.

    Returns:
        Its ``test`` has ``manual`` and, where the study has a soft slot, ``federated``; ``grouped`` and ``kept`` where
        it asks for groups and for each site's choice; the demo's rows where sites also tune alone.

    Raises:
        FederationError: fewer than two sites, or a site refused.
        Stopped: it was to end or to pause, and what is done is kept.
        StudyError, DataError, ModelError: says where and what to do.
    """
    if len(sites) < 2:
        raise FederationError("a federation needs at least two sites: --site a=a.csv --site b=b.csv", code="two-sites")
    parsed = read_study(study, complete_scorers)
    if worth and parsed.worth is None:
        if (why := parsed.no_worth()) is not None:
            raise StudyError(f"{study}: {why}", code="does-not-fit")
        parsed = parsed.model_copy(update={"worth": Worth()})
    report(Progress("prepare", f"loading {parsed.model}"))
    model = shared_model(parsed, ws.home.path, cache_bytes, cache_dtype)
    digest = parsed.digest(model.info.digest)
    ws.bank.record_study(parsed, digest, model.info.digest)
    workers, contents, read = {}, {}, {}
    for name, path in sorted(sites.items()):
        folder = SiteFolder(ws.home.sites / name)
        folder.prepare()
        read[name] = cases_of(path, parsed, columns)
        contents[name] = contents_digest(folder, read[name])
    everything = content_id("c1", canonical_json(contents))  # other cases anywhere are another run everywhere
    for name, path in sorted(sites.items()):
        cases = read[name]
        workers[name] = make_worker(
            name=name,
            folder=SiteFolder(ws.home.sites / name),
            study=parsed,
            model=model,
            cases=cases,
            where=str(path),
            resources=scorer_resources(ws.home.path),
            splits=cutter_of(ws.home, path, name, apart=sites).cut(parsed, cases),
            stop=stop,
            bounded=False,  # whoever runs this holds all the files
            seed=seed,
            contents=everything,
        )
    settings = {"seed": seed, "sites": contents}
    transport = LocalTransport({name: worker.handle for name, worker in workers.items()})
    sources = {name: path.name for name, path in sites.items()}
    machine = machine_settings(model)
    start = None if parsed.moves is None or isinstance(model, LangChainChat) else start_of(model, parsed, ws.bank)
    info = None if isinstance(model, LangChainChat) else model.info

    def took() -> Took:
        judge = judge_paid(ws.home.path, parsed, [worker.side.resources for worker in workers.values()])
        return shown_work(sum((worker.side.work for worker in workers.values()), Work()), info), judge

    clock = _clock(report, parsed, stop)
    return _federate(
        ws, parsed, start, digest, transport, settings, sources, seed, resume, clock, pause_after, machine, took
    )


def federate_flare(
    ws: Workspace,
    study: Path,
    sites: Sequence[str] = (),
    *,
    seed: int = 0,
    resume: bool = False,
    report: Report = quiet,
    stop: StopToken = NEVER,
    pause_after: int | None = None,
    worth: bool = False,
) -> FederatedResult:
    """Run a study among sites on their own machines, through the engine that ``hub run`` keeps.

    The same study, sites and seed are the same run: stopped, it goes on; finished, it is shown.

    Args:
        sites: who takes part; everyone who was admitted if none is named.
        resume: refuse to begin a new run.
        report: hears how far it is.
        stop: ends the work between two sites, or while sites are waited for; the next call goes on.
        pause_after: the round after which the work pauses; the next call goes on.
        worth: refuse a study that does not measure what joining is worth.

    Raises:
        FederationError: the hub does not run, a site was not admitted, or too few answered.
        Stopped: it was to end or to pause, and what is done is kept.
        StudyError, ModelError: says where and what to do.
    """
    from fedprompt.federation.transports.flare.transport import FlareTransport

    folder = HubFolder(ws.home)
    admitted = folder.sites()
    if unknown := sorted(set(sites) - set(admitted)):
        raise FederationError(
            f"'{unknown[0]}' is not an admitted site; admitted sites: {', '.join(admitted) or 'none'}",
            code="unknown-site",
        )
    names = tuple(sorted(sites)) or admitted
    if len(names) < 2:
        raise FederationError(f"a federation needs at least two sites, but has {len(names)}", code="two-sites")
    running_hub(ws.home)  # says so now if it does not run
    parsed = read_study(study, complete_scorers)
    if worth and parsed.worth is None:
        raise StudyError(
            f"{study}: the study has no 'worth:' part, so no site has agreed to the measurement. Add 'worth: "
            "{n: [8, 16, 32]}', and have the sites' operators accept the study again",
            code="no-worth-part",
        )
    report(Progress("prepare", f"reading {parsed.model}"))
    model_digest = model_digest_of(parsed, ws.home.path)
    digest = parsed.digest(model_digest)
    ws.bank.record_study(parsed, digest, model_digest)
    start = None if parsed.moves is None else start_of(load(parsed.model, ws.home.path), parsed, ws.bank)
    settings = {"seed": seed, "sites": list(names), "transport": "flare", "hub": folder.about["authority"]}
    # A round's deadline is the hub's to keep: what carries the tasks must not give up before it.
    wanted = parsed.rounds.deadline
    longest = LONGEST_SECONDS if wanted == "auto" else max(LONGEST_SECONDS, PATIENCE * wanted)
    # Where every site is needed, one that is away is waited for as long as a restart takes; else the others go on.
    everyone = parsed.rounds.quorum is None or parsed.rounds.quorum >= len(names)
    patience = PATIENCE_SECONDS if everyone else QUORUM_PATIENCE_SECONDS
    with FlareTransport(partial(running_hub, ws.home), names, deadline=longest, patience=patience) as transport:
        sources = dict.fromkeys(names, "")
        clock = _clock(report, parsed, stop)
        return _federate(
            ws, parsed, start, digest, transport, settings, sources, seed, resume, clock, pause_after, bounded=True
        )


def _federate(
    ws: Workspace,
    parsed: Study,
    start: Tensors | None,
    digest: str,
    transport: Transport,
    settings: Mapping[str, Any],
    sources: Mapping[str, str],
    seed: int,
    resume: bool,
    clock: Clock,
    pause_after: int | None,
    machine: RunSettings | None = None,
    took: Callable[[], Took] | None = None,
    *,
    bounded: bool = False,
) -> FederatedResult:
    check_sites(parsed.rounds, transport.sites)
    run = content_id("r1", canonical_json({"kind": "federate", "study": digest, "settings": settings}))
    if resume and run not in {row.id for row in ws.bank.runs(kind="federate")}:
        raise FederationError(
            "there is no run of this study with these sites, cases and seed to resume; leave out --resume to start one",
            code="nothing-to-resume",
        )
    # What the machine's settings are moves no number that counts, so that they are no part of the run's identity.
    row = ws.bank.start_run(run, kind="federate", study=digest, settings={**settings, "machine": as_json(machine)})
    if row.result is not None:
        return from_json(FederatedResult, row.result)
    sums = parsed.rounds.secure_sums
    summed = 0 if sums is None else sums.least_of(len(transport.sites))
    least = max(parsed.rounds.quorum or 0, parsed.rounds.strategy.least_sites, summed)
    with Teller(ws.home, run) as teller:
        controls = Controls(BankDesk(ws.bank, run, digest, teller), transport.sites, least)
        book = SeenLedgers(ws.home, str(settings.get("hub", LOCAL)))
        for earlier in ws.bank.rounds(run):  # of a version that kept heads nowhere else
            for site, head in earlier.body.get("heads", {}).items():
                book.begin(site, head, earlier.created.isoformat(timespec="seconds"))
        hub = Hub(transport, digest, ledgers=Ledgers(book), held_to=parsed)
        federation = FederationRun(ws.bank, run, parsed, digest, hub, clock, controls, pause_after)
        found = take_steps(
            federation,
            ws.bank,
            parsed,
            start,
            sources,
            seed,
            clock,
            bounded=bounded,
            encoder=scorer_resources(ws.home.path).encoder,
        )
        result = _result(found, federation, parsed, seed, clock)
    # What a site on its own machine computes for its answers stays there.
    work, judge = (result.work, None) if took is None else took()
    result = replace(result, work=work, judge=judge, settings=machine)
    ws.bank.finish_run(run, as_json(result))
    return result


def _clock(report: Report, study: Study, stop: StopToken) -> Clock:
    alone = {"alone": 4.0} if study.rounds.alone else {}
    head = {} if study.head is None else {"heads": 1.0}
    worth = {} if study.worth is None else {"without": 4.0 * (study.worth.folds - 1), "worth": 4.0 * len(study.worth.n)}
    planned = {"score": 4.0, "federate": 4.0, **alone, **head, **worth, "test": 1.0}
    return Clock(report, planned, stop, paced="score" if study.moves is None else "federate")


def _result(found: Found, federation: FederationRun, study: Study, seed: int, clock: Clock) -> FederatedResult:
    """Return what the steps found, but for what they took."""
    run, digest, scores, look = federation.id, federation.digest, found.scores, found.look
    nominated = found.nominated
    test = {
        name: entry({site: look.scores[site][prompt.id] for site in look.sites}, seed)
        for name, prompt in nominated.items()
    }
    differences = {}
    if found.best is not None:
        pair = (found.best.prompt.id, found.manual.id)
        differences["federated_vs_manual"] = difference(look, dict.fromkeys(look.sites, pair), seed)
    result = FederatedResult(
        seed=seed,
        run=run,
        study=digest,
        templates=tuple(
            TemplateValues(
                prompt.id,
                prompt.name,
                {s: scores[s][prompt.id].total / scores[s][prompt.id].n for s in sorted(scores)},
            )
            for prompt in federation.templates.values()
        ),
        rounds=tuple(
            RoundFound(
                round=r.number,
                by_site=r.by_site,
                mean=r.mean,
                bytes=r.bytes,
                prompt=r.prompt.id,
                received=dict(r.received),
                sent=dict(r.sent),
                missing=r.missing,
            )
            for r in found.records
        ),
        missing=federation.missing,
        clipped={site: federation.clipped.of(site) for site in sorted(scores)},
        test=test,
        differences=differences,
        prompts=NominatedIds(found.manual.id, None if found.best is None else found.best.prompt.id),
        sentences=(*(headline(test, one) for one in differences.values()), *_promised(study)),
        seconds=clock.seconds,
        groups=None,
        kept=None,
        transfer=None,
        worth=found.worth,
        work=shown_work(Work(), None),
        judge=None,
        settings=None,
    )
    if found.shared is not None:
        shared = found.shared.result(look, found.manual, seed)
        result = replace(_with_rows(result, shared), groups=shared.groups, kept=shared.kept)
    if found.alone is None or (own_result := alone_result(found.alone, look, seed)) is None:
        return result
    more = replace(_with_rows(result, own_result), kept=own_result.kept, transfer=own_result.transfer)
    return replace(more, prompts=own_result.prompts)


def _with_rows(result: FederatedResult, more: SharedResult | AloneResult) -> FederatedResult:
    """Return a result with more sentences after its own, and more rows beside its own."""
    return replace(
        result,
        test={**more.test, **result.test},
        differences={**more.differences, **result.differences},
        sentences=(*result.sentences, *more.sentences),
    )


def _promised(study: Study) -> tuple[str, ...]:
    """Return what the study's noise hides, in a sentence; nothing where it has no budget of privacy."""
    promise = promise_of(study)
    return () if promise is None else (promise.sentence,)
