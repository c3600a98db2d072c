"""A hub and sites on this machine over the real engine with TLS: each its own home, enrolled as people do it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fedprompt.errors import FedPromptError
from fedprompt.site.folder import SiteFolder
from fedprompt.workspace.enrolled.hub_folder import HubFolder
from fedprompt.workspace.enrolled.site_folder import enrolled
from fedprompt.workspace.home import Home, find_home
from fedprompt.workspace.hub.admit import hub_admit
from fedprompt.workspace.hub.init import hub_init
from fedprompt.workspace.hub.invite import hub_invite
from fedprompt.workspace.site.init import site_init
from fedprompt.workspace.site.join import site_join
from fedprompt.workspace.site.study import site_study_accept

__all__ = ["Loopback", "children"]

START_SECONDS = 60.0


class Loopback:
    """A context manager: all that it started has ended, by process id, when it is left.

    ``told`` is what the last ``hub init``, ``hub admit``, ``site init`` and ``site join`` returned.
    """

    def __init__(self, root: Path, *, seconds: float = START_SECONDS) -> None:
        self.root, self._seconds = root, seconds
        self.hub = find_home(root / "hub")
        self.sites: dict[str, Home] = {}
        self.told: dict[str, dict[str, Any]] = {}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def enrol(self, names: Sequence[str], study: Path, keys: Mapping[str, bytes] | None = None) -> None:
        """Make the hub, then let each site init, be admitted, join and accept the study.

        Args:
            keys: the site's private keys, where their splits are to be those of another run.
        """
        port, admin = _free_ports(2)
        self.told["hub init"] = asdict(hub_init(self.hub, "loopback", port=port, admin_port=admin))
        for name in names:
            self.join(name, study, None if keys is None else keys[name])

    def join(self, name: str, study: Path, key: bytes | None = None) -> None:
        """Enrol one more site."""
        home = self.sites[name] = find_home(self.root / f"home-{name}")
        SiteFolder(home.sites / name).prepare(key)
        files = self.root / "files"
        files.mkdir(exist_ok=True)
        invite, request, kit = (files / f"{name}.{kind}" for kind in ("invite.json", "request.zip", "kit.zip"))
        hub_invite(self.hub, name, out=invite)
        asked = site_init(home, invite, out=request)
        self.told["site init"] = asdict(asked)
        admitted = hub_admit(self.hub, request, confirm=lambda _, found: found == asked.fingerprint, out=kit)
        self.told["hub admit"], self.told["site join"] = asdict(admitted), asdict(site_join(home, kit))
        site_study_accept(home, study)

    def start_hub(self) -> None:
        """Start ``hub run``."""
        self._start("hub", ["hub", "run"], self.hub)
        self._wait("the hub", lambda: HubFolder(self.hub).running is not None)

    def start_site(self, name: str, data: Path) -> None:
        """Start ``site run`` and wait until its worker is ready."""
        self.launch_site(name, data)
        self.await_site(name)

    def await_site(self, name: str) -> None:
        """Wait until a site's worker is ready."""
        self._wait(name, lambda: enrolled(self.sites[name], None).running is not None)

    def launch_site(self, name: str, data: Path, study: str | None = None) -> None:
        """Start ``site run``, for one of several studies if it is named, and wait for nothing."""
        words = ["site", "run", "--data", str(data), *(() if study is None else ("--study", study))]
        self._start(name, words, self.sites[name])

    def restart(self, name: str, data: Path | None) -> None:
        """Start again what has ended: ``hub``, or a site with its file."""
        self.processes.pop(name).wait()
        if data is None:
            self._start("hub", ["hub", "run"], self.hub)
        else:
            self.launch_site(name, data)

    @property
    def environment(self) -> dict[str, str]:
        """What every process of it is started with."""
        root = Path(__file__).resolve().parent.parent
        return {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}

    def family(self, name: str) -> list[int]:
        """Return the ids of a process, of what it started, and so on, the process itself first."""
        found = [self.processes[name].pid]
        for pid in found:  # grows as it goes
            found += children(pid)
        return found

    def kill(self, name: str) -> None:
        """Kill a process outright, as a power cut would; its engine goes with it."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def end(self, name: str) -> None:
        """Ask a process to end and wait until it has."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def log(self, name: str) -> str:
        """Return what a process and its engine wrote."""
        home = self.hub if name == "hub" else self.sites[name]
        return "".join(path.read_text(encoding="utf-8", errors="replace") for path in sorted(home.logs.glob("*.log")))

    def __enter__(self) -> "Loopback":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for name in list(self.processes):
            self.end(name)

    def _start(self, name: str, words: Sequence[str], home: Home) -> None:
        home.logs.mkdir(exist_ok=True)
        with (home.logs / f"{name}.log").open("ab") as out:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "fedprompt.cli", *words, "--home", str(home.path)],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def _wait(self, name: str, ready: Callable[[], bool]) -> None:
        end = time.monotonic() + self._seconds
        while not ready():
            process = self.processes.get(name if name != "the hub" else "hub")
            if time.monotonic() > end or (process is not None and process.poll() is not None):
                raise FedPromptError(f"{name} did not start:\n{self.log('hub' if name == 'the hub' else name)[-4000:]}")
            time.sleep(0.1)


def children(pid: int) -> list[int]:
    """Return the ids of the processes that a process started and that live, by their ids."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            after = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(after[1]) == pid and after[0] != "Z":
            found.append(int(path.parent.name))
    return sorted(found)


def _free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on now."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in held]
    finally:
        for one in held:
            one.close()
