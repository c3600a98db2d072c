"""A server that speaks the chat completions protocol on 127.0.0.1, and fails as real ones do when told to.

It answers by the shipped lexicon: a text with a good word is positive. What it was sent is kept, so that a test can
say what left.
"""

import json
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from fedprompt.models.scripted_words import NEGATIVE, POSITIVE

__all__ = ["ChatServer", "Sent", "serve", "write_models"]

KEY = "sk-secret-of-the-tests"


@dataclass(frozen=True)
class Sent:
    """One request's headers and body."""

    headers: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def text(self) -> str:
        """All messages' texts."""
        return "\n".join(str(message["content"]) for message in self.body["messages"])


@dataclass
class ChatServer:
    """``answer`` makes the text out of a request; ``trouble`` says for the nth request (from 1) what goes wrong.

    Troubles: an HTTP status (429 and 503 with Retry-After), ``slow``, ``cut`` (the connection ends), ``html``,
    ``no choices``, ``null``, ``filtered``, ``redirect``; of an answer in pieces also ``broken off`` (the connection
    ends after the first), ``unfinished`` (it never says that it is whole) and ``whole`` (it comes in one piece).
    ``calls`` are (tool, arguments) that it asks for where it is offered tools.
    Pieces are words, ``between`` seconds apart; ``pieces`` counts those that were taken.
    """

    answer: Callable[[Mapping[str, Any]], str]
    logprobs: bool = True
    usage: bool = True
    trouble: Callable[[int, Mapping[str, Any]], object] = lambda number, body: None
    pause: float = 0.0
    between: float = 0.0
    pieces: int = 0
    elsewhere: str = ""
    calls: tuple[tuple[str, str], ...] = ()
    sent: list[Sent] = field(default_factory=list)
    most_at_once: int = 0
    times: list[float] = field(default_factory=list)
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)
    _now: int = 0

    def enter(self, headers: Mapping[str, str], body: Mapping[str, Any]) -> int:
        """Take note of a request and return its number."""
        with self.lock:
            self.sent.append(Sent(headers, body))
            self.times.append(time.monotonic())
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            return len(self.sent)

    def leave(self) -> None:
        """Take note of a request's end."""
        with self.lock:
            self._now -= 1


def by_lexicon(body: Mapping[str, Any]) -> str:
    """Return ``Positive`` or ``Negative`` for the last message's words."""
    words = set(str(body["messages"][-1]["content"]).lower().replace("\n", " ").split())
    return "Positive" if len(words & POSITIVE - {"positive"}) >= len(words & NEGATIVE - {"negative"}) else "Negative"


@contextmanager
def serve(answer: Callable[[Mapping[str, Any]], str] = by_lexicon, **more: Any) -> Iterator[ChatServer]:
    """Start a server on a free port and stop it at the end."""
    state = ChatServer(answer, **more)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            known = self.path == "/v1/models"
            self._write(
                200 if known else 404, json.dumps({"object": "list", "data": [{"id": "tiny"}]} if known else {})
            )

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            number = state.enter(dict(self.headers), body)
            try:
                time.sleep(state.pause)
                self._reply(state.trouble(number, body), body)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the client gave up first, as it should on a slow answer
            finally:
                state.leave()

        def _reply(self, trouble: object, body: Mapping[str, Any]) -> None:
            if isinstance(trouble, int):
                wait = {"Retry-After": "0.05"} if trouble in (429, 503) else {}
                said = {"error": {"message": f"no: {body['messages'][-1]['content']} {KEY}", "type": "x", "code": None}}
                return self._write(trouble, json.dumps(said), wait)
            if trouble == "slow":
                time.sleep(1.0)
            elif trouble == "cut":
                self.close_connection = True
                return None
            elif trouble == "html":
                return self._write(200, "<html>login</html>", kind="text/html")
            elif trouble == "redirect":
                return self._write(307, "", {"Location": state.elsewhere})
            text = state.answer(body)
            if body.get("stream") and trouble not in ("whole", "no choices", "null"):
                return self._stream(trouble, body, text)
            said = _completion(state, body, text)
            if trouble == "no choices":
                said["choices"] = []
            elif trouble == "null":
                said["choices"] = None
            elif trouble == "filtered":
                said["choices"][0]["finish_reason"] = "content_filter"
            return self._write(200, json.dumps(said))

        def _stream(self, trouble: object, body: Mapping[str, Any], text: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for place, piece in enumerate(text.split(" ")):
                self._event({"choices": [_piece({"content": piece if not place else f" {piece}"}, None)]})
                state.pieces += 1
                if trouble == "broken off":
                    self.close_connection = True
                    return
                time.sleep(state.between)
            if called := _called(state, body):
                parts = [{"index": place, **one} for place, one in enumerate(called)]
                self._event({"choices": [_piece({"tool_calls": parts}, None)]})
            if trouble != "unfinished":
                self._event({"choices": [_piece({}, "content_filter" if trouble == "filtered" else "stop")]})
            if state.usage and (body.get("stream_options") or {}).get("include_usage"):
                self._event({"choices": [], "usage": _usage(body, text)})
            self._chunk(b"data: [DONE]\n\n")
            self._chunk(b"")

        def _event(self, more: Mapping[str, Any]) -> None:
            head = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m"}
            self._chunk(b"data: " + json.dumps({**head, **more}).encode() + b"\n\n")

        def _chunk(self, data: bytes) -> None:
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            self.wfile.flush()

        def _write(
            self, status: int, text: str, headers: Mapping[str, str] | None = None, kind: str = "application/json"
        ) -> None:
            data = text.encode()
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, *_: Any) -> None:
            """Say nothing of clients that hung up."""

    server = Server(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _completion(state: ChatServer, body: Mapping[str, Any], text: str) -> dict[str, Any]:
    choice: dict[str, Any] = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    if called := _called(state, body):
        choice["message"]["tool_calls"] = called
    if body.get("logprobs") and state.logprobs:
        other = "Negative" if text.startswith("P") else "Positive"
        top = [(text[:3], 0.7), (f" {text.lower()}", 0.1), (other, 0.15), ("The", 0.04)]
        listed = [{"token": token, "logprob": math.log(share), "bytes": None} for token, share in top]
        choice["logprobs"] = {"content": [{**listed[0], "top_logprobs": listed[: body["top_logprobs"]]}]}
    found: dict[str, Any] = {"id": "c", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
    if state.usage:
        found["usage"] = _usage(body, text)
    return found


def _called(state: ChatServer, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    calls = state.calls if body.get("tools") else ()
    return [
        {"id": f"c{place}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for place, (name, arguments) in enumerate(calls)
    ]


def _piece(delta: Mapping[str, Any], reason: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": dict(delta), "finish_reason": reason}


def _usage(body: Mapping[str, Any], text: str) -> dict[str, int]:
    read = sum(len(str(message["content"]).split()) for message in body["messages"])
    written = len(text.split())
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def write_models(home: Path, url: str, more: str = "", top: str = "") -> Path:
    """Write a ``models.toml`` that names the server ``chat:local``; return its path."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = home / "models.toml"
    path.write_text(f'{top}\n[chat.local]\nmodel = "openai:tiny"\nbase_url = "{url}"\n{more}\n', encoding="utf-8")
    path.chmod(0o600)
    return path
