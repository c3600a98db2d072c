"""Kill -9 during a federation with secure sums, noise and capped weights together: it ends, and charges once.

    python -m benchmarks.secure_sums_killed [--kills 20] [--rounds 8] [--every 6] [--seed 0] [--json]

One hub and four sites on loopback with TLS, with the scripted model. The study asks for secure sums, a budget of
privacy (``dp``) and ``max_weight``. At random moments one process is killed: the hub's ``federate``, or a site's
``site run``. Each is started again at once. It is met if the federation finishes, if no site took a step of a round's
sum twice, and if each site's cases are charged for exactly the rounds that it answered.
"""

import argparse
import json
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import yaml

from benchmarks.kill_anywhere import federation_of, start_again
from benchmarks.loopback import Loopback
from benchmarks.report import Row, report, show
from benchmarks.transport_overhead import STUDY, cases_file
from fedprompt.site.folder import SiteFolder
from fedprompt.site.private_answers import charges_of
from fedprompt.site.tally import Tally
from fedprompt.trust.signing import site_identity

SITES = ("ant", "bee", "cat", "dog")
KEYS = {site: site.encode().ljust(32, b".") for site in SITES}
STEPS, LIMIT_SECONDS = 2, 3000.0


def main() -> None:
    """Run it, kill, and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=float, default=6.0, help="the most seconds between two kills")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fedprompt-") as folder:
        rows = _run(Path(folder), options)
    show(report("secure_sums_killed", rows), as_json=options.json)


def _study(path: Path, rounds: int) -> Path:
    body = yaml.safe_load(STUDY)
    body |= {
        "study": "killed",
        "tuning": {"steps": STEPS, "batch": 8},
        "privacy": {"min_cases": 5},
        "dp": {"epsilon": 8, "cases": 20, "delta": 0.001},
        "rounds": {
            "count": rounds,
            "quorum": 3,
            "max_weight": 1.1,
            "secure_sums": {"sites": {site: site_identity(key) for site, key in KEYS.items()}},
        },
    }
    path.write_text(yaml.safe_dump(body), encoding="utf-8")
    return path


def _run(root: Path, options: argparse.Namespace) -> list[Row]:
    study, draw = _study(root / "study.yaml", options.rounds), np.random.default_rng(options.seed)
    files = {site: cases_file(root / f"{site}.csv", site) for site in SITES}
    killed: Counter[str] = Counter()
    with Loopback(root, seconds=600.0) as loopback:
        loopback.enrol(SITES, study, KEYS)
        loopback.start_hub()
        for site in SITES:
            loopback.launch_site(site, files[site])
        for site in SITES:
            loopback.await_site(site)
        began = time.monotonic()
        process = federation_of(loopback, study, 0)
        moment = time.monotonic() + float(draw.uniform(1, options.every))
        while process.poll() != 0 and time.monotonic() - began < LIMIT_SECONDS:
            if time.monotonic() > moment and sum(killed.values()) < options.kills:
                victim = str(draw.choice(["hub", *SITES], p=[0.6, 0.1, 0.1, 0.1, 0.1]))
                if victim == "hub":
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                else:
                    loopback.processes[victim].send_signal(signal.SIGKILL)
                    loopback.processes[victim].wait()
                killed[victim] += 1
                moment = time.monotonic() + float(draw.uniform(1, options.every))
                print(f"{time.monotonic() - began:.0f} s: killed {victim}", file=sys.stderr, flush=True)
            if process.poll() not in (None, 0):
                process = federation_of(loopback, study, 0)
            start_again(loopback, files)
            time.sleep(0.05)
        took, finished = time.monotonic() - began, process.poll() == 0
        process.kill()
        twice, charged = _counted({site: loopback.sites[site].sites / site for site in SITES})
    done = json.loads((root / "federate.json").read_text(encoding="utf-8"))["rounds"] if finished else []
    kills = sum(killed.values())
    return [
        Row("processes that were killed", "", kills, target=options.kills, met=kills == options.kills),
        Row("of these the hub's", "", killed["hub"]),
        Row("rounds that were finished", "", len(done), target=options.rounds, met=len(done) == options.rounds),
        Row("steps of a sum that a site took twice", "", twice, target=0, met=twice == 0),
        Row("sites whose charges are not those of their rounds", "", charged, target=0, met=charged == 0),
        Row("the whole federation", "s", took),
    ]


def _counted(folders: Mapping[str, Path]) -> tuple[int, int]:
    """Return how many steps of a sum were taken twice, and at how many sites charges and answered rounds differ."""
    twice = wrong = 0
    for path in folders.values():
        folder = SiteFolder(path)
        sent = [entry.message for entry in folder.ledger.entries() if entry.decision == "sent"]
        steps = Counter((one["verb"], one["round"]) for one in sent if str(one.get("verb", "")).startswith("sum-"))
        twice += sum(count - 1 for count in steps.values())
        rounds = sum(verb == "sum-tune" for verb, _ in steps)
        counts = [one.event.count for one in charges_of(Tally(folder.ledger, folder.replies)) if one.event.rate < 1]
        wrong += sum(counts) != rounds * STEPS
    return twice, wrong


if __name__ == "__main__":
    main()
