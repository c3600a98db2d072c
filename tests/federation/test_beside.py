"""Whoever ends a federation while sites are at work ends it at once: no thread keeps an error or a cancellation."""

import threading
from collections.abc import Callable, Iterator
from queue import Empty
from typing import Any

import pytest

from fedprompt.errors import FederationError
from fedprompt.federation.beside import Beside
from fedprompt.federation.gathering import Gathering
from fedprompt.federation.transports.transport import Delivered
from fedprompt.workspace.progress import Paused
from tests.federation.test_buffered import Fixed, Memory, run

pytestmark = pytest.mark.timeout(20)  # what a lost cancellation would wait for is an hour
ENDINGS = (Paused, KeyboardInterrupt, SystemExit, GeneratorExit)
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

    def __init__(self, over: threading.Event, raises: type[BaseException] | None = None) -> None:
        self._over, self._raises = over, raises

    def ask(self, site: str, task: bytes) -> Delivered:
        if self._raises is not None and site == "b":
            raise self._raises
        self._over.wait(HOUR)
        raise FederationError("too late")


def ends(kind: type[BaseException], after: int) -> Callable[..., None]:
    """Return a listener that ends the work when it is told for the last of so many times."""
    heard: list[object] = []

    def tell(*told: object) -> None:
        heard.append(told)
        if len(heard) > after:
            raise kind

    return tell


@pytest.mark.parametrize("kind", ENDINGS)
@pytest.mark.parametrize("after", [0, 2, 4])
def test_fedbuff_ends_when_it_is_told_to_though_every_site_is_at_work(
    over: threading.Event, kind: type[BaseException], after: int
) -> None:
    def before(site: str, turn: int) -> None:
        over.wait(HOUR)

    sites = Fixed({"a": [1.0, 0.0], "b": [0.0, 1.0], "c": [1.0, 1.0]}, before, concurrent=True)
    with pytest.raises(kind):
        run(sites, Memory(), progress=ends(kind, after))


@pytest.mark.parametrize("kind", ENDINGS)
def test_what_a_sites_thread_raises_ends_fedbuff(over: threading.Event, kind: type[BaseException]) -> None:
    def before(site: str, turn: int) -> None:
        if site == "b":
            raise kind
        over.wait(HOUR)

    with pytest.raises(kind):
        run(Fixed({"a": [1.0], "b": [1.0]}, before, concurrent=True), Memory())


@pytest.mark.parametrize("kind", ENDINGS)
def test_a_gathering_ends_when_its_listener_or_a_thread_ends_it(
    over: threading.Event, kind: type[BaseException]
) -> None:
    def gathered(slow: Slow, told: Any) -> None:
        ask = lambda site: slow.ask(site, b"")  # noqa: E731
        list(Gathering(Slow.sites, ask, step="tune", quorum=3, deadline=None, concurrent=True, told=told))

    with pytest.raises(kind):
        gathered(Slow(over), ends(kind, 3))
    with pytest.raises(kind):
        gathered(Slow(over, kind), None)


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
    with pytest.raises(FederationError, match="site 'a' could not be asked: this machine starts no more threads"):
        Beside[int]().start("a", int)
