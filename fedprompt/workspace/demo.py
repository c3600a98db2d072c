"""The demo: a federation of four sites on real text, from candidate templates to a table that says what joining gave.

It runs the same worker, gate, ledger, rounds and bank as any federation. Two things only a demo may do, since its
cases are public and its sites made up: derive the sites' keys from a seed, and tune on the pooled cases
(``centralised``) to show what sharing the cases themselves would have given.
"""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from itertools import combinations
from typing import Any

import numpy as np

from fedprompt.errors import FedPromptError
from fedprompt.evaluation.runner import choice_run, query, run_prompts, to_score, true_labels
from fedprompt.federation.hub import Hub
from fedprompt.federation.rounds import RoundRecord, best_round
from fedprompt.federation.transports.local import LocalTransport
from fedprompt.models.assets import asset_folder
from fedprompt.models.protocols import CausalModel, RunSettings
from fedprompt.models.registry import load, settings_for
from fedprompt.prompts.ids import canonical_json, content_id
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.site.folder import SiteFolder
from fedprompt.site.personal import first_best
from fedprompt.site.signing import site_identity
from fedprompt.site.worker import Worker, site_seed
from fedprompt.study.files import parse_study
from fedprompt.study.schema import Study
from fedprompt.study.score import Score
from fedprompt.tuning.pooled import PooledObjective
from fedprompt.tuning.soft import tune_soft
from fedprompt.workspace.demo_text import SOURCES, draw_cases, read_source, write_cases
from fedprompt.workspace.federation_run import (
    BankWriter,
    FederationRun,
    TestLook,
    pooled_best,
    start_prompt,
)
from fedprompt.workspace.progress import Progress, Report, quiet
from fedprompt.workspace.result_table import average, difference, entry, gain_sentence, headline
from fedprompt.workspace.sites import cases_of, make_worker
from fedprompt.workspace.timing import Clock
from fedprompt.workspace.workspace import Workspace

__all__ = ["DemoSettings", "demo", "demo_study"]

DRAW, KEY = 1, 2  # streams of the demo's seed
TIMED = 4  # cases that are timed before the demo begins


@dataclass(frozen=True)
class DemoSettings:
    """``cases`` a site tunes on; ``held_out`` each for validation and for test.

    ``dtype`` and ``threads`` are the machine's own if None; they are recorded, and a run resumes with its own.
    """

    rounds: int = 3
    cases: int = 48
    seed: int = 0
    held_out: int = 150
    again: bool = False
    model: str | None = None
    dtype: str | None = None
    threads: int | None = None
    templates: int | None = None


def demo_study(settings: DemoSettings) -> Study:
    """Return the demo's study with the settings filled in."""
    text = files("fedprompt.workspace").joinpath("demo_study.yaml").read_text(encoding="utf-8")
    study = parse_study(text, "demo_study.yaml")
    body = study.model_dump()
    body["rounds"]["count"] = settings.rounds
    body["splits"] = {"tune": settings.cases, "validation": settings.held_out, "test": settings.held_out}
    # Public text: the bound on cases gives way where fewer are asked for, which a study of private cases should not do.
    body["privacy"]["min_cases"] = min(study.privacy.min_cases, settings.cases, settings.held_out)
    body["model"] = settings.model or study.model
    if settings.templates is not None:
        body["templates"] = body["templates"][: settings.templates]
    return Study.model_validate(body)


def demo(ws: Workspace, settings: DemoSettings, report: Report = quiet) -> dict[str, Any]:
    """Run the demo, or go on with it, or return what it found if it is done.

    Returns:
        The JSON that section 8 of the design describes, with ``gains``, ``differences``, ``sentences``, ``headline``.

    Raises:
        AssetError: the model or the text is not there.
        FedPromptError: a step could not be done; what was finished is kept and the next call resumes.
    """
    study = demo_study(settings)
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
        "sites": [source.site for source in SOURCES],
    }
    run = content_id("r1", canonical_json({"kind": "demo", "study": digest, "settings": recorded}))
    if settings.again:
        run = f"{run}-{time.time_ns()}"
    ws.bank.record_study(study, digest, model.info.digest)
    row = ws.bank.start_run(run, kind="demo", study=digest, settings=recorded)
    if row.result is not None:
        return row.result
    return _Demo(ws, settings, study, digest, model, run, report).run()


def _settings(ws: Workspace, settings: DemoSettings) -> RunSettings:
    machine = settings_for(ws.home.path)
    if settings.dtype is not None:
        machine = replace(machine, dtype=settings.dtype)
    return machine if settings.threads is None else replace(machine, threads=settings.threads)


class _Demo:
    """One run of the demo, stage by stage."""

    def __init__(
        self,
        ws: Workspace,
        settings: DemoSettings,
        study: Study,
        digest: str,
        model: CausalModel,
        run: str,
        report: Report,
    ) -> None:
        self.ws, self.settings, self.study, self.digest = ws, settings, study, digest
        self.model, self.run_id, self.report = model, run, report
        self.workers = {source.site: self._worker(source.site) for source in SOURCES}
        self.hub = Hub(LocalTransport({name: worker.handle for name, worker in self.workers.items()}), digest)

    def _worker(self, site: str) -> Worker:
        source = next(s for s in SOURCES if s.site == site)
        settings, text = self.settings, asset_folder(self.ws.home.path, "vader-text")
        path = self.ws.home.sites / f"demo-seed{settings.seed}-cases{settings.cases}-held{settings.held_out}" / site
        folder = SiteFolder(path)
        entropy = [settings.seed, site_seed(site)]
        key = hashlib.blake2b(canonical_json([*entropy, KEY]), digest_size=32, person=b"fedprompt-demo").digest()
        folder.prepare(key)
        self.ws.bank.register_site(site, site_identity(folder.key))
        file = path / "cases.csv"
        if not file.exists():
            wanted = settings.cases + 2 * settings.held_out
            drawn = draw_cases(read_source(text, source), wanted, np.random.SeedSequence([*entropy, DRAW]))
            write_cases(file, drawn)
        cases = cases_of(file, self.study, None, None)
        return make_worker(name=site, folder=folder, study=self.study, model=self.model, cases=cases, where=str(file))

    def run(self) -> dict[str, Any]:
        """Run every stage."""
        planned = self._estimate()
        clock = Clock(self.report, planned)
        clock.tell(f"this will take about {max(1, round(clock.total / 60))} minutes on this machine", 0.0)
        federation = FederationRun(self.ws.bank, self.run_id, self.study, self.digest, self.hub, clock)
        self._describe()
        start = start_prompt(self.model, self.study, self.ws.bank)
        with clock.stage("score", "the sites score the candidate templates"):
            scores = federation.score_templates()
            manual = federation.templates[pooled_best(scores, list(federation.templates))]
        with clock.stage("federate", "the sites tune a soft prompt together"):
            records = federation.tune(start, self.settings.seed)
            kept_round = best_round(records)
            federation.compare_on_validation([kept_round.prompt, manual])
        with clock.stage("alone", "each site tunes a soft prompt alone"):
            alone = {site: self._alone(federation, site, start) for site in self.hub.sites}
        with clock.stage("centralised", "one soft prompt is tuned on the pooled cases"):
            central = best_round(self._centralised(start, clock))
        with clock.stage("test", "the nominated prompts are evaluated on test, once"):
            nominated = _Nominated(
                manual,
                kept_round.prompt,
                central.prompt,
                {site: record.prompt for site, record in alone.items()},
                {site: self._kept(site, scores[site][manual.id], alone[site], kept_round) for site in alone},
            )
            look = federation.look_at_test(nominated.prompts, nominated.pairs)
        result = self._result(clock, scores, federation, records, nominated, look)
        self.ws.bank.finish_run(self.run_id, result)
        clock.tell("done", 1.0)
        return result

    def _describe(self) -> None:
        described = {}
        for site in self.hub.sites:
            reply = self.hub.describe(site)
            labels = dict(zip(self.study.answer.labels, reply.labels, strict=True))
            described[site] = {
                "source": next(s.title for s in SOURCES if s.site == site),
                "tune": reply.tune,
                "validation": reply.validation,
                "test": reply.test,
                "labels": labels,
            }
        self.ws.bank.record_stage(self.run_id, "sites", described)

    def _alone(self, federation: FederationRun, site: str, start: SoftPrompt) -> RoundRecord:
        """Run the same rounds with one site: tuned alone with equal steps, its round chosen on its own validation."""
        run = f"{self.run_id}/alone/{site}"
        self.ws.bank.start_run(run, kind="alone", study=self.digest, settings={"site": site})
        hub = Hub(LocalTransport({site: self.workers[site].handle}), self.digest)
        study, word, origin = self.study, f"{site} alone, step", f"local:{site}"
        return best_round(federation.rounds(hub, run, start, self.settings.seed, study, origin, word))

    def _centralised(self, start: SoftPrompt, clock: Clock) -> Sequence[RoundRecord]:
        """Tune on all sites' cases at once, as many steps, each over as many cases as the sites take together."""
        run = f"{self.run_id}/centralised"
        self.ws.bank.start_run(run, kind="centralised", study=self.digest, settings={})
        writer = BankWriter(self.ws.bank, run, self.digest, "centralised")
        records = list(writer.written())
        soft = records[-1].prompt.soft if records else start
        assert soft is not None
        tuning, count = self.study.tuning, self.study.rounds.count
        pooled = PooledObjective([worker.objective("tune") for worker in self.workers.values()])
        for number in range(len(records) + 1, count + 1):
            clock.tell(f"pooled cases, round {number} of {count}", (number - 1) / count, round=number)
            tuned = tune_soft(
                pooled,
                soft,
                steps=tuning.steps,
                batch=tuning.batch * len(self.workers),
                lr=tuning.lr,
                rng=np.random.default_rng(
                    np.random.SeedSequence([self.settings.seed, site_seed("centralised"), number])
                ),
            )
            soft = tuned.soft
            prompt = Prompt(self.study.soft_template(), soft)
            scores = {site: self._validate(worker, prompt) for site, worker in self.workers.items()}
            records.append(RoundRecord(number, prompt, scores, {"pooled": float(np.mean(tuned.loss))}, 0, {}))
            writer.write(records[-1])
        return records

    def _validate(self, worker: Worker, prompt: Prompt) -> Score:
        assert prompt.soft is not None
        cases = worker.splits.validation
        table = worker.objective("validation").loglikelihoods(prompt.soft.vectors)
        run = choice_run(prompt, table, true_labels(cases, self.study.answer))
        return to_score(run, cases, "validation", self.study.answer)

    @staticmethod
    def _kept(site: str, manual: Score, alone: RoundRecord, federated: RoundRecord) -> str:
        """Return what a site would keep: the best on its own validation cases, its own prompt where they are equal."""
        choices = {
            "local_own": alone.by_site[site],
            "federated": federated.by_site[site],
            "manual": manual.total / manual.n,
        }
        return first_best(choices)

    def _estimate(self) -> dict[str, float]:
        """Return stage -> seconds, from a few timed steps on this machine."""
        worker = next(iter(self.workers.values()))
        cases, sites = worker.splits.validation[:TIMED], len(self.workers)
        answer, tuning = self.study.answer, self.study.tuning
        prompts = [Prompt(template) for template in self.study.candidates()]
        run_prompts(self.model, prompts[:1], cases, answer, worker.splits.tune)  # the first pass warms up
        began = time.perf_counter()
        run_prompts(self.model, prompts, cases, answer, worker.splits.tune)
        score = (time.perf_counter() - began) / len(cases)
        slot = Prompt(self.study.soft_template(), start_prompt(self.model, self.study, self.ws.bank))
        assert slot.soft is not None and self.study.soft is not None
        began = time.perf_counter()
        queries = [query(slot, case, answer.labels, ()) for case in cases]
        objective = self.model.objective(queries, [0] * len(cases), self.study.soft.tokens)
        prefill = (time.perf_counter() - began) / len(cases)
        batch = [row % len(cases) for row in range(tuning.batch)]
        began = time.perf_counter()
        objective.loss_and_gradient(slot.soft.vectors, batch)
        step = time.perf_counter() - began
        # A pass without a gradient takes about two fifths of a step.
        check = 0.4 * step / tuning.batch
        rounds, held = self.study.rounds.count, self.settings.held_out
        tuned = rounds * tuning.steps * step * sites
        checked = rounds * held * sites * check
        return {
            "score": score * held * sites * 0.9,
            "federate": tuned + checked + prefill * (self.settings.cases + held) * sites,
            "alone": tuned + checked,
            "centralised": tuned + checked,
            "test": sites * held * (2 * prefill + (sites + 2) * check),
        }

    def _result(
        self,
        clock: Clock,
        scores: Mapping[str, Mapping[str, Score]],
        federation: FederationRun,
        records: Sequence[RoundRecord],
        nominated: "_Nominated",
        look: TestLook,
    ) -> dict[str, Any]:
        seed, sites = self.settings.seed, self.hub.sites
        one = {
            name: {site: look.scores[site][prompt.id] for site in sites}
            for name, prompt in (
                ("manual", nominated.manual),
                ("centralised", nominated.centralised),
                ("federated", nominated.federated),
            )
        }
        homes = {home: {site: look.scores[site][p.id] for site in sites} for home, p in nominated.alone.items()}
        own = {site: homes[site][site] for site in sites}
        kept = {site: look.scores[site][nominated.kept_prompt(site).id] for site in sites}
        everywhere = entry(average(list(homes.values())), seed)
        by_home = {home: sum(s.total / s.n for s in found.values()) / len(sites) for home, found in homes.items()}
        test = {
            "manual": entry(one["manual"], seed),
            "local_own": entry(own, seed),
            "local_only": {**everywhere, "worst": min(by_home.values()), "by_site": by_home},
            "centralised": entry(one["centralised"], seed),
            "federated": entry(one["federated"], seed),
            "kept": entry(kept, seed),
        }
        differences = {
            f"{first}_vs_{second}": difference(
                look,
                {s: (nominated.named(first, s).id, nominated.named(second, s).id) for s in sites},
                seed,
            )
            for first, second in COMPARED
        }
        gains = differences["kept_vs_local_own"]["by_site"]
        return {
            "seed": seed,
            "run": self.run_id,
            "study": self.digest,
            "model": self.model.info.name,
            "settings": {**asdict(self.settings), "machine": asdict(self.model.info.settings)},
            "templates": self._ranking(scores, federation),
            "rounds": [
                {
                    "round": record.number,
                    "by_site": record.by_site,
                    "mean": record.mean,
                    "bytes": record.bytes,
                    "loss": dict(record.loss),
                    "prompt": record.prompt.id,
                    "kept": record.prompt.id == nominated.federated.id,
                }
                for record in records
            ],
            "test": test,
            "transfer": {home: {s: v.total / v.n for s, v in found.items()} for home, found in homes.items()},
            "differences": differences,
            "kept": dict(nominated.kept),
            "prompts": nominated.ids(),
            "sentences": [gain_sentence(site, nominated.kept[site], gains[site]) for site in sites],
            "headline": headline(test, differences["federated_vs_manual"]),
            "note": "centralised is tuned on the pooled cases, which only this demo may do: its texts are public",
            "seconds": {**clock.seconds, "total": round(sum(clock.seconds.values()), 3)},
        }

    def _ranking(self, scores: Mapping[str, Mapping[str, Score]], federation: FederationRun) -> list[dict[str, Any]]:
        rows = []
        for prompt in federation.templates.values():
            found = {site: scores[site][prompt.id] for site in self.hub.sites}
            values = {site: score.total / score.n for site, score in found.items()}
            rows.append(
                {
                    "prompt": prompt.id,
                    "name": prompt.name,
                    "pooled": sum(s.total for s in found.values()) / sum(s.n for s in found.values()),
                    "mean": sum(values.values()) / len(values),
                    "worst": min(values.values()),
                    "by_site": values,
                }
            )
        return sorted(rows, key=lambda row: -row["pooled"])


COMPARED = (
    ("federated", "manual"),
    ("federated", "local_own"),
    ("federated", "centralised"),
    ("kept", "local_own"),
    ("kept", "manual"),
)


@dataclass(frozen=True)
class _Nominated:
    """The prompts that are evaluated on test, and which of three each site would keep."""

    manual: Prompt
    federated: Prompt
    centralised: Prompt
    alone: Mapping[str, Prompt]
    kept: Mapping[str, str]

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """All of them, each once."""
        found = (self.manual, self.federated, self.centralised, *self.alone.values())
        return tuple({prompt.id: prompt for prompt in found}.values())

    def kept_prompt(self, site: str) -> Prompt:
        """Return what a site keeps."""
        return self.named(self.kept[site], site)

    def named(self, name: str, site: str) -> Prompt:
        """Return the prompt that a row of the table means at a site."""
        known = {
            "manual": self.manual,
            "federated": self.federated,
            "centralised": self.centralised,
            "local_own": self.alone[site],
        }
        if name == "kept":
            return self.kept_prompt(site)
        if name not in known:
            raise FedPromptError(f"no row of the table is called '{name}'")
        return known[name]

    @property
    def pairs(self) -> dict[str, list[tuple[str, str]]]:
        """The comparisons to ask each site for: every two of the nominated prompts."""
        ids = [prompt.id for prompt in self.prompts]
        return {site: list(combinations(ids, 2)) for site in self.alone}

    def ids(self) -> dict[str, Any]:
        """The prompts' ids."""
        return {
            "manual": self.manual.id,
            "federated": self.federated.id,
            "centralised": self.centralised.id,
            "alone": {site: prompt.id for site, prompt in self.alone.items()},
        }
