"""A job process: takes jobs of one lane out of the queue and runs them, one after the other.

Started as ``python -m fedprompt.workspace.jobs.job_process --home DIR --lane long|quick``. Invariant: it never outlives
the process that started it, and whatever it leaves unfinished is queued again. The quick lane loads the
default model as soon as it is on the disk and keeps it, on one thread, so that it answers while the long lane
works.
"""

import argparse
import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from fedprompt.errors import FedPromptError
from fedprompt.models.threads import spin_briefly
from fedprompt.stopping import Stopped
from fedprompt.workspace.failure import Failure, Traces, failure_of, sentence_of
from fedprompt.workspace.jobs.jobs import end_failed, put_back, resume, run_job
from fedprompt.workspace.jobs.queue import LANES, JobQueue
from fedprompt.workspace.jobs.tether import die_with_parent
from fedprompt.workspace.liveness import announce, withdraw
from fedprompt.workspace.playground.trial_files import prune_runs
from fedprompt.workspace.workspace import Workspace, open_workspace

__all__ = ["main"]

LONG_NICE = 5
IDLE_SECONDS = 0.05
PATIENCE_SECONDS = 3.0
TIDY_SECONDS = 300.0
log = logging.getLogger(__name__)


class _Stop:
    """Whether the process is to end: somebody asked for it, or the process that started it is gone."""

    def __init__(self, ws: Workspace) -> None:
        self._asked = False
        self._parent = os.getppid()
        self._ws = ws
        self.job: str | None = None

    def __call__(self) -> bool:
        if os.getppid() != self._parent:
            self.ask()
        return self._asked

    def ask(self, *_: int | FrameType | None) -> None:
        """Ask for the end; a job that does not hear of it in time is broken off and queued again."""
        if not self._asked:
            self._asked = True
            threading.Thread(target=self._end_late, daemon=True).start()

    def _end_late(self) -> None:
        time.sleep(PATIENCE_SECONDS)
        if self.job is not None:
            log.warning("the job %s did not stop in time; it is interrupted and queued again", self.job)
            try:
                put_back(self._ws, self.job)
            except Exception as error:  # the next start finds the job by its dead process
                log.error("%s", sentence_of(error))
        logging.shutdown()
        os._exit(0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a job process until it is asked to end; return its exit code."""
    parser = argparse.ArgumentParser(prog="fedprompt.workspace.jobs.job_process")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--lane", choices=LANES, required=True)
    chosen = parser.parse_args(arguments)
    handler = logging.StreamHandler()
    handler.setFormatter(Traces("%(asctime)s %(name)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    spin_briefly(os.environ)  # before torch is imported
    if chosen.lane == "long":
        _give_way()
    die_with_parent()
    with open_workspace(chosen.home) as ws:
        stop = _Stop(ws)
        signal.signal(signal.SIGTERM, stop.ask)
        signal.signal(signal.SIGINT, stop.ask)
        announce(ws.home, chosen.lane, os.getpid())
        threading.Thread(target=_beat, args=(ws, chosen.lane, stop), daemon=True).start()
        if chosen.lane == "quick":
            threading.Thread(target=_load_early, args=(ws, stop), daemon=True).start()
            threading.Thread(target=_tidy, args=(ws, stop), daemon=True).start()
        log.info("the %s lane is served by process %d", chosen.lane, os.getpid())
        try:
            _serve(ws, chosen.lane, stop)
        finally:
            withdraw(ws.home, chosen.lane, os.getpid())
    return 0


def _serve(ws: Workspace, lane: str, stop: _Stop) -> None:
    with JobQueue(ws.home, lane) as queue:
        while not stop():
            try:
                job = queue.take()
                if queue.begun_anew:  # what waited in the damaged file is known to the bank
                    queue.begun_anew = False
                    resume(ws)
                if job is None:
                    time.sleep(IDLE_SECONDS)
                else:
                    stop.job = job
                    run_job(ws, job, stop)
                    stop.job = None
            except Stopped:
                return
            except Exception as error:  # whatever it is, the next job is served
                log.error("%s", sentence_of(error), exc_info=error if not isinstance(error, FedPromptError) else None)
                _settle(ws, stop, failure_of(error))


def _settle(ws: Workspace, stop: _Stop, why: Failure) -> None:
    """Write that the job failed, as soon as that can be written: nobody may wait for a job that nothing works on."""
    while not stop():
        time.sleep(1.0)
        if stop.job is None:
            return
        try:
            mine = [row for row in ws.bank.jobs(limit=1000) if row.id == stop.job and row.pid == os.getpid()]
            if any(row.state == "running" for row in mine):
                end_failed(ws, stop.job, why)
        except Exception as error:  # the bank cannot be read or written yet
            log.error("%s", sentence_of(error))
        else:
            stop.job = None
            return


def _give_way() -> None:
    """Let the pages and the quick lane go first."""
    os.nice(LONG_NICE)
    # Where Linux shares the processor among sessions first, a nice value counts only within one; a session has its own.
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(LONG_NICE), encoding="ascii")


def _beat(ws: Workspace, lane: str, stop: _Stop) -> None:
    """Tell every second that the process lives, and notice when its parent does not."""
    while not stop():
        try:
            announce(ws.home, lane, os.getpid())
        except Exception as error:  # a beat that stops would have the pages say that nothing runs
            log.warning("the process cannot say that it is alive: %s", sentence_of(error))
        time.sleep(1.0)


def _tidy(ws: Workspace, stop: _Stop) -> None:
    """Delete the playground's runs when their time is over, also while nobody starts another."""
    while not stop():
        try:
            prune_runs(ws.home)
        except Exception as error:  # the next try may do
            log.warning("old runs cannot be deleted: %s", sentence_of(error))
        time.sleep(TIDY_SECONDS)


def _load_early(ws: Workspace, stop: _Stop) -> None:
    """Load the default model once it is there, so that the playground's first run need not wait for it.

    A run that comes before loads the model itself.
    """
    from fedprompt.models.registry import DEFAULT_MODEL, find_model_folder
    from fedprompt.workspace.answers.readying import load_quick

    while not stop():
        try:
            find_model_folder(DEFAULT_MODEL, ws.home.path)
        except (FedPromptError, OSError):
            time.sleep(1.0)
            continue
        try:
            load_quick(ws, DEFAULT_MODEL)
            log.info("the model %s is loaded", DEFAULT_MODEL)
        except Exception as error:  # a run that needs it says so itself
            log.error("%s", sentence_of(error))
        return


if __name__ == "__main__":
    sys.exit(main())
