"""The hub's end: a transport that asks sites through one running NVFLARE job, and starts another when that is lost.

Asking again is always safe, since a site answers a question that it was asked before with the same bytes. So whatever
breaks (the server, the job, a relay, a site's worker), a question is asked again until its deadline.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from fedprompt.errors import FederationError
from fedprompt.federation.transports.flare.address import RECEIVED, RunningHub, require_engine, socket_of
from fedprompt.federation.transports.flare.admin import (
    admin_session,
    clients_of,
    lives,
    noted_jobs,
    running_jobs,
    submit,
)
from fedprompt.federation.transports.flare.link import LinkDown, ask
from fedprompt.federation.transports.transport import Delivered

__all__ = ["FlareTransport"]

START_SECONDS = 90.0
WAIT_SECONDS = 5.0
LOOK_SECONDS = 10.0  # how often it is asked who is at work, while an answer is waited for
YOUNG_SECONDS = 10.0
JOINING_SECONDS = 3.0  # for the sites of a job, once its relay answers
RECONNECT_SECONDS = 45.0  # what sites need to find an engine that was started anew
WHY = {
    "absent": "it is not connected",
    "late": "it did not answer before the deadline",
    "malformed": "its answer is not a valid reply",
    "pending": "it did not answer in time",
    "SERVICE_UNAVAILABLE": "its worker is not running ('fedprompt site run')",
    "EXECUTION_EXCEPTION": "its worker could not answer; see the site's own log",
    "TASK_RESULT_FILTER_ERROR": "its own filter blocked the reply; see the site's audit log",
}
CODES = {
    "absent": "not-connected",
    "SERVICE_UNAVAILABLE": "worker-not-running",
    "EXECUTION_EXCEPTION": "worker-failed",
    "TASK_RESULT_FILTER_ERROR": "filter-blocked",
}
AGAIN = {"absent", "SERVICE_UNAVAILABLE", "TASK_RESULT_FILTER_ERROR"}  # may pass by itself
log = logging.getLogger(__name__)


class FlareTransport:
    """Several threads may ask at a time. A context manager: the job ends with it.

    ``deadline`` and ``patience`` (seconds) may be changed; they hold from the next question on.
    """

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
        self.deadline, self.patience = deadline, patience
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
            raise FederationError(
                f"there is no site '{site}'; known sites: {', '.join(self._sites)}", code="unknown-site"
            )
        end = time.monotonic() + self.deadline
        give_up = time.monotonic() + self.patience
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
                    raise FederationError(
                        f"site '{site}': the hub's engine stopped ({error})", code="engine-gone"
                    ) from error
                continue
            code = str(header.get("error", ""))
            if not code:
                return Delivered(data, str(header["head"]), tuple(header["trail"]))
            over = time.monotonic() > end
            if code == "pending":
                here = self._takes_part(site, job)
                if here:
                    give_up = time.monotonic() + self.patience  # it is at work
                if here is False:
                    self._replace(job, f"site {site} came back without it")
                    give_up = time.monotonic() + self.patience
                if over or time.monotonic() > give_up:
                    why = f"no answer from site '{site}': {WHY['late' if over else 'absent']}"
                    raise FederationError(why, code="no-answer" if over else "not-connected")
                continue
            if code not in AGAIN or over or time.monotonic() > give_up:
                why = f"no answer from site '{site}': {WHY.get(code, code)}"
                raise FederationError(why, code=CODES.get(code, "no-answer"))
            time.sleep(0.3)

    def deliver(self, site: str, data: bytes) -> str:
        """Hand a release to a site; return "received", or why it did not take it. It is not asked again by itself."""
        end = time.monotonic() + self.patience
        while True:
            header = {"site": site, "seconds": self.deadline, "wait": self.deadline, "kind": "release"}
            try:
                job = self._open(site)
                found, _ = ask(socket_of(self._hub.sockets, job), header, data, timeout=self.deadline + 10)
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
                    self._running = running_jobs(self._hub)
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
        end = time.monotonic() + START_SECONDS + self.patience
        last = end + 2 * RECONNECT_SECONDS
        wait_for_all = time.monotonic() + self.patience
        while True:
            self._go_on()
            try:
                self._hub = self._engine()
                with admin_session(self._hub) as session:
                    here = clients_of(session)
                    present = sorted(set(self._sites) & here)
                    if (len(present) < len(self._sites) and time.monotonic() < wait_for_all) or not present:
                        if time.monotonic() > end:
                            raise FederationError(
                                f"none of the sites {', '.join(self._sites)} is connected", code="nobody-connected"
                            )
                        time.sleep(0.5)
                        continue
                    self._end_earlier(session)
                    job = submit(session, present)
                self._note(job, "started")
                members = self._wait(job, present, end)
            except LinkDown as error:
                # The engine, or the job's process, was killed: after that, sites take a while to connect again.
                wait_for_all = time.monotonic() + max(self.patience, RECONNECT_SECONDS)
                end = max(end, min(wait_for_all, last))
                if time.monotonic() > end:
                    raise FederationError(
                        f"the hub's engine does not answer ({error}); check that 'fedprompt hub run' is running",
                        code="engine-gone",
                    ) from error
                time.sleep(0.5)
                continue
            self._members, self._started = members, time.monotonic()
            return job

    def _go_on(self) -> None:
        """Raise once the federation was ended here."""
        if self._closed.is_set():
            raise FederationError("the federation was ended at the hub", code="ended-at-hub")

    def _engine(self) -> RunningHub:
        try:
            return self._where()
        except FederationError as error:  # it may be started again
            raise LinkDown(str(error), code=error.code) from error

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
                    if self._engine() != self._hub or (now > began + YOUNG_SECONDS and not lives(self._hub, job)):
                        raise
            time.sleep(0.05)

    def _end_earlier(self, session: Any) -> None:
        """End what an earlier process of this hub left running; jobs are the hub's alone."""
        for job, state in noted_jobs(self._hub.jobs).items():
            if state == "started":
                with suppress(Exception):  # it may be over, or unknown to a server that was started anew
                    session.abort_job(job)
                self._note(job, "lost")

    def _note(self, job: str, state: str) -> None:
        line = json.dumps({"job": job, "state": state, "at": time.time(), "sites": list(self._sites)})
        with self._hub.jobs.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
