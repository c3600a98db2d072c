"""Aggregating many updates, from wire bytes: time and memory beyond the input, beside Flower's own strategies.

    python -m venv /tmp/flower && /tmp/flower/bin/pip install flwr
    python -m benchmarks.aggregation_vs_flower --flower-python /tmp/flower/bin/python [--json]

Each strategy of each side runs in a process of its own, on the same arrays, with as many threads. The input is a list
of replies as bytes, each side's own format; what is timed is all that a hub does with them: parse, check, aggregate.
Flower's replies are not checked for NaN; ours are. Without ``--flower-python`` only our side is measured.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.peers.measuring import measured
from benchmarks.report import Row, report, show

STRATEGIES = ("fedavg", "median", "trimmed-mean", "multi-krum")
SECONDS = {"fedavg": 1.0, "median": 5.0, "trimmed-mean": 5.0, "multi-krum": 30.0}
MEGABYTES = {"fedavg": 200.0, "median": 1000.0, "trimmed-mean": 1000.0}
RATIO = {"fedavg": 5.0, "median": 2.0, "multi-krum": 3.0}
SHAPE = (16, 576)
PEER = Path(__file__).parent / "peers" / "flower_aggregation.py"


def main() -> None:
    """Measure every strategy on both sides."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--flower-python", type=Path)
    parser.add_argument("--strategies", nargs="+", choices=STRATEGIES, default=list(STRATEGIES))
    parser.add_argument("--ours", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.ours is not None:
        file, name, count, liars = options.ours
        print(json.dumps(_ours(Path(file), name, int(count), int(liars), options.repeats)))
        return
    threads = {name: str(options.threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    environment = {**os.environ, **threads}
    count, liars = options.updates, max(1, options.updates // 10)
    rows: list[Row] = []
    seen: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "updates.npy"
        _write(file, count)
        for name in options.strategies:
            asked = [str(file), name, str(count), str(liars)]
            ours = _run(
                [sys.executable, "-m", __spec__.name, "--ours", *asked, "--repeats", str(options.repeats)], environment
            )
            peer = None
            if options.flower_python is not None:
                peer = _run([str(options.flower_python), str(PEER), *asked, str(options.repeats)], environment)
            seen[name] = {"ours": ours, "peer": peer, "apart": _apart(Path(folder), name) if peer else None}
            rows += _rows(name, count, ours, peer)
    flower = next((found["peer"]["version"] for found in seen.values() if found["peer"]), None)
    found = report(
        "aggregation_vs_flower", rows, shape=[count, *SHAPE], liars=liars, threads=options.threads, seen=seen
    )
    found["versions"]["flwr"] = flower
    show(found, as_json=options.json)


def _ours(file: Path, name: str, count: int, liars: int, repeats: int) -> dict[str, Any]:
    from fedprompt.privacy.quantise import restore
    from fedprompt.strategies.registry import strategy_named
    from fedprompt.strategies.strategy import Update
    from fedprompt.study.strategies import filled_options
    from fedprompt.verbs.tune import TuneReply
    from fedprompt.verbs.wire import pack_reply, unpack_reply

    deltas = np.load(file, mmap_mode="r")[:count]
    cases = np.load(file.with_name("cases.npy"))[:count]
    wires = [
        pack_reply(TuneReply(task="t1:" + "a" * 32, round=1, cases=int(n)), {"delta": np.array(delta)})
        for delta, n in zip(deltas, cases, strict=True)
    ]
    options = filled_options(name, {"liars": liars} if "liars" in strategy_named(name).options.model_fields else {})
    start = np.zeros(SHAPE, np.float32)
    found: list[Any] = []

    def updates() -> Iterator[Update]:
        for place, data in enumerate(wires):
            parcel = unpack_reply(data)
            assert isinstance(parcel.message, TuneReply)
            yield Update(f"site-{place:06}", restore(parcel.arrays), parcel.message.cases)

    def aggregate() -> None:
        found.append(strategy_named(name).aggregate(start, updates(), options, {}).vectors)

    runs = [measured(aggregate) for _ in range(repeats)]
    np.save(file.with_name(f"ours-{name}.npy"), found[-1])
    return {"runs": runs, "wire": len(wires[0])}


def _rows(name: str, count: int, ours: dict[str, Any], peer: dict[str, Any] | None) -> list[Row]:
    def middle(side: dict[str, Any] | None, key: str) -> float | None:
        return None if side is None else float(median(run[key] for run in side["runs"]))

    def most(side: dict[str, Any] | None) -> float | None:
        # The first run's, as a rule: later ones reuse what the allocator kept.
        return None if side is None else float(max(run["beyond"] for run in side["runs"]))

    seconds, beyond = middle(ours, "seconds"), most(ours)
    assert seconds is not None and beyond is not None
    other, more = middle(peer, "seconds"), most(peer)
    rows = [
        Row(
            f"{name}, {count:,} updates, time",
            "s",
            seconds,
            other,
            None if other is None else other / seconds,
            SECONDS[name],
            seconds < SECONDS[name],
        ),
        Row(
            f"{name}, {count:,} updates, memory beyond the input",
            "MB",
            beyond / 1e6,
            None if more is None else more / 1e6,
            None if more is None or not beyond else more / beyond,
            MEGABYTES.get(name),
            beyond / 1e6 < MEGABYTES[name] if name in MEGABYTES else None,
        ),
    ]
    if other is not None and name in RATIO:
        ratio = other / seconds
        rows.append(Row(f"{name}, times faster than Flower", "x", ratio, target=RATIO[name], met=ratio >= RATIO[name]))
    return rows


def _apart(folder: Path, name: str) -> float:
    """Return how far the two sides' results lie apart at most."""
    return float(np.abs(np.load(folder / f"ours-{name}.npy") - np.load(folder / f"flower-{name}.npy")).max())


def _write(file: Path, count: int) -> None:
    rng = np.random.default_rng(0)
    deltas = np.lib.format.open_memmap(file, mode="w+", dtype=np.float32, shape=(count, *SHAPE))
    for first in range(0, count, 1000):
        some = deltas[first : first + 1000]
        some[:] = rng.normal(0.01, 0.05, some.shape)
    deltas.flush()
    np.save(file.with_name("cases.npy"), rng.integers(30, 500, count))


def _run(command: list[str], environment: dict[str, str]) -> dict[str, Any]:
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:3])} failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
