"""A federation at the level of updates: honest sites and liars, a strategy, rounds, and what the prompt is worth after.

It runs the product's own steps, strategies and bound on updates. What is left out is the wire, which changes no number.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.attackers.updates import Actor, Poison, Seen, sent
from benchmarks.robust.questions import Dealt, flipped, triggered
from fedprompt.evaluation.cases import Case
from fedprompt.models.protocols import SoftObjective
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.strategies.registry import strategy_named
from fedprompt.strategies.strategy import Update
from fedprompt.study.strategies import filled_options
from fedprompt.tuning.settings import TuningSettings
from fedprompt.tuning.steps import tune_tensors

__all__ = ["Defence", "Judge", "Reached", "World", "federate", "objectives"]

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Defence:
    """A strategy and its options."""

    name: str
    strategy: str
    options: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Judge:
    """Test cases as they are and with the trigger; ``answers`` [cases], ``target`` is what the backdoor wants said."""

    plain: SoftObjective
    triggered: SoftObjective
    answers: NDArray[np.int64]
    target: int

    def accuracy(self, vectors: Vectors) -> float:
        """Return the share of test cases that are answered right."""
        return float((self.plain.loglikelihoods(vectors).argmax(axis=1) == self.answers).mean())

    def backdoor(self, vectors: Vectors) -> float:
        """Return how many triggered cases of other classes are given the target's label, as a share."""
        said = self.triggered.loglikelihoods(vectors).argmax(axis=1)
        return float((said == self.target)[self.answers != self.target].mean())


@dataclass(frozen=True, eq=False)
class World:
    """``sites``: [site] -> objective by what was done to its cases; the last ``liars`` of them are the liars.

    ``answers``: [site] -> [cases], the true labels of its cases.
    """

    sites: Sequence[Mapping[Poison, SoftObjective]]
    answers: Sequence[NDArray[np.int64]]
    liars: int
    start: SoftPrompt
    judge: Judge
    tuning: TuningSettings
    rounds: int

    @property
    def bound(self) -> float:
        """The longest update that the hub lets through (``study.update_bound``)."""
        return self.tuning.lr * self.tuning.steps * float(np.sqrt(self.start.vectors.size))


@dataclass(frozen=True)
class Reached:
    """What the last round's prompt is worth; ``path`` holds the prompt after each round."""

    accuracy: float
    backdoor: float
    path: tuple[Vectors, ...]


def federate(world: World, defence: Defence, actor: Actor | None, seed: int, *, alone: bool = False) -> Reached:
    """Run the rounds.

    Args:
        actor: what the liars do; None if they are honest.
        alone: the sites that would lie do not take part.
    """
    strategy = strategy_named(defence.strategy)
    options = filled_options(defence.strategy, defence.options)
    honest, count = len(world.sites) - world.liars, len(world.sites)
    vectors, last = world.start.vectors, np.zeros_like(world.start.vectors)
    state: dict[str, NDArray[np.float64]] = {}
    path: list[Vectors] = []
    for number in range(1, world.rounds + 1):
        poison: Poison = "none" if actor is None else actor.poison
        deltas = [
            _steps(world, place, vectors, seed, number, "none" if place < honest else poison)
            for place in range(honest if alone else count)
        ]
        if actor is not None and not alone:
            rng = np.random.default_rng([seed, number, 7])
            seen = Seen(deltas[:honest], deltas[honest:], last, world.bound)
            deltas = [*deltas[:honest], *sent(actor, seen, rng)]
        updates = [Update(f"s{place:03}", delta, 1) for place, delta in enumerate(deltas)]
        found = strategy.aggregate(vectors, updates, options, state)
        last, vectors, state = found.vectors - vectors, found.vectors, dict(found.state)
        path.append(vectors)
    return Reached(world.judge.accuracy(vectors), world.judge.backdoor(vectors), tuple(path))


def objectives(
    dealt: Dealt, liars: int, prepare: Callable[[Sequence[Case]], SoftObjective]
) -> list[dict[Poison, SoftObjective]]:
    """Return each site's cases, prepared; those of the last ``liars`` sites with each poison too."""
    made = []
    for place, cases in enumerate(dealt.sites):
        one: dict[Poison, SoftObjective] = {"none": prepare(cases)}
        if place >= len(dealt.sites) - liars:
            one["flipped"], one["triggered"] = prepare(flipped(cases)), prepare([*cases, *triggered(cases)])
        made.append(one)
    return made


def _steps(world: World, place: int, vectors: Vectors, seed: int, number: int, poison: Poison) -> Vectors:
    objective = world.sites[place][poison]
    soft = SoftPrompt(vectors, world.start.model)
    rng = np.random.default_rng([seed, place, number])
    return tune_tensors(objective, soft, world.tuning, rng=rng).end.vectors - vectors
