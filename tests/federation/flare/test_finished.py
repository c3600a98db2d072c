"""Folders of finished jobs go but the last three; a job that runs, a young one, and all else in a kit stay."""

import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

from fedprompt.federation.transports.flare.finished import KEPT, LOCK, clean_finished, hold_folder

HOLD = """
import sys
from fedprompt.federation.transports.flare.finished import hold_folder
assert hold_folder(sys.argv[1:]) is not None
print("held", flush=True)
sys.stdin.read()
"""


def jobs(kit: Path, count: int, age: float = 1000.0) -> list[str]:
    """Make the folders of so many jobs, the oldest first, and return their names."""
    names = []
    for place in range(count):
        names.append(str(uuid.UUID(int=place + 1)))
        folder = kit / names[-1]
        (folder / "app").mkdir(parents=True)
        (folder / "app" / "log.txt").write_text("what happened")
        when = time.time() - age - count + place
        os.utime(folder, (when, when))
    return names


def left(kit: Path) -> list[str]:
    return sorted(path.name for path in kit.iterdir())


def test_all_but_the_last_three_go(tmp_path: Path) -> None:
    names = jobs(tmp_path, 6)
    assert sorted(clean_finished(tmp_path)) == names[:3] and KEPT == 3
    assert left(tmp_path) == names[3:]
    assert clean_finished(tmp_path) == ()
    assert sorted(clean_finished(tmp_path, kept=1)) == names[3:5]


def test_what_is_no_jobs_folder_stays(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    names = jobs(outside, 1)
    kit = tmp_path / "kit"
    for name in ("startup", "local", "transfer", "not-a-job"):
        (kit / name).mkdir(parents=True)
    (kit / str(uuid.UUID(int=99))).symlink_to(outside / names[0])
    (kit / str(uuid.UUID(int=98))).write_text("a file")
    assert clean_finished(kit, kept=0) == () and len(left(kit)) == 6
    assert (outside / names[0] / "app" / "log.txt").exists()
    assert clean_finished(tmp_path / "no kit") == ()


def test_a_young_folder_stays_since_its_process_may_not_have_begun(tmp_path: Path) -> None:
    names = jobs(tmp_path, 2, age=5.0)
    assert clean_finished(tmp_path, kept=0) == () and left(tmp_path) == names


def test_a_job_that_runs_keeps_its_folder_and_one_that_was_killed_does_not(tmp_path: Path) -> None:
    (name,) = jobs(tmp_path, 1)
    words = [sys.executable, "-c", HOLD, "worker", "-m", str(tmp_path), "-w", "startup", "-n", name]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdin is not None
    assert process.stdout.readline() == b"held\n"
    old = time.time() - 1000
    os.utime(tmp_path / name, (old, old))
    assert clean_finished(tmp_path, kept=0) == ()
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()
    assert (tmp_path / name / LOCK).stat().st_mode & 0o777 == 0o600
    assert clean_finished(tmp_path, kept=0) == (name,)


def test_a_command_line_without_a_job_holds_nothing(tmp_path: Path) -> None:
    for words in ([], ["-m", str(tmp_path)], ["-m", str(tmp_path), "-n"], ["-m", str(tmp_path), "-n", "gone"]):
        assert hold_folder(words) is None
