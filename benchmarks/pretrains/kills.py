"""Kill -9 at seeded moments of a pre-training; what it ends with is compared with an undisturbed one, bit for bit."""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.pretrains.federated import made_home
from fedprompt.models.hf.digest import model_digest
from fedprompt.workspace.home import find_home
from fedprompt.workspace.progress import Progress
from fedprompt.workspace.rounds.pretraining import pretrain
from fedprompt.workspace.workspace import open_workspace

__all__ = ["Killed", "kill_anywhere"]

Killed = tuple[int, int, bool]


def kill_anywhere(folder: Path, study: Path, sites: dict[str, Path], kills: int, seed: int) -> Killed:
    """Return how many kills there were, how often the run was begun, and whether the weights are equal to the bit.

    A run is killed at a moment drawn from the seed, counted from its first step or look, goes on in a new process, is
    killed again, and so on.
    """
    rng = np.random.default_rng(seed)
    homes = {name: folder / f"kill-{name}" for name in ("whole", "killed")}
    for home in homes.values():
        made_home(home, sites, seed)
    child, begun = _forked(homes["whole"], study, sites)
    os.read(begun, 1)
    began = time.monotonic()
    _wait(child)
    whole = time.monotonic() - began
    done = starts = 0
    while True:
        starts += 1
        child, begun = _forked(homes["killed"], study, sites)
        if done >= kills:
            _wait(child)
            break
        os.read(begun, 1)
        time.sleep(float(rng.uniform(0.0, whole / kills)))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        os.close(begun)
        if os.WIFEXITED(status):
            print("the run ended before its kill", file=sys.stderr)
            break
        done += 1
    digests = {model_digest(home / "trained" / "killed") for home in homes.values()}
    return done, starts, len(digests) == 1


def _forked(home: Path, study: Path, sites: dict[str, Path]) -> tuple[int, int]:
    """Run it in a child that has all imports already; return the child, and where a byte comes once it trains."""
    begun, tell = os.pipe()
    child = os.fork()
    if child:
        os.close(tell)
        return child, begun
    try:

        def report(progress: Progress) -> None:
            if progress.stage == "pretrain":
                os.write(tell, b"x")

        with open_workspace(find_home(home).path) as ws:
            pretrain(ws, study, {site: [path] for site, path in sites.items()}, name="killed", report=report)
    except BaseException as error:
        print(f"a run failed: {error!r}", file=sys.stderr)
        os._exit(1)
    os._exit(0)


def _wait(child: int) -> None:
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit("a run that nobody killed failed")
