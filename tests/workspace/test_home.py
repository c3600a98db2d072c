"""A home folder that cannot be used is told in one sentence, with what to do; one that can may be called anything."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fedprompt.cli.main import main
from fedprompt.errors import FedPromptError
from fedprompt.workspace.home import default_home, find_home
from tests.coded import coded

NOBODY = 12345
# Without a home directory, and without the right to write where root may; what python needs can still be read.
AS_NOBODY = [
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
    *("env", "-u", "HOME", "-u", "FEDPROMPT_HOME"),
]
COMMANDS = (
    ["bank", "list"],
    ["bank", "list", "--json"],
    ["doctor", "--json"],
    ["assets", "list"],
    ["hub", "status"],
    ["site", "status"],
    ["serve", "x"],
    ["ui", "--no-demo"],
)


def may_be_nobody() -> bool:
    try:
        return subprocess.run([*AS_NOBODY, "true"], capture_output=True).returncode == 0
    except OSError:
        return False


def as_nobody(*words: str) -> "subprocess.CompletedProcess[str]":
    code = "from fedprompt.cli.main import run; run()"
    path = os.pathsep.join(filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", ""))))
    command = [*AS_NOBODY, f"PYTHONPATH={path}", sys.executable, "-c", code, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.mark.whole
@pytest.mark.skipif(not may_be_nobody(), reason="needs setpriv, and the rights of root")
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_user_without_a_home_directory_is_told_how_to_name_a_folder(words: list[str]) -> None:
    done = as_nobody(*words)
    assert done.returncode == 1
    assert "FEDPROMPT_HOME" in (done.stderr + done.stdout)
    assert "Traceback" not in done.stderr and "unexpected" not in done.stderr


@pytest.mark.whole
@pytest.mark.skipif(not may_be_nobody(), reason="needs setpriv, and the rights of root")
def test_a_folder_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    for home in (closed, closed / "below"):
        done = as_nobody("bank", "list", "--home", str(home))
        assert done.returncode in (1, 2) and "Traceback" not in done.stderr and "unexpected" not in done.stderr
        assert "Permission denied" in done.stderr or "is not readable" in done.stderr


def test_homes_that_are_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    for home, said in (
        (str(tmp_path / "file"), "cannot be created"),
        (str(tmp_path / "file" / "below"), "cannot be created"),
        ("~no-such-user-at-all/x", "has no home directory"),
        (str(tmp_path / ("x" * 300)), "cannot be created"),
        ("/dev/null", "cannot be created"),
    ):
        assert main(["bank", "list", "--home", home]) == 1
        err = capsys.readouterr().err
        assert said in err and err.count("\n") == 1 and "unexpected" not in err


def test_a_home_may_be_relative_or_have_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("plain", "with space", "ünï-家", "a'b\"c", "#?%20", "100%"):
        assert main(["bank", "list", "--home", name]) == 0
        assert find_home(Path(name)).path == tmp_path / name
        assert (tmp_path / name / "bank.db").is_file()


def test_the_default_is_the_variable_and_an_empty_one_counts_as_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEDPROMPT_HOME", str(tmp_path / "named"))
    assert default_home() == tmp_path / "named"
    monkeypatch.setenv("FEDPROMPT_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_home() == tmp_path / ".fedprompt"


def test_a_process_whose_folder_is_gone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(FedPromptError, check=coded("cannot-read")):
        find_home(Path("home"))
