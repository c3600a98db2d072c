"""Prompts that no site compared yet, compared case by case: by sites whose cases are on this machine, or over the hub.

Each site of a run that scored them is asked once more, through its own gate, so that what it answers is in its ledger.
Invariant: a file counts as a site's only where it holds the cases that the run began with.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Literal

from fedprompt.bank.rows import RunRow
from fedprompt.errors import DataError, FedPromptError, ModelMismatch
from fedprompt.evaluation.column_map import BY_NAME, Columns
from fedprompt.federation.hub import Hub
from fedprompt.federation.ledgers import Ledgers
from fedprompt.federation.transports.local import LocalTransport
from fedprompt.federation.transports.transport import Transport
from fedprompt.models.registry import load
from fedprompt.site.folder import SiteFolder
from fedprompt.site.worker import Worker
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.schema import Study
from fedprompt.study.score import SplitName
from fedprompt.verbs.evaluate import ask_evaluate
from fedprompt.verbs.score import ScoreReply
from fedprompt.workspace.cases.evaluation_sets import evaluation_sets
from fedprompt.workspace.cases.one_cut import OWN_SITE, cutter_of
from fedprompt.workspace.cases.site_of_file import cases_of, contents_digest, make_worker
from fedprompt.workspace.enrolled.hub_engine import running_hub
from fedprompt.workspace.enrolled.seen_ledgers import LOCAL, SeenLedgers
from fedprompt.workspace.progress import Report, quiet
from fedprompt.workspace.rounds.federation_run import FederationRun
from fedprompt.workspace.timing import Clock
from fedprompt.workspace.workspace import Workspace

__all__ = ["Askable", "PairsMeasured", "askable", "measure_pairs"]

Pair = tuple[str, str]
Where = Literal["here", "elsewhere"]
KINDS = ("federate", "demo", "tune")
LEAST = 2


@dataclass(frozen=True)
class Askable:
    """Pairs that the sites of a ``run`` scored and did not compare, and ``where`` the sites' cases are."""

    run: str
    pairs: tuple[Pair, ...]
    where: Where


@dataclass(frozen=True)
class PairsMeasured:
    """How many ``sites`` compared the pairs, and site -> why it did not."""

    run: str
    sites: int
    missing: Mapping[str, str]


def askable(ws: Workspace, pairs: Sequence[Pair], split: SplitName = "validation") -> Askable | None:
    """Return the newest run whose sites scored both prompts of some pairs, with all such pairs; None if there is none.

    Nothing is read of a site's cases.
    """
    ids = tuple(dict.fromkeys(chain.from_iterable(pairs)))
    scored: dict[str, set[str]] = {}
    for row in ws.bank.scores(prompts=ids, split=split):
        scored.setdefault(row.run, set()).add(row.score.prompt)
    for run in (run for run in ws.bank.runs() if run.kind in KINDS and len(scored.get(run.id, ())) >= LEAST):
        found = tuple(pair for pair in pairs if set(pair) <= scored[run.id])
        where = _where(ws, run)
        if found and where is not None:
            return Askable(run.id, found, where)
    return None


def measure_pairs(
    ws: Workspace,
    run: str,
    pairs: Sequence[Pair],
    *,
    split: SplitName = "validation",
    report: Report = quiet,
    stop: StopToken = NEVER,
) -> PairsMeasured:
    """Have the sites of a run compare prompts that they scored; what they answer goes into the bank under the run.

    Raises:
        BankError: there is no such run or prompt.
        ModelMismatch: the run's model is another one today.
        DataError: the files that the run began with are not on this machine any more.
        FederationError: the hub does not run, or too few sites answered.
        Stopped: it was to end.
    """
    row = ws.bank.run(run)
    if _where(ws, row) is None:
        raise DataError(
            "the files of this run's sites are not on this machine; run the study again", code="no-such-file"
        )
    study = ws.bank.study(row.study).study
    prompts = [ws.bank.prompt(id) for id in dict.fromkeys(chain.from_iterable(pairs))]
    with _transport(ws, row, study, stop) as transport:
        book = SeenLedgers(ws.home, str(row.settings.get("hub", LOCAL)))
        hub = Hub(transport, row.study, ledgers=Ledgers(book) if row.kind == "federate" else None, held_to=study)
        federation = FederationRun(ws.bank, run, study, row.study, hub, Clock(report, {"compare": 1.0}, stop))
        answered = []

        def ask(site: str) -> ScoreReply:
            return ask_evaluate(hub, site, prompts, split, pairs)

        def take(site: str, reply: ScoreReply) -> None:
            ws.bank.record_comparisons(run, site, reply.comparisons)
            answered.append(site)

        def told(site: str) -> tuple[str, float]:
            return f"{site} compares prompts", transport.sites.index(site) / len(transport.sites)

        federation.each("compare", ask, take, told)
    return PairsMeasured(run, len(answered), {site: why["compare"] for site, why in federation.missing.items()})


def _where(ws: Workspace, run: RunRow) -> Where | None:
    """Return where the cases of a run's sites are: on this machine, at sites that a hub reaches, or out of reach."""
    if run.kind == "tune":
        return "here"
    if run.settings.get("transport") == "flare":
        return "elsewhere"
    if run.kind == "demo":
        return "here" if _demo_files(ws, run) else None
    names = {one.site for one in evaluation_sets(ws.home)}
    return "here" if names.issuperset(run.settings["sites"]) else None


@contextmanager
def _transport(ws: Workspace, run: RunRow, study: Study, stop: StopToken) -> Iterator[Transport]:
    if run.settings.get("transport") != "flare":
        workers = _workers(ws, run, study, stop)
        yield LocalTransport({name: worker.handle for name, worker in workers.items()})
        return
    from fedprompt.federation.transports.flare.transport import FlareTransport

    running_hub(ws.home)  # says so now if it does not run
    with FlareTransport(partial(running_hub, ws.home), tuple(run.settings["sites"])) as transport:
        yield transport


def _workers(ws: Workspace, run: RunRow, study: Study, stop: StopToken) -> dict[str, Worker]:
    model = load(study.model, ws.home.path)
    if study.digest(model.info.digest) != run.study:
        raise ModelMismatch("the model of this run has changed since; run the study again to compare its prompts")
    files = _demo_files(ws, run) if run.kind == "demo" else _files(ws, run, study)
    found = {}
    for name, (folder, path, columns) in files.items():
        cases = cases_of(path, study, columns)
        cut = None
        if run.kind != "demo":
            own = None if run.kind == "tune" else name
            cut = cutter_of(ws.home, path, own, apart=files if own else ()).cut(study, cases)
        found[name] = make_worker(
            name=name,
            folder=SiteFolder(folder),
            study=study,
            model=model,
            cases=cases,
            where=str(path),
            splits=cut,
            stop=stop,
            bounded=False,
        )
    return found


Files = dict[str, tuple[Path, Path, Columns]]


def _demo_files(ws: Workspace, run: RunRow) -> Files:
    """Return site -> its folder, file and columns, of a demo whose folders are all there."""
    told = run.settings
    if not told.get("sites"):  # of an earlier version
        return {}
    name = f"demo-*seed{told['seed']}-cases{told['cases']}-held{told['held_out']}"
    for folder in sorted(ws.home.sites.glob(name)):
        if all((folder / site / "cases.csv").exists() for site in told["sites"]):
            return {site: (folder / site, folder / site / "cases.csv", BY_NAME) for site in told["sites"]}
    return {}


def _files(ws: Workspace, run: RunRow, study: Study) -> Files:
    """Return site -> its folder, file and columns; the file is the one whose cases the run began with.

    Raises:
        DataError: a site's file is not here any more, or its cases are others.
    """
    sets = evaluation_sets(ws.home)
    tuned = run.kind == "tune"
    wanted = {OWN_SITE: str(run.settings["contents"])} if tuned else dict(run.settings["sites"])
    readings = [one.reading for one in sets if one.reading is not None]
    columns = [BY_NAME]
    for reading in readings:
        if set(study.fields) <= set(reading.fields):
            columns.append(Columns.of(reading.mapping_of(study.fields), reading.group))
    found: Files = {}
    for name, digest in wanted.items():
        folder = ws.home.sites / name
        paths = [one.path for one in sets if tuned or one.site == name]
        for path, way in ((path, way) for path in paths for way in columns):
            try:
                same = contents_digest(SiteFolder(folder), cases_of(path, study, way)) == digest
            except (FedPromptError, OSError):
                continue
            if same:
                found[name] = (folder, path, way)
                break
        if name not in found:
            raise DataError(
                f"the file of site '{name}' is not on this machine, or its cases have changed; upload it again "
                "on the Data page, or run the study again",
                code="no-such-file",
            )
    return found
