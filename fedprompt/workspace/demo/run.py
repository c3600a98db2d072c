"""The demo: a federation on real text, from candidate templates to what joining gave its sites and a newcomer.

It takes the same steps as any federation, with the same worker, gate, ledger and bank. Two things only a demo may do,
since its cases are public and its sites made up: derive the sites' keys from a seed, and tune on the pooled cases
(``centralised``) to show what sharing the cases themselves would have given.
"""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from importlib.resources import files

from fedprompt.errors import AssetError
from fedprompt.evaluation.runs.runner import choice_run, to_score, true_labels
from fedprompt.federation.hub import Hub
from fedprompt.federation.round_record import RoundRecord, best_round
from fedprompt.federation.transports.local import LocalTransport
from fedprompt.models.assets.catalogue import asset_folder
from fedprompt.models.protocols import CausalModel, Encoder, RunSettings
from fedprompt.models.registry import load, settings_for
from fedprompt.models.sentence_encoder import load_encoder
from fedprompt.models.work import Work
from fedprompt.prompts.ids import canonical_json, content_id
from fedprompt.prompts.origins import CENTRALISED
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.tensors import Tensors
from fedprompt.site.drawing import Drawing
from fedprompt.site.folder import SiteFolder
from fedprompt.site.worker import Worker
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.files import parse_study
from fedprompt.study.schema import Study
from fedprompt.study.score import Score
from fedprompt.trust.signing import site_identity
from fedprompt.tuning.pooled import PooledObjective
from fedprompt.tuning.settings import settings_of
from fedprompt.tuning.steps import tune_tensors
from fedprompt.workspace.as_json import as_json, from_json
from fedprompt.workspace.cases.site_of_file import cases_of, make_worker
from fedprompt.workspace.demo.donors import donors_gain
from fedprompt.workspace.demo.newcomer import Drawn, Newcomer, shared_prompts
from fedprompt.workspace.demo.result import DemoResult, Joined, demo_result
from fedprompt.workspace.demo.settings import DemoSettings
from fedprompt.workspace.demo.tasks import NEWCOMER, Dealt, DemoTask, NewcomerSizes, filled, site_number, task_of
from fedprompt.workspace.demo.text import write_cases
from fedprompt.workspace.demo.time import demo_time
from fedprompt.workspace.demo.worthwhile import WAYS, newcomer_result
from fedprompt.workspace.progress import Progress, Report, quiet
from fedprompt.workspace.results.shown import shown_work
from fedprompt.workspace.rounds.federation_run import BankWriter, FederationRun
from fedprompt.workspace.rounds.planned_questions import planned_questions
from fedprompt.workspace.rounds.start_prompt import start_prompt
from fedprompt.workspace.rounds.steps import Found, take_steps
from fedprompt.workspace.timing import Clock
from fedprompt.workspace.workspace import Workspace

__all__ = ["demo", "demo_study"]

KEY = 2  # a stream of the demo's seed


def demo_study(settings: DemoSettings) -> Study:
    """Return the demo's study with the settings filled in."""
    task, settings = task_of(settings), filled(settings)
    study = parse_study(files("fedprompt.workspace").joinpath(task.study).read_text(encoding="utf-8"), task.study)
    assert settings.cases is not None and settings.held_out is not None, "preparing the settings"
    body = study.model_dump()
    body["rounds"]["count"] = settings.rounds
    body["splits"] = {"tune": settings.cases, "validation": settings.held_out, "test": settings.held_out}
    # Public text: the bound on cases gives way where fewer are asked for, which a study of private cases should not do.
    body["privacy"]["min_cases"] = min(study.privacy.min_cases, settings.cases, settings.held_out)
    body["model"] = settings.model or study.model
    if settings.templates is not None:
        body["templates"] = body["templates"][: settings.templates]
    body["privacy"]["questions"] = max(planned_questions(Study.model_validate(body), len(task.sites)).values())
    return Study.model_validate(body)


def demo(ws: Workspace, settings: DemoSettings, report: Report = quiet, stop: StopToken = NEVER) -> DemoResult:
    """Run the demo, or go on with it, or return what it found if it is done.

    Args:
        report: hears how far it is.
        stop: ends the work between two sites, steps or batches; the next call goes on.

    Raises:
        AssetError: the model or the text is not there.
        FedPromptError: the task is none of the demo's.
        FedPromptError: a step could not be done; what was finished is kept and the next call resumes.
    """
    task, settings = task_of(settings), filled(settings)
    study = demo_study(settings)
    dealt = task.deal(asset_folder(ws.home.path, task.asset), settings)
    machine = _settings(ws, settings)
    report(Progress("prepare", f"loading {study.model}", 0.0, 1.0))
    model = load(study.model, ws.home.path, machine)
    digest = study.digest(model.info.digest)
    recorded = {
        "seed": settings.seed,
        "cases": settings.cases,
        "rounds": settings.rounds,
        "held_out": settings.held_out,
        "machine": asdict(model.info.settings),
        "sites": [*task.sites],
    }
    if task.newcomer is not None:
        recorded |= {"draws": settings.draws, "asked": settings.asked, "ways": [*WAYS]}
    run = content_id("r1", canonical_json({"kind": "demo", "study": digest, "settings": recorded}))
    if settings.again:
        run = f"{run}-{time.time_ns()}"
    ws.bank.record_study(study, digest, model.info.digest)
    row = ws.bank.start_run(run, kind="demo", study=digest, settings=recorded)
    if row.result is not None:
        return from_json(DemoResult, row.result)
    return _Demo(ws, task, settings, dealt, study, digest, model, run, report, stop).run()


def _key(seed: int, number: int) -> bytes:
    """Return the key of a made-up site, from which its cut and its order of cases follow."""
    return hashlib.blake2b(canonical_json([seed, number, KEY]), digest_size=32, person=b"fedprompt-demo").digest()


def _settings(ws: Workspace, settings: DemoSettings) -> RunSettings:
    machine = settings_for(ws.home.path)
    if settings.dtype is not None:
        machine = replace(machine, dtype=settings.dtype)
    return machine if settings.threads is None else replace(machine, threads=settings.threads)


def _encoder(ws: Workspace) -> Encoder | None:
    """Return the sentence encoder, None where it was not fetched: then the newcomer has fewer ways alone."""
    try:
        return load_encoder(ws.home.path)
    except AssetError:
        return None


class _Demo:
    """One run of the demo, stage by stage."""

    def __init__(
        self,
        ws: Workspace,
        task: DemoTask,
        settings: DemoSettings,
        dealt: Mapping[str, Dealt],
        study: Study,
        digest: str,
        model: CausalModel,
        run: str,
        report: Report,
        stop: StopToken,
    ) -> None:
        self.stop = stop
        self.ws, self.task, self.settings, self.study, self.digest = ws, task, settings, study, digest
        self.dealt, self.model, self.run_id, self.report = dealt, model, run, report
        self.workers = {site: self._worker(site) for site in task.sites}
        transport = LocalTransport({name: worker.handle for name, worker in self.workers.items()})
        self.hub = Hub(transport, digest, held_to=study)

    def _worker(self, site: str) -> Worker:
        settings = self.settings
        # The first task's folders are called as they were when it was the only one.
        of = "" if self.task.name == "sentiment" else f"{self.task.name}-"
        path = self.ws.home.sites / f"demo-{of}seed{settings.seed}-cases{settings.cases}-held{settings.held_out}" / site
        folder = SiteFolder(path)
        folder.prepare(_key(settings.seed, site_number(site)))
        self.ws.bank.register_site(site, site_identity(folder.key))
        file = path / "cases.csv"
        if not file.exists():
            write_cases(file, self.dealt[site].cases)
        cases = cases_of(file, self.study)
        return make_worker(
            name=site,
            folder=folder,
            study=self.study,
            model=self.model,
            cases=cases,
            where=str(file),
            stop=self.stop,
            bounded=False,
        )

    def run(self) -> DemoResult:
        """Run every stage."""
        worker, sizes = next(iter(self.workers.values())), self.task.newcomer_of(self.settings)
        planned = demo_time(self.model, self.study, self.ws.bank, worker, self.task, self.settings)
        clock = Clock(self.report, planned, self.stop)
        clock.tell(f"this takes about {max(1, round(clock.total / 60))} minutes on this machine", 0.0)
        federation = FederationRun(self.ws.bank, self.run_id, self.study, self.digest, self.hub, clock)
        start = start_prompt(self.model, self.study, self.ws.bank)
        found = take_steps(
            federation,
            self.ws.bank,
            self.study,
            start,
            {site: self.dealt[site].title for site in self.task.sites},
            self.settings.seed,
            clock,
            pooled=(lambda start: self._centralised(start, clock)) if self.task.pooled else None,
        )
        joined = None if sizes is None else self._joined(found, start, sizes, clock)
        work = sum((worker.side.work for worker in self.workers.values()), Work())
        result = demo_result(
            run=self.run_id,
            study=self.digest,
            model=self.model.info.name,
            settings={**asdict(self.settings), "machine": asdict(self.model.info.settings)},
            seconds=clock.seconds,
            work=shown_work(work if joined is None else work + joined.work, self.model.info),
            clipped={site: federation.clipped.of(site) for site in self.workers},
            templates=list(federation.templates.values()),
            found=found,
            joined=joined,
        )
        self.ws.bank.finish_run(self.run_id, as_json(result))
        clock.tell("done", 1.0)
        return result

    def _joined(self, found: Found, start: SoftPrompt, sizes: NewcomerSizes, clock: Clock) -> Joined:
        """Have the newcomer use what is shared with each number of cases, then the sites that took part."""
        assert found.alone is not None, "the demo's sites tune alone too"
        own, federated = found.alone.alone, found.alone.federated
        shared = shared_prompts(own, federated, self._means(found))
        cases = self.dealt[NEWCOMER].cases
        settings = self.settings
        encoder = _encoder(self.ws)
        newcomer = Newcomer(self.model, self.study, cases, sizes, settings.seed, shared, start, encoder, self.stop)
        with clock.stage("newcomer", "the newcomer tries the shared prompts"):
            drawn = self._draws(newcomer, sizes, clock)
        sites = [site for site in self.workers if site in own]
        with clock.stage("donors", "the participating sites use the shared prompts"):
            workers = {site: self.workers[site] for site in sites}
            gain = donors_gain(
                workers,
                self.study,
                own,
                federated,
                settings.seed,
                lambda site: clock.tell(f"{site} uses the shared prompts", sites.index(site) / len(sites)),
            )
        names = {prompt.id: f"tuned at {site}" for site, prompt in own.items()} | {federated.id: "tuned together"}
        return Joined(newcomer_result(drawn, shared, names, sizes), gain, newcomer.work)

    def _means(self, found: Found) -> dict[Prompt, float]:
        """Return each template with its mean over the sites on validation."""
        prompts = [Prompt(template) for template in self.study.candidates()]
        scores = {prompt: [by_prompt[prompt.id] for by_prompt in found.scores.values()] for prompt in prompts}
        return {prompt: sum(s.total / s.n for s in of) / len(of) for prompt, of in scores.items()}

    def _draws(self, newcomer: Newcomer, sizes: NewcomerSizes, clock: Clock) -> list[Drawn]:
        bank, known = self.ws.bank, self.ws.bank.stages(self.run_id)
        wanted = [(n, draw) for n in sizes.counts for draw in range(sizes.draws_of(n))]
        found = []
        for place, (n, draw) in enumerate(wanted):
            self.stop.check()
            clock.tell(f"the newcomer with {n} labelled cases, draw {draw + 1}", place / len(wanted))
            stage = f"newcomer {n} {draw}"
            if stage not in known:
                bank.record_stage(self.run_id, stage, as_json(newcomer.draw(n, draw)))
                known = bank.stages(self.run_id)
            found.append(from_json(Drawn, known[stage]))
        return found

    def _centralised(self, start: Tensors, clock: Clock) -> Prompt:
        """Tune on all sites' cases at once, as many steps, each over as many cases as the sites take together."""
        with clock.stage("centralised", "tuning one soft prompt on the pooled cases"):
            return best_round(self._pooled_rounds(start, clock)).prompt

    def _pooled_rounds(self, start: Tensors, clock: Clock) -> Sequence[RoundRecord]:
        run = f"{self.run_id}/centralised"
        self.ws.bank.start_run(run, kind="centralised", study=self.digest, settings={})
        writer = BankWriter(self.ws.bank, run, self.digest, CENTRALISED.key)
        records = list(writer.written())
        moved = records[-1].prompt.tuned if records else start
        assert moved is not None
        count = self.study.rounds.count
        pooled = PooledObjective([worker.side.objective("tune") for worker in self.workers.values()])
        drawing = Drawing(_key(self.settings.seed, site_number(CENTRALISED.key)))
        for number in range(len(records) + 1, count + 1):
            clock.tell(f"pooled cases, round {number} of {count}", (number - 1) / count, round=number)
            settings = settings_of(self.study, number)
            tuned = tune_tensors(
                pooled,
                moved,
                replace(settings, batch=settings.batch * len(self.workers)),
                rng=drawing.rng(self.digest, number),
                stop=self.stop,
            )
            moved = tuned.end
            prompt = Prompt(self.study.tuned_template(), moved)
            scores = {site: self._validate(worker, prompt) for site, worker in self.workers.items()}
            records.append(RoundRecord(number, prompt, scores, (), 0, {}))
            writer.write(records[-1])
        return records

    def _validate(self, worker: Worker, prompt: Prompt) -> Score:
        assert prompt.tuned is not None
        cases = worker.side.splits.validation
        table = worker.side.objective("validation").loglikelihoods(prompt.tuned.values)
        run = choice_run(prompt, table, true_labels(cases, self.study.answer))
        return to_score(run, cases, "validation", self.study.answer)
