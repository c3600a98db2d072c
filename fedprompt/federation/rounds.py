"""Federated tuning, round by round: tune at the sites, aggregate, score on validation, write, next.

Each round is planned in the bank before it begins and written before the next begins, so a run that stopped goes on
from its last written round and ends with the same numbers: a round depends on the round before, the seed, the settings
and who answered. Updates are summed as they come, in the order of sites.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np

from fedprompt.errors import FederationError
from fedprompt.federation.buffered import Journal, run_buffered
from fedprompt.federation.fednova import normalised
from fedprompt.federation.gathering import Gathering, Missing
from fedprompt.federation.hub import Hub
from fedprompt.federation.keeping import UpdateKeeper
from fedprompt.federation.orders import Controls
from fedprompt.federation.pacing import allotted_steps, deadline_of, pace
from fedprompt.federation.round_record import RoundRecord, RoundWriter, best_round
from fedprompt.federation.strategies.fedbuff import FedBuff
from fedprompt.federation.strategies.registry import strategy_named
from fedprompt.federation.strategies.strategy import Update
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
    after: int = 0,
    keeper: UpdateKeeper | None = None,
    journal: Journal | None = None,
    controls: Controls | None = None,
) -> tuple[RoundRecord, ...]:
    """Run the rounds that are not written yet and return all of them; ``rounds.patience`` may end them early.

    Args:
        start: what round 1 starts from.
        progress: hears (round, site, "tune" or "evaluate") before each step.
        clock: seconds; simulated sites have their own.
        after: rounds that led to ``start``; numbers go on from there.
        keeper: keeps each round's updates.
        journal: keeps what a strategy without rounds has buffered.
        controls: takes the orders of the hub's operator.

    A site that fails, refuses or is late is left out of that step of the round and listed; it is asked again in the
    next. A round counts once the quorum has tuned and has scored.

    Raises:
        FederationError: too few sites for the strategy, or fewer than the quorum answered.
    """
    check_sites(rounds, hub.sites)
    if rounds.strategy.name == FedBuff.name:
        return run_buffered(
            hub,
            template,
            start,
            rounds=rounds,
            tuning=tuning,
            seed=seed,
            writer=writer,
            progress=progress,
            clock=clock,
            after=after,
            keeper=keeper,
            journal=journal,
            controls=controls,
        )
    done = list(writer.written())
    for number in range(after + len(done) + 1, after + rounds.count + 1):
        if controls is not None:
            controls.look(None)
        out = {} if controls is None else controls.left_out
        if rounds.patience is not None and done and done[-1].number - best_round(done, out).number >= rounds.patience:
            break
        plan = _plan(number, hub, rounds, tuning, done, seed, clock, controls)
        writer.begin(number, plan.shown())
        done.append(_round(plan, hub, template, start, done[-1] if done else None, progress, keeper))
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
    left_out: Mapping[str, str]
    deadlines: Mapping[str, float]
    steps: Mapping[str, int]
    rounds: Rounds
    tuning: Tuning
    seed: int
    clock: Callable[[], float]
    controls: Controls | None

    def shown(self) -> dict[str, Any]:
        return {
            "round": self.number,
            "sites": list(self.sites),
            "quorum": quorum_of(self.rounds, self.sites),
            "deadlines": dict(self.deadlines),
            "steps": dict(self.steps),
            **({"left_out": dict(self.left_out)} if self.left_out else {}),
        }

    def gather(self, hub: Hub, step: Step, ask: Callable[[str], T], progress: Progress | None) -> Gathering[T]:
        sites = self.sites if self.controls is None else self.controls.remaining(self.sites)

        def told(site: str) -> None:
            if progress is not None:
                progress(self.number, site, step)

        return Gathering(
            sites,
            ask,
            step=step,
            quorum=quorum_of(self.rounds, sites),
            deadline=self.deadlines[step],
            concurrent=hub.concurrent,
            told=told,
            clock=self.clock,
            controls=self.controls,
            number=self.number,
        )


def quorum_of(rounds: Rounds, sites: Sequence[str]) -> int:
    """Return how many of these sites must answer: those that the operator left out are not among them."""
    return min(rounds.quorum or len(sites), len(sites))


def _plan(
    number: int,
    hub: Hub,
    rounds: Rounds,
    tuning: Tuning,
    done: Sequence[RoundRecord],
    seed: int,
    clock: Callable[[], float],
    controls: Controls | None,
) -> _Plan:
    seen = [record.seconds for record in done]
    left_out = {} if controls is None else {s: why for s, why in controls.left_out.items() if s in hub.sites}
    sites = tuple(site for site in hub.sites if site not in left_out)
    if not sites:
        raise FederationError(f"round {number}: every site that would be asked is left out; take one back")
    return _Plan(
        number,
        sites,
        left_out,
        {step: deadline_of(rounds, seen, step) for step in STEPS},
        allotted_steps(pace(seen, [record.steps for record in done], tuning.steps), tuning.steps, rounds.least_steps),
        rounds,
        tuning,
        seed,
        clock,
        controls,
    )


def _round(
    plan: _Plan,
    hub: Hub,
    template: Template,
    start: SoftPrompt,
    last: RoundRecord | None,
    progress: Progress | None,
    keeper: UpdateKeeper | None,
) -> RoundRecord:
    vectors = start.vectors if last is None or last.prompt.soft is None else last.prompt.soft.vectors
    sent, received = hub.sent.copy(), hub.received.copy()
    losses: dict[str, float] = {}
    held: list[Update] = []

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
            whole = normalised(update, plan.steps.get(site, plan.tuning.steps), plan.tuning.steps)
            if keeper is not None:
                held.append(whole)
            yield whole

    chosen = plan.rounds.strategy
    with _named(plan.number):
        tuned = plan.gather(hub, "tune", tune, progress)
        state = {} if last is None else last.state
        aggregate = strategy_named(chosen.name).aggregate(vectors, updates(), chosen.options, state)
        if not np.isfinite(aggregate.vectors).all():
            raise FederationError("the aggregate is not finite; lower the learning rate")
        prompt = Prompt(template, SoftPrompt(aggregate.vectors, start.model))
        if keeper is not None:
            keeper.keep(plan.number, prompt.id, held)
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
        missing=(
            *(Missing(site, "tune", "left-out", why) for site, why in plan.left_out.items()),
            *tuned.missing,
            *scored.missing,
        ),
        sent=dict(sorted((hub.sent - sent).items())),
        received=dict(sorted(came.items())),
        seconds={"tune": dict(tuned.seconds), "evaluate": dict(scored.seconds)},
        steps=dict(plan.steps),
        orders=() if plan.controls is None else plan.controls.since(),
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
