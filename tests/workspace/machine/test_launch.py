"""One command serves the app, says where, and leaves nothing behind."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from fedprompt.cli.main import main
from fedprompt.errors import JobError
from fedprompt.workspace.jobs.jobs import submit, wait
from fedprompt.workspace.liveness import is_alive
from fedprompt.workspace.machine.launch import check_address, first_jobs, free_port, launch, web_root
from fedprompt.workspace.machine.sign_in import SignIn
from fedprompt.workspace.workspace import open_workspace
from tests.coded import coded
from tests.new_bank import new_workspace

pytestmark = pytest.mark.whole


def taken(port: int = 0) -> socket.socket:
    held = socket.socket()
    held.bind(("127.0.0.1", port))
    held.listen()
    return held


def test_a_taken_port_is_refused_when_it_was_asked_for() -> None:
    with taken() as held, pytest.raises(JobError, check=coded("port-taken")):
        free_port(held.getsockname()[1])


def test_the_next_free_port_is_taken_and_said() -> None:
    said: list[str] = []
    first = free_port(None, said.append)
    with taken(first):
        second = free_port(None, said.append)
    assert second > first
    assert said[-1] == f"port 8501 is in use; using {second}"


def test_an_unknown_role_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(JobError, check=coded("unknown-role")):
        launch(tmp_path / "home", role="king")
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.7", "prompts.example.org", "localhost.example.org"])
def test_an_address_that_others_reach_is_refused_before_anything_starts_unless_people_sign_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    with pytest.raises(JobError, check=coded("nobody-signs-in")):
        launch(tmp_path / "home", address=address)
    assert not (tmp_path / "home" / "bank.db").exists()
    check_address(address, SignIn(("default",), "https://prompts.example.org"))


def test_a_section_that_lacks_something_is_refused_on_loopback_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    path = tmp_path / "secrets.toml"
    path.write_text('[auth]\nredirect_uri = "https://prompts.example.org/oauth2callback"\n')
    path.chmod(0o600)
    assert main(["ui", "--home", str(tmp_path)]) == 1
    assert main(["ui", "--home", str(tmp_path), "--address", "0.0.0.0"]) == 1
    assert not (tmp_path / "bank.db").exists()


def test_an_address_that_this_machine_does_not_have_is_said() -> None:
    with pytest.raises(JobError, match=r"192\.0\.2\.7", check=coded("no-such-address")):
        free_port(None, address="192.0.2.7")


def test_the_first_run_queues_assets_and_one_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDPROMPT_DEMO_OPTIONS", '{"rounds": 2}')
    with new_workspace(tmp_path) as ws:
        first_jobs(ws)
        assert first_jobs(ws) == ()
        rows = {row.kind: row for row in ws.bank.jobs()}
        assert set(rows) == {"assets", "demo"}
        assert rows["demo"].arguments == {"rounds": 2}


def test_a_demo_that_waits_already_is_not_queued_twice(tmp_path: Path) -> None:
    with new_workspace(tmp_path) as ws:
        submit(ws, "demo", {})
        first_jobs(ws)
        assert [row.kind for row in ws.bank.jobs()].count("demo") == 1


@pytest.mark.parametrize("options", ["{", "[1]"])
def test_malformed_demo_options_are_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str) -> None:
    monkeypatch.setenv("FEDPROMPT_DEMO_OPTIONS", options)
    with (
        new_workspace(tmp_path) as ws,
        pytest.raises(JobError, match="FEDPROMPT_DEMO_OPTIONS", check=coded("demo-options")),
    ):
        first_jobs(ws)


def test_the_pages_are_found() -> None:
    assert (web_root() / "app" / "main.py").is_file()


def test_the_app_answers_and_ctrl_c_ends_every_process(tmp_path: Path) -> None:
    with taken() as held:
        port = held.getsockname()[1]
    home = tmp_path / "home"
    with open_workspace(home) as ws:
        job = submit(ws, "model-test", {"model": "scripted"})
    command = [
        sys.executable,
        "-m",
        "fedprompt.cli",
        "ui",
        "--no-demo",
        "--port",
        str(port),
        "--home",
        str(home),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        answer = ""
        deadline = time.monotonic() + 30
        while answer != "ok" and time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5) as reply:
                    answer = reply.read().decode()
            except OSError:
                time.sleep(0.1)
        assert answer == "ok"
        with open_workspace(home) as ws:
            while not (is_alive(ws.home, "long") and is_alive(ws.home, "quick")) and time.monotonic() < deadline:
                time.sleep(0.1)
            # What waited since before the start is done by the job process.
            assert wait(ws, job, 20).state == "done"
            assert is_alive(ws.home, "long") and is_alive(ws.home, "quick")
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=15)
            assert process.returncode == 0
            assert f"fedprompt is running at http://127.0.0.1:{port}" in out
            assert "resuming 1 unfinished job\n" in out
            assert "the command line of this environment: " in out
            assert out.splitlines()[-1].startswith("stopped; ")
            assert not is_alive(ws.home, "long") and not is_alive(ws.home, "quick")
        with pytest.raises(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1)
        assert not left_behind(str(home))
    finally:
        process.kill()
        process.communicate()


def left_behind(home: str) -> list[str]:
    """Return the processes whose environment names the home folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and entry.name != str(os.getpid()):
            try:
                if f"FEDPROMPT_HOME={home}\0".encode() in (entry / "environ").read_bytes():
                    found.append((entry / "cmdline").read_bytes().decode())
            except OSError:
                continue
    return found
