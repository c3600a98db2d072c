"""Rounds with up to thousands of simulated sites through the real hub, strategies and bank: where the time goes.

    python -m benchmarks.scaling [--sites 100 1000 10000] [--strategy fedavg] [--update int8] [--json]

Sites are scripted (``fedprompt.federation.simulation``): what they cost is measured apart and taken off, so what is
left is the hub's. Processor seconds, since simulated sites do not wait. Each size runs in a process of its own.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.measuring import measured
from benchmarks.report import Row, report, show
from fedprompt.federation.hub import Hub
from fedprompt.federation.round_record import RoundRecord
from fedprompt.federation.rounds import run_rounds
from fedprompt.federation.simulation import Population, SimulatedSites
from fedprompt.federation.transports.transport import Delivered
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.study.schema import Study
from fedprompt.workspace.rounds.federation_run import BankWriter
from fedprompt.workspace.workspace import open_workspace

MODEL = "sha256:" + "0" * 64
TOKENS, WIDTH, ROUNDS = 8, 576, 3


class _Timed(SimulatedSites):
    """Simulated sites that note the processor seconds that they themselves take."""

    spent = 0.0

    def ask(self, site: str, task: bytes) -> Delivered:
        began = time.process_time()
        try:
            return super().ask(site, task)
        finally:
            self.spent += time.process_time() - began


class _TimedWriter(BankWriter):
    """The bank's writer, noting the seconds of its writes, syncs included."""

    spent = 0.0

    def begin(self, number: int, plan: Mapping[str, Any]) -> None:
        began = time.perf_counter()
        super().begin(number, plan)
        self.spent += time.perf_counter() - began

    def write(self, record: RoundRecord) -> None:
        began = time.perf_counter()
        super().write(record)
        self.spent += time.perf_counter() - began


def main() -> None:
    """Measure each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--strategy", default="fedavg")
    parser.add_argument("--update", choices=("float32", "float16", "int8"), default="int8")
    parser.add_argument("--dropout", type=float, default=0.05)
    parser.add_argument("--deadline", type=float, default=60.0, help="simulated seconds that a site has")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.one is not None:
        print(json.dumps(_measure(options.one, options.strategy, options.update, options.dropout, options.deadline)))
        return
    rows: list[Row] = []
    seen = {}
    for count in options.sites:
        command = [sys.executable, "-m", __spec__.name, "--one", str(count), "--strategy", options.strategy]
        command += ["--update", options.update, "--dropout", str(options.dropout), "--deadline", str(options.deadline)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr[-2000:])
        found = seen[count] = json.loads(done.stdout.splitlines()[-1])
        where = f"{count:,} sites, {options.strategy}, {options.update}"
        rows += [
            Row(f"{where}: hub's processor time a round", "s", found["hub"] / ROUNDS),
            Row(f"{where}: of it a site", "ms", 1000 * found["hub"] / ROUNDS / count),
            Row(f"{where}: writing a round to the bank", "s", found["bank"] / ROUNDS),
            Row(f"{where}: peak memory beyond the start", "MB", found["beyond"] / 1e6),
            Row(f"{where}: bank's file after {ROUNDS} rounds", "MB", found["file"] / 1e6),
            Row(f"{where}: received a round", "MB", found["received"] / ROUNDS / 1e6),
            Row(f"{where}: sent a round", "MB", found["sent"] / ROUNDS / 1e6),
        ]
    show(report("scaling", rows, seen=seen), as_json=options.json)


def _measure(count: int, strategy: str, update: str, dropout: float, deadline: float) -> dict[str, Any]:
    body: dict[str, Any] = {
        "study": "simulated",
        "model": "none",
        "fields": ["text"],
        "answer": {"type": "choice", "labels": ["a", "b"]},
        "templates": [{"name": "plain", "text": "{text}:"}],
        "soft": {"template": "{text}{soft}:", "tokens": TOKENS, "init": "none"},
        "rounds": {
            "count": ROUNDS,
            "quorum": max(1, count * 8 // 10),
            "deadline": deadline,
            "update": update,
            "strategy": {"name": strategy},
        },
    }
    study = Study.model_validate(body)
    digest = study.digest(MODEL)
    population = Population(count, tokens=TOKENS, width=WIDTH, dropout=dropout, update=study.rounds.update)
    sites = _Timed(population)
    records: list[RoundRecord] = []
    with tempfile.TemporaryDirectory() as folder, open_workspace(Path(folder)) as ws:
        ws.bank.record_study(study, digest, MODEL)
        ws.bank.start_run("r1:simulated", kind="federate", study=digest, settings={})
        writer = _TimedWriter(ws.bank, "r1:simulated", digest, "federated")
        start = SoftPrompt(np.zeros((TOKENS, WIDTH), np.float32), MODEL)

        def run() -> None:
            records.extend(
                run_rounds(
                    Hub(sites, digest),
                    study.soft_template(),
                    start,
                    rounds=study.rounds,
                    tuning=study.tuning,
                    seed=0,
                    writer=writer,
                    clock=sites.clock,
                )
            )

        found = measured(run)
        size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
    return {
        **found,
        "sites": sites.spent,
        "hub": found["cpu"] - sites.spent,
        "bank": writer.spent,
        "file": size,
        "received": sum(record.bytes for record in records),
        "sent": sum(sum(record.sent.values()) for record in records),
        "by_round": [
            {
                "round": record.number,
                "mean": None if record.mean is None else round(record.mean, 4),
                "scored": len(record.scores),
                "late": sum(one.why == "late" for one in record.missing),
                "failed": sum(one.why == "failed" for one in record.missing),
                "away": float(np.linalg.norm(record.prompt.soft.vectors - sites.optimum))
                if record.prompt.soft
                else None,
            }
            for record in records
        ],
    }


if __name__ == "__main__":
    main()
