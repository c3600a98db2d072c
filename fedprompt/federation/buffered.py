"""Rounds in which nobody waits (FedBuff: Nguyen et al. 2022, arXiv 2106.06639, algorithm 1).

Every site tunes all the time from the newest prompt that it was given; the hub takes a step for every K updates that
came in, whoever sent them, those from older prompts counted less. A step is what a round is elsewhere. Every arrival
is written before it is used, and all else follows from the arrivals in their order, so a run that stopped goes on with
the same numbers. Scores come at the end: each site scores every step's prompt on validation.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from queue import Empty
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import FederationError, FedPromptError, SiteRefused
from fedprompt.federation.arrivals import Arrival, Journal
from fedprompt.federation.beside import Beside
from fedprompt.federation.gathering import PATIENCE, POLL, Gathering, Missing
from fedprompt.federation.hub import Hub
from fedprompt.federation.keeping import UpdateKeeper
from fedprompt.federation.orders import Controls
from fedprompt.federation.pacing import deadline_of
from fedprompt.federation.round_record import RoundRecord, RoundWriter
from fedprompt.federation.strategies.fedbuff import FedBuff, discounted
from fedprompt.federation.strategies.registry import strategy_named
from fedprompt.federation.strategies.strategy import Update
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Template
from fedprompt.study.schema import Rounds, Tuning
from fedprompt.study.score import Score

__all__ = ["Arrival", "Journal", "run_buffered", "simulated_speed"]

SPREAD = 0.7  # of simulated speeds: the standard deviation of the logarithm of seconds


@dataclass(frozen=True)
class _Flight:
    """A site at work: on its ``turn``-th update, from the prompt of step ``version``, until ``due`` (simulated)."""

    site: str
    turn: int
    version: int
    due: float


@dataclass
class _Step:
    """What one step of the hub is made of."""

    updates: list[Update] = field(default_factory=list)
    staleness: dict[str, list[int]] = field(default_factory=dict)
    losses: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    sent: dict[str, int] = field(default_factory=dict)
    received: dict[str, int] = field(default_factory=dict)
    missing: list[Missing] = field(default_factory=list)


class _Server:
    """The hub's state: a function of the arrivals, in their order."""

    def __init__(
        self, sites: Sequence[str], start: NDArray[np.float32], rounds: Rounds, speed: Callable[[str, int], float]
    ) -> None:
        self._rounds, self._speed = rounds, speed
        self._options = rounds.strategy.options
        self.versions = [start]
        self.steps = [_Step()]  # the last one is being filled
        self.flights = {site: _Flight(site, 1, 0, speed(site, 1)) for site in sites}
        self._resting: dict[str, int] = {}  # site -> its last turn: it failed, and is asked again after the next step
        self._now = 0.0

    @property
    def finished(self) -> bool:
        """Whether every step was taken."""
        return len(self.versions) > self._rounds.count

    @property
    def resting(self) -> int:
        """How many sites failed since the last step."""
        return len(self._resting)

    def take(self, arrival: Arrival) -> bool:
        """Go on by one arrival; tell whether it filled the buffer."""
        self._now = self.flights.pop(arrival.site).due
        step = self.steps[-1]
        _add(step.sent, arrival.site, arrival.sent)
        _add(step.received, arrival.site, arrival.received)
        if arrival.update is None:
            step.missing.append(Missing(arrival.site, "tune", arrival.why, arrival.reason))
            self._resting[arrival.site] = arrival.turn
            return False
        stale = len(self.versions) - 1 - arrival.version
        step.updates.append(discounted(arrival.update, stale))
        step.staleness.setdefault(arrival.site, []).append(stale)
        step.losses[arrival.site], step.seconds[arrival.site] = arrival.loss, arrival.seconds
        full = len(step.updates) >= self._options["buffer"]
        if full:
            made = strategy_named(FedBuff.name).aggregate(self.versions[-1], step.updates, self._options, {})
            if not np.isfinite(made.vectors).all():
                raise FederationError("the aggregate is not finite; lower the learning rate")
            self.versions.append(made.vectors)
            self.steps.append(_Step())
            for site, turn in sorted(self._resting.items()):
                self._launch(site, turn + 1)
            self._resting.clear()
        self._launch(arrival.site, arrival.turn + 1)
        return full

    def _launch(self, site: str, turn: int) -> None:
        self.flights[site] = _Flight(site, turn, len(self.versions) - 1, self._now + self._speed(site, turn))


def run_buffered(
    hub: Hub,
    template: Template,
    start: SoftPrompt,
    *,
    rounds: Rounds,
    tuning: Tuning,
    seed: int,
    writer: RoundWriter,
    progress: Callable[[int, str, str], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
    after: int = 0,
    keeper: UpdateKeeper | None = None,
    journal: Journal | None = None,
    speed: Callable[[str, int], float] | None = None,
    controls: Controls | None = None,
) -> tuple[RoundRecord, ...]:
    """Take ``rounds.count`` steps, each of the strategy's ``buffer`` updates, and return one record a step.

    Where the transport is concurrent, sites work side by side and updates count as they come. In one process who is
    faster is made up: ``speed`` says how long a site's turn takes, by default drawn from the seed.

    Args:
        journal: keeps the arrivals; without one a run that stopped begins anew.
        speed: (site, turn) -> simulated seconds.
        controls: takes the orders of the hub's operator. What comes from a site that is left out counts for nothing.

    A site that fails is listed, and asked again after the next step.

    Raises:
        FederationError: fewer than the quorum are left to ask, or have scored.
    """
    done = list(writer.written())
    if len(done) == rounds.count:
        return tuple(done)
    kept = _Forgetful() if journal is None else journal
    server = _Server(hub.sites, start.vectors, rounds, speed or simulated_speed(seed))
    number = 0
    for arrival in kept.arrived():
        number += 1
        server.take(arrival)

    def left_out() -> dict[str, str]:
        return {} if controls is None else controls.left_out

    def asked() -> tuple[str, ...]:
        return hub.sites if controls is None else controls.remaining(hub.sites)

    def needed() -> int:
        return min(rounds.quorum or len(asked()), len(asked()))

    def ask(flight: _Flight) -> Arrival:
        if (why := left_out().get(flight.site)) is not None:
            return Arrival(flight.site, flight.turn, flight.version, 0.0, why="left-out", reason=why)
        sent, received, began = hub.sent[flight.site], hub.received[flight.site], clock()
        try:
            update, loss = hub.tune(
                flight.site,
                server.versions[flight.version],
                round=after + flight.turn,
                steps=tuning.steps,
                seed=seed,
                precision=rounds.update,
            )
        except FedPromptError as error:
            how: Literal["failed", "refused"] = "refused" if isinstance(error, SiteRefused) else "failed"
            return Arrival(flight.site, flight.turn, flight.version, clock() - began, why=how, reason=str(error))
        return Arrival(
            flight.site,
            flight.turn,
            flight.version,
            clock() - began,
            update,
            loss,
            hub.sent[flight.site] - sent,
            hub.received[flight.site] - received,
        )

    def look() -> None:
        if controls is not None:
            controls.look(None)

    def tell(flight: _Flight) -> None:
        if progress is not None and flight.site not in left_out():
            progress(min(after + flight.version + 1, after + rounds.count), flight.site, "tune")

    patience = PATIENCE * deadline_of(rounds, [], "tune")
    source = _AtOnce(ask, patience, look, tell) if hub.concurrent else _InTurn(ask, tell)
    while not server.finished:
        look()
        came = source.next(server.flights)
        if came is not None and came.update is not None and (reason := left_out().get(came.site)) is not None:
            came = replace(came, update=None, why="left-out", reason=reason)
        if came is None or (came.update is None and len(hub.sites) - server.resting - 1 < needed()):
            said = "nobody answered in time" if came is None else came.reason
            raise FederationError(
                f"round {after + len(server.versions)}: fewer than {needed()} of {len(hub.sites)} sites are left "
                f"({said})"
            )
        number += 1
        kept.add(number, came)
        if server.take(came):
            at, step = len(server.versions) - 1, server.steps[-2]
            writer.begin(after + at, _plan(after + at, asked(), needed(), rounds, step))
    prompts = [Prompt(template, SoftPrompt(vectors, start.model)) for vectors in server.versions[1:]]
    return _scored(hub, prompts, server.steps, done, rounds, writer, progress, clock, after, keeper, controls)


def simulated_speed(seed: int) -> Callable[[str, int], float]:
    """Return made-up seconds of a site's turn: log-normal by site, a little different each time, from the seed."""

    def speed(site: str, turn: int) -> float:
        own = np.random.default_rng(np.random.SeedSequence([seed, *site.encode()])).lognormal(0.0, SPREAD)
        return float(
            own * np.random.default_rng(np.random.SeedSequence([seed, turn, *site.encode()])).lognormal(0, 0.1)
        )

    return speed


class _InTurn:
    """One process: whoever is due first is asked, and answers at once."""

    def __init__(self, ask: Callable[[_Flight], Arrival], tell: Callable[[_Flight], None]) -> None:
        self._ask, self._tell = ask, tell

    def next(self, flights: Mapping[str, _Flight]) -> Arrival | None:
        """Return the next arrival, None if nobody is at work."""
        if not flights:
            return None
        first = min(flights.values(), key=lambda one: (one.due, one.site))
        self._tell(first)
        return self._ask(first)


class _AtOnce:
    """Sites on their own machines: each is asked in a thread of its own, and whoever answers first counts first.

    What is told is told by the thread that waits, again and again, so that whoever hears it can end the work.
    """

    def __init__(
        self,
        ask: Callable[[_Flight], Arrival],
        patience: float,
        look: Callable[[], None],
        tell: Callable[[_Flight], None],
    ) -> None:
        self._ask, self._patience, self._look, self._tell = ask, patience, look, tell
        self._came: Beside[Arrival] = Beside()
        self._asked: set[tuple[str, int]] = set()

    def next(self, flights: Mapping[str, _Flight]) -> Arrival | None:
        """Return the next arrival, None if nobody is at work or nobody answers for too long."""
        for flight in flights.values():
            if (flight.site, flight.turn) not in self._asked:
                self._asked.add((flight.site, flight.turn))
                self._tell(flight)
                self._came.start(flight.site, partial(self._ask, flight))
        end = time.monotonic() + self._patience
        while flights and (left := end - time.monotonic()) > 0:
            try:
                ended = self._came.next(min(left, POLL))
            except Empty:
                self._look()
                for flight in flights.values():
                    self._tell(flight)
                continue
            if ended.error is None:
                return ended.found
            flight = flights[ended.site]
            reason = f"site '{flight.site}' could not be asked ({type(ended.error).__name__})"
            return Arrival(flight.site, flight.turn, flight.version, 0.0, reason=reason)
        return None


class _Forgetful:
    """No journal."""

    def arrived(self) -> Sequence[Arrival]:
        return ()

    def add(self, number: int, arrival: Arrival) -> None:
        pass


def _plan(number: int, sites: Sequence[str], quorum: int, rounds: Rounds, step: _Step) -> dict[str, Any]:
    return {
        "round": number,
        "sites": list(sites),
        "quorum": quorum,
        "buffer": int(rounds.strategy.options["buffer"]),
        "staleness": {site: list(found) for site, found in sorted(step.staleness.items())},
    }


def _scored(
    hub: Hub,
    prompts: Sequence[Prompt],
    steps: Sequence[_Step],
    done: list[RoundRecord],
    rounds: Rounds,
    writer: RoundWriter,
    progress: Callable[[int, str, str], None] | None,
    clock: Callable[[], float],
    after: int,
    keeper: UpdateKeeper | None,
    controls: Controls | None,
) -> tuple[RoundRecord, ...]:
    """Have each step's prompt scored, step by step, and write the records."""
    for place in range(len(done), len(prompts)):
        prompt, step, number = prompts[place], steps[place], after + place + 1
        sent, received = hub.sent.copy(), hub.received.copy()

        def told(site: str, number: int = number) -> None:
            if progress is not None:
                progress(number, site, "evaluate")

        def ask(site: str, prompt: Prompt = prompt) -> Score:
            return hub.evaluate(site, [prompt], "validation").scores[0]

        if controls is not None:
            controls.look(None)
        sites = hub.sites if controls is None else controls.remaining(hub.sites)
        left_out = {} if controls is None else {s: why for s, why in controls.left_out.items() if s in hub.sites}
        listed = {one.site for one in step.missing}
        scored = Gathering(
            sites,
            ask,
            step="evaluate",
            quorum=min(rounds.quorum or len(sites), len(sites)),
            deadline=deadline_of(rounds, [record.seconds for record in done], "evaluate"),
            concurrent=hub.concurrent,
            told=told,
            clock=clock,
            controls=controls,
            number=number,
        )
        try:
            scores = dict(sorted(scored))
        except FederationError as error:
            raise FederationError(f"round {number}: {error}") from error
        if keeper is not None:
            keeper.keep(number, prompt.id, step.updates)
        for site, size in (hub.sent - sent).items():
            _add(step.sent, site, size)
        for site, size in (hub.received - received).items():
            _add(step.received, site, size)
        done.append(
            RoundRecord(
                number,
                prompt,
                scores,
                dict(sorted(step.losses.items())),
                sum(step.received.values()),
                dict(hub.heads),
                missing=(
                    *step.missing,
                    *(Missing(s, "evaluate", "left-out", why) for s, why in left_out.items() if s not in listed),
                    *scored.missing,
                ),
                orders=() if controls is None else controls.since(),
                sent=dict(sorted(step.sent.items())),
                received=dict(sorted(step.received.items())),
                seconds={"tune": step.seconds, "evaluate": dict(scored.seconds)},
            )
        )
        writer.write(done[-1])
    return tuple(done)


def _add(counts: dict[str, int], site: str, size: int) -> None:
    counts[site] = counts.get(site, 0) + size
