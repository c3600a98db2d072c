"""Lies that are told beside the updates: scores that choose the round, and a poisoned donor's prompt in a pack."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.robust.federating import Reached, World
from fedprompt.adapting.combining import combined
from fedprompt.adapting.mixture import fit_mixture
from fedprompt.federation.round_record import RoundRecord, best_round
from fedprompt.models.protocols import SoftObjective
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.study.score import Score
from fedprompt.tuning.settings import TuningSettings
from fedprompt.tuning.steps import tune_tensors

__all__ = ["Pack", "chosen_round", "poisoned_pack"]

HOME, PULL, PRECISION = 16, 16.0, 1.0


def chosen_round(world: World, reached: Reached, *, lying: bool, bounded: bool) -> float:
    """Return what the kept round is worth on test, where liars praise the worst round and no other."""
    honest = len(world.sites) - world.liars
    told = np.array(
        [
            [_right(site["none"], right, vectors) for site, right in zip(world.sites, world.answers, strict=True)]
            for vectors in reached.path
        ]
    )  # [rounds, sites]
    sizes = [len(site["none"]) for site in world.sites]
    worst = int(told[:, :honest].mean(axis=1).argmin())
    if lying:
        told[:, honest:], told[worst, honest:] = 0.0, 1.0
    records = [
        RoundRecord(number, prompt(number), _scores(row, sizes), (), 0, {}) for number, row in enumerate(told, 1)
    ]
    kept = best_round(records, bounded=bounded).number
    return world.judge.accuracy(reached.path[kept - 1])


def prompt(number: int) -> Prompt:
    """Return a stand-in for a round's prompt."""
    return Prompt(Template(f"round {number}", text="{text}"))


def _right(objective: SoftObjective, answers: NDArray[np.int64], vectors: NDArray[np.float32]) -> float:
    return float((objective.loglikelihoods(vectors).argmax(axis=1) == answers).mean())


def _scores(row: NDArray[np.float64], sizes: list[int]) -> dict[str, Score]:
    found = {}
    for place, (value, n) in enumerate(zip(row, sizes, strict=True)):
        right = round(value * n)
        found[f"s{place:03}"] = Score(
            prompt="p1:" + "0" * 32,
            split="validation",
            metric="accuracy",
            n=n,
            total=right,
            squares=right,
            groups=n,
            group_squares=0.0,
        )
    return found


@dataclass(frozen=True)
class Pack:
    """What a newcomer reaches with donors' own prompts, mixed by 16 labelled cases; ``backdoor`` is a share."""

    accuracy: float
    backdoor: float


def poisoned_pack(world: World, seed: int, *, poisoned: int) -> Pack:
    """Return what a pack of every site's own prompt gives, the last ``poisoned`` tuned on triggered cases too."""
    settings = TuningSettings(world.rounds * world.tuning.steps, world.tuning.batch, world.tuning.lr)
    plain, triggered = [], []
    for place, site in enumerate(world.sites):
        cases = site["triggered" if place >= len(world.sites) - poisoned else "none"]
        rng = np.random.default_rng([seed, place, 9])
        vectors = tune_tensors(cases, world.start, settings, rng=rng).end.vectors
        plain.append(world.judge.plain.loglikelihoods(vectors))
        triggered.append(world.judge.triggered.loglikelihoods(vectors))
    tables, answers = np.stack(plain), world.judge.answers
    even = np.full(len(tables), 1 / len(tables))
    made = fit_mixture(tables[:, :HOME], answers[:HOME], even, pull=PULL, precision=PRECISION)
    right = combined(tables, made.weights, made.bias).argmax(axis=1)[HOME:] == answers[HOME:]
    said = combined(np.stack(triggered), made.weights, made.bias).argmax(axis=1)[HOME:] == world.judge.target
    return Pack(float(right.mean()), float(said[answers[HOME:] != world.judge.target].mean()))
