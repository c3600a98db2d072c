"""A bank that holds a finished demo: four sites, the demo's templates, four rounds, a test.

Made without a model and without the demo's texts: each site's cases are drawn so that a prompt answers a
given share of them right, prompts alike as they are on real cases. Scores, comparisons and the result are then
made of them by the library itself. ``python -m tests.demo_bank HOME`` makes one to look at.
"""

import sys
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from zlib import crc32

import numpy as np

from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.runner import PromptRun, choice_run, compare_runs, to_score
from fedprompt.federation.round_record import RoundRecord
from fedprompt.models.protocols import ModelInfo
from fedprompt.models.scripted import ScriptedModel
from fedprompt.prompts.ids import content_id
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.strategies.strategy import Update
from fedprompt.study.schema import Study
from fedprompt.study.score import Comparison, Score, SplitName
from fedprompt.workspace.as_json import as_json
from fedprompt.workspace.demo.run import demo_study
from fedprompt.workspace.demo.settings import DemoSettings
from fedprompt.workspace.rounds.alone import Nominated, alone_result
from fedprompt.workspace.rounds.federation_run import BankWriter
from fedprompt.workspace.rounds.in_bank import BankKeeper
from fedprompt.workspace.rounds.looks import TestLook
from fedprompt.workspace.rounds.result_table import headline
from fedprompt.workspace.workspace import Workspace, open_workspace

__all__ = ["CASES", "SITES", "fill"]

SITES = ("editorials", "movies", "products", "tweets")
SOURCES = ("newspaper editorials", "movie reviews", "product reviews", "tweets")
POSITIVE = (0.24, 0.52, 0.66, 0.73)
CASES = 150
RUN = content_id("r1", b"tests.demo_bank")

# Shares of right answers, in the order of SITES.
TEMPLATES = {
    "text first": (0.72, 0.80, 0.87, 0.85),
    "feeling": (0.78, 0.84, 0.88, 0.86),
    "good or bad": (0.77, 0.86, 0.90, 0.87),
    "terse": (0.55, 0.58, 0.63, 0.62),
    "great or terrible": (0.71, 0.84, 0.87, 0.83),
    "question after": (0.66, 0.74, 0.77, 0.76),
    "happy or unhappy": (0.73, 0.78, 0.80, 0.84),
    "instruction first": (0.66, 0.70, 0.76, 0.74),
    "yes or no": (0.60, 0.66, 0.74, 0.72),
    "think step by step": (0.69, 0.76, 0.81, 0.79),
    "two demonstrations": (0.70, 0.79, 0.85, 0.81),
    "four demonstrations": (0.71, 0.82, 0.86, 0.83),
    "chat": (0.67, 0.74, 0.78, 0.76),
    "bad on purpose": (0.49, 0.50, 0.51, 0.52),
}
TOGETHER = (
    (0.80, 0.87, 0.91, 0.88),
    (0.83, 0.90, 0.92, 0.90),
    (0.86, 0.92, 0.93, 0.92),
    (0.85, 0.91, 0.935, 0.925),
)
POOLED = tuple(tuple(min(0.95, share + 0.005) for share in shares) for shares in TOGETHER)
ALONE = {
    "editorials": (0.82, 0.79, 0.82, 0.79),
    "movies": (0.77, 0.89, 0.90, 0.83),
    "products": (0.76, 0.88, 0.94, 0.85),
    "tweets": (0.74, 0.84, 0.88, 0.90),
}
Rates = Mapping[str, float]


class _Sites:
    """Draws what prompts answer at the sites; each draw depends on its own seed alone."""

    def __init__(self, study: Study) -> None:
        self._answer = study.answer
        self.cases: dict[tuple[str, str], tuple[Case, ...]] = {}
        for site, share in zip(SITES, POSITIVE, strict=True):
            for split in ("validation", "test"):
                positive = round(share * CASES)
                self.cases[site, split] = tuple(
                    Case(
                        {"text": f"{site} {split} {n}"},
                        "positive" if n < positive else "negative",
                        None,
                        n + 2,
                    )
                    for n in range(CASES)
                )

    def run(self, prompt: Prompt, site: str, split: SplitName, share: float) -> PromptRun:
        """Return a run of which ``share`` is right; which cases are hard hardly depends on the prompt."""
        hardness = _rng(site, split).normal(size=CASES)
        rng = _rng(prompt.id, site, split)
        order = np.argsort(0.85 * hardness + 0.53 * rng.normal(size=CASES), kind="stable")
        right = np.zeros(CASES, dtype=bool)
        right[order[: round(share * CASES)]] = True
        labels = list(self._answer.labels)
        true = np.array([labels.index(case.answer) for case in self.cases[site, split]], dtype=np.int64)
        margin = 0.1 + np.abs(rng.normal(1.4, 0.8, size=CASES))
        table = np.zeros((CASES, 2))
        table[np.arange(CASES), np.where(right, true, 1 - true)] = margin
        return choice_run(prompt, table, true)

    def score(self, prompt: Prompt, site: str, split: SplitName, share: float) -> Score:
        """Return what the site would send of one prompt."""
        return to_score(self.run(prompt, site, split, share), self.cases[site, split], split, self._answer)


def fill(ws: Workspace, *, finished: bool = True) -> str:
    """Put a demo into a workspace's bank and return the id of the prompt that was tuned together.

    One that is not finished has scored its templates and has done two of its rounds.
    """
    model = ScriptedModel()
    study = demo_study(DemoSettings(task="sentiment", model="scripted"))
    digest = study.digest(model.info.digest)
    bank, sites = ws.bank, _Sites(study)
    bank.record_study(study, digest, model.info.digest)
    settings = {"seed": 0, "cases": 48, "rounds": 4, "held_out": CASES, "sites": list(SITES)}
    bank.start_run(RUN, kind="demo", study=digest, settings=settings)
    bank.record_stage(RUN, "sites", _described())
    scores: dict[str, dict[str, Score]] = {site: {} for site in SITES}
    rates: dict[str, Rates] = {}
    templates = {template.name: Prompt(template) for template in study.candidates()}
    for name, prompt in templates.items():
        bank.record_prompt(prompt, study=digest, origin="study")
        rates[prompt.id] = dict(zip(SITES, TEMPLATES.get(name) or _guess(name), strict=True))
        for site in SITES:
            scores[site][prompt.id] = sites.score(prompt, site, "validation", rates[prompt.id][site])
            bank.record_scores(RUN, site, [scores[site][prompt.id]])
    start = model.text_init("Overall, the feeling expressed here is clearly", 8)
    together = _rounds(
        ws, RUN, study, digest, sites, start, model.info, "federated", TOGETHER[: 4 if finished else 2], SITES, rates
    )
    if not finished:
        return together[-1].prompt.id
    alone = {}
    for home, shares in ALONE.items():
        run = f"{RUN}/alone/{home}"
        bank.start_run(run, kind="alone", study=digest, settings={"site": home})
        steps = [tuple(share - 0.02 * left for share in shares) for left in (3, 2, 1, 0)]
        alone[home] = _rounds(ws, run, study, digest, sites, start, model.info, f"local:{home}", steps, (home,), rates)
    run = f"{RUN}/centralised"
    bank.start_run(run, kind="centralised", study=digest, settings={})
    pooled = _rounds(ws, run, study, digest, sites, start, model.info, "centralised", POOLED, SITES, rates)
    manual, federated, central = templates["good or bad"], together[2].prompt, pooled[2].prompt
    homes = {home: records[-1].prompt for home, records in alone.items()}
    kept = {"editorials": "federated", "movies": "federated", "products": "local_own", "tweets": "federated"}
    result = _result(ws, digest, sites, manual, federated, central, homes, kept, together, rates)
    bank.finish_run(RUN, result)
    return federated.id


def _guess(name: str) -> tuple[float, ...]:
    """Return rates for a template that this file does not know."""
    return tuple(float(share) for share in _rng(name).uniform(0.64, 0.82, size=len(SITES)))


def _described() -> dict[str, object]:
    cases = 48 + 2 * CASES
    return {
        site: {
            "source": source,
            "tune": 48,
            "validation": CASES,
            "test": CASES,
            "labels": {"positive": round(share * cases), "negative": cases - round(share * cases)},
        }
        for site, source, share in zip(SITES, SOURCES, POSITIVE, strict=True)
    }


def _rounds(
    ws: Workspace,
    run: str,
    study: Study,
    digest: str,
    sites: _Sites,
    start: SoftPrompt,
    model: ModelInfo,
    origin: str,
    steps: Sequence[Sequence[float]],
    where: Sequence[str],
    rates: dict[str, Rates],
) -> list[RoundRecord]:
    """Write rounds as the federation does, with the common ones' updates; ``where`` are the sites that take part."""
    writer, records = BankWriter(ws.bank, run, digest, origin), []
    keeper = BankKeeper(ws.bank, run, digest) if origin == "federated" else None
    if keeper is not None:
        keeper.begin(start)
    for number, shares in enumerate(steps, 1):
        moved = start.vectors + 0.05 * number * _rng(origin).normal(size=start.vectors.shape)
        prompt = Prompt(study.soft_template(), SoftPrompt(moved.astype(np.float32), model.digest))
        rates[prompt.id] = dict(zip(SITES, shares, strict=True))
        scores = {site: sites.score(prompt, site, "validation", rates[prompt.id][site]) for site in where}
        heads = {site: sha256(f"{run} {number} {site}".encode()).hexdigest() for site in where}
        if keeper is not None:
            ways = {site: moved - start.vectors + 0.02 * _rng(site).normal(size=moved.shape) for site in where}
            keeper.keep(number, prompt.id, [Update(s, way.astype(np.float32), 48) for s, way in ways.items()])
        record = RoundRecord(number, prompt, scores, tuple(where), 18_000 * len(where), heads)
        writer.write(record)
        records.append(record)
    return records


def _result(
    ws: Workspace,
    digest: str,
    sites: _Sites,
    manual: Prompt,
    federated: Prompt,
    central: Prompt,
    homes: Mapping[str, Prompt],
    kept: Mapping[str, str],
    together: Sequence[RoundRecord],
    rates: Mapping[str, Rates],
) -> dict[str, object]:
    """Score the nominated prompts on test, record that, and return the demo's JSON."""
    nominated = (manual, federated, central, *homes.values())
    scores: dict[str, dict[str, Score]] = {}
    comparisons: dict[str, list[Comparison]] = {}
    for site in SITES:
        runs = {p.id: sites.run(p, site, "test", rates[p.id][site] - 0.006) for p in nominated}
        cases = sites.cases[site, "test"]
        answer = demo_study(DemoSettings(task="sentiment", model="scripted")).answer
        scores[site] = {key: to_score(run, cases, "test", answer) for key, run in runs.items()}
        comparisons[site] = [
            compare_runs(runs[a], runs[b], cases, "test") for a in sorted(runs) for b in sorted(runs) if a != b
        ]
        ws.bank.record_comparisons(RUN, site, comparisons[site])
        ws.bank.record_scores(RUN, site, list(scores[site].values()))
    look = TestLook(scores, comparisons)

    found = alone_result(Nominated(manual, federated, homes, kept, central), look, 0)
    return {
        "seed": 0,
        "run": RUN,
        "study": digest,
        "model": "scripted",
        "settings": {"rounds": 4, "cases": 48, "seed": 0, "held_out": CASES},
        "templates": [],
        "rounds": [
            {
                "round": record.number,
                "by_site": record.by_site,
                "mean": record.mean,
                "bytes": record.bytes,
                "prompt": record.prompt.id,
                "kept": record.prompt.id == federated.id,
            }
            for record in together
        ],
        **as_json(found),
        "headline": headline(found.test, found.differences["federated_vs_manual"]),
        "note": "centralised is tuned on the pooled cases, which only this demo may do: its texts are public",
        "seconds": {"score": 61.0, "federate": 48.0, "total": 190.0},
    }


def _rng(*names: str) -> np.random.Generator:
    return np.random.default_rng([crc32(name.encode()) for name in names])


def main() -> None:
    """Make a bank in the folder that is named."""
    with open_workspace(Path(sys.argv[1])) as ws:
        print(fill(ws))


if __name__ == "__main__":
    main()
