"""The hub's end: a transport that asks sites through one running NVFLARE job, and starts another when that is lost.

Asking again is always safe, since a site answers a question that it was asked before with the same bytes. So whatever
breaks (the server, the job, a relay, a site's worker), a question is asked again until its deadline.
"""

import io
import json
import logging
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any

from fedprompt.errors import FederationError
from fedprompt.federation.transports.flare.address import (
    HUB_CLASS,
    RECEIVED,
    SITE_CLASS,
    RunningHub,
    require_engine,
    socket_of,
)
from fedprompt.federation.transports.flare.enrol import ADMIN
from fedprompt.federation.transports.flare.link import LinkDown, ask
from fedprompt.federation.transports.transport import Delivered

__all__ = ["FlareTransport", "bar", "connected"]

START_SECONDS = 90.0
WAIT_SECONDS = 5.0
LOOK_SECONDS = 10.0  # how often it is asked who is at work, while an answer is waited for
YOUNG_SECONDS = 10.0
JOINING_SECONDS = 3.0  # for the sites of a job, once its relay answers
RECONNECT_SECONDS = 45.0  # what sites need to find an engine that was started anew
TASK_INTERVAL = 0.05  # how often an idle site asks for a task; NVFLARE's default is 2 s
WHY = {
    "absent": "it is not connected",
    "late": "it did not answer before the deadline",
    "malformed": "what came back is no reply of this program",
    "pending": "it did not answer in time",
    "SERVICE_UNAVAILABLE": "its worker does not run ('fedprompt site run')",
    "EXECUTION_EXCEPTION": "its worker could not answer; the site's own log says why",
    "TASK_RESULT_FILTER_ERROR": "its own filter blocked the reply; the site's audit log says why",
}
AGAIN = {"absent", "SERVICE_UNAVAILABLE", "TASK_RESULT_FILTER_ERROR"}  # may pass by itself
log = logging.getLogger(__name__)


class FlareTransport:
    """Several threads may ask at a time. A context manager: the job ends with it."""

    concurrent = True

    def __init__(
        self,
        where: Callable[[], RunningHub],
        sites: Sequence[str],
        *,
        deadline: float = 600.0,
        patience: float = 20.0,
    ) -> None:
        """Nothing is started before the first question.

        Args:
            where: says where the hub's engine runs now; asked again when it was lost.
            sites: who takes part.
            deadline: seconds that a site may take for one answer.
            patience: seconds that a site may be away, or its worker not run, before it counts as failed.
        """
        require_engine()
        self._where, self._hub, self._sites = where, where(), tuple(sorted(sites))
        self._deadline, self._patience = deadline, patience
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._job: str | None = None
        self._members: frozenset[str] = frozenset()
        self._looking = threading.Lock()
        self._looked = self._started = -LOOK_SECONDS
        self._running: dict[str, set[str]] = {}

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites, by name."""
        return self._sites

    def ask(self, site: str, task: bytes) -> Delivered:
        """Carry one task and wait for its reply.

        Raises:
            FederationError: the site did not answer in time, or the hub's engine does not run; says which.
        """
        if site not in self._sites:
            raise FederationError(f"there is no site '{site}'; there are {', '.join(self._sites)}")
        end = time.monotonic() + self._deadline
        give_up = time.monotonic() + self._patience
        while True:
            self._go_on()
            job = self._open(site)
            left = max(1.0, end - time.monotonic())
            wait = min(left, WAIT_SECONDS)
            try:
                header, data = ask(
                    socket_of(self._hub.sockets, job),
                    {"site": site, "seconds": left, "wait": wait},
                    task,
                    timeout=wait + 10,
                )
            except LinkDown as error:
                self._lost(job)
                if time.monotonic() > end:
                    raise FederationError(f"site '{site}': the hub's engine went away ({error})") from error
                continue
            code = str(header.get("error", ""))
            if not code:
                return Delivered(data, str(header["head"]), tuple(header["trail"]))
            over = time.monotonic() > end
            if code == "pending":
                here = self._takes_part(site, job)
                if here:
                    give_up = time.monotonic() + self._patience  # it is at work
                if here is False:
                    self._replace(job, f"site {site} came back without it")
                    give_up = time.monotonic() + self._patience
                if over or time.monotonic() > give_up:
                    raise FederationError(f"site '{site}' gave no answer: {WHY['late' if over else 'absent']}")
                continue
            if code not in AGAIN or over or time.monotonic() > give_up:
                raise FederationError(f"site '{site}' gave no answer: {WHY.get(code, code)}")
            time.sleep(0.3)

    def deliver(self, site: str, data: bytes) -> str:
        """Hand a release to a site; return "received", or why it did not take it. It is not asked again by itself."""
        end = time.monotonic() + self._patience
        while True:
            header = {"site": site, "seconds": self._deadline, "wait": self._deadline, "kind": "release"}
            try:
                job = self._open(site)
                found, _ = ask(socket_of(self._hub.sockets, job), header, data, timeout=self._deadline + 10)
            except FederationError as error:
                return str(error)
            code = str(found.get("error", ""))
            if code == RECEIVED:
                return "received"
            if code not in AGAIN or time.monotonic() > end:
                return WHY.get(code, code)
            time.sleep(0.3)

    def close(self) -> None:
        """End the job; threads that still ask give up, and none starts another job."""
        self._closed.set()
        with self._lock:
            if self._job is not None:
                with suppress(LinkDown):
                    ask(socket_of(self._hub.sockets, self._job), {"stop": True}, timeout=5)
                self._note(self._job, "stopped")
            self._job = None

    def __enter__(self) -> "FlareTransport":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self, site: str) -> str:
        """Return a job that ``site`` takes part in, if it is connected; another is started where the site came back."""
        with self._lock:
            job, away = self._job, site not in self._members
        if job is not None and away and self._takes_part(site, job) is False:
            self._replace(job, f"site {site} is back")
        with self._lock:
            if self._job is None:
                self._job = self._start()
            return self._job

    def _takes_part(self, site: str, job: str) -> bool | None:
        """Say whether a connected site runs the job; None if it is not connected, or the job is too young to tell."""
        with self._looking:
            if time.monotonic() - self._looked > LOOK_SECONDS:
                try:
                    self._running = _running(self._hub)
                except LinkDown:
                    self._running = {}
                self._looked = time.monotonic()
            found = self._running.get(site)
        if found is None or time.monotonic() - self._started < YOUNG_SECONDS:
            return None
        return job in found

    def _replace(self, job: str, why: str) -> None:
        """End the job; the next question starts another with whoever is connected then."""
        with self._lock:
            if self._job != job:
                return
            log.info("job %s is replaced: %s", job, why)
            with suppress(LinkDown):
                ask(socket_of(self._hub.sockets, job), {"stop": True}, timeout=5)
            self._note(job, "replaced")
            self._job = None

    def _lost(self, job: str) -> None:
        with self._lock:
            if self._job == job:
                log.warning("job %s is lost", job)
                self._note(job, "lost")
                self._job = None
        time.sleep(0.5)

    def _start(self) -> str:
        """Submit a job to the sites that are connected and wait until its relay answers for them."""
        end = time.monotonic() + START_SECONDS + self._patience
        last = end + 2 * RECONNECT_SECONDS
        wait_for_all = time.monotonic() + self._patience
        while True:
            self._go_on()
            try:
                self._hub = self._engine()
                with _session(self._hub) as session:
                    here = _clients(session)
                    present = sorted(set(self._sites) & here)
                    if (len(present) < len(self._sites) and time.monotonic() < wait_for_all) or not present:
                        if time.monotonic() > end:
                            raise FederationError(f"no site of {', '.join(self._sites)} is connected")
                        time.sleep(0.5)
                        continue
                    self._end_earlier(session)
                    job = _submit(session, present)
                self._note(job, "started")
                members = self._wait(job, present, end)
            except LinkDown as error:
                # The engine, or the job's process, was killed: after that, sites take a while to connect again.
                wait_for_all = time.monotonic() + max(self._patience, RECONNECT_SECONDS)
                end = max(end, min(wait_for_all, last))
                if time.monotonic() > end:
                    raise FederationError(
                        f"the hub's engine does not answer ({error}); is 'fedprompt hub run' running?"
                    ) from error
                time.sleep(0.5)
                continue
            self._members, self._started = members, time.monotonic()
            return job

    def _go_on(self) -> None:
        """Raise once the federation was ended here."""
        if self._closed.is_set():
            raise FederationError("the federation was ended at the hub")

    def _engine(self) -> RunningHub:
        try:
            return self._where()
        except FederationError as error:  # it may be started again
            raise LinkDown(str(error)) from error

    def _wait(self, job: str, present: Sequence[str], end: float) -> frozenset[str]:
        """Wait until the job's relay answers, and return the sites of the job.

        Raises:
            LinkDown: the engine was started anew, or the job's process ended before its relay came up.
        """
        began = looked = time.monotonic()
        answered: float | None = None
        while True:
            if self._closed.is_set():
                with suppress(LinkDown):  # it may not listen yet; without a question it ends by itself
                    ask(socket_of(self._hub.sockets, job), {"stop": True}, timeout=5)
                self._go_on()
            now = time.monotonic()
            try:
                header, _ = ask(socket_of(self._hub.sockets, job), {"sites": True}, timeout=5)
                here, answered = frozenset(header["sites"]), answered or now
                # One that went away just now is not taken into the job; who comes back gets another.
                if set(present) <= here or now > answered + JOINING_SECONDS:
                    return here & set(present)
            except LinkDown:
                if now > end:
                    raise
                if now > looked + LOOK_SECONDS / 2:
                    looked = now
                    if self._engine() != self._hub or (now > began + YOUNG_SECONDS and not _lives(self._hub, job)):
                        raise
            time.sleep(0.05)

    def _end_earlier(self, session: Any) -> None:
        """End what an earlier process of this hub left running; jobs are the hub's alone."""
        for job, state in _jobs(self._hub.jobs).items():
            if state == "started":
                with suppress(Exception):  # it may be over, or unknown to a server that was started anew
                    session.abort_job(job)
                self._note(job, "lost")

    def _note(self, job: str, state: str) -> None:
        line = json.dumps({"job": job, "state": state, "at": time.time(), "sites": list(self._sites)})
        with self._hub.jobs.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def connected(hub: RunningHub) -> set[str]:
    """Return the sites that are connected to the hub's engine now.

    Raises:
        LinkDown: the engine does not answer.
    """
    with _session(hub) as session:
        return _clients(session)


def _lives(hub: RunningHub, job: str) -> bool:
    """Say whether the engine runs a job now.

    Raises:
        LinkDown: the engine does not answer.
    """
    with _session(hub) as session:
        try:
            return job in {one.job_id for one in session.get_system_info().job_info}
        except Exception as error:
            raise LinkDown(f"the engine does not say what it runs ({type(error).__name__})") from error


def _running(hub: RunningHub) -> dict[str, set[str]]:
    """Return connected site -> jobs that its engine runs; sites that do not say are left out."""
    with _session(hub) as session:
        try:
            rows = session.get_client_job_status() or []
        except Exception as error:
            raise LinkDown(f"the engine does not say what sites run ({type(error).__name__})") from error
    found: dict[str, set[str]] = {}
    for row in rows:
        if row.get("status") not in ("no_reply", "error"):
            found.setdefault(str(row.get("client_name")), set()).add(str(row.get("job_id", "")))
    return found


def bar(hub: RunningHub, site: str) -> None:
    """Tell the running engine to refuse a site from now on.

    Raises:
        LinkDown: the engine does not answer.
    """
    with _session(hub) as session:
        try:
            session.disable_client(site)
        except Exception as error:
            raise LinkDown(f"the engine did not bar '{site}' ({type(error).__name__})") from error


def _clients(session: Any) -> set[str]:
    try:
        return {client.name for client in session.get_system_info().client_info}
    except Exception as error:
        raise LinkDown(f"the engine does not say who is connected ({type(error).__name__})") from error


@contextmanager
def _session(hub: RunningHub) -> Iterator[Any]:
    from nvflare.fuel.flare_api.flare_api import new_secure_session

    try:
        with redirect_stdout(io.StringIO()):  # it prints what people need not read
            session = new_secure_session(ADMIN, str(hub.kit), timeout=10.0, auto_login_max_tries=3)
    except Exception as error:  # NVFLARE raises many kinds
        raise LinkDown(f"no session with the hub's engine ({type(error).__name__})") from error
    try:
        yield session
    finally:
        with suppress(Exception):
            session.close()


def _submit(session: Any, sites: Sequence[str]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "fedprompt" / "app" / "config"
        config.mkdir(parents=True)
        for path, body in (
            (
                config.parents[1] / "meta.json",
                {"name": "fedprompt", "resource_spec": {}, "deploy_map": {"app": ["server", *sites]}, "min_clients": 1},
            ),
            (
                config / "config_fed_server.json",
                {
                    "format_version": 2,
                    "server": {"task_request_interval": TASK_INTERVAL},
                    "workflows": [{"id": "hub", "path": HUB_CLASS, "args": {}}],
                },
            ),
            (
                config / "config_fed_client.json",
                {
                    "format_version": 2,
                    "executors": [{"tasks": ["ask", "release"], "executor": {"path": SITE_CLASS, "args": {}}}],
                },
            ),
        ):
            path.write_text(json.dumps(body), encoding="utf-8")
        try:
            return str(session.submit_job(str(config.parents[1])))
        except Exception as error:
            raise LinkDown(f"the engine did not take the job ({type(error).__name__})") from error


def _jobs(path: Path) -> dict[str, str]:
    """Return job -> last state, as the hub's table has it."""
    found: dict[str, str] = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            with suppress(ValueError, KeyError, TypeError):
                row = json.loads(line)
                found[row["job"]] = row["state"]
    return found
