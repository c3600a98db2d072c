"""Round by round: tune at the sites, aggregate, score on validation, write, next.

Each round is planned in the bank before it begins and written before the next begins, so a run that stopped goes on
from its last written round and ends with the same numbers: a round depends on the round before, the seed, the settings
and who answered. Updates are summed as they come, in the order of sites.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np

from fedprompt.errors import FederationError
from fedprompt.federation.asking import in_round
from fedprompt.federation.fednova import normalised
from fedprompt.federation.gathering import Gathering, Missing, Step
from fedprompt.federation.kept_sums import InMemory
from fedprompt.federation.pacing import SHORTEST, allotted_steps, deadline_of, pace
from fedprompt.federation.round_record import RoundRecord, best_round
from fedprompt.federation.schedules.schedule import Course, Schedule
from fedprompt.federation.schedules.secure_sums import SecureRound
from fedprompt.federation.weights import most_cases, weighed
from fedprompt.prompts.prompt import Prompt
from fedprompt.strategies.registry import strategy_named
from fedprompt.strategies.strategy import Update
from fedprompt.verbs.tune import ask_tune

__all__ = ["InRounds"]

T = TypeVar("T")
At = Literal["tune", "evaluate"]
STEPS: tuple[At, ...] = ("tune", "evaluate")


class InRounds(Schedule):
    """A site that fails, refuses or is late is left out of that step of the round and listed; it is asked again next.

    A round counts once the quorum has tuned and, where it is looked at, has scored.
    """

    name = "rounds"

    def run(self, course: Course) -> tuple[RoundRecord, ...]:
        """Run the rounds that are not written yet and return all of them; ``rounds.patience`` may end them early.

        Raises:
            FederationError: fewer sites than the quorum answered.
        """
        done, rounds, after = list(course.writer.written()), course.rounds, course.after
        for number in range(after + len(done) + 1, after + rounds.count + 1):
            course.asking.look()
            if rounds.patience is not None and done:
                best = best_round(done, course.asking.left_out, bounded=rounds.strategy.robust)
                if done[-1].number - best.number >= rounds.patience:
                    break
            course.before(number)
            plan = _plan(number, course, done)
            course.writer.begin(number, plan.shown())
            done.append(_round(plan, done[-1] if done else None))
            course.writer.write(done[-1])
        return tuple(done)


@dataclass(frozen=True)
class _Plan:
    """What a round begins with."""

    number: int
    course: Course
    sites: tuple[str, ...]
    left_out: Mapping[str, str]
    deadlines: Mapping[str, float]
    steps: Mapping[str, int]
    most: int | None  # cases that a site counts for; None where no site has said how many it has

    def shown(self) -> dict[str, Any]:
        return {
            "round": self.number,
            "sites": list(self.sites),
            "quorum": self.course.asking.quorum(self.sites),
            "deadlines": dict(self.deadlines),
            "steps": dict(self.steps),
            **({} if self.most is None else {"most_cases": self.most}),
            **({"left_out": dict(self.left_out)} if self.left_out else {}),
        }

    def gather(self, step: At, ask: Callable[[str], T]) -> Gathering[T]:
        return self.course.asking.gather(
            step,
            ask,
            sites=self.sites,
            deadline=self.deadlines[step],
            told=lambda site: self.course.tell(self.number, site, step),
            number=self.number,
        )

    def secure(self) -> SecureRound:
        """Return the round's secure sum."""
        course, hub = self.course, self.course.asking.hub
        assert hub.held_to is not None, "a secure sum follows from the study"
        return SecureRound(
            hub=hub,
            study=hub.held_to,
            digest=hub.digest,
            number=self.number,
            seed=course.seed,
            sites=self.sites,
            quorum=course.asking.quorum(self.sites),
            most=self.most,
            steps_of=self.steps_of,
            gather=self.summed,
            keeper=course.sums or InMemory(),
        )

    def summed(self, step: Step, ask: Callable[[str], T], sites: Sequence[str], quorum: int) -> Gathering[T]:
        """Return one step of a secure sum; those beside tuning are short."""
        most = self.deadlines["tune"]
        return self.course.asking.gather(
            step,
            ask,
            sites=sites,
            quorum=quorum,
            deadline=most if step == "tune" else min(most, SHORTEST),
            told=lambda site: self.course.tell(self.number, site, step),
            number=self.number,
        )

    def steps_of(self, site: str) -> int:
        return self.steps.get(site, self.course.tuning.steps)


def _plan(number: int, course: Course, done: Sequence[RoundRecord]) -> _Plan:
    asking, rounds, tuning = course.asking, course.rounds, course.tuning
    seen = [record.seconds for record in done]
    if not asking.sites:
        raise FederationError(
            f"round {number}: all sites of the round are excluded; include one again", code="all-left-out"
        )
    cases = [asking.hub.described[site].tune for site in asking.sites if site in asking.hub.described]
    return _Plan(
        number,
        course,
        asking.sites,
        asking.left_out,
        {step: deadline_of(rounds, seen, step) for step in STEPS},
        allotted_steps(pace(seen, [record.steps for record in done], tuning.steps), tuning.steps, rounds.least_steps),
        most_cases(cases, rounds.max_weight) if cases else None,
    )


def _round(plan: _Plan, last: RoundRecord | None) -> RoundRecord:
    course, hub = plan.course, plan.course.asking.hub
    start = course.start
    begin = start.values if last is None or last.prompt.tuned is None else last.prompt.tuned.values
    sent, received = hub.sent.copy(), hub.received.copy()
    senders: list[str] = []
    held: list[Update] = []

    def tune(site: str) -> Update:
        return ask_tune(
            hub,
            site,
            begin,
            round=plan.number,
            steps=plan.steps_of(site),
            seed=course.seed,
            precision=course.rounds.update,
            among=course.among,
        )

    def updates() -> Iterator[Update]:
        for site, update in tuned:
            senders.append(site)
            whole = weighed(normalised(update, plan.steps_of(site), course.tuning.steps), plan.most)
            if course.keeper is not None:
                held.append(whole)
            yield whole

    chosen = course.rounds.strategy
    with in_round(plan.number):
        state = {} if last is None else last.state
        if course.rounds.secure_sums is None:
            tuned = plan.gather("tune", tune)
            aggregate = strategy_named(chosen.name).aggregate(begin, updates(), chosen.options, state)
            gone, took = tuned.missing, tuned.seconds
        else:
            summed = plan.secure().run(begin)
            aggregate = strategy_named(chosen.name).aggregate(begin, [summed.update], chosen.options, state)
            senders, gone, took = list(summed.sites), list(summed.missing), dict(summed.seconds)
        if not np.isfinite(aggregate.vectors).all():
            raise FederationError("the aggregate is not finite; lower the learning rate", code="not-finite")
        prompt = Prompt(course.template, start.with_values(aggregate.vectors))
        if course.keeper is not None:
            course.keeper.keep(plan.number, prompt.id, held)
        looks = course.looks(plan.number)
        scored = plan.gather("evaluate", lambda site: course.validated(site, prompt)) if looks else None
        scores = {} if scored is None else dict(sorted(scored))
    came, controls = hub.received - received, course.asking.controls
    return RoundRecord(
        plan.number,
        prompt,
        scores,
        tuple(sorted(senders)),
        came.total(),
        dict(hub.heads),
        missing=(
            *(Missing(site, "tune", "left-out", why) for site, why in plan.left_out.items()),
            *gone,
            *(() if scored is None else scored.missing),
        ),
        sent=dict(sorted((hub.sent - sent).items())),
        received=dict(sorted(came.items())),
        seconds={"tune": dict(took), **({} if scored is None else {"evaluate": dict(scored.seconds)})},
        steps=dict(plan.steps),
        orders=() if controls is None else controls.since(),
        state=aggregate.state,
    )
