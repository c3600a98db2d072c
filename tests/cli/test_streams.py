"""Output reaches any stream that people pipe it into, and a command that is stopped leaves what it has done."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fedprompt.cli.main import main
from fedprompt.workspace.workspace import open_workspace
from tests.scripted_sites import TEXT, write_cases

STUDY = """
study: thé
model: scripted
fields: [texte]
answer: {type: choice, labels: [généreux, sévère, łagodny]}
templates:
  - {name: "été", text: "{texte}\\nAvis:"}
privacy: {min_cases: 3}
"""
COMMAND = [sys.executable, "-c", "from fedprompt.cli.main import run; run()"]


@pytest.fixture
def study(tmp_path: Path) -> str:
    path = tmp_path / "étude.yaml"
    path.write_text(STUDY, encoding="utf-8")
    rows = [f"cas numéro {n},{('généreux', 'sévère', 'łagodny')[n % 3]}" for n in range(60)]
    (tmp_path / "cas.csv").write_text("texte,answer\n" + "\n".join(rows), encoding="utf-8")
    return str(path)


def ran(*words: str, **more: str) -> "subprocess.CompletedProcess[bytes]":
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **more}
    return subprocess.run([*COMMAND, *words], capture_output=True, timeout=120, env=environment)


def shell(line: str, *words: str) -> "subprocess.CompletedProcess[bytes]":
    """Run a command with bash's redirections after it; ``$?`` is the command's own."""
    return subprocess.run(["bash", "-o", "pipefail", "-c", f'"$@" {line}', "-", *COMMAND, *words], capture_output=True)


@pytest.mark.whole
@pytest.mark.parametrize("encoding", ["ascii", "ascii:strict", "cp1252", "latin-1", "utf-8", "utf-16"])
def test_labels_with_accents_are_printed_whatever_stdout_is(study: str, encoding: str, tmp_path: Path) -> None:
    name = encoding.partition(":")[0]
    home = str(tmp_path / "home")
    data = str(tmp_path / "cas.csv")
    for words in (["study", "show", study], ["data", "check", data, "--study", study], ["study", "check", study]):
        for flags in ([], ["--json"]):
            done = ran(*words, *flags, PYTHONIOENCODING=encoding, FEDPROMPT_HOME=home)
            assert (done.returncode, done.stderr) == (0, b"")
            text = done.stdout.decode("utf-16" if name == "utf-16" else "utf-8" if flags else name)
            if flags:
                body = json.loads(text)
                assert "généreux" in str(body) and "łagodny" in str(body)
    done = ran("score", "--study", study, "--data", data, PYTHONIOENCODING=encoding, FEDPROMPT_HOME=home)
    assert done.returncode == 0 and b"Traceback" not in done.stderr
    if name == "ascii":
        assert rb"\xe9t\xe9" in done.stdout


@pytest.mark.whole
def test_locales_without_utf8_print_too(study: str) -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = ran("study", "show", study, "--json", **plain)
    assert json.loads(done.stdout)["answer"]["labels"] == ["généreux", "sévère", "łagodny"]


@pytest.mark.whole
@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_a_reader_that_goes_away_is_no_traceback(study: str, flags: tuple[str, ...]) -> None:
    for line, codes in (
        ("| head -1", {0, 1}),
        ("| true", {1}),
        ("2>&1 | true", {1}),
        (">&-", {0}),
        (">&- 2>&- <&-", {0}),
    ):
        done = shell(line, "study", "show", study, *flags)
        assert done.returncode in codes, line
        assert b"Traceback" not in done.stderr and b"Exception ignored" not in done.stderr, done.stderr


@pytest.mark.whole
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_disk_that_is_full_is_told(study: str) -> None:
    done = shell("> /dev/full", "study", "show", study, "--json")
    assert done.returncode == 1 and b"the disk is full" in done.stderr and b"Traceback" not in done.stderr


def await_rounds(process: "subprocess.Popen[bytes]", home: Path) -> int:
    """Return how many rounds a run has kept, as soon as it has kept one."""
    end = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < end:
        if (home / "bank.db").exists():
            with open_workspace(home) as ws:
                runs = ws.bank.runs(kind="tune")
                if runs and (found := ws.bank.rounds(runs[0].id)):
                    return len(found)
        time.sleep(0.2)
    pytest.fail("no round was kept")


@pytest.mark.whole
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_stops_a_command_and_what_is_done_is_kept(tmp_path: Path, number: int) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(TEXT.replace("rounds: {count: 2}", "rounds: {count: 1000}"), encoding="utf-8")
    data, home = write_cases(tmp_path / "cases.csv", "ant"), tmp_path / "home"
    words = ["tune", "--study", str(study), "--data", str(data), "--home", str(home)]
    with subprocess.Popen([*COMMAND, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        kept = await_rounds(process, home)
        process.send_signal(number)
        said = process.stderr.read().decode()
        assert process.wait(60) == 130
    assert said.endswith("fedprompt: stopped; run the same command again to resume\n") and "Traceback" not in said
    with open_workspace(home) as ws:
        (run,) = ws.bank.runs(kind="tune")
        assert run.result is None and len(ws.bank.rounds(run.id)) >= kept


def test_handlers_of_signals_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert main(["--version"]) == 0
    assert signal.getsignal(signal.SIGTERM) == before
