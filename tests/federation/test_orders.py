"""Orders are followed for the step that they were meant for, never under the quorum, and are answered either way."""

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from fedprompt.errors import FederationError
from fedprompt.federation import gathering
from fedprompt.federation.gathering import Gathering
from fedprompt.federation.orders import Controls, Order, Taken, What
from fedprompt.federation.round_record import RoundRecord, best_round
from fedprompt.federation.rounds import run_rounds
from tests.federation.test_rounds import START, Memory, hub
from tests.scripted_sites import STUDY, study

pytestmark = pytest.mark.whole

SITES = ("a", "b", "c", "d")
AT = "2026-11-22T14:03:00+00:00"


class Steps(Memory):
    """Keeps rounds whose plans come before any of them is written."""

    def begin(self, number: int, plan: Mapping[str, Any]) -> None:
        self.plans[number] = plan


def order(what: What, **more: Any) -> Order:
    return Order(id="o-" + "0" * 32, what=what, by="ada", at=AT, **more)


class Counter:
    """A desk whose orders come when the test says so; ``when`` is asked at each look what comes then."""

    def __init__(self, when: Callable[["Counter"], Sequence[Order]] = lambda desk: ()) -> None:
        self._when = when
        self.state: Mapping[str, Any] = {}
        self.answers: list[Taken] = []
        self.out: dict[str, Order] = {}

    def new(self) -> Sequence[Order]:
        return self._when(self)

    def left_out(self) -> Mapping[str, Order]:
        return self.out

    def answer(self, taken: Taken) -> None:
        self.answers.append(taken)

    def show(self, state: Mapping[str, Any] | None) -> None:
        self.state = state or {}

    @property
    def said(self) -> list[tuple[bool, str]]:
        return [(one.done, one.said) for one in self.answers]


def side_by_side(
    desk: Counter, slow: Sequence[str], quorum: int, deadline: float | None = 60.0, least: int = 2
) -> tuple[Gathering[str], threading.Event]:
    """Gather from four sites, of which the slow ones answer once the event is set."""
    go = threading.Event()

    def ask(site: str) -> str:
        if site in slow:
            go.wait(30)
        return site.upper()

    controls = Controls(desk, SITES, least)
    return (
        Gathering(SITES, ask, step="tune", quorum=quorum, deadline=deadline, concurrent=True, controls=controls),
        go,
    )


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "POLL", 0.01)


def once(ready: Callable[[Counter], bool], make: Callable[[Counter], Order]) -> Callable[[Counter], Sequence[Order]]:
    """Give one order at the first look at which something is so."""

    def when(desk: Counter) -> Sequence[Order]:
        return [make(desk)] if not desk.answers and ready(desk) else []

    return when


def came(count: int) -> Callable[[Counter], bool]:
    return lambda desk: len(desk.state.get("came", ())) == count


def token(desk: Counter) -> str:
    return str(desk.state["token"])


def test_a_closed_step_goes_on_with_who_answered() -> None:
    desk = Counter(once(came(3), lambda d: order("close", token=token(d))))
    asked, go = side_by_side(desk, "c", quorum=3)
    assert list(asked) == [("a", "A"), ("b", "B"), ("d", "D")]
    assert [(m.site, m.step, m.why, m.reason) for m in asked.missing] == [("c", "tune", "closed", gathering.CLOSED)]
    assert [done for done, _ in desk.said] == [True] and desk.said[0][1].endswith(" c") and desk.state == {}
    go.set()


def test_closing_under_the_quorum_is_refused_and_nothing_is_lost() -> None:
    desk = Counter(once(came(2), lambda d: order("close", token=token(d))))
    asked, go = side_by_side(desk, "cd", quorum=3)
    threading.Timer(0.3, go.set).start()
    assert [site for site, _ in asked] == list(SITES) and not asked.missing
    # Two of four have answered, three are needed.
    ((done, said),) = desk.said
    assert not done and re.findall(r"\d", said) == ["2", "4", "3"]


def test_a_site_that_is_left_out_leaves_the_quorum_with_it() -> None:
    desk = Counter(once(came(3), lambda d: order("leave-out", site="b")))
    asked, go = side_by_side(desk, "b", quorum=4)
    assert [site for site, _ in asked] == ["a", "c", "d"]  # all four were needed, now all three
    (one,) = asked.missing
    assert (one.site, one.why) == ("b", "left-out")
    assert one.reason.endswith("(ada) on 2026-11-22 14:03 UTC")
    assert asked.quorum == 3
    go.set()


def test_a_quorum_that_the_study_names_is_not_lowered_by_leaving_out() -> None:
    desk = Counter(once(came(2), lambda d: order("leave-out", site="c")))
    asked, go = side_by_side(desk, "cd", quorum=3, least=3)
    threading.Timer(0.3, go.set).start()
    assert [site for site, _ in asked] == ["a", "b", "d"] and asked.quorum == 3
    refused = Counter(lambda d: [order("leave-out", site="b")] if not d.answers else [])
    controls = Controls(refused, ("a", "b", "c"), 3)
    controls.look(None)
    assert refused.said[0][0] is False
    assert re.findall(r"'b'|\d", refused.said[0][1]) == ["'b'", "2", "3"]


def test_waiting_longer_admits_a_site_that_would_have_been_late() -> None:
    desk = Counter(once(came(3), lambda d: order("wait", token=token(d), seconds=30.0)))
    asked, go = side_by_side(desk, "d", quorum=3, deadline=0.4)
    threading.Timer(0.8, go.set).start()
    assert [site for site, _ in asked] == list(SITES) and not asked.missing
    ((done, said),) = desk.said
    assert done and " 30 s " in said  # 0.4 + 30


def test_there_is_nothing_to_lengthen_where_nobody_is_late() -> None:
    desk = Counter(once(came(3), lambda d: order("wait", token=token(d), seconds=30.0)))
    asked, go = side_by_side(desk, "d", quorum=4, deadline=None)
    threading.Timer(0.2, go.set).start()
    assert len(list(asked)) == 4
    assert desk.said[0][0] is False


def test_an_order_for_another_step_is_refused() -> None:
    desk = Counter(once(came(3), lambda d: order("close", token="f" * 16)))
    asked, go = side_by_side(desk, "d", quorum=3)
    threading.Timer(0.2, go.set).start()
    assert len(list(asked)) == 4
    assert [done for done, _ in desk.said] == [False]


def test_sites_asked_in_turn_are_closed_between_two_of_them() -> None:
    now = [0.0]

    def ask(site: str) -> str:
        now[0] += 20.0
        return site.upper()

    desk = Counter(once(came(2), lambda d: order("close", token=token(d))))
    controls = Controls(desk, SITES, 2)
    asked = Gathering(SITES, ask, step="evaluate", quorum=2, deadline=60.0, clock=lambda: now[0], controls=controls)
    assert [site for site, _ in asked] == ["a", "b"] and now == [40.0]
    assert [(m.site, m.why) for m in asked.missing] == [("c", "closed"), ("d", "closed")]


def test_a_late_answer_of_a_site_asked_in_turn_counts_once_the_deadline_is_longer() -> None:
    now = [0.0]

    def ask(site: str) -> str:
        now[0] += 50.0 if site == "b" else 1.0
        return site.upper()

    def make(seconds: float) -> list[str]:
        now[0] = 0.0
        desk = Counter(once(came(2), lambda d: order("wait", token=token(d), seconds=seconds)))
        asked = Gathering(
            SITES,
            ask,
            step="tune",
            quorum=3,
            deadline=10.0,
            clock=lambda: now[0],
            controls=Controls(desk, SITES, 2),
        )
        return [site for site, _ in asked]

    assert make(45.0) == ["a", "c", "d", "b"]  # 50 s of 55
    assert make(30.0) == ["a", "c", "d"]  # of 40


@pytest.mark.parametrize(
    "words",
    [
        {"what": "close"},
        {"what": "wait", "token": "0" * 16},
        {"what": "wait", "token": "0" * 16, "seconds": float("inf")},
        {"what": "wait", "token": "0" * 16, "seconds": -1.0},
        {"what": "leave-out"},
        {"what": "leave-out", "site": "a", "token": "0" * 16},
        {"what": "close", "token": "0" * 16, "note": "hello"},
        {"what": "shoot", "site": "a"},
    ],
)
def test_an_order_that_is_not_whole_is_none(words: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Order(id="o-" + "0" * 32, at=AT, **words)


def test_taking_back_who_takes_part_and_leaving_out_twice_are_refused() -> None:
    given = [order("take-back", site="a"), order("leave-out", site="a"), order("leave-out", site="a")]
    given += [order("take-back", site="a"), order("leave-out", site="x")]
    desk = Counter(lambda d: given if not d.answers else [])
    controls = Controls(desk, SITES, 2)
    controls.look(None)
    assert [done for done, _ in desk.said] == [False, True, False, True, False]
    assert desk.said[0][1] == "'a' is not excluded" and "there is no site 'x'" in desk.said[4][1]
    assert not controls.left_out and len(controls.since()) == 5 and controls.since() == ()


def test_where_nobody_waits_a_site_that_is_left_out_counts_for_nothing(tmp_path: Path) -> None:
    desk = Counter()
    desk.out = {"court": order("leave-out", site="court")}
    rounds = {"count": 2, "strategy": {"name": "fedbuff", "options": {"buffer": 2}}}
    writer = Steps()
    records = run_rounds(
        hub(tmp_path),
        STUDY.soft_template(),
        START,
        rounds=study(rounds=rounds).rounds,
        tuning=STUDY.tuning,
        seed=0,
        writer=writer,
        controls=Controls(desk, ("bank", "clinic", "court"), 1),
    )
    for record in records:
        assert set(record.scores) == {"bank", "clinic"} and "court" not in record.tuned
        assert {(one.site, one.why) for one in record.missing} == {("court", "left-out")}
    assert [(plan["sites"], plan["quorum"]) for plan in writer.plans.values()] == [(["bank", "clinic"], 2)] * 2


def test_the_round_to_keep_is_judged_by_the_sites_that_are_left() -> None:
    def record(number: int, **right: int) -> RoundRecord:
        from fedprompt.study.score import Score

        def score(total: int) -> Score:
            body = {"prompt": "p1:" + "0" * 32, "split": "validation", "metric": "accuracy", "n": 10}
            more = {"total": total, "squares": total, "groups": 10, "group_squares": total * (1 - total / 10)}
            return Score.model_validate({**body, **more})

        scores = {site: score(total) for site, total in right.items()}
        return RoundRecord(number, None, scores, (), 0, {})  # type: ignore[arg-type]

    records = [record(1, a=5, b=9, c=9), record(2, a=7, b=7), record(3, a=6, b=9)]
    assert best_round(records).number == 1  # three sites scored it
    assert best_round(records, {"c"}).number == 3  # (6 + 9) / 2 against 7 and 7
    with pytest.raises(FederationError):
        best_round([], {"c"})
