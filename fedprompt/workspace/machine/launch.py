"""Starts the app on this machine: the web server, two job processes, a first run's jobs; ends all together.

Invariant: nothing that was started outlives this process; what a job left unfinished is taken up at the next
start. No server listens beyond this machine unless people sign in.
"""

import json
import os
import shutil
import signal
import socket
import sys
import time
import webbrowser
from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

import fedprompt
from fedprompt.errors import FedPromptError, JobError
from fedprompt.models.threads import SPIN
from fedprompt.workspace.acting import needs
from fedprompt.workspace.door.entry_token import Entry, entry_of
from fedprompt.workspace.door.own_address import VARIABLE, addresses_of
from fedprompt.workspace.home import Home, find_home
from fedprompt.workspace.jobs.jobs import resume, submit
from fedprompt.workspace.jobs.queue import LANES
from fedprompt.workspace.liveness import announce, withdraw
from fedprompt.workspace.machine.family import Child, Family
from fedprompt.workspace.machine.sign_in import FILE, SignIn, is_loopback, read_sign_in, secrets_files
from fedprompt.workspace.people import read_rules
from fedprompt.workspace.workspace import Workspace, open_workspace

__all__ = ["ROLES", "check_address", "first_jobs", "free_port", "launch", "web_root"]

ADDRESS = "127.0.0.1"
FIRST_PORT = 8501
ROLES = ("alone", "site", "hub")
RESTARTS = 3
SERVER_SECONDS = 5.0
FIRST_PAGE_SECONDS = 3.0
OPENING = "open.html"
Say = Callable[[str], None]


def launch(
    home: Path | None = None,
    port: int | None = None,
    role: str = "alone",
    *,
    address: str = ADDRESS,
    origins: Sequence[str] = (),
    open_browser: bool = False,
    demo: bool = True,
    say: Say = print,
) -> int:
    """Run the app until Ctrl-C or SIGTERM and return 0, or 1 where a process could not be kept alive.

    Args:
        home: the home folder.
        port: the port; 8501 or the next free one if None.
        role: what the sidebar calls this machine: ``alone``, ``site`` or ``hub``.
        address: what to listen on; beyond this machine only where people sign in.
        origins: further addresses under which browsers see the app, such as a forwarded port's.
        open_browser: open the address in the desktop's browser.
        demo: while the bank holds no finished run, fetch the assets and run the demo federation.
        say: hears the lines for people.

    Raises:
        FedPromptError: the home cannot be used, the pages are not installed, no port is free, the settings of signing
            in or a further address cannot be used, or the address is beyond this machine and nobody has to sign in.
    """
    if role not in ROLES:
        raise JobError(f"unknown role '{role}'; choose one of {', '.join(ROLES)}", code="unknown-role")
    root = web_root()
    secrets = secrets_files(find_home(home).path, root)
    sign_in = read_sign_in(secrets)
    check_address(address, sign_in)
    further = addresses_of(origins).origins
    if sign_in is not None:
        read_rules(find_home(home))
    with open_workspace(home) as ws:
        chosen = free_port(port, say, address)
        entry = entry_of(ws.home, chosen) if sign_in is None else None
        seen = [_entered(entry, one) for one in (_seen(address, chosen, sign_in), *sorted(further))]
        family = Family(ws.home, {**_environment(ws.home, root, role), VARIABLE: " ".join(sorted(further))})
        asked: list[int] = []

        def ask(number: int, _: FrameType | None) -> None:
            asked.append(number)

        before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            server, *workers = _children(ws.home, root, _options(address, chosen, sign_in, secrets))
            family.start(server)
            resume(ws)
            again = sum(row.state == "queued" for row in ws.bank.jobs(limit=1000))
            first = first_jobs(ws) if demo else ()
            _await_server(server, address, chosen, asked)
            _greet(say, ws.home, seen, again, bool(first))
            ready = partial(_is_taken, address, chosen)
            opening = _leading_to(ws.home, seen[0]) if open_browser else None
            code = _watch(family, workers, asked, say, (opening, ready) if opening is not None else None)
        finally:
            family.end()
            (ws.home.path / OPENING).unlink(missing_ok=True)
            for lane in LANES:
                withdraw(ws.home, lane, os.getpid())
            for number, handler in before.items():
                signal.signal(number, handler)
        unfinished = any(row.state in ("queued", "running") for row in ws.bank.jobs())
    say("stopped; " + ("the next start resumes unfinished jobs" if unfinished else "nothing is running any more"))
    return code


@needs("tune")
def first_jobs(ws: Workspace) -> tuple[str, ...]:
    """Queue the demo, and before it the assets, while the bank holds no finished run; return the jobs' ids.

    Options of the demo come from ``$FEDPROMPT_DEMO_OPTIONS``, a JSON object.

    Raises:
        JobError: the options are no JSON object.
    """
    from fedprompt.workspace.assets import assets_ready

    if any(run.state == "done" for run in ws.bank.runs()):
        return ()
    coming = [row.kind for row in ws.bank.jobs(limit=1000) if row.state in ("queued", "running")]
    jobs = []
    if not assets_ready(ws.home) and "assets" not in coming:
        jobs.append(submit(ws, "assets", {}))
    if "demo" not in coming:
        jobs.append(submit(ws, "demo", _demo_options()))
    return tuple(jobs)


def check_address(address: str, sign_in: SignIn | None) -> None:
    """Let an address to listen on pass or refuse it.

    Raises:
        JobError: others reach it, and nobody has to sign in.
    """
    if sign_in is None and not is_loopback(address):
        raise JobError(
            f"{address} is reachable from other machines, but sign-in is not set up. Add an [auth] section to "
            f"{FILE} in the home folder (see the guide on signing in), or leave out --address to listen on "
            "127.0.0.1",
            code="nobody-signs-in",
        )


def free_port(wanted: int | None, say: Say = print, address: str = ADDRESS) -> int:
    """Return the wanted port at an address, or 8501 or the next free one if None.

    Raises:
        JobError: the wanted port is taken, or a hundred ports are, or this machine has no such address.
    """
    _check_here(address)
    if wanted is not None:
        if _is_taken(address, wanted):
            raise JobError(
                f"port {wanted} is in use; choose another with --port, or leave it out to use the next free one",
                code="port-taken",
            )
        return wanted
    for port in range(FIRST_PORT, FIRST_PORT + 100):
        if not _is_taken(address, port):
            if port != FIRST_PORT:
                say(f"port {FIRST_PORT} is in use; using {port}")
            return port
    raise JobError(
        f"the ports {FIRST_PORT} to {FIRST_PORT + 99} are all in use; choose another with --port", code="port-taken"
    )


def web_root() -> Path:
    """Return the folder that holds ``app/`` and ``pages/``: inside an installed wheel, or the checkout.

    Raises:
        FedPromptError: the pages are not there.
    """
    package = Path(fedprompt.__file__).resolve().parent
    for root in (package / "_web", package.parent):
        if (root / "app" / "main.py").is_file():
            return root
    raise FedPromptError(
        "the web pages are not installed; install fedprompt from its wheel or from a full checkout",
        code="package-missing",
    )


def _options(address: str, port: int, sign_in: SignIn | None, secrets: Sequence[Path]) -> list[str]:
    options = ["--server.address", address, "--server.port", str(port)]
    for path in secrets:
        options += ["--secrets.files", str(path)]
    if sign_in is not None and (host := urlsplit(sign_in.origin.replace("{port}", str(port))).hostname):
        # Under this name browsers see the app. Streamlit looks at names alone; before it, app.door looks at all of it.
        options += ["--browser.serverAddress", host]
    return options


def _entered(entry: Entry | None, origin: str) -> str:
    """Return the address to open: with the token where there is one."""
    return origin if entry is None else entry.address(origin)


def _leading_to(home: Home, address: str) -> str:
    """Return the address of a file that leads to the app: what a browser is started with, every user can see."""
    path = home.path / OPENING
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(f'<!doctype html><meta http-equiv="refresh" content="0;url={escape(address, quote=True)}">\n')
    return path.as_uri()


def _seen(address: str, port: int, sign_in: SignIn | None) -> str:
    """Return where browsers see the app; who signs in is sent back to one address alone."""
    if sign_in is not None:
        return sign_in.origin.replace("{port}", str(port))
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"


def _children(home: Home, root: Path, options: Sequence[str]) -> tuple[Child, ...]:
    server = Child(
        "web server",
        [
            *(sys.executable, "-m", "app.server", "run", str(root / "app" / "main.py")),
            *("--server.headless", "true", "--browser.gatherUsageStats", "false"),
            *("--server.fileWatcherType", "none"),
            # As they are by default, whatever the user's own settings of Streamlit say.
            *("--server.enableXsrfProtection", "true", "--server.enableCORS", "true"),
            *("--server.enableAgentApi", "false", "--server.enableStaticServing", "false"),
            *options,
        ],
        root,
        home.logs / "web.log",
    )
    workers = (
        Child(
            f"{lane} job process",
            [sys.executable, "-m", "fedprompt.workspace.jobs.job_process", "--home", str(home.path), "--lane", lane],
            root,
            home.logs / f"{lane}.log",
            lane,
        )
        for lane in LANES
    )
    return (server, *workers)


def _environment(home: Home, root: Path, role: str) -> dict[str, str]:
    paths = [str(root), os.environ.get("PYTHONPATH", "")]
    return {
        **SPIN,
        **_own_folder(home),
        **os.environ,
        "FEDPROMPT_HOME": str(home.path),
        "FEDPROMPT_ROLE": role,
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "PYTHONUNBUFFERED": "1",
    }


def _own_folder(home: Home) -> dict[str, str]:
    """Return a home directory for libraries, where this user has none."""
    try:
        Path.home()
    except RuntimeError:
        return {"HOME": str(home.path)}
    return {}


def _greet(say: Say, home: Home, seen: Sequence[str], again: int, first: bool) -> None:
    say(f"fedprompt is running at {seen[0]} (home {home.path}); press Ctrl-C to stop")
    for further in seen[1:]:
        say(f"also through a proxy or a forwarded port at {further}")
    beside = Path(sys.executable).with_name("fedprompt")
    command = str(beside) if beside.exists() else shutil.which("fedprompt") or f"{sys.executable} -m fedprompt.cli"
    say(f"the command line of this environment: {command} --help")
    if again:
        say(f"resuming {again} unfinished {'job' if again == 1 else 'jobs'}")
    if first:
        say("the demo federation is starting; watch it on the Overview page")


def _await_server(server: Child, address: str, port: int, asked: list[int]) -> None:
    """Let the web server have the processor to itself until it answers, for a few seconds at most."""
    deadline = time.monotonic() + SERVER_SECONDS
    while time.monotonic() < deadline and not asked and not _is_taken(address, port):
        if server.process is None or server.process.poll() is not None:
            return
        time.sleep(0.05)


def _watch(
    family: Family,
    workers: Sequence[Child],
    asked: list[int],
    say: Say,
    opening: tuple[str, Callable[[], bool]] | None,
) -> int:
    """Wait for a signal; start again what ended by itself, a few times; open the address once the server answers.

    ``workers`` start when the first page has had the processor to itself for a moment: they need as long to start as a
    page to be drawn, and what is asked of them before waits in the queue.
    """
    due = time.monotonic() + FIRST_PAGE_SECONDS
    for lane in LANES:
        announce(family.home, lane, os.getpid())
    while not asked:
        if opening is not None and opening[1]():
            webbrowser.open(opening[0])
            opening = None
        if workers and time.monotonic() >= due:
            for worker in workers:
                family.start(worker)
            for lane in LANES:
                withdraw(family.home, lane, os.getpid())
            workers = ()
        for child in family.children:
            if asked or child.process is None or (code := child.process.poll()) is None:
                continue
            child.ends += 1
            if child.lane is None or child.ends > RESTARTS:
                say(f"the {child.name} stopped unexpectedly (exit code {code}); see {child.log}")
                return 1
            say(f"the {child.name} stopped unexpectedly (exit code {code}) and is restarted; see {child.log}")
            family.start(child)
            with open_workspace(family.home.path) as ws:
                resume(ws)
        time.sleep(0.2)
    return 0


def _is_taken(address: str, port: int) -> bool:
    with _probe(address) as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return True
        return False


def _check_here(address: str) -> None:
    try:
        with _probe(address) as probe:
            probe.bind((address, 0))
    except OSError as error:
        raise JobError(
            f"this machine has no address {address} ({error.strerror}); see --address", code="no-such-address"
        ) from error


def _probe(address: str) -> socket.socket:
    probe = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return probe


def _demo_options() -> dict[str, Any]:
    raw = os.environ.get("FEDPROMPT_DEMO_OPTIONS", "{}")
    try:
        options = json.loads(raw)
    except json.JSONDecodeError as error:
        raise JobError(
            f"FEDPROMPT_DEMO_OPTIONS is not JSON ({error}); for example '{{\"rounds\": 2}}'", code="demo-options"
        ) from error
    if not isinstance(options, dict):
        raise JobError(
            "FEDPROMPT_DEMO_OPTIONS is not a JSON object; for example '{\"rounds\": 2}'", code="demo-options"
        )
    return options
