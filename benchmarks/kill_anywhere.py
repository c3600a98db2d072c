"""Kill -9 at random moments of a federation over the real engine; how it ends is compared with an undisturbed run.

    python -m benchmarks.kill_anywhere [--trials 50] [--seed 0] [--quorum N] [--only server] [--json]

One hub and four sites stay up, on loopback with TLS, with the scripted model. Each trial is a federation with a seed of
its own. At a moment drawn from the seed, anywhere from its start to the end of an undisturbed one, one process is
killed, or as soon as it lives: in turn the hub (``federate``), the server (``hub run`` or the engine under it), a site
(``site run`` or its engine), or a worker (the process of a job, at a site or at the hub). What a service manager would
start again is started again: ``hub run``, ``site run``, and ``federate`` with the same command. Engines and job
processes are left to what keeps them running.

A trial is met if the federation finishes with the prompts of the same seed in one process, or else with a recorded
change of who answered, and if every round that was in the bank before the kill is there afterwards as it was.
"""

import argparse
import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.loopback import Loopback, children
from benchmarks.report import Row, report, show
from benchmarks.transport_overhead import STUDY, cases_file
from fedprompt.errors import FedPromptError
from fedprompt.workspace.as_json import from_json
from fedprompt.workspace.enrolled.hub_folder import HubFolder
from fedprompt.workspace.enrolled.site_folder import enrolled
from fedprompt.workspace.rounds.federated import FederatedResult
from fedprompt.workspace.rounds.federating import federate
from fedprompt.workspace.workspace import open_workspace

SITES = ("ant", "bee", "cat", "dog")
ROUNDS = 6
LIMIT_SECONDS = 240.0
VICTIMS = ("hub", "server", "site", "worker")
PLACES = {"hub": ("federate",), "server": ("run", "engine"), "site": ("run", "engine"), "worker": ("site", "hub")}


@dataclass
class Trial:
    """What was killed and when, and how it ended."""

    seed: int
    victim: str
    place: str
    site: str
    moment: float
    killed: int = 0
    starts: int = 0
    seconds: float = 0.0
    rounds_before: int = 0
    same: bool = False
    changed: bool = False
    lost: bool = False
    ended: str = ""
    said: list[str] = field(default_factory=list)

    @property
    def met(self) -> bool:
        """Whether it finished as it should."""
        return self.ended == "finished" and (self.same or self.changed) and not self.lost


def main() -> None:
    """Run the trials and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quorum", type=int, default=len(SITES))
    parser.add_argument("--only", choices=VICTIMS)
    parser.add_argument("--minutes", type=float, default=600.0, help="begin no trial after so many minutes")
    parser.add_argument("--keep", type=Path, help="a folder that stays, with the logs")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and end what was started
    with tempfile.TemporaryDirectory(prefix="fedprompt-") as folder:
        root = options.keep or Path(folder)
        root.mkdir(exist_ok=True)
        found, calm = _run(root, options)
    met = sum(trial.met for trial in found)
    disturbed = [trial for trial in found if trial.killed]
    rows = [
        Row("trials that finished as they should", "", met, target=len(found), met=met == len(found)),
        Row("of these with the prompts of an undisturbed run", "", sum(trial.same for trial in found)),
        Row("processes that were there to be killed", "", len(disturbed)),
        Row("rounds that were lost once written", "", sum(trial.lost for trial in found), target=0,
            met=not any(trial.lost for trial in found)),
        Row("an undisturbed federation", "s", calm),
        Row("a disturbed one", "s", median(trial.seconds for trial in disturbed) if disturbed else None),
        Row("the longest", "s", max((trial.seconds for trial in found), default=None)),
    ]  # fmt: skip
    body = report("kill_anywhere", rows, trials=[asdict(trial) for trial in found], rounds=ROUNDS, sites=len(SITES))
    show(body, as_json=options.json)


def _run(root: Path, options: argparse.Namespace) -> tuple[list[Trial], float]:
    study = root / "study.yaml"
    study.write_text(STUDY + f"rounds: {{count: {ROUNDS}, quorum: {options.quorum}}}\n", encoding="utf-8")
    files = {site: cases_file(root / f"{site}.csv", site) for site in SITES}
    begun = time.monotonic()
    found: list[Trial] = []
    with Loopback(root) as loopback:
        loopback.enrol(SITES, study)
        loopback.start_hub()
        for site in SITES:
            loopback.launch_site(site, files[site])
        _keys_to(root / "local", loopback)
        calm = _calm(loopback, study, options.seed)
        _say(f"an undisturbed federation took {calm:.1f} s")
        draw = np.random.default_rng(options.seed)
        for number in range(options.trials):
            victim = options.only or VICTIMS[number % len(VICTIMS)]
            places = PLACES[victim]
            place = places[number // len(VICTIMS) % len(places)]
            trial = Trial(
                options.seed * 100_000 + number + 1,
                victim,
                place,
                str(draw.choice(SITES)),
                float(draw.uniform(0.0, calm)),
            )
            if time.monotonic() - begun > 60 * options.minutes:
                break
            _play(trial, loopback, study, files)
            found.append(trial)
            _say(json.dumps({k: v for k, v in asdict(trial).items() if k != "said" or not trial.met}))
    return found, calm


def _play(trial: Trial, loopback: Loopback, study: Path, files: Mapping[str, Path]) -> None:
    """Start a federation, kill one process, start again what is to be started again, and compare."""
    with open_workspace(loopback.root / "local") as ws:
        wanted = federate(ws, study, files, seed=trial.seed)
    began = time.monotonic()
    written: dict[int, str] = {}
    process = federation_of(loopback, study, trial.seed)
    trial.starts = 1
    try:
        while not trial.ended:
            passed, code = time.monotonic() - began, process.poll()
            if code == 0 or passed > LIMIT_SECONDS:
                trial.ended = "finished" if code == 0 else "too long"
            elif not trial.killed and passed >= trial.moment and (pid := _victim(trial, loopback, process)):
                written = _written(loopback, trial.seed)
                trial.rounds_before, trial.killed = len(written), pid
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                continue  # the same moment, before anything is started again
            elif code is not None:
                trial.said.append(_tail(loopback))
                process = federation_of(loopback, study, trial.seed)
                trial.starts += 1
            start_again(loopback, files)
            time.sleep(0.05)
    finally:
        if process.poll() is None:
            trial.said.append(_tail(loopback))
            process.kill()
            process.wait()
    trial.seconds = round(time.monotonic() - began, 2)
    after = _written(loopback, trial.seed)
    trial.lost = any(after.get(number) != body for number, body in written.items())
    if trial.ended == "finished":
        told = json.loads((loopback.root / "federate.json").read_text(encoding="utf-8"))
        found = from_json(FederatedResult, told)
        trial.same = found.prompts == wanted.prompts and found.test == wanted.test
        trial.changed = bool(found.missing) or any(row.missing for row in found.rounds)


def start_again(loopback: Loopback, files: Mapping[str, Path]) -> None:
    """Do what a service manager does."""
    for name in list(loopback.processes):
        if loopback.processes[name].poll() is not None:
            loopback.restart(name, files.get(name))


def _calm(loopback: Loopback, study: Path, seed: int) -> float:
    """Return the seconds of the second of two undisturbed runs: the first waits for the sites to come up."""
    for number in (0, 1):
        began = time.monotonic()
        process = federation_of(loopback, study, seed * 100_000 + 90_000 + number)
        if process.wait(LIMIT_SECONDS) != 0:
            raise FedPromptError(f"the undisturbed run failed: {_tail(loopback)}")
        seconds = time.monotonic() - began
    return seconds


def federation_of(loopback: Loopback, study: Path, seed: int) -> subprocess.Popen[bytes]:
    """Start ``federate`` at the hub; what it prints goes to ``federate.json``."""
    words = ["federate", "-S", str(study), "--transport", "flare", "--seed", str(seed), "--json"]
    words += [word for site in SITES for word in ("--site", site)]
    with (loopback.root / "federate.json").open("wb") as out, (loopback.root / "federate.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "fedprompt.cli", *words, "--home", str(loopback.hub.path)],
            env=loopback.environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=log,
        )


def _victim(trial: Trial, loopback: Loopback, process: "subprocess.Popen[bytes]") -> int:
    """Return the id of the process that the trial kills, 0 where it does not run at this moment."""
    name = trial.site if trial.victim == "site" or trial.place == "site" else "hub"
    pid = process.pid if trial.victim == "hub" else loopback.processes[name].pid
    if trial.place != "run" and trial.victim != "hub":
        engines = children(pid)
        jobs = [job for engine in engines for job in children(engine)]
        pid = next(iter(jobs if trial.victim == "worker" else engines), 0)
    return pid


def _written(loopback: Loopback, seed: int) -> dict[int, str]:
    """Return round -> digest of what the bank holds of a seed's run."""
    with open_workspace(loopback.hub.path) as ws:
        rows = [row for row in ws.bank.runs(kind="federate") if row.settings["seed"] == seed]
        return {
            one.number: hashlib.sha256(json.dumps([one.prompt, one.body], sort_keys=True).encode()).hexdigest()
            for row in rows
            for one in ws.bank.rounds(row.id)
        }


def _keys_to(home: Path, loopback: Loopback) -> None:
    """Give the run in one process the sites' keys, so that its splits are theirs."""
    for site in SITES:
        folder = home / "sites" / site
        folder.mkdir(parents=True)
        key = enrolled(loopback.sites[site], site).folder.path / "site.key"
        (folder / "site.key").write_bytes(key.read_bytes())


def _tail(loopback: Loopback) -> str:
    running = HubFolder(loopback.hub).running
    said = (loopback.root / "federate.log").read_text(encoding="utf-8", errors="replace")[-600:]
    return f"hub {'runs' if running else 'does not run'}: {said}"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
