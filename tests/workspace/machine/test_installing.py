"""Packages are installed by pip, heard line by line, bounded in time, and for the user of this machine alone."""

import sys
import time
from pathlib import Path

import pytest

from fedprompt.errors import FedPromptError
from fedprompt.workspace.acting import visitors
from fedprompt.workspace.machine.installing import install_part
from fedprompt.workspace.people import Person
from tests.coded import coded


def pip(tmp_path: Path, body: str) -> tuple[str, ...]:
    """Return a command that stands for pip."""
    script = tmp_path / "pip.py"
    script.write_text(body)
    return (sys.executable, "-u", str(script))


def test_pip_is_asked_for_the_packages_of_the_part_and_heard(tmp_path: Path) -> None:
    heard: list[str] = []
    install_part("chat", heard.append, pip=pip(tmp_path, "import sys\nprint(*sys.argv[1:])\nprint()\nprint('done')"))
    assert heard[-1] == "done" and len(heard) == 2
    assert heard[0].startswith("install --no-input") and "langchain-openai" in heard[0]


def test_a_pip_that_fails_or_hangs_is_told_and_ended(tmp_path: Path) -> None:
    with pytest.raises(FedPromptError, check=coded("pip-failed")):
        install_part("chat", lambda line: None, pip=pip(tmp_path, "raise SystemExit(1)"))
    began = time.monotonic()
    with pytest.raises(FedPromptError, check=coded("pip-failed")):
        install_part("chat", lambda line: None, pip=pip(tmp_path, "import time\ntime.sleep(60)"), seconds=0.2)
    assert time.monotonic() - began < 30


def test_whoever_signed_in_installs_nothing(tmp_path: Path) -> None:
    before = visitors(lambda: Person("Olga", "", "subject", "operator"))
    try:
        with pytest.raises(FedPromptError, check=coded("not-allowed")):
            install_part("chat", lambda line: None, pip=pip(tmp_path, "print('never')"))
    finally:
        visitors(before)
