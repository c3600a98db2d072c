"""From a dropped file of 200 lines to its first ranking: what the machine takes of the three minutes.

    python -m benchmarks.first_ranking [--home DIR] [--rows 200] [--json]

The steps are those of the Data and New study pages, in a process that has loaded nothing: keep the file, look at it and
guess its columns, look again once they are confirmed, draft four prompts, score them on the validation cases with the
default model. The lines are the demo's, of all four sources in turn. The home must hold the assets (``fedprompt assets
pull``); all else is written into one that is thrown away.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path

from benchmarks.report import Row, report, show
from fedprompt.models.assets.catalogue import asset_folder
from fedprompt.workspace.as_json import as_json
from fedprompt.workspace.cases.data_view import look_at
from fedprompt.workspace.cases.evaluation_sets import evaluation_sets, keep_file, keep_reading, own_site
from fedprompt.workspace.cases.study_draft import draft_of, keep_study
from fedprompt.workspace.demo.text import SOURCES, read_source, write_cases
from fedprompt.workspace.home import find_home
from fedprompt.workspace.local.scoring import score
from fedprompt.workspace.workspace import open_workspace

MOST_SECONDS = 180.0


def main() -> None:
    """Go through the steps once, and print how long each took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    given = find_home(options.home).path
    with tempfile.TemporaryDirectory() as made:
        home = Path(made) / "home"
        home.mkdir(mode=0o700)
        (home / "assets").symlink_to(given / "assets")
        seconds = _run(home, _lines(given, Path(made), options.rows))
    total = sum(seconds.values())
    name = f"{options.rows} lines to a first ranking"
    rows = [Row(name, "s", total, target=MOST_SECONDS, met=total < MOST_SECONDS)]
    rows += [Row(f"  {step}", "s", took) for step, took in seconds.items()]
    show(report("first_ranking", rows, load=list(os.getloadavg())), as_json=options.json)


def _lines(given: Path, folder: Path, count: int) -> bytes:
    """Return a CSV of the demo's lines, of its sources in turn."""
    text = asset_folder(given, "vader-text")
    turns = zip(*(read_source(text, source) for source in SOURCES), strict=False)
    file = folder / "lines.csv"
    write_cases(file, tuple(islice(chain.from_iterable(turns), count)))
    return file.read_bytes()


def _run(home: Path, content: bytes) -> dict[str, float]:
    """Return step -> seconds."""
    seconds: dict[str, float] = {}

    @contextmanager
    def timed(step: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        seconds[step] = time.perf_counter() - began

    with open_workspace(home) as ws:
        with timed("keep the file"):
            path = keep_file(ws.home, own_site(ws.home), "lines.csv", content)
        with timed("look at it, columns guessed"):
            reading = look_at(path).reading
            assert reading is not None
        with timed("look again, columns confirmed"):
            keep_reading(next(one for one in evaluation_sets(ws.home) if one.path == path), reading)
            look_at(path, reading)
        with timed("draft four prompts"):
            study = keep_study(ws.home, draft_of(reading, "lines"))
        with timed("score them, the model's loading included"):
            found = score(ws, study, path, columns=reading.columns)
    assert len(found.results) == 4, json.dumps(as_json(found.results))
    return seconds


if __name__ == "__main__":
    main()
