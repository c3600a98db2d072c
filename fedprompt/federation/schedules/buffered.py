"""Rounds in which nobody waits (FedBuff: Nguyen et al. 2022, arXiv 2106.06639, algorithm 1).

Every site tunes all the time from the newest prompt that it was given; the hub takes a step for every K updates that
came in, whoever sent them, those from older prompts counted less. A step is what a round is elsewhere. Every arrival
is written before it is used, and all else follows from the arrivals in their order, so a run that stopped goes on with
the same numbers. Scores come at the end: each site scores every step's prompt on validation.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from queue import Empty
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import FederationError, FedPromptError
from fedprompt.federation.arrivals import Arrival, Journal
from fedprompt.federation.asking import Asking
from fedprompt.federation.beside import Beside
from fedprompt.federation.gathering import PATIENCE, POLL, Missing, why_missing
from fedprompt.federation.pacing import deadline_of
from fedprompt.federation.round_record import RoundRecord
from fedprompt.federation.schedules.schedule import Course, Schedule
from fedprompt.federation.weights import most_cases
from fedprompt.prompts.prompt import Prompt
from fedprompt.strategies.fedbuff import FedBuff, discounted
from fedprompt.strategies.registry import strategy_named
from fedprompt.strategies.strategy import Update
from fedprompt.study.schema import Rounds
from fedprompt.verbs.tune import ask_tune

__all__ = ["Buffered", "Journal", "simulated_speed"]

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
    seconds: dict[str, float] = field(default_factory=dict)
    sent: dict[str, int] = field(default_factory=dict)
    received: dict[str, int] = field(default_factory=dict)
    missing: list[Missing] = field(default_factory=list)


class _Server:
    """The hub's state: a function of the arrivals, in their order."""

    def __init__(
        self, sites: Sequence[str], start: NDArray[np.float32], rounds: Rounds, speed: Callable[[str, int], float]
    ) -> None:
        self._sites, self._rounds, self._speed = tuple(sites), rounds, speed
        self._options = rounds.strategy.options
        self.versions = [start]
        self.steps = [_Step()]  # the last one is being filled
        self.flights = {site: _Flight(site, 1, 0, speed(site, 1)) for site in sites}
        self._counted = Counter[str]()  # updates that were taken, by site
        self._ahead: dict[str, int] = {}  # who has sent as many as may count, and its next turn
        self._resting: dict[str, Arrival] = {}  # who failed since the last step, and is asked again after the next
        self._now = 0.0

    @property
    def finished(self) -> bool:
        """Whether every step was taken."""
        return len(self.versions) > self._rounds.count

    @property
    def resting(self) -> Sequence[Arrival]:
        """What came of the sites that failed since the last step."""
        return tuple(self._resting.values())

    def take(self, arrival: Arrival) -> bool:
        """Go on by one arrival; tell whether it filled the buffer."""
        self._now = self.flights.pop(arrival.site).due
        step = self.steps[-1]
        _add(step.sent, arrival.site, arrival.sent)
        _add(step.received, arrival.site, arrival.received)
        if arrival.update is None:
            step.missing.append(Missing(arrival.site, "tune", arrival.why, arrival.reason))
            self._resting[arrival.site] = arrival
            return False
        stale = len(self.versions) - 1 - arrival.version
        step.updates.append(discounted(arrival.update, stale))
        self._counted[arrival.site] += 1
        step.staleness.setdefault(arrival.site, []).append(stale)
        step.seconds[arrival.site] = arrival.seconds
        full = len(step.updates) >= self._options["buffer"]
        if full:
            made = strategy_named(FedBuff.name).aggregate(self.versions[-1], step.updates, self._options, {})
            if not np.isfinite(made.vectors).all():
                raise FederationError("the aggregate is not finite; lower the learning rate", code="not-finite")
            self.versions.append(made.vectors)
            self.steps.append(_Step())
            for site, failed in sorted(self._resting.items()):
                self._launch(site, failed.turn + 1)
            self._resting.clear()
        self._ahead[arrival.site] = arrival.turn + 1
        self._launch_who_may()
        return full

    def _launch_who_may(self) -> None:
        """Have those go on whose next update may count; all of them where nobody else is at work."""
        most = most_cases([max(1, self._counted[site]) for site in self._sites], self._rounds.max_weight)
        for site, turn in sorted(self._ahead.items()):
            if self._counted[site] < most or not self.flights:
                self._launch(site, turn)
                del self._ahead[site]

    def _launch(self, site: str, turn: int) -> None:
        self.flights[site] = _Flight(site, turn, len(self.versions) - 1, self._now + self._speed(site, turn))


class Buffered(Schedule):
    """Take ``rounds.count`` steps, each of the strategy's ``buffer`` updates; the records are one a step.

    Where the transport is concurrent, sites work side by side and updates count as they come. In one process who is
    faster is made up: ``speed`` says how many seconds a site's turn takes, by default drawn from the seed.

    However fast a site is, no more of its updates count than ``rounds.max_weight`` times as many as of the median site,
    each taken to have sent one; it waits until the others have caught up, unless nobody else is at work. A site that
    fails is listed, and asked again after the next step. What comes from a site that was left out, or what
    cannot be true, counts for nothing. Without a journal a run that stopped begins anew.
    """

    name = "buffered"

    def __init__(self, speed: Callable[[str, int], float] | None = None) -> None:
        self._speed = speed

    def run(self, course: Course) -> tuple[RoundRecord, ...]:
        """Take the steps, have each step's prompt scored, and return the records.

        Raises:
            FederationError: fewer than the quorum are left to ask, or have scored.
        """
        done = list(course.writer.written())
        if len(done) == course.rounds.count:
            return tuple(done)
        asking, after = course.asking, course.after
        kept = _Forgetful() if course.journal is None else course.journal
        speed = self._speed or simulated_speed(course.seed)
        server = _Server(asking.hub.sites, course.start.values, course.rounds, speed)
        number = 0
        for arrival in kept.arrived():
            number += 1
            server.take(arrival)

        def tell(flight: _Flight) -> None:
            if flight.site not in asking.left_out:
                course.tell(min(after + flight.version + 1, after + course.rounds.count), flight.site, "tune")

        def ask(flight: _Flight) -> Arrival:
            return _asked(course, flight, server.versions[flight.version])

        patience = PATIENCE * deadline_of(course.rounds, [], "tune")
        source = _AtOnce(ask, patience, asking, tell) if asking.hub.concurrent else _InTurn(ask, tell)
        while not server.finished:
            course.before(after + len(server.versions))
            asking.look()
            came = source.next(server.flights)
            if came is not None and came.update is not None and (reason := asking.left_out.get(came.site)) is not None:
                came = replace(came, update=None, why="left-out", reason=reason)
            sites = asking.hub.sites
            away = [*server.resting, *([came] if came is not None and came.update is None else [])]
            needed = _needed(asking, away)
            if came is None or (came.update is None and len(sites) - len(away) < needed):
                said = "no site answered in time" if came is None else came.reason
                raise FederationError(
                    f"round {after + len(server.versions)}: fewer than {needed} of {len(sites)} sites remain ({said})",
                    code="too-few-answers",
                )
            number += 1
            kept.add(number, came)
            if server.take(came):
                at, step = len(server.versions) - 1, server.steps[-2]
                course.writer.begin(after + at, _plan(after + at, asking, step))
        return _scored(course, server, done)


def _needed(asking: Asking, away: Sequence[Arrival]) -> int:
    """Return how many sites must be left; where all are needed, one whose update cannot be true is not one of them."""
    lies = sum(one.why == "untrue" for one in away) if asking.everyone else 0
    return max(1, asking.quorum() - lies)


def _asked(course: Course, flight: _Flight, start: NDArray[np.float32]) -> Arrival:
    """Have a site tune from ``start``; a failure is an arrival too."""
    hub, clock = course.asking.hub, course.asking.clock
    site, turn, version = flight.site, flight.turn, flight.version
    if (why := course.asking.left_out.get(site)) is not None:
        return Arrival(site, turn, version, 0.0, why="left-out", reason=why)
    sent, received, began = hub.sent[site], hub.received[site], clock()
    try:
        update = ask_tune(
            hub,
            site,
            start,
            round=course.after + turn,
            steps=course.tuning.steps,
            seed=course.seed,
            precision=course.rounds.update,
            among=course.among,
        )
    except FedPromptError as error:
        return Arrival(site, turn, version, clock() - began, why=why_missing(error), reason=str(error))
    came = hub.received[site] - received
    return Arrival(site, turn, version, clock() - began, update, hub.sent[site] - sent, came)


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

    What is told is told by the thread that waits; there the work is ended where it is to end.
    """

    def __init__(
        self,
        ask: Callable[[_Flight], Arrival],
        patience: float,
        asking: Asking,
        tell: Callable[[_Flight], None],
    ) -> None:
        self._ask, self._patience, self._asking, self._tell = ask, patience, asking, tell
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
                self._asking.stop.check()
                self._asking.look()
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


def _plan(number: int, asking: Asking, step: _Step) -> dict[str, Any]:
    return {
        "round": number,
        "sites": list(asking.sites),
        "quorum": asking.quorum(),
        "buffer": int(asking.rounds.strategy.options["buffer"]),
        "staleness": {site: list(found) for site, found in sorted(step.staleness.items())},
    }


def _scored(course: Course, server: _Server, done: list[RoundRecord]) -> tuple[RoundRecord, ...]:
    """Have each step's prompt scored, step by step, and write the records."""
    for place, values in enumerate(server.versions[1:]):
        if place < len(done):
            continue
        course.before(course.after + place + 1)
        prompt = Prompt(course.template, course.start.with_values(values))
        done.append(_score(course, server.steps[place], prompt, course.after + place + 1, done))
        course.writer.write(done[-1])
    return tuple(done)


def _score(course: Course, step: _Step, prompt: Prompt, number: int, done: Sequence[RoundRecord]) -> RoundRecord:
    asking, hub = course.asking, course.asking.hub
    sent, received = hub.sent.copy(), hub.received.copy()
    asking.look()
    left_out = asking.left_out
    listed = {one.site for one in step.missing}
    scored = asking.gather(
        "evaluate",
        lambda site: course.validated(site, prompt),
        deadline=deadline_of(course.rounds, [record.seconds for record in done], "evaluate"),
        told=lambda site: course.tell(number, site, "evaluate"),
        number=number,
    )
    try:
        scores = dict(sorted(scored))
    except FederationError as error:
        raise FederationError(f"round {number}: {error}", code=error.code) from error
    if course.keeper is not None:
        course.keeper.keep(number, prompt.id, step.updates)
    for site, size in (hub.sent - sent).items():
        _add(step.sent, site, size)
    for site, size in (hub.received - received).items():
        _add(step.received, site, size)
    return RoundRecord(
        number,
        prompt,
        scores,
        tuple(sorted(step.seconds)),
        sum(step.received.values()),
        dict(hub.heads),
        missing=(
            *step.missing,
            *(Missing(site, "evaluate", "left-out", why) for site, why in left_out.items() if site not in listed),
            *scored.missing,
        ),
        orders=() if asking.controls is None else asking.controls.since(),
        sent=dict(sorted(step.sent.items())),
        received=dict(sorted(step.received.items())),
        seconds={"tune": step.seconds, "evaluate": dict(scored.seconds)},
    )


def _add(counts: dict[str, int], site: str, size: int) -> None:
    counts[site] = counts.get(site, 0) + size
