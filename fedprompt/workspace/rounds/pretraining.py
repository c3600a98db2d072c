"""``pretrain``: a whole federated pre-training, of a user's own folders in one process or of sites on their machines.

The bytes are the same either way. The result is a model's folder in the home, named by the digest of its weights, that
a later study takes by its name.
"""

import os
import secrets
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedprompt.bank.store import Bank
from fedprompt.errors import FederationError, ModelError
from fedprompt.evaluation.column_map import BY_NAME, Columns
from fedprompt.evaluation.scorers import complete_scorers
from fedprompt.federation.asking import Asking
from fedprompt.federation.hub import Hub
from fedprompt.federation.ledgers import Ledgers
from fedprompt.federation.pretraining import PretrainRecord, PretrainRounds
from fedprompt.federation.rounds import check_sites
from fedprompt.federation.transports.local import LocalTransport
from fedprompt.federation.transports.transport import Transport
from fedprompt.models.sources import TRAINED, is_plain
from fedprompt.prompts.ids import canonical_json, content_id
from fedprompt.site.drawing import drawing_of_run
from fedprompt.site.folder import SiteFolder
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.files import read_study
from fedprompt.study.schema import Study
from fedprompt.tuning.pretraining.building import write_folder
from fedprompt.tuning.pretraining.flat import FlatModel
from fedprompt.workspace.acting import needs
from fedprompt.workspace.as_json import as_json, from_json
from fedprompt.workspace.enrolled.hub_engine import running_hub
from fedprompt.workspace.enrolled.hub_folder import HubFolder
from fedprompt.workspace.enrolled.seen_ledgers import LOCAL, SeenLedgers
from fedprompt.workspace.progress import Progress, Report, quiet
from fedprompt.workspace.rounds.pretraining_base import PretrainingBase, base_of, spec_of
from fedprompt.workspace.rounds.pretraining_result import PretrainResult, pretrain_result
from fedprompt.workspace.rounds.pretraining_site import check_site, make_pretraining_worker, prepare_text
from fedprompt.workspace.rounds.pretraining_task import task_accuracy, task_cases, texts_of
from fedprompt.workspace.workspace import Workspace

__all__ = ["BankRecords", "pretrain", "pretrain_flare"]

RECORD = "round "
PATIENCE_SECONDS, LONGEST_SECONDS = 60.0, 24 * 3600.0  # for a site that is away, and for one answer


@needs("federate")
def pretrain(
    ws: Workspace,
    study: Path,
    sites: Mapping[str, Sequence[Path]],
    *,
    name: str | None = None,
    column: str | None = None,
    cases: Path | None = None,
    columns: Columns = BY_NAME,
    seed: int = 0,
    resume: bool = False,
    report: Report = quiet,
    stop: StopToken = NEVER,
) -> PretrainResult:
    """Train a model on the text of several sites, which does not leave them, in rounds.

    The same study, files and seed are the same run: stopped, it goes on; finished, it is shown.

    Args:
        sites: site -> its files and folders.
        name: of the trained model; the study's name if None.
        column: of tables, the one that holds the text.
        cases: labelled cases of the study; what is like them is left out of the text, and the study's templates are
            scored on them before and after.
        columns: what was said of the cases' columns.
        resume: refuse to begin a new run.
        report: hears how far it is.
        stop: ends the work between two steps; the next call goes on.

    Raises:
        FederationError: no site was named, or too few answered.
        Stopped: it was to end, and what is done is kept.
        StudyError, DataError, ModelError, TuningError: says where and what to do.
    """
    began = time.monotonic()
    if not sites:
        raise FederationError("no site is named; write --data north=FOLDER --data south=FOLDER", code="no-site")
    parsed = read_study(study, complete_scorers)
    spec_of(parsed)
    called = _name(name or _plain(parsed.study))
    report(Progress("prepare", f"reading {parsed.model}"))
    base = base_of(parsed, ws.home.path)
    digest = parsed.digest(base.digest)
    ws.bank.record_study(parsed, digest, base.digest)
    found = None if cases is None else task_cases(ws, parsed, study, cases, columns)
    texts, folders = {}, {}
    for place, (site, paths) in enumerate(sorted(sites.items())):
        folders[site] = SiteFolder(ws.home.sites / site)
        folders[site].prepare()
        check_site(parsed, base, folders[site], len(sites))

        def told(done: int, total: int, site: str = site, place: int = place) -> None:
            message = f"{site}: file {done + 1} of {total}"
            report(Progress("prepare", message, place + done / max(1, total), len(sites)))

        least = max(parsed.privacy.min_cases, folders[site].policy.min_cases)
        evaluation = () if found is None else texts_of(found.cases)
        texts[site] = prepare_text(
            folders[site],
            site,
            parsed,
            base,
            list(paths),
            column=column,
            evaluation=evaluation,
            least=least,
            progress=told,
            stop=stop,
        )
    contents = {site: text.contents for site, text in texts.items()}
    everything = content_id("c1", canonical_json(contents))
    settings = {"seed": seed, "sites": contents}
    run = content_id("r1", canonical_json({"kind": "pretrain", "study": digest, "settings": settings}))
    if (known := _begun(ws, run, digest, settings, resume)) is not None:
        return known
    report(Progress("prepare", "making the model"))
    model = base.build(seed)
    start = model.values
    pace = _Pace(report, parsed, len(sites))
    workers = {
        site: make_pretraining_worker(
            name=site,
            folder=folders[site],
            study=parsed,
            digest=digest,
            model=model,
            text=text,
            drawing=drawing_of_run(folders[site].key, seed, everything),
            scope=run,
            bounded=False,  # whoever runs this holds all the files
            stepped=partial(pace.stepped, site),
            stop=stop,
        )
        for site, text in texts.items()
    }
    transport = LocalTransport({site: worker.handle for site, worker in workers.items()})
    try:
        records, weights = _rounds(ws, parsed, digest, run, transport, seed, stop, pace, model.size, lambda: start)
    except FederationError as error:
        why = next((str(one.failure) for one in workers.values() if one.failure is not None), None)
        if why is None:
            raise
        raise FederationError(f"{error}: {why}", code=error.code) from error
    folder = _kept(ws, called, model, base, weights)
    task = None
    if found is not None:
        report(Progress("test", "scoring the study's templates before and after"))
        task = task_accuracy(ws, parsed, found, base.folder if base.config is None else None, folder, stop)
    counts = {site: text.corpus.counts for site, text in texts.items()}
    result = pretrain_result(called, folder, model.size, digest, run, records, counts, task, began)
    ws.bank.finish_run(run, as_json(result))
    return result


@needs("federate")
def pretrain_flare(
    ws: Workspace,
    study: Path,
    sites: Sequence[str] = (),
    *,
    name: str | None = None,
    seed: int = 0,
    resume: bool = False,
    report: Report = quiet,
    stop: StopToken = NEVER,
) -> PretrainResult:
    """Train a model among sites on their own machines, through the engine that ``hub run`` keeps.

    Args:
        sites: who takes part; everyone who was admitted if none is named.
        name: of the trained model; the study's name if None.
        seed: of fresh weights; it tells runs apart.
        resume: refuse to begin a new run.
        report: hears how far it is.
        stop: ends the work between two sites or parts; the next call goes on.

    Raises:
        FederationError: the hub does not run, a site was not admitted, or too few answered.
        Stopped: it was to end, and what is done is kept.
        StudyError, ModelError: says where and what to do.
    """
    from fedprompt.federation.transports.flare.transport import FlareTransport

    began, hub = time.monotonic(), HubFolder(ws.home)
    names = tuple(sorted(sites)) or hub.sites()
    if unknown := sorted(set(names) - set(hub.sites())):
        raise FederationError(
            f"'{unknown[0]}' was not admitted here; admitted are {', '.join(hub.sites()) or 'none'}",
            code="unknown-site",
        )
    if not names:
        raise FederationError("no site was admitted here yet; 'fedprompt hub admit' lets one in", code="no-site")
    running_hub(ws.home)  # says so now if it does not run
    parsed = read_study(study, complete_scorers)
    spec_of(parsed)
    called = _name(name or _plain(parsed.study))
    report(Progress("prepare", f"reading {parsed.model}"))
    base = base_of(parsed, ws.home.path)
    digest = parsed.digest(base.digest)
    ws.bank.record_study(parsed, digest, base.digest)
    settings = {"seed": seed, "sites": list(names), "transport": "flare", "hub": hub.about["authority"]}
    run = content_id("r1", canonical_json({"kind": "pretrain", "study": digest, "settings": settings}))
    if (known := _begun(ws, run, digest, settings, resume)) is not None:
        return known
    model = base.build(seed)
    start, pace = model.values, _Pace(report, parsed, len(names))
    engine, of = partial(running_hub, ws.home), str(settings["hub"])
    with FlareTransport(engine, names, deadline=LONGEST_SECONDS, patience=PATIENCE_SECONDS) as transport:
        records, weights = _rounds(
            ws, parsed, digest, run, transport, seed, stop, pace, model.size, lambda: start, hub_of=of
        )
    folder = _kept(ws, called, model, base, weights)
    result = pretrain_result(called, folder, model.size, digest, run, records, {}, None, began)
    ws.bank.finish_run(run, as_json(result))
    return result


def _begun(ws: Workspace, run: str, digest: str, settings: Mapping[str, Any], resume: bool) -> PretrainResult | None:
    """Begin a run or go on with it; return its result where it is done and its model is still there.

    Raises:
        FederationError: there is none to go on with.
    """
    if resume and run not in {row.id for row in ws.bank.runs(kind="pretrain")}:
        raise FederationError(
            "there is no run of this study with these sites, files and seed to resume; leave out --resume to start one",
            code="nothing-to-resume",
        )
    row = ws.bank.start_run(run, kind="pretrain", study=digest, settings=settings)
    found = None if row.result is None else from_json(PretrainResult, row.result)
    return None if found is None or not Path(found.folder).is_dir() else found


def _rounds(
    ws: Workspace,
    study: Study,
    digest: str,
    run: str,
    transport: Transport,
    seed: int,
    stop: StopToken,
    pace: "_Pace",
    size: int,
    start: Callable[[], NDArray[np.float32]],
    hub_of: str = LOCAL,
) -> tuple[tuple[PretrainRecord, ...], NDArray[np.float32]]:
    """Run the rounds; return their records and the last weights."""
    check_sites(study.rounds, transport.sites)
    hub = Hub(transport, digest, ledgers=Ledgers(SeenLedgers(ws.home, hub_of)))
    folder = ws.home.path / "pretraining" / run.replace(":", "-")
    rounds = PretrainRounds(
        Asking(hub, study.rounds, stop=stop), study, size, folder, BankRecords(ws.bank, run), seed, pace.told
    )
    records = rounds.run(start)
    return records, rounds.weights_of(records[-1])


class BankRecords:
    """Fills ``federation.pretraining.RecordKeeper``: records are stages of a run."""

    def __init__(self, bank: Bank, run: str) -> None:
        self._bank, self._run = bank, run

    def written(self) -> list[PretrainRecord]:
        """Return the records, in order."""
        stages = self._bank.stages(self._run)
        found = [PretrainRecord.of(body) for name, body in stages.items() if name.startswith(RECORD)]
        return sorted(found, key=lambda one: one.number)

    def write(self, record: PretrainRecord) -> None:
        """Keep one."""
        self._bank.record_stage(self._run, f"{RECORD}{record.number}", record.body())


class _Pace:
    """Tells how far a run is, in local steps of all sites, and how long the rest will take at the pace so far."""

    def __init__(self, report: Report, study: Study, sites: int) -> None:
        spec = spec_of(study)
        self._report, self._steps, self._sites = report, spec.steps, sites
        self._total = spec.steps * sites * study.rounds.count
        self._began, self._first = time.monotonic(), -1
        self._at: dict[str, int] = {}
        self._round = 0

    def told(self, number: int, site: str, step: str) -> None:
        self._round = number
        if step == "evaluate":
            self._tell(f"round {number}: {site} looks at its held-out text")

    def stepped(self, site: str, number: int, step: int, loss: float) -> None:
        self._at[site] = (number - 1) * self._steps + step
        self._tell(f"round {number}, {site}: step {step} of {self._steps}, loss {loss:.3f}")

    def _tell(self, message: str) -> None:
        done = sum(self._at.values()) if self._at else 0
        if self._first < 0 and self._at:
            self._first = done
        fresh = done - self._first
        left = None if fresh < 2 else (time.monotonic() - self._began) / fresh * (self._total - done)
        self._report(Progress("pretrain", message, done, self._total, left))


def _kept(ws: Workspace, name: str, model: FlatModel, base: PretrainingBase, weights: NDArray[np.float32]) -> Path:
    """Write the trained model into the home, whole or not at all; return its folder.

    Raises:
        ModelError: it cannot be written.
    """
    model.install(np.asarray(weights))
    place = ws.home.path / TRAINED
    work = place / f".{secrets.token_hex(8)}.part"
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        write_folder(model, base.tokenizer, work)
        shutil.rmtree(place / name, ignore_errors=True)
        os.replace(work, place / name)
    except OSError as error:
        raise ModelError(f"{place}: cannot be written ({error.strerror}); make room", code="cannot-write") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return place / name


def _name(name: str) -> str:
    if not is_plain(name):
        raise ModelError(
            f"'{name}' is no name for a model; use letters, digits, '-', '_' and '.', at most 60", code="model-name"
        )
    return name


def _plain(study: str) -> str:
    """Return a study's name as a model's."""
    return "".join(one if one.isascii() and (one.isalnum() or one in "._-") else "-" for one in study)[:60].strip("-._")
