"""Whoever ends a federation while sites are at work ends it at once: no thread keeps an error or a cancellation."""

import threading
from collections.abc import Iterator
from queue import Empty
from typing import Any

import pytest

from fedprompt.errors import FederationError
from fedprompt.federation.beside import Beside
from fedprompt.federation.gathering import Gathering
from fedprompt.federation.transports.transport import Delivered
from fedprompt.stopping import NEVER, Stopped, StopToken, Why
from tests.coded import coded
from tests.federation.test_buffered import Fixed, Memory, run

pytestmark = pytest.mark.timeout(20)  # what a lost cancellation would wait for is an hour
ENDINGS = (Stopped("cancelled"), KeyboardInterrupt(), SystemExit(), GeneratorExit())
HOUR = 3600.0


@pytest.fixture
def over() -> Iterator[threading.Event]:
    """Give an event that lets the sites go when the test is over."""
    event = threading.Event()
    yield event
    event.set()


class Slow:
    """Three sites that answer in an hour."""

    concurrent = True
    sites = ("a", "b", "c")

    def __init__(self, over: threading.Event, raises: BaseException | None = None) -> None:
        self._over, self._raises = over, raises

    def ask(self, site: str, task: bytes) -> Delivered:
        if self._raises is not None and site == "b":
            raise self._raises
        self._over.wait(HOUR)
        raise FederationError("too late")


def asked_later(after: int) -> StopToken:
    """Return a token that ends the work when it is looked at for the last of so many times."""
    looks: list[int] = []

    def asked() -> Why | None:
        looks.append(1)
        return "cancelled" if len(looks) > after else None

    return StopToken(asked, every=0)


@pytest.mark.parametrize("after", [0, 2, 4])
def test_fedbuff_ends_when_it_is_told_to_though_every_site_is_at_work(over: threading.Event, after: int) -> None:
    def before(site: str, turn: int) -> None:
        over.wait(HOUR)

    sites = Fixed({"a": [1.0, 0.0], "b": [0.0, 1.0], "c": [1.0, 1.0]}, before, concurrent=True)
    with pytest.raises(Stopped):
        run(sites, Memory(), stop=asked_later(after))


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda one: type(one).__name__)
def test_what_a_sites_thread_raises_ends_fedbuff(over: threading.Event, ending: BaseException) -> None:
    def before(site: str, turn: int) -> None:
        if site == "b":
            raise ending
        over.wait(HOUR)

    with pytest.raises(type(ending)):
        run(Fixed({"a": [1.0], "b": [1.0]}, before, concurrent=True), Memory())


def gathered(slow: Slow, stop: StopToken = NEVER, *, concurrent: bool = True) -> list[Any]:
    ask = lambda site: slow.ask(site, b"")  # noqa: E731
    return list(Gathering(Slow.sites, ask, step="tune", quorum=3, deadline=None, concurrent=concurrent, stop=stop))


@pytest.mark.parametrize("after", [0, 3])
def test_a_gathering_ends_when_it_is_told_to_though_every_site_is_at_work(over: threading.Event, after: int) -> None:
    with pytest.raises(Stopped):
        gathered(Slow(over), asked_later(after))


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda one: type(one).__name__)
def test_a_gathering_ends_with_what_a_sites_thread_raises(over: threading.Event, ending: BaseException) -> None:
    with pytest.raises(type(ending)):
        gathered(Slow(over, ending))


def test_one_after_the_other_no_site_is_asked_once_the_work_is_to_end() -> None:
    asked: list[str] = []
    stop = StopToken(lambda: "cancelled" if len(asked) == 2 else None, every=0)
    with pytest.raises(Stopped):
        list(Gathering("abc", asked.append, step="tune", quorum=3, deadline=None, stop=stop))
    assert asked == ["a", "b"]


def test_an_error_comes_with_its_site_and_nothing_comes_early(over: threading.Event) -> None:
    def fail() -> int:
        raise ValueError("no")

    calls: Beside[int] = Beside()
    calls.start("a", lambda: 1 if over.wait(HOUR) else 0)
    calls.start("b", fail)
    ended = calls.next(None)
    assert (ended.site, ended.found, type(ended.error)) == ("b", None, ValueError)
    with pytest.raises(Empty):
        calls.next(0.01)
    over.set()
    assert calls.next(None).found == 1


def test_a_machine_that_starts_no_more_threads_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", full)
    with pytest.raises(FederationError, match="'a'", check=coded("no-more-threads")):
        Beside[int]().start("a", int)
