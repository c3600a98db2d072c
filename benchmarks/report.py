"""The one object that every benchmark prints: rows, machine, versions, date."""

import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["SKIPPED", "Row", "need", "report", "show"]

SKIPPED = 77  # the exit code of a benchmark that lacks its peer

PACKAGES = ("fedprompt", "torch", "transformers", "numpy")


@dataclass(frozen=True)
class Row:
    """One figure: ours, the peer's and their ratio where there is a peer, the target and whether it was met."""

    name: str
    unit: str
    ours: float | None
    peer: float | None = None
    ratio: float | None = None
    target: float | None = None
    met: bool | None = None


def need(module: str, install: str) -> None:
    """End the process, with one line, where the peer that a benchmark compares with is not installed."""
    if find_spec(module) is None:
        print(f"{module} is not installed, so there is nothing to compare with; run '{install}'", file=sys.stderr)
        raise SystemExit(SKIPPED)


def report(name: str, rows: Sequence[Row], **more: Any) -> dict[str, Any]:
    """Return the object to print."""
    return {
        "benchmark": name,
        "rows": [asdict(row) for row in rows],
        "machine": {"processor": _processor(), "cores": len(os.sched_getaffinity(0)), "system": platform.system()},
        "versions": {"python": platform.python_version(), **{p: version(p) for p in PACKAGES}},
        "date": datetime.now(UTC).date().isoformat(),
        **more,
    }


def show(found: dict[str, Any], *, as_json: bool) -> None:
    """Print a report, as JSON or as lines."""
    if as_json:
        print(json.dumps(found, indent=2, default=_plain))
        return
    for row in found["rows"]:
        target = "" if row["target"] is None else f"  target {row['target']:g}: {'met' if row['met'] else 'MISSED'}"
        peer = "" if row["peer"] is None else f"  peer {row['peer']:.4g}"
        peer += "" if row["ratio"] is None else f"  ratio {row['ratio']:.2f}"
        ours = "-" if row["ours"] is None else f"{row['ours']:.4g}"
        print(f"{row['name']}: {ours} {row['unit']}{peer}{target}")


def _plain(value: Any) -> Any:
    """Return one of numpy's numbers as Python's own: an hour's figures are not lost over that."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a report cannot hold a {type(value).__name__}")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")
