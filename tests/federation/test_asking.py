"""Whatever a run asks of its sites, it asks side by side where the transport can, and under one quorum."""

import threading
from collections.abc import Sequence

import pytest

from fedprompt.errors import FederationError
from fedprompt.federation.asking import Asking
from fedprompt.federation.hub import Hub
from fedprompt.federation.transports.transport import Delivered
from fedprompt.study.schema import Rounds
from tests.coded import coded

SITES = ("a", "b", "c", "d")


class Sites:
    """A transport that is asked for nothing but its sites."""

    sites: Sequence[str] = SITES

    def __init__(self, *, concurrent: bool) -> None:
        self.concurrent = concurrent

    def ask(self, site: str, task: bytes) -> Delivered:
        raise AssertionError("nothing is sent")


def asking(quorum: int | None = None, *, concurrent: bool = False) -> Asking:
    return Asking(Hub(Sites(concurrent=concurrent), "s1:" + "0" * 32), Rounds(quorum=quorum))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wanted", "sites", "needed"), [(None, SITES, 4), (None, "ab", 2), (3, SITES, 3), (3, "ab", 2), (9, SITES, 4)]
)
def test_the_quorum_is_the_studys_and_never_more_than_there_are(
    wanted: int | None, sites: Sequence[str], needed: int
) -> None:
    assert asking(wanted).quorum(sites) == needed


def test_sites_on_their_own_machines_are_asked_at_the_same_time() -> None:
    together = threading.Barrier(len(SITES), timeout=30)  # broken, and so failed, unless all four wait at once

    def ask(site: str) -> int:
        return together.wait()

    assert [site for site, _ in asking(concurrent=True).gather("score", ask)] == list(SITES)


def test_sites_of_one_process_are_asked_one_after_the_other() -> None:
    inside: list[str] = []

    def ask(site: str) -> str:
        inside.append(site)
        assert len(inside) == 1
        return inside.pop()

    assert [found for _, found in asking().gather("score", ask)] == list(SITES)


@pytest.mark.parametrize("concurrent", [False, True])
def test_an_answer_that_is_rejected_counts_for_no_quorum(concurrent: bool) -> None:
    gathering = asking(4, concurrent=concurrent).gather("score", str.upper)
    with pytest.raises(FederationError, match=r"of 4 .*\b4\b", check=coded("too-few-answers")):
        for site, _ in gathering:
            if site == "b":
                gathering.reject(site, FederationError("another method"))
    assert [(one.site, one.step, one.why) for one in gathering.missing] == [("b", "score", "failed")]


def test_nobody_is_asked_any_more_once_the_quorum_cannot_be_met() -> None:
    asked = []

    def ask(site: str) -> str:
        asked.append(site)
        raise FederationError(f"site '{site}' is gone")

    with pytest.raises(FederationError, match=r"0 of 4.*3.*'b'", check=coded("too-few-answers")):
        list(asking(3).gather("test", ask))
    assert asked == ["a", "b"]  # one of four may fail
