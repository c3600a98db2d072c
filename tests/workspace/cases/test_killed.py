"""A run whose process is killed, wherever it stands, loses the group in flight and nothing else.

The kill is SIGKILL: no handler runs, nothing is closed. The child is the command itself; it halts at a given call, so
that the kill falls where the test says.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fedprompt.evaluation.runs.choices import GROUP
from fedprompt.site.folder import SiteFolder
from fedprompt.workspace.cases.own_cases import OWN_SITE
from fedprompt.workspace.local.scored import ChatScored, Scored
from fedprompt.workspace.local.scoring import score
from fedprompt.workspace.workspace import open_workspace
from tests.chat_server import serve, write_models
from tests.new_bank import put_bank
from tests.scripted_sites import write_cases
from tests.workspace.chat_study import CHOICE

pytestmark = pytest.mark.whole

CHILD = """
import signal, sys, threading
from fedprompt.cli.main import main
event, file, name, times = sys.argv[1:5]
left = int(times)

def halt(frame, what, called):
    global left
    if what != event or not frame.f_code.co_filename.endswith(file):
        return
    if name == (called.__name__ if what.startswith("c_") else frame.f_code.co_name):
        left -= 1
        if left == 0:
            print("halted", flush=True)
            signal.pause()

sys.setprofile(halt)
threading.setprofile(halt)
sys.exit(main(sys.argv[5:]))
"""
TEMPLATES = [f'  - {{name: t{n}, text: "Number {n}. Review: {{text}}\\nSentiment:"}}' for n in range(10)]
STUDY = "\n".join(
    [
        "study: many",
        "model: scripted",
        "fields: [text]",
        "answer: {type: choice, labels: [positive, negative]}",
        "templates:",
        *TEMPLATES,
        "splits: {tune: 10, validation: 150, test: 10}",
    ]
)
WRITTEN = STUDY.replace("choice, labels: [positive, negative]", "generate, scorers: [contains], max_tokens: 3").replace(
    "validation: 150", "validation: 14"
)
ALL, TEXTS = 10 * 150, 10 * 14  # values in all; texts come in chunks of as many as a group has cases

Stop = tuple[str, str, str, int]
ASKING, ASKED = ("call", "scripted.py", "choices"), ("call", "scripted.py", "_loglikelihoods")
WRITING, COMMITTED = ("c_return", "private_rows.py", "executemany"), ("c_return", "private_rows.py", "commit")
GENERATING = ("call", "scripted.py", "_continue")


def files(folder: Path, text: str) -> tuple[Path, Path]:
    """Write a study and its cases, each case of as many tokens as any other."""
    (folder / "s.yaml").write_text(text, encoding="utf-8")
    return folder / "s.yaml", write_cases(folder / "a.csv", "a", 200)


def prepared(home: Path) -> Path:
    """Return a home with the same key as any other, so that its cases are split the same way."""
    put_bank(home / "bank.db")
    SiteFolder(home / "sites" / OWN_SITE).prepare(b"k" * 32)
    return home


def child(home: Path, paths: tuple[Path, Path], stop: Stop) -> "subprocess.Popen[str]":
    score = ["score", "-S", str(paths[0]), "--data", str(paths[1]), "--home", str(home), "--json"]
    command = [sys.executable, "-c", CHILD, *map(str, stop), *score]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kill_at(home: Path, paths: tuple[Path, Path], stop: Stop) -> None:
    """Start a run and kill it where it halts."""
    running = child(home, paths, stop)
    assert running.stdout is not None
    told = running.stdout.readline()
    os.kill(running.pid, signal.SIGKILL)
    errors = running.communicate(timeout=60)[1]
    assert (told, running.returncode) == ("halted\n", -signal.SIGKILL), errors


def run(home: Path, paths: tuple[Path, Path]) -> Scored | ChatScored:
    """Run it to the end."""
    with open_workspace(home) as ws:
        return score(ws, *paths)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Scored | ChatScored]:
    """Return what each study gives that nobody kills."""
    found = {}
    for text in (STUDY, WRITTEN):
        folder = tmp_path_factory.mktemp("whole")
        found[text] = run(prepared(folder / "home"), files(folder, text))
    return found


@pytest.mark.parametrize(
    ("stops", "kept"),
    [
        pytest.param([(*ASKING, 1)], 0, id="before anything is asked"),
        pytest.param([(*ASKED, 400)], 0, id="in the first group"),
        pytest.param([(*WRITING, 1)], 0, id="the first group written, not committed"),
        pytest.param([(*COMMITTED, 1)], 1, id="the first group committed"),
        pytest.param([(*ASKED, 900)], 1, id="in the second group"),
        pytest.param([(*ASKING, 3)], 2, id="before the last group is asked"),
        # Taken up, the run halts in the group that it lacks, then in the one after that.
        pytest.param([(*ASKED, 900), (*WRITING, 1), (*ASKING, 2)], 2, id="time and again"),
    ],
)
def test_a_run_killed_anywhere_asks_only_for_the_groups_it_lacks(
    tmp_path: Path, uninterrupted: dict[str, Scored | ChatScored], stops: list[Stop], kept: int
) -> None:
    paths, home = files(tmp_path, STUDY), prepared(tmp_path / "home")
    for stop in stops:
        kill_at(home, paths, stop)
    found, whole = run(home, paths), uninterrupted[STUDY]
    assert (whole.cached, found.cached) == (0, kept * GROUP * 10)
    # All cases have as many tokens, so that the tokens computed are the cases that were computed.
    assert found.work.tokens * ALL == whole.work.tokens * (ALL - found.cached)
    assert found.results == whole.results and found.apart.against_best == whole.apart.against_best
    again = run(home, paths)
    assert (again.cached, again.work.tokens, again.results) == (ALL, 0, whole.results)
    assert not list(home.rglob("*.damaged"))


@pytest.mark.parametrize(
    ("stop", "kept"),
    [
        pytest.param((*GENERATING, 30), 0, id="in the first chunk"),
        pytest.param((*WRITING, 2), 1, id="the second chunk written, not committed"),
        pytest.param((*GENERATING, 2 * GROUP + 3), 2, id="in the last chunk"),
    ],
)
def test_texts_judged_before_a_kill_are_not_written_again(
    tmp_path: Path, uninterrupted: dict[str, Scored | ChatScored], stop: Stop, kept: int
) -> None:
    paths, home = files(tmp_path, WRITTEN), prepared(tmp_path / "home")
    kill_at(home, paths, stop)
    found, whole = run(home, paths), uninterrupted[WRITTEN]
    assert (whole.cached, found.cached) == (0, kept * GROUP)
    assert found.results == whole.results
    again = run(home, paths)
    assert (again.cached, again.work.tokens) == (TEXTS, 0)


def test_an_answer_that_came_before_a_kill_is_not_paid_for_again(tmp_path: Path) -> None:
    paths, at_once = files(tmp_path, CHOICE), 3
    home, other = prepared(tmp_path / "home"), prepared(tmp_path / "other")
    with serve() as server:
        for each in (home, other):
            write_models(each, server.url, f"concurrency = {at_once}")
        kill_at(home, paths, ("call", "replies.py", "put", 12))
        asked = len(server.sent)
        found = run(home, paths)
        # Lost is what was on its way, and the question of how a choice is answered, which every run asks.
        assert asked - at_once - 1 <= found.paid.cached < asked
        assert len(server.sent) - asked == found.paid.calls
        whole = run(other, paths)
    assert found.paid.calls + found.paid.cached == whole.paid.calls and whole.paid.cached == 0
    assert [row.run.score for row in found.results] == [row.run.score for row in whole.results]
