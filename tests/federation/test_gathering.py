"""A gathering closes at the deadline with a quorum, waits without one, and says why every other site is missing."""

import threading
import time
from collections.abc import Callable

import pytest

from fedprompt.errors import FederationError, LedgerError, SiteRefused
from fedprompt.federation import gathering
from fedprompt.federation.gathering import Gathering
from tests.coded import coded

pytestmark = pytest.mark.whole

SITES = ("a", "b", "c", "d")


def gather(
    ask: Callable[[str], str], *, quorum: int, deadline: float | None = None, concurrent: bool = False
) -> Gathering[str]:
    return Gathering(SITES, ask, step="tune", quorum=quorum, deadline=deadline, concurrent=concurrent)


def slow(**seconds: float) -> Callable[[str], str]:
    def ask(site: str) -> str:
        time.sleep(seconds.get(site, 0.0))
        return site.upper()

    return ask


def one_by_one(quorum: int, deadline: float, **seconds: float) -> Gathering[str]:
    """Sites asked in turn that take so long by a clock of their own; the others take a second."""
    now = [0.0]

    def ask(site: str) -> str:
        now[0] += seconds.get(site, 1.0)
        return site.upper()

    return Gathering(SITES, ask, step="tune", quorum=quorum, deadline=deadline, clock=lambda: now[0])


def failing(*sites: str) -> Callable[[str], str]:
    def ask(site: str) -> str:
        if site in sites:
            raise SiteRefused(f"site '{site}' refused") if site == "d" else LedgerError(f"site '{site}' is gone")
        return site.upper()

    return ask


@pytest.mark.parametrize("concurrent", [False, True])
def test_all_answer_in_the_order_of_sites(concurrent: bool) -> None:
    asked = gather(slow(a=0.05, b=0.02), quorum=4, deadline=30, concurrent=concurrent)
    assert list(asked) == [("a", "A"), ("b", "B"), ("c", "C"), ("d", "D")]
    assert not asked.missing and set(asked.seconds) == set(SITES) and asked.seconds["a"] >= 0.05


@pytest.mark.parametrize("concurrent", [False, True])
def test_who_fails_and_who_refuses_is_listed(concurrent: bool) -> None:
    asked = gather(failing("b", "d"), quorum=2, deadline=30, concurrent=concurrent)
    assert [site for site, _ in asked] == ["a", "c"]
    assert [(one.site, one.why, one.reason) for one in asked.missing] == [
        ("b", "failed", "site 'b' is gone"),
        ("d", "refused", "site 'd' refused"),
    ]


@pytest.mark.parametrize("concurrent", [False, True])
def test_below_the_quorum_it_fails_with_the_reason(concurrent: bool) -> None:
    with pytest.raises(FederationError, match=r"2 of 4.*3.*'d'", check=coded("too-few-answers")):
        list(gather(failing("b", "d"), quorum=3, deadline=30, concurrent=concurrent))


def test_a_late_site_is_left_out_where_the_quorum_is_met() -> None:
    asked = one_by_one(3, 10.0, b=30.0)
    assert [site for site, _ in asked] == ["a", "c", "d"]
    (one,) = asked.missing
    assert (one.site, one.step, one.why) == ("b", "tune", "late")
    assert one.reason == "site 'b' was late: it answered after 30 s"
    # How long it took is known all the same, so that the next deadline can admit it.
    assert asked.seconds["b"] == 30.0


def test_a_late_site_is_not_waited_for_where_sites_work_side_by_side() -> None:
    finish = threading.Event()

    def ask(site: str) -> str:
        if site == "b":
            finish.wait(20)
        return site.upper()

    asked = gather(ask, quorum=3, deadline=0.5, concurrent=True)
    assert [site for site, _ in asked] == ["a", "c", "d"]
    assert "b" not in asked.seconds, "it waited for the late one"
    assert [(one.site, one.why) for one in asked.missing] == [("b", "late")]
    finish.set()
    for _ in range(200):
        if "b" in asked.seconds:
            break
        time.sleep(0.02)
    assert asked.seconds["b"] >= 0.5


def test_without_a_quorum_the_earliest_of_the_late_are_admitted_last() -> None:
    asked = one_by_one(3, 10.0, a=45.0, b=20.0, c=30.0)
    assert [site for site, _ in asked] == ["d", "b", "c"]
    assert [one.site for one in asked.missing] == ["a"]


def test_without_a_quorum_late_sites_are_waited_for_side_by_side() -> None:
    finish = threading.Event()

    def ask(site: str) -> str:
        if site == "a":
            finish.wait(20)
        time.sleep({"b": 0.8, "c": 0.5}.get(site, 0.0))
        return site.upper()

    asked = gather(ask, quorum=3, deadline=0.3, concurrent=True)
    assert [site for site, _ in asked] == ["d", "b", "c"]
    assert [one.site for one in asked.missing] == ["a"]
    finish.set()


def test_where_all_are_needed_none_is_late() -> None:
    asked = one_by_one(4, 10.0, a=99.0)
    assert [site for site, _ in asked] == list(SITES) and not asked.missing
    side_by_side = gather(slow(a=0.3), quorum=4, deadline=0.05, concurrent=True)
    assert [site for site, _ in side_by_side] == list(SITES) and not side_by_side.missing


def test_a_site_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "PATIENCE", 4)
    never = threading.Event()

    def ask(site: str) -> str:
        if site == "c":
            never.wait(5)
        return site

    asked = gather(ask, quorum=4, deadline=0.1, concurrent=True)
    with pytest.raises(FederationError, match=r"3 of 4.*4.*'c'", check=coded("too-few-answers")):
        list(asked)
    never.set()


def test_an_error_nobody_thought_of_is_a_site_that_failed() -> None:
    def ask(site: str) -> str:
        if site == "b":
            raise RuntimeError("private words")
        return site

    asked = gather(ask, quorum=3, deadline=5, concurrent=True)
    assert len(list(asked)) == 3
    assert asked.missing[0].reason == "site 'b' could not be asked (RuntimeError)"


def test_it_tells_whom_it_asks() -> None:
    told: list[str] = []
    list(Gathering(SITES, str.upper, step="evaluate", quorum=4, deadline=None, told=told.append))
    assert told == list(SITES)
