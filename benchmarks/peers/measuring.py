"""Time and peak memory of one call, read the same way on both sides of a benchmark. Standard library only."""

import os
import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["measured"]


def measured(work: Callable[[], object]) -> dict[str, float]:
    """Return the seconds that ``work`` took and the bytes that its peak lay above what was there before (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = _status("VmRSS")
    cpu, began = time.process_time(), time.perf_counter()
    work()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {
        "seconds": seconds,
        "cpu": cpu,
        "beyond": max(0, _status("VmHWM") - before),
        "load": os.getloadavg()[0],
    }


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {name}")
