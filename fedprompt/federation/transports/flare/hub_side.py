"""What NVFLARE runs at the hub: a relay between the sites and whoever runs the rounds, for as long as a job lives.

One job is one open session. Questions come over a socket file; each is a task for one site, several at a time, and is
answered with the site's bytes or with a word that says why there are none.
"""

import hashlib
import logging
import os
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from nvflare.apis.client import Client
from nvflare.apis.controller_spec import ClientTask, Task
from nvflare.apis.dxo import DXO, DataKind, from_shareable
from nvflare.apis.fl_constant import ReturnCode
from nvflare.apis.fl_context import FLContext
from nvflare.apis.impl.controller import Controller
from nvflare.apis.shareable import Shareable
from nvflare.apis.signal import Signal

from fedprompt.federation.transports.flare.address import HUB_SOCKETS, socket_of
from fedprompt.federation.transports.flare.envelope import checked_reply
from fedprompt.federation.transports.flare.link import Header, LinkServer

__all__ = ["HubRelay"]

IDLE_SECONDS = 900.0
log = logging.getLogger(__name__)


class HubRelay(Controller):  # type: ignore[misc]
    """Lives until it is told to stop, or was asked nothing for a quarter of an hour."""

    def __init__(self) -> None:
        super().__init__(task_check_period=0.02)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._waiting: dict[tuple[str, str], _Waiting] = {}
        self._asked = 0
        self._last = time.monotonic()

    def start_controller(self, fl_ctx: FLContext) -> None:
        """Nothing to prepare."""

    def stop_controller(self, fl_ctx: FLContext) -> None:
        """Nothing to put away."""

    def process_result_of_unknown_task(
        self, client: Client, task_name: str, client_task_id: str, result: Shareable, fl_ctx: FLContext
    ) -> None:
        """Drop what comes after nobody waits for it; the site sends it again when it is asked again."""

    def control_flow(self, abort_signal: Signal, fl_ctx: FLContext) -> None:
        """Listen until told to stop."""
        with LinkServer(socket_of(os.environ[HUB_SOCKETS], fl_ctx.get_job_id()), self._answer):
            while not (abort_signal.triggered or self._stop.is_set()):
                if not self._asked and time.monotonic() - self._last > IDLE_SECONDS:
                    return
                self._stop.wait(0.1)

    def _answer(self, header: Header, body: bytes) -> tuple[Header, bytes]:
        if header.get("stop"):
            self._stop.set()
            return {}, b""
        if header.get("sites"):
            return {"sites": sorted(client.name for client in self._engine.get_clients())}, b""
        self._asked += 1
        try:
            kind = "release" if header.get("kind") == "release" else "ask"
            return self._carry(str(header["site"]), float(header["seconds"]), float(header["wait"]), body, kind)
        finally:
            self._asked -= 1
            self._last = time.monotonic()

    def _carry(self, site: str, seconds: float, wait: float, body: bytes, kind: str) -> tuple[Header, bytes]:
        """Answer within ``wait`` seconds, if only with "pending"; asked again, it goes on waiting for the same task."""
        key = (site, hashlib.sha256(body).hexdigest())
        with self._lock:
            if key not in self._waiting:
                if site not in {client.name for client in self._engine.get_clients()}:
                    return {"error": "absent"}, b""
                self._waiting[key] = self._send(site, seconds, body, kind)
            waiting = self._waiting[key]
        if not waiting.over.wait(wait):
            return {"error": "pending"}, b""
        with self._lock:
            self._waiting.pop(key, None)
        return {k: v for k, v in waiting.got.items() if k != "data"}, waiting.got.get("data", b"")

    def _send(self, site: str, seconds: float, body: bytes, kind: str) -> "_Waiting":
        waiting = _Waiting()

        def received(client_task: ClientTask, fl_ctx: FLContext) -> None:
            result, code = client_task.result, client_task.result.get_return_code()
            if code != ReturnCode.OK:
                waiting.got = {"error": str(code)}
            else:
                try:
                    waiting.got = checked_reply(from_shareable(result).data)
                except Exception:  # whatever a site sent, whoever asked is told now and does not wait
                    log.exception("a reply from a site cannot be read")
                    waiting.got = {"error": "malformed"}
            client_task.result = None
            waiting.over.set()

        def done(task: Task, fl_ctx: FLContext) -> None:
            waiting.over.set()  # answered, or late

        task = Task(
            kind,
            DXO(DataKind.APP_DEFINED, data={"data": body}).to_shareable(),
            timeout=max(1, int(seconds)),
            result_received_cb=received,
            task_done_cb=done,
        )
        with self._engine.new_context() as fl_ctx:
            self.broadcast(task, fl_ctx, targets=[site], min_responses=1)
        return waiting


@dataclass
class _Waiting:
    """A task that was sent, and what came of it."""

    over: threading.Event = field(default_factory=threading.Event)
    got: dict[str, Any] = field(default_factory=lambda: {"error": "late"})
