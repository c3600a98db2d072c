"""Federated tuning, round by round: tune at the sites, aggregate, score on validation, write, next.

Each round is planned in the bank before it begins and written before the next begins, so a run that stopped goes on
from its last written round and ends with the same numbers: a round depends on the round before, the seed, the settings
and who answered. Updates are summed as they come, in the order of sites.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

import numpy as np

from fedprompt.errors import FederationError
from fedprompt.federation.fednova import normalised
from fedprompt.federation.gathering import Gathering, Missing
from fedprompt.federation.hub import Hub
from fedprompt.federation.pacing import allotted_steps, deadline_of, pace
from fedprompt.federation.strategies.registry import strategy_named
from fedprompt.federation.strategies.strategy import State, Update
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Template
from fedprompt.study.schema import Rounds, Tuning
from fedprompt.study.score import Score

__all__ = ["RoundRecord", "RoundWriter", "best_round", "check_sites", "run_rounds"]

T = TypeVar("T")
Step = Literal["tune", "evaluate"]
STEPS: tuple[Step, ...] = ("tune", "evaluate")
Progress = Callable[[int, str, str], None]


@dataclass(frozen=True)
class RoundRecord:
    """What a round left: the global prompt, each site's validation score and mean loss, and the bytes received.

    ``missing`` are the sites that the round did without, and why. ``sent`` and ``received`` are bytes by site,
    ``seconds`` by step and site, ``steps`` the local steps of sites that took fewer than the study's. ``state`` is what
    the strategy goes on from.
    """

    number: int
    prompt: Prompt
    scores: Mapping[str, Score]
    loss: Mapping[str, float]
    bytes: int
    heads: Mapping[str, str]
    missing: tuple[Missing, ...] = ()
    sent: Mapping[str, int] = field(default_factory=dict)
    received: Mapping[str, int] = field(default_factory=dict)
    seconds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    steps: Mapping[str, int] = field(default_factory=dict)
    state: State = field(default_factory=dict, compare=False)

    @property
    def by_site(self) -> dict[str, float]:
        """Site -> value of the metric on validation."""
        return {site: score.total / score.n for site, score in self.scores.items()}

    @property
    def mean(self) -> float:
        """The unweighted mean over sites."""
        values = [value for _, value in sorted(self.by_site.items())]
        return sum(values) / len(values)


class RoundWriter(Protocol):
    """Where rounds are kept; filled by whoever knows the bank."""

    def written(self) -> Sequence[RoundRecord]:
        """Return the rounds already written, in order."""
        ...

    def begin(self, number: int, plan: Mapping[str, Any]) -> None:
        """Keep what a round begins with, as JSON; one that is begun again stays as it was."""
        ...

    def write(self, record: RoundRecord) -> None:
        """Keep one round; it is durable when this returns."""
        ...


def run_rounds(
    hub: Hub,
    template: Template,
    start: SoftPrompt,
    *,
    rounds: Rounds,
    tuning: Tuning,
    seed: int,
    writer: RoundWriter,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[RoundRecord, ...]:
    """Run the rounds that are not written yet and return all of them.

    Args:
        start: what round 1 starts from.
        progress: hears (round, site, "tune" or "evaluate") before each step.
        clock: seconds; simulated sites have their own.

    A site that fails, refuses or is late is left out of that step of the round and listed; it is asked again in the
    next. A round counts once the quorum has tuned and has scored.

    Raises:
        FederationError: too few sites for the strategy, or fewer than the quorum answered.
    """
    check_sites(rounds, hub.sites)
    done = list(writer.written())
    quorum = min(rounds.quorum or len(hub.sites), len(hub.sites))
    for number in range(len(done) + 1, rounds.count + 1):
        plan = _plan(number, hub, rounds, tuning, done, quorum, seed, clock)
        writer.begin(number, plan.shown())
        done.append(_round(plan, hub, template, start, done[-1] if done else None, progress))
        writer.write(done[-1])
    return tuple(done)


def check_sites(rounds: Rounds, sites: Sequence[str]) -> None:
    """Refuse a strategy that there is not, or that so few sites cannot carry.

    Raises:
        FederationError: says how many sites it needs.
    """
    strategy_named(rounds.strategy.name)
    least = rounds.strategy.least_sites
    if len(sites) < least:
        raise FederationError(
            f"strategy '{rounds.strategy.name}' with the study's options needs {least} sites and there are "
            f"{len(sites)}; let more sites join, lower 'liars', or take 'median', which any number of sites can"
        )


@dataclass(frozen=True)
class _Plan:
    """What a round begins with."""

    number: int
    sites: tuple[str, ...]
    quorum: int
    deadlines: Mapping[str, float]
    steps: Mapping[str, int]
    rounds: Rounds
    tuning: Tuning
    seed: int
    clock: Callable[[], float]

    def shown(self) -> dict[str, Any]:
        return {
            "round": self.number,
            "sites": list(self.sites),
            "quorum": self.quorum,
            "deadlines": dict(self.deadlines),
            "steps": dict(self.steps),
        }

    def gather(self, hub: Hub, step: Step, ask: Callable[[str], T], progress: Progress | None) -> Gathering[T]:
        def told(site: str) -> None:
            if progress is not None:
                progress(self.number, site, step)

        return Gathering(
            self.sites,
            ask,
            step=step,
            quorum=self.quorum,
            deadline=self.deadlines[step],
            concurrent=hub.concurrent,
            told=told,
            clock=self.clock,
        )


def _plan(
    number: int,
    hub: Hub,
    rounds: Rounds,
    tuning: Tuning,
    done: Sequence[RoundRecord],
    quorum: int,
    seed: int,
    clock: Callable[[], float],
) -> _Plan:
    seen = [record.seconds for record in done]
    return _Plan(
        number,
        hub.sites,
        quorum,
        {step: deadline_of(rounds, seen, step) for step in STEPS},
        allotted_steps(pace(seen, [record.steps for record in done], tuning.steps), tuning.steps, rounds.least_steps),
        rounds,
        tuning,
        seed,
        clock,
    )


def _round(
    plan: _Plan,
    hub: Hub,
    template: Template,
    start: SoftPrompt,
    last: RoundRecord | None,
    progress: Progress | None,
) -> RoundRecord:
    vectors = start.vectors if last is None or last.prompt.soft is None else last.prompt.soft.vectors
    sent, received = hub.sent.copy(), hub.received.copy()
    losses: dict[str, float] = {}

    def tune(site: str) -> tuple[Update, float]:
        return hub.tune(
            site,
            vectors,
            round=plan.number,
            steps=plan.steps.get(site, plan.tuning.steps),
            seed=plan.seed,
            precision=plan.rounds.update,
        )

    def updates() -> Iterator[Update]:
        for site, (update, loss) in tuned:
            losses[site] = loss
            yield normalised(update, plan.steps.get(site, plan.tuning.steps), plan.tuning.steps)

    chosen = plan.rounds.strategy
    with _named(plan.number):
        tuned = plan.gather(hub, "tune", tune, progress)
        state = {} if last is None else last.state
        aggregate = strategy_named(chosen.name).aggregate(vectors, updates(), chosen.options, state)
        if not np.isfinite(aggregate.vectors).all():
            raise FederationError("the aggregate is not finite; lower the learning rate")
        prompt = Prompt(template, SoftPrompt(aggregate.vectors, start.model))
        scored = plan.gather(hub, "evaluate", lambda site: _validated(hub, site, prompt), progress)
        scores = dict(sorted(scored))
    came = hub.received - received
    return RoundRecord(
        plan.number,
        prompt,
        scores,
        dict(sorted(losses.items())),
        came.total(),
        dict(hub.heads),
        missing=(*tuned.missing, *scored.missing),
        sent=dict(sorted((hub.sent - sent).items())),
        received=dict(sorted(came.items())),
        seconds={"tune": dict(tuned.seconds), "evaluate": dict(scored.seconds)},
        steps=dict(plan.steps),
        state=aggregate.state,
    )


def _validated(hub: Hub, site: str, prompt: Prompt) -> Score:
    return hub.evaluate(site, [prompt], "validation").scores[0]


@contextmanager
def _named(number: int) -> Iterator[None]:
    """Say which round it was that could not be completed."""
    try:
        yield
    except FederationError as error:
        raise FederationError(f"round {number}: {error}") from error


def best_round(records: Sequence[RoundRecord]) -> RoundRecord:
    """Return the round with the highest mean on validation, the earliest of equals.

    Among those that the most sites scored: a mean over fewer sites is another quantity.

    Raises:
        FederationError: there is none.
    """
    if not records:
        raise FederationError("no round was run, so there is none to keep")
    return max(records, key=lambda record: (len(record.scores), record.mean, -record.number))
