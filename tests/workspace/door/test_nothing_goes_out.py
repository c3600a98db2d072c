"""Nothing of ours asks for a name or for another machine: the app, the commands and a small federation.

In every process an audit hook of Python's refuses look-ups and connections beyond this machine, and writes them down.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from fedprompt.workspace.door.entry_token import entry_of
from fedprompt.workspace.home import Home
from tests.scripted_sites import TEXT, cases
from tests.workspace.raw_http import ask, knock

pytestmark = [pytest.mark.whole, pytest.mark.slow]
ROOT = Path(__file__).parents[3]
REFUSE = """
import ipaddress, os, sys

def near(host):
    if host is None or isinstance(host, bytes) and not host or host in ("", "localhost", b"localhost"):
        return True
    try:
        found = ipaddress.ip_address(host.decode() if isinstance(host, bytes) else host)
    except ValueError:
        return False
    return found.is_loopback or found.is_unspecified

def hook(event, found):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = found[1]
        if address is None or not isinstance(address, tuple) or near(address[0]):
            return
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        if near(found[0]):
            return
    else:
        return
    with open(os.environ["WENT_OUT"], "a") as file:
        file.write(f"{sys.argv[:3]}: {event} {found[1:] if event == 'socket.connect' else found}\\n")
    raise OSError(101, "the test refuses it")

sys.addaudithook(hook)
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir(mode=0o700)
    return made


@pytest.fixture
def refusing(tmp_path: Path, home: Path) -> Mapping[str, str]:
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(REFUSE)
    (tmp_path / "out").touch()
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(tmp_path / "hook"), str(ROOT))),
        "WENT_OUT": str(tmp_path / "out"),
        "FEDPROMPT_HOME": str(home),
    }


def went_out(refusing: Mapping[str, str]) -> str:
    return Path(refusing["WENT_OUT"]).read_text()


def test_the_hook_refuses_and_writes_down_what_goes_out(refusing: Mapping[str, str]) -> None:
    for line in (
        "socket.getaddrinfo('example.org', 80)",
        "socket.create_connection(('192.0.2.1', 80))",
        "socket.socket(type=socket.SOCK_DGRAM).connect(('8.8.8.8', 1))",
        "socket.getfqdn('a-name')",
    ):
        before = len(went_out(refusing))
        subprocess.run([sys.executable, "-c", f"import socket; {line}"], env=refusing, capture_output=True, timeout=60)
        assert len(went_out(refusing)) > before, line


def test_the_commands_and_a_federation_ask_no_other_machine(
    refusing: Mapping[str, str], tmp_path: Path, home: Path
) -> None:
    (tmp_path / "study.yaml").write_text(TEXT)
    for site in ("north", "south"):
        lines = [f"{case.fields['text']},{case.answer}" for case in cases(site, 80)]
        (tmp_path / f"{site}.csv").write_text("\n".join(["text,answer", *lines]) + "\n")
    study, data = ("--study", "study.yaml"), ("--data", "north.csv")
    for words in (
        ("study", "check", "study.yaml"),
        ("study", "new", *data, "--answer", "answer", "--model", "scripted"),
        ("data", "check", "north.csv", *study),
        ("score", *study, *data),
        ("tune", *study, *data),
        ("federate", *study, "--site", "north=north.csv", "--site", "south=south.csv"),
        ("bank", "list"),
        ("bank", "verify"),
        ("doctor",),
    ):
        command = [sys.executable, "-m", "fedprompt.cli", *words]
        done = subprocess.run(command, env=refusing, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert went_out(refusing) == "", words
        assert done.returncode == 0 or words == ("doctor",), (words, done.stderr[-500:])


def test_the_app_asks_no_other_machine_whoever_knocks(refusing: Mapping[str, str], tmp_path: Path, home: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "fedprompt.cli", "ui", "--no-demo", "--port", str(port)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, env=refusing, stdout=log, stderr=log)
    try:
        until = time.monotonic() + 90
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.2)
        entry = entry_of(Home(home), port)
        host, cookie = ("Host", f"127.0.0.1:{port}"), ("Cookie", f"{entry.cookie}={entry.value}")
        for origin in ("http://evil.example", "http://10.1.2.3:80", "null"):
            assert knock(port, host, cookie, ("Origin", origin)) == 403
            assert ask(port, "/_stcore/health", host, cookie, ("Origin", origin)).status == 403
        assert knock(port, host, cookie, ("Origin", f"http://127.0.0.1:{port}")) == 101
        assert ask(port, "/", host, cookie).status == 200
        time.sleep(6)  # the job processes start after the first page
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
    assert went_out(refusing) == ""
