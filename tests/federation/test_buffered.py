"""Without rounds nobody waits: stale updates count less, who failed is asked again, and a run that stopped goes on."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedprompt.errors import FederationError
from fedprompt.federation.arrivals import Arrival
from fedprompt.federation.asking import Asking
from fedprompt.federation.hub import Hub
from fedprompt.federation.orders import Controls
from fedprompt.federation.round_record import RoundRecord
from fedprompt.federation.schedules.buffered import Buffered, simulated_speed
from fedprompt.federation.schedules.schedule import Course
from fedprompt.federation.simulation import Population, SimulatedSites
from fedprompt.federation.transports.transport import Delivered
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.stopping import NEVER, Stopped, StopToken
from fedprompt.strategies.fedbuff import FedBuff, discounted, staleness_weight
from fedprompt.strategies.strategy import Update
from fedprompt.study.score import Score
from fedprompt.trust.chain import follow
from fedprompt.verbs.evaluate import EvaluateTask
from fedprompt.verbs.score import ScoreReply
from fedprompt.verbs.tune import TuneReply, TuneTask
from fedprompt.verbs.wire import pack_reply, unpack_task
from tests.coded import coded
from tests.scripted_sites import STUDY, study

DIGEST = "s1:" + "0" * 32


class Memory:
    """Keeps rounds, plans and arrivals; interrupts after so many arrivals."""

    def __init__(self, stop: int | None = None) -> None:
        self.records: list[RoundRecord] = []
        self.plans: dict[int, Mapping[str, Any]] = {}
        self.arrivals: list[Arrival] = []
        self.stop = stop

    def written(self) -> Sequence[RoundRecord]:
        return tuple(self.records)

    def begin(self, number: int, plan: Mapping[str, Any]) -> None:
        self.plans.setdefault(number, plan)

    def write(self, record: RoundRecord) -> None:
        self.records.append(record)

    def arrived(self) -> Sequence[Arrival]:
        return tuple(self.arrivals)

    def add(self, number: int, arrival: Arrival) -> None:
        assert number == len(self.arrivals) + 1
        self.arrivals.append(arrival)
        if number == self.stop:
            raise KeyboardInterrupt


class Fixed:
    """Sites whose update is always the same; ``before`` is called with (site, turn) and may fail or wait."""

    def __init__(
        self, deltas: Mapping[str, list[float]], before: Callable[[str, int], None], concurrent: bool = False
    ) -> None:
        self._deltas, self._before, self.concurrent = deltas, before, concurrent

    @property
    def sites(self) -> tuple[str, ...]:
        return tuple(sorted(self._deltas))

    def ask(self, site: str, task: bytes) -> Delivered:
        message = unpack_task(task).message
        if isinstance(message, TuneTask):
            self._before(site, message.round)
            reply = TuneReply(task=message.task, round=message.round, cases=10, loss=0.5)
            data = pack_reply(reply, {"delta": np.array([self._deltas[site]], np.float32)})
        else:
            assert isinstance(message, EvaluateTask)
            (prompt,) = message.soft
            body = {"split": "validation", "metric": "accuracy", "n": 40, "groups": 40, "group_squares": 0.0}
            score = Score.model_validate({**body, "prompt": prompt, "total": 20, "squares": 20})
            data = pack_reply(ScoreReply(verb="evaluate", task=message.task, scores=(score,)), {})
        return Delivered(data, follow(message.known or "0" * 64, ()), ())


def run(
    transport: Any,
    memory: Memory,
    *,
    buffer: int = 2,
    count: int = 2,
    quorum: int | None = None,
    speed: Callable[[str, int], float] | None = None,
    controls: Controls | None = None,
    stop: StopToken = NEVER,
    **more: Any,
) -> tuple[RoundRecord, ...]:
    strategy = {"name": "fedbuff", "options": {"buffer": buffer}}
    chosen = study(rounds={"count": count, "quorum": quorum, "strategy": strategy})
    start = SoftPrompt(np.zeros((1, 2), np.float32), "m1:test")
    asking = Asking(Hub(transport, DIGEST), chosen.rounds, controls, stop=stop)
    course = Course(asking, STUDY.soft_template(), start, chosen.tuning, 0, memory, journal=memory, **more)
    return Buffered(speed).run(course)


def vectors(record: RoundRecord) -> list[list[float]]:
    assert record.prompt.soft is not None
    found: list[list[float]] = record.prompt.soft.vectors.tolist()
    return found


def nothing(site: str, turn: int) -> None:
    """Answer at once."""


def test_staleness_counts_as_in_the_paper() -> None:
    assert [staleness_weight(s) for s in (0, 3, 8)] == [1.0, 0.5, pytest.approx(1 / 3)]
    assert discounted(Update("a", np.array([[4.0]], np.float32), 9), 3).delta.tolist() == [[2.0]]


def test_each_update_counts_once_whatever_its_cases() -> None:
    start = np.ones((1, 1), np.float32)
    updates = [Update("a", np.array([[v]], np.float32), n) for v, n in ((2.0, 1), (4.0, 1000))]
    # 1 + 0.5 * (2 + 4) / 2
    assert FedBuff().aggregate(start, updates, {"buffer": 2, "lr": 0.5}, {}).vectors.tolist() == [[2.5]]
    with pytest.raises(FederationError, check=coded("no-updates")):
        FedBuff().aggregate(start, [], {"buffer": 2, "lr": 1.0}, {})
    with pytest.raises(FederationError, check=coded("wrong-shape")):
        FedBuff().aggregate(start, [Update("a", np.ones((1, 2), np.float32), 1)], {"buffer": 2, "lr": 1.0}, {})


def test_a_fast_site_goes_ahead_and_a_stale_update_counts_less() -> None:
    memory = Memory()
    deltas = {"a": [4.0, 0.0], "b": [0.0, 8.0]}
    first, second = run(Fixed(deltas, nothing), memory, speed=lambda site, turn: {"a": 1.0, "b": 3.0}[site])
    # a comes at 1 and at 2, both from the start: (4 + 4) / 2. At 3 a comes from step 1 and b, which is a step stale:
    # 4 + 4 / 2 = 6 and 8 / sqrt(2) / 2 = 2.83.
    assert vectors(first) == [[4.0, 0.0]]
    assert vectors(second) == [[6.0, pytest.approx(8 / 2**0.5 / 2)]]
    assert memory.plans[1]["staleness"] == {"a": [0, 0]} and memory.plans[2]["staleness"] == {"a": [0], "b": [1]}
    assert [(one.site, one.turn, one.version) for one in memory.arrivals] == [
        ("a", 1, 0),
        ("a", 2, 0),
        ("a", 3, 1),
        ("b", 1, 0),
    ]
    assert set(first.scores) == set(second.scores) == {"a", "b"}


def test_a_site_that_answers_at_once_counts_at_most_three_times_as_much_as_the_median_site() -> None:
    memory, sites = Memory(), {"liar": [9.0, 9.0], "b": [1.0, 0.0], "c": [0.0, 1.0]}
    run(Fixed(sites, nothing), memory, count=8, speed=lambda site, turn: 0.001 if site == "liar" else 3.0)
    came = Counter(one.site for one in memory.arrivals)
    assert came["liar"] <= 3 * min(came["b"], came["c"]) + 3 and came.total() == 16
    assert came["liar"] < 12  # without a bound it would fill every step alone


def test_a_site_that_fails_is_listed_and_asked_again_after_the_next_step() -> None:
    asked: Counter[str] = Counter()

    def before(site: str, turn: int) -> None:
        asked[site] += 1
        if site == "b" and turn == 1:
            raise FederationError("the line is dead")

    memory = Memory()
    deltas = {"a": [1.0, 0.0], "b": [0.0, 1.0], "c": [1.0, 1.0]}
    first, second = run(Fixed(deltas, before), memory, quorum=2, speed=lambda site, turn: 1.0)
    assert [(one.site, one.why) for one in first.missing] == [("b", "failed")] and not second.missing
    # a and c at 1; then a and, back again, b at 2.
    assert set(first.tuned) == {"a", "c"} and set(second.tuned) == {"a", "b"} and asked["b"] == 2


def test_where_fewer_than_the_quorum_are_left_the_run_says_so_and_can_go_on() -> None:
    broken = [True]

    def before(site: str, turn: int) -> None:
        if site == "b" and broken[0]:
            raise FederationError("the line is dead")

    memory = Memory()
    transport = Fixed({"a": [1.0, 0.0], "b": [0.0, 1.0]}, before)
    with pytest.raises(FederationError, match=r"round 1.*2 of 2", check=coded("too-few-answers")):
        run(transport, memory, buffer=3)
    broken[0] = False
    assert len(run(transport, memory, buffer=3)) == 2


@pytest.mark.parametrize("stop", range(1, 10, 2))
def test_a_run_that_stopped_after_any_arrival_ends_with_the_same_numbers(stop: int) -> None:
    def sites() -> SimulatedSites:
        return SimulatedSites(Population(count=4, tokens=1, width=2, seed=3, dropout=0.2))

    whole = run(sites(), Memory(), buffer=3, count=3, quorum=1)
    memory = Memory(stop)
    with pytest.raises(KeyboardInterrupt):
        run(sites(), memory, buffer=3, count=3, quorum=1)
    again = run(sites(), memory, buffer=3, count=3, quorum=1)
    assert [one.prompt.id for one in again] == [one.prompt.id for one in whole]
    assert [one.missing for one in again] == [one.missing for one in whole]
    assert [one.bytes for one in again] == [one.bytes for one in whole]
    assert run(sites(), memory, buffer=3, count=3, quorum=1) == again


@pytest.mark.parametrize("last", [0, 1, 2])
def test_a_run_pauses_after_a_step_and_goes_on_with_the_same_numbers(last: int) -> None:
    def sites() -> SimulatedSites:
        return SimulatedSites(Population(count=4, tokens=1, width=2, seed=3, dropout=0.0))

    whole, memory = run(sites(), Memory(), buffer=3, count=3), Memory()
    with pytest.raises(Stopped) as stopped:
        run(sites(), memory, buffer=3, count=3, pause_after=last)
    assert (stopped.value.why, len(memory.plans)) == ("paused", last)
    again = run(sites(), memory, buffer=3, count=3)
    assert [one.prompt.id for one in again] == [one.prompt.id for one in whole]
    assert run(sites(), Memory(), buffer=3, count=3, pause_after=3)[-1].prompt.id == whole[-1].prompt.id


@pytest.mark.timeout(60)
def test_side_by_side_nobody_waits_for_a_slow_site() -> None:
    ahead = threading.Event()

    def before(site: str, turn: int) -> None:
        if site == "slow":
            assert ahead.wait(30)
        elif turn == 4:
            ahead.set()

    memory = Memory()
    records = run(Fixed({"fast": [1.0, 0.0], "slow": [0.0, 1.0]}, before, True), memory, count=4)
    assert len(records) == 4 and set(records[0].tuned) == {"fast"}
    first = next((one for one in memory.arrivals if one.site == "slow"), None)
    assert first is None or (first.turn == 1 and first.version == 0)


@given(st.integers(0, 9), st.sampled_from(["a", "b", "längste"]), st.integers(1, 9))
def test_simulated_speeds_follow_from_the_seed(seed: int, site: str, turn: int) -> None:
    one = simulated_speed(seed)(site, turn)
    assert one == simulated_speed(seed)(site, turn) > 0
    assert one != simulated_speed(seed + 1)(site, turn)
