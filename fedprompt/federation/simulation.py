"""Thousands of made-up sites behind the transport's seam, to try the real hub, strategies and bank at size.

A site has an optimum that its share of labels moves along one direction, a speed, and a chance of not answering. It
answers tasks through the same container and schemas as a real worker, without a model: its update goes from the start
towards its optimum with noise, its score falls with the distance. All of it follows from the seed, the site and the
task; nothing waits, since the sites have a clock of their own.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import FederationError
from fedprompt.federation.transports.transport import Delivered
from fedprompt.privacy.quantise import quantise
from fedprompt.study.schema import Precision
from fedprompt.study.score import Score
from fedprompt.trust.chain import follow
from fedprompt.verbs.describe import DescribeReply, DescribeTask
from fedprompt.verbs.evaluate import EvaluateTask
from fedprompt.verbs.forms import Parcel, Task
from fedprompt.verbs.refusals import Refusal
from fedprompt.verbs.score import ScoreReply
from fedprompt.verbs.tune import TuneReply, TuneTask
from fedprompt.verbs.wire import pack_reply, unpack_task

__all__ = ["Population", "SimulatedSites"]

REACH = 0.15  # of the way to a site's optimum that one local step goes
NOISE = 0.02
SKEW = 0.5
CHANCE, GAIN = 0.5, 0.45


@dataclass(frozen=True)
class Population:
    """What the sites are like.

    Attributes:
        count: how many there are.
        tokens: of the soft prompt.
        width: of the model that there is none of.
        seed: all else follows from it.
        dropout: how often a site does not answer a task.
        spread: of speeds: the standard deviation of the logarithm of seconds a step.
        liars: the share of sites that send the tenfold opposite of their update.
        update: how updates travel.
    """

    count: int
    tokens: int = 8
    width: int = 576
    seed: int = 0
    dropout: float = 0.05
    spread: float = 0.7
    liars: float = 0.0
    update: Precision = "float32"


class SimulatedSites:
    """Implements ``Transport``; ``clock`` tells the simulated seconds that have passed."""

    concurrent = False

    def __init__(self, population: Population) -> None:
        self._population = population
        rng = np.random.default_rng([population.seed, 0])
        count = population.count
        self._names = tuple(f"site-{place:06}" for place in range(count))
        self._places = {name: place for place, name in enumerate(self._names)}
        self._cases = np.clip(rng.lognormal(4.5, 0.8, count), 30, 5000).astype(int)
        self._positive = rng.beta(2.0, 2.0, count)  # each site's share of the first of two labels
        self._pace = rng.lognormal(1.0, population.spread, count)
        self._lies = rng.random(count) < population.liars
        shape = (population.tokens, population.width)
        self.optimum = rng.normal(0.0, 1.0, shape) / np.sqrt(population.tokens * population.width)
        direction = rng.normal(0.0, 1.0, shape)
        self._direction = direction / np.linalg.norm(direction)
        self._now = 0.0

    @property
    def sites(self) -> tuple[str, ...]:
        """All sites, by name."""
        return self._names

    def clock(self) -> float:
        """Return the simulated seconds since the beginning."""
        return self._now

    def ask(self, site: str, task: bytes) -> Delivered:
        """Answer a task as that site would.

        Raises:
            FederationError: the site does not answer this time.
        """
        place = self._places[site]
        parcel = unpack_task(task)
        message = parcel.message
        rng = np.random.default_rng([self._population.seed, 1 + place, int(message.task[3:19], 16)])
        if rng.random() < self._population.dropout:
            raise FederationError(f"site '{site}' does not answer", code="no-answer")
        data = self._answer(place, parcel, rng)
        known = message.known or "0" * 64
        trail = (hashlib.sha256(data).hexdigest(),)
        return Delivered(data, follow(known, trail), trail)

    def _answer(self, place: int, parcel: Parcel[Task], rng: np.random.Generator) -> bytes:
        task, cases = parcel.message, int(self._cases[place])
        if isinstance(task, DescribeTask):
            first = round(3 * cases * float(self._positive[place]))
            labels = (first, 3 * cases - first)
            reply = DescribeReply(task=task.task, tune=cases, validation=cases, test=cases, labels=labels)
            return pack_reply(reply, {})
        if isinstance(task, TuneTask):
            self._now += task.steps * float(self._pace[place]) * rng.lognormal(0.0, 0.2)
            return self._tuned(place, task, parcel.arrays["start"], rng)
        if isinstance(task, EvaluateTask) and not task.templates:
            self._now += float(self._pace[place]) * rng.lognormal(0.0, 0.2)
            scores = tuple(
                self._score(place, prompt, task, parcel.arrays[f"soft-{number}"], rng)
                for number, prompt in enumerate(task.soft)
            )
            return pack_reply(ScoreReply(verb="evaluate", task=task.task, scores=scores), {})
        return pack_reply(Refusal(task=task.task, code="not-supported"), {})

    def _tuned(self, place: int, task: TuneTask, start: NDArray[np.float32], rng: np.random.Generator) -> bytes:
        away = self._away(place, start)
        delta = -away * (1 - (1 - REACH) ** task.steps)
        delta += rng.normal(0.0, NOISE / np.sqrt(delta.size), delta.shape)
        if self._lies[place]:
            delta *= -10
        reply = TuneReply(
            task=task.task,
            round=task.round,
            cases=int(self._cases[place]),
            precision=self._population.update,
        )
        return pack_reply(reply, quantise(delta.astype(np.float32), self._population.update))

    def _score(
        self, place: int, prompt: str, task: EvaluateTask, soft: NDArray[np.float32], rng: np.random.Generator
    ) -> Score:
        away, cases = self._away(place, soft), int(self._cases[place])
        right = int(rng.binomial(cases, CHANCE + GAIN * np.exp(-2.0 * float(np.vdot(away, away)))))
        return Score(
            prompt=prompt,
            split=task.split,
            metric="accuracy",
            n=cases,
            total=right,
            squares=right,
            groups=cases,
            group_squares=right * (1 - right / cases),
        )

    def _away(self, place: int, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return how far vectors are from a site's optimum."""
        own = self.optimum + (SKEW * (self._positive[place] - 0.5)) * self._direction
        return np.asarray(vectors - own, dtype=np.float64)
