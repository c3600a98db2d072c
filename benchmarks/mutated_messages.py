"""Messages bent by one who knows how they are built, at both doors: what a hub sends a site, what a site sends a hub.

    python -m benchmarks.mutated_messages [--count 1000000] [--seconds N] [--seed 0] [--json]

Half are tasks at the site's door and half replies at the hub's, each an honest message of a small federation bent in
one to three ways: other values (huge, tiny, of another type, of another message), members taken away, added, doubled
or renamed, JSON cut or with odd characters, containers with other headers, arrays with NaN, bytes flipped or grafted.
A door may take a message only if another reading of it finds no fault (``mutants/oracle.py``); anything else that it
raises than what its docstring names is a fault. Time is the processor's own for a single refusal, the least of three
where it is long; memory is how much the process grew over all of them. Some of the tasks that the door takes go on to
a worker, which must answer each.
"""

import argparse
import json
import logging
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.mutants.bending import bent
from benchmarks.mutants.honest import Exchange, exchanged, open_worker
from benchmarks.mutants.oracle import fault
from benchmarks.report import Row, report, show

SLOW_SECONDS, GROWN_BYTES = 0.05, 64 * 1024 * 1024
HANDLED = 2_000  # tasks that a worker is given
SHOWN = 20


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop then, with what was tried so far")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="fedprompt-") as folder:
        found = _tried(Path(folder), options.count, options.seed, options.seconds)
    show(found, as_json=options.json)


def _tried(folder: Path, count: int, seed: int, seconds_in_all: float) -> dict[str, object]:
    honest = exchanged(folder / "honest")
    workers = {one.digest: open_worker(folder / one.digest[3:], one.study) for one in honest}
    rng = np.random.default_rng(seed)
    told, wrong, undocumented = Counter[str](), list[str](), Counter[str]()
    slowest, handled = 0.0, 0
    begun, told_at = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    ends = told_at + seconds_in_all
    for number in range(count):
        if time.monotonic() > ends:
            break
        kind = ("task", "reply")[number % 2]
        one = honest[int(rng.integers(len(honest)))]
        other = honest[int(rng.integers(len(honest)))]
        data = bent(getattr(one, kind), kind, getattr(other, kind), rng)
        try:
            taken, seconds = _timed(one, kind, data)
            if not taken and seconds > SLOW_SECONDS / 2:  # or was it the collector of garbage, or another's turn?
                seconds = min(seconds, *(_timed(one, kind, data)[1] for _ in range(2)))
        except Exception as error:
            taken, seconds = False, 0.0
            undocumented[f"{kind}: {type(error).__name__}"] += 1
        told[f"{kind} {'taken' if taken else 'refused'}"] += 1
        if not taken:
            slowest = max(slowest, seconds)
        elif (why := fault(data, kind, one)) is not None:
            wrong.append(f"{kind}: {why}")
        elif kind == "task" and handled < HANDLED:
            handled += 1
            try:
                workers[one.digest].handle(data)
            except Exception as error:
                undocumented[f"worker: {type(error).__name__}"] += 1
        if time.monotonic() - told_at > 30:
            told_at = time.monotonic()
            print(f"{number + 1:,} of {count:,}: {dict(told)}, wrongly taken {len(wrong)}", file=sys.stderr, flush=True)
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - begun)
    rows = [
        Row("messages that were taken and are forbidden", "messages", len(wrong), target=0, met=not wrong),
        Row(
            "exceptions that no docstring names",
            "messages",
            sum(undocumented.values()),
            target=0,
            met=not undocumented,
        ),
        Row("the slowest refusal", "ms", 1000 * slowest, target=1000 * SLOW_SECONDS, met=slowest <= SLOW_SECONDS),
        Row("what the process grew by", "MB", grown / 1e6, target=GROWN_BYTES / 1e6, met=grown <= GROWN_BYTES),
        *(Row(what, "messages", times) for what, times in sorted(told.items())),
        Row("tasks that a worker answered", "messages", handled),
        Row("messages that were tried", "messages", sum(told.values()), target=count, met=sum(told.values()) == count),
    ]
    faults = {"forbidden": dict(Counter(wrong).most_common(SHOWN)), "undocumented": dict(undocumented)}
    print(json.dumps(faults, indent=2), file=sys.stderr)
    return report("mutated_messages", rows, count=count, seed=seed, **faults)


def _timed(one: Exchange, kind: str, data: bytes) -> tuple[bool, float]:
    """Return whether the door takes a message, and the processor's seconds for it."""
    began = time.thread_time()
    taken = one.taken(kind, data)
    return taken, time.thread_time() - began


if __name__ == "__main__":
    main()
