"""An engine is started again when it ends, and ended with all that it started."""

import os
import sys
import time
from pathlib import Path

from fedprompt.workspace.enrolled.engine_process import EngineProcess
from fedprompt.workspace.liveness import is_running

STARTS_ANOTHER = (
    "import subprocess, sys, time; "
    "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid, flush=True); time.sleep(60)"
)


def wait(condition: object) -> None:
    end = time.monotonic() + 10
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.02)


def engine(tmp_path: Path, code: str) -> EngineProcess:
    return EngineProcess(
        [sys.executable, "-c", code], cwd=tmp_path, out=tmp_path / "logs" / "engine.log", environment={"A": "b"}
    )


def test_it_ends_with_what_it_started(tmp_path: Path) -> None:
    with engine(tmp_path, STARTS_ANOTHER) as running:
        running.tend()
        log = tmp_path / "logs" / "engine.log"
        wait(lambda: log.read_text().endswith("\n"))
        leader, other = running.pid, int(log.read_text())
        assert leader is not None and is_running(leader) and is_running(other)
        assert log.stat().st_mode & 0o077 == 0
    assert not is_running(leader)
    wait(lambda: not is_running(other) or _is_zombie(other))


def _is_zombie(pid: int) -> bool:
    return ") Z " in Path(f"/proc/{pid}/stat").read_text()


def test_one_that_ends_by_itself_is_started_again_but_not_at_once(tmp_path: Path) -> None:
    with engine(tmp_path, "import os; assert os.environ['A'] == 'b'") as running:
        running.tend()
        wait(lambda: running.pid is None)
        running.tend()
        assert running.starts == 1
        wait(lambda: running.tend() or running.starts == 2)
        assert os.path.getsize(tmp_path / "logs" / "engine.log") == 0
