"""Twenty visitors and a browser at one app on one core, while a one-thread tuning job has the other.

The visitors are sessions without a browser, each with its own order of pages and pauses of two to six seconds. They and
the browser run on the app's core, so that the job has its own to itself and the app is not flattered.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.bank_maker import tell
from benchmarks.browser_clock import at_rest, opened
from benchmarks.report import Row
from benchmarks.visitor import Visitor, connected

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from benchmarks.app_latency import App

__all__ = ["visit"]

ROOT = Path(__file__).resolve().parent.parent
LEAST, MOST = 2.0, 6.0  # seconds between two things that a visitor does
P95, LOSS, GROWTH = 2.0, 0.2, 0.1
SAMPLE_SECONDS = 2.0
# Page -> what is changed there: the key of a widget and the values that are chosen among.
CHANGES: dict[str, tuple[tuple[str, tuple[dict[str, Any], ...]], ...]] = {
    "leaderboard": (
        ("leaderboard_kind", tuple({"string_value": one} for one in ("templates", "tuned", "any kind"))),
        ("leaderboard_order", tuple({"string_value": one} for one in ("worst site", "mean over sites"))),
        ("leaderboard_page", tuple({"double_value": float(one)} for one in (1, 2, 3))),
    ),
    "map": (("map_colour", tuple({"string_array_value": [one]} for one in ("Score", "Best site", "Family", "Time"))),),
    "compare": (("compare_picture", tuple({"string_array_value": [one]} for one in ("Differences", "At each site"))),),
    "bank": (),
    "": (),
    "trust": (),
}


def visit(browser: "Browser", home: Path, options: argparse.Namespace) -> list[Row]:
    """Run the job alone, then with the visitors beside it; return the rows."""
    from benchmarks.app_latency import new_page, running

    cores = sorted(os.sched_getaffinity(0))
    ours, theirs = cores[0], cores[-1]
    seconds = 60 * options.minutes
    alone = _job(options, theirs, max(20.0, seconds / 5)).communicate()[0]
    tell(f"tuning alone: {alone.strip()}")
    before = os.sched_getaffinity(0)
    with running(home, "taskset", "--cpu-list", str(ours)) as app:
        page = new_page(browser, app)
        opened(page, app.page("leaderboard"))  # the app's caches are filled, as they are on a working day
        at_rest(page)
        os.sched_setaffinity(0, {ours})
        _pin(app.process.pid, ours)
        for pid in _chromes():
            _pin(pid, ours)
        job = _job(options, theirs, seconds)
        memory: list[float] = []
        stop = threading.Event()
        watch = threading.Thread(target=_watch, args=(app.process.pid, memory, stop), daemon=True)
        watch.start()
        found: list[Visitor] = []
        crowd = threading.Thread(target=lambda: found.extend(asyncio.run(_crowd(app, options.visitors, seconds))))
        crowd.start()
        drawn, errors = [], 0
        pages = ("leaderboard", "map", "compare", "overview")
        number = 0
        while crowd.is_alive():
            drawn.append(opened(page, app.page(pages[number % len(pages)]))["whole"] / 1000)
            at_rest(page)
            errors += page.locator("[data-testid=stException], [data-testid=stAlertContentError]").count()
            number += 1
            page.wait_for_timeout(3000)
        crowd.join()
        stop.set()
        watch.join()
        beside = job.communicate(timeout=600)[0]
        page.context.close()
    os.sched_setaffinity(0, before)
    return _rows(found, drawn, errors, memory, alone, beside, options)


def _rows(
    found: list[Visitor],
    drawn: list[float],
    errors: int,
    memory: list[float],
    alone: str,
    beside: str,
    options: argparse.Namespace,
) -> list[Row]:
    said = [error for visitor in found for error in visitor.errors]
    for error in sorted(set(said))[:10]:
        tell(f"error: {error}")
    took = [one for visitor in found for one in visitor.took]
    lost = options.visitors - len(found)
    p95 = quantiles(took, n=20)[-1] if len(took) > 1 else None
    rows = [
        Row(
            "errors that visitors saw",
            "errors",
            len(said) + errors + lost,
            target=0.0,
            met=not said and not errors + lost,
        ),
        Row(f"redraws of {options.visitors} visitors", "redraws", float(len(took))),
        Row("redraw, median", "s", median(took) if took else None),
        Row("redraw, p95", "s", p95, target=P95, met=p95 is not None and p95 <= P95),
        Row("whole page in the browser meanwhile, median", "s", median(drawn) if drawn else None),
    ]
    if len(memory) >= 3:
        third = len(memory) // 3
        start, middle, end = (median(memory[at : at + third]) for at in (0, third, 2 * third))
        rows += [
            Row("memory of the app, first third", "MiB", start),
            Row("memory of the app, second third", "MiB", middle),
            Row(
                "memory of the app, last third",
                "MiB",
                end,
                target=middle * (1 + GROWTH),
                met=end <= middle * (1 + GROWTH),
            ),
        ]
    rates = [float(json.loads(text)["steps_per_second"]) for text in (beside, alone) if text.strip()]
    if len(rates) == 2:
        loss = 1 - rates[0] / rates[1]
        rows.append(
            Row(
                "steps of a tuning job beside it",
                "steps/s",
                rates[0],
                rates[1],
                rates[0] / rates[1],
                1 - LOSS,
                loss < LOSS,
            )
        )
    return rows


async def _crowd(app: "App", count: int, seconds: float) -> list[Visitor]:
    visits = await asyncio.gather(*(_visit(app, number, seconds) for number in range(count)), return_exceptions=True)
    for one in visits:
        if isinstance(one, BaseException):
            tell(f"a visitor was lost: {one!r}")
    return [one for one in visits if isinstance(one, Visitor)]


async def _visit(app: "App", number: int, seconds: float) -> Visitor:
    """Look at pages and change what is on them until the time is over."""
    rng = np.random.default_rng(number)
    until = time.monotonic() + seconds
    pause = partial(rng.uniform, LEAST, MOST)
    await asyncio.sleep(pause() * number / 10)
    visitor = await connected(app.address, f"{app.entry.cookie}={app.entry.value}")
    pages = list(CHANGES)
    while time.monotonic() < until:
        page = pages[int(rng.integers(len(pages)))]
        await visitor.open(page, "&".join(f"p={one}" for one in app.compared) if page == "compare" else "")
        await asyncio.sleep(pause())
        for _ in range(3):
            if not CHANGES[page] or time.monotonic() > until:
                break
            key, values = CHANGES[page][int(rng.integers(len(CHANGES[page])))]
            if not await visitor.change(key, values[int(rng.integers(len(values)))]):
                visitor.errors.append(f"{page}: there is no {key}")
            await asyncio.sleep(pause())
    await visitor.socket.close()
    return visitor


def _job(options: argparse.Namespace, core: int, seconds: float) -> "subprocess.Popen[str]":
    command = ["taskset", "--cpu-list", str(core), sys.executable, "-m", "benchmarks.steady_tuning"]
    if options.home is not None:
        command += ["--home", str(options.home)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    return subprocess.Popen(
        [*command, "--seconds", str(seconds)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
    )


def _watch(pid: int, memory: list[float], stop: threading.Event) -> None:
    while not stop.wait(SAMPLE_SECONDS):
        memory.append(sum(_resident(one) for one in (pid, *_children(pid))) / 1024)


def _resident(pid: int) -> int:
    """Return a process's own memory in KiB, what it shares counted by its part."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def _children(pid: int) -> list[int]:
    try:
        found = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [*found, *(grand for one in found for grand in _children(one))]


def _chromes() -> list[int]:
    return [pid for pid in _children(os.getpid()) if "chrom" in _command(pid)]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return ""


def _pin(pid: int, core: int) -> None:
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            os.sched_setaffinity(int(task.name), {core})
        except OSError:  # it has just ended
            continue
