"""A question and its answer cross a socket file as they are, and whoever asks learns that nobody is there."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from fedprompt.federation.transports.flare.link import LinkDown, LinkServer, ask
from tests.coded import coded


@pytest.fixture
def path() -> Iterator[Path]:
    with TemporaryDirectory(prefix="fedprompt-") as folder:  # pytest's own may be too long for a socket's path
        yield Path(folder) / "s"


def test_a_header_and_a_body_cross_both_ways(path: Path) -> None:
    with LinkServer(path, lambda header, body: ({"said": header["say"]}, body[::-1])):
        assert path.stat().st_mode & 0o077 == 0
        for body in (b"", b"abc", bytes(300_000)):
            assert ask(path, {"say": "hello"}, body, timeout=5) == ({"said": "hello"}, body[::-1])


def test_several_ask_at_a_time(path: Path) -> None:
    both = threading.Barrier(2, timeout=5)

    def answer(header: object, body: bytes) -> tuple[dict[str, str], bytes]:
        both.wait()  # neither is answered before both have asked
        return {}, body

    found: list[bytes] = []
    with LinkServer(path, answer):
        askers = [
            threading.Thread(target=lambda n=n: found.append(ask(path, {}, n, timeout=5)[1])) for n in (b"a", b"b")
        ]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
    assert sorted(found) == [b"a", b"b"]


def test_nobody_there_late_or_gone_is_one_error(path: Path) -> None:
    with pytest.raises(LinkDown, check=coded("link-down")):
        ask(path, {}, timeout=1)
    stop = threading.Event()
    with LinkServer(path, lambda header, body: ((stop.wait(5) and {}) or {}, b"")):
        with pytest.raises(LinkDown, check=coded("no-answer-in-time")):
            ask(path, {}, timeout=0.05)
        stop.set()


def test_a_question_that_is_none_does_not_end_the_server(path: Path) -> None:
    with LinkServer(path, lambda header, body: ({}, b"yes")):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as raw:
            raw.connect(str(path))
            raw.sendall(b"\x00\x00\x00\x02{]")
        assert ask(path, {}, timeout=5)[1] == b"yes"
