"""The demo's federation over the real engine: TLS, four site processes, the real model; the numbers of one process.

    python -m benchmarks.demo_over_flare [--cases 48] [--held-out 150] [--rounds 3] [--seed 0] [--json]

The same study, cases, keys and seed are run twice: with all sites in one process, and with each site in a home of its
own, enrolled as people do it, its worker a process that holds the model. All sites are required, and dtype and threads
are fixed, so every prompt id and every number must be the same.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.loopback import Loopback
from benchmarks.report import Row, report, show
from fedprompt.models.assets.catalogue import asset_folder
from fedprompt.workspace.as_json import as_json
from fedprompt.workspace.demo.run import demo_study
from fedprompt.workspace.demo.settings import DemoSettings
from fedprompt.workspace.demo.text import SOURCES, draw_cases, read_source, write_cases
from fedprompt.workspace.home import find_home
from fedprompt.workspace.rounds.federating import federate, federate_flare
from fedprompt.workspace.workspace import open_workspace

SITES = tuple(source.site for source in SOURCES)
SAME = ("prompts", "templates", "rounds", "test", "differences")


def main() -> None:
    """Run both and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=48, help="that each site tunes on")
    parser.add_argument("--held-out", type=int, default=150, help="for validation and for test, each")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--templates", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fedprompt-") as folder:
        rows, found = _both(Path(folder), options)
    settings = {k: v for k, v in vars(options).items() if k != "json"}
    show(report("demo_over_flare", rows, settings=settings, prompts=found), as_json=options.json)


def _both(root: Path, options: argparse.Namespace) -> tuple[list[Row], dict[str, Any]]:
    homes = [root / name for name in ("local", "hub", *(f"home-{site}" for site in SITES))]
    for home in homes:
        _prepare(home, options.dtype)
    study = _study(root / "study.yaml", options)
    files = {}
    for place, source in enumerate(SOURCES):
        cases = read_source(asset_folder(find_home().path, "vader-text"), source)
        wanted = options.cases + 2 * options.held_out
        files[source.site] = root / f"{source.site}.csv"
        write_cases(files[source.site], draw_cases(cases, wanted, np.random.SeedSequence([options.seed, place])))
    began = time.monotonic()
    with open_workspace(root / "local") as ws:
        inside = federate(ws, study, files, seed=options.seed)
    local_seconds = time.monotonic() - began
    keys = {site: (root / "local" / "sites" / site / "site.key").read_bytes() for site in SITES}
    with Loopback(root, seconds=300.0) as loopback:
        loopback.enrol(SITES, study, keys)
        loopback.start_hub()
        for site in SITES:
            loopback.launch_site(site, files[site])
        for site in SITES:
            loopback.await_site(site)
        began = time.monotonic()
        with open_workspace(root / "hub") as ws:
            across = federate_flare(ws, study, SITES, seed=options.seed)
        seconds = time.monotonic() - began
    rows = [
        Row(f"{part}: the same over NVFLARE as in one process", "", float(same), target=1.0, met=same)
        for part in SAME
        for same in [getattr(across, part) == getattr(inside, part)]
    ]  # fmt: skip
    rows += [
        Row("mean test accuracy, tuned together", "", across.test["federated"].mean),
        Row("mean test accuracy, best template", "", across.test["manual"].mean),
        Row("bytes received in all rounds", "B", float(sum(row.bytes for row in across.rounds))),
        Row("over NVFLARE, four site processes", "s", seconds),
        Row("in one process", "s", local_seconds),
    ]
    return rows, as_json(across.prompts)


def _prepare(home: Path, dtype: str) -> None:
    """Give a home the assets and fixed settings: what moves a number's last digits is the same everywhere."""
    home.mkdir(mode=0o700)
    (home / "assets").symlink_to((find_home().path / "assets").resolve())
    (home / "machine.json").write_text(json.dumps({"dtype": dtype, "threads": 1, "device": "cpu"}), encoding="utf-8")


def _study(path: Path, options: argparse.Namespace) -> Path:
    settings = DemoSettings(
        task="sentiment",
        rounds=options.rounds,
        cases=options.cases,
        held_out=options.held_out,
        templates=options.templates,
    )
    study = demo_study(settings).model_dump(mode="json")
    # In one process nothing is rounded and no count stops an answer; to be compared, the same must hold over NVFLARE.
    study["privacy"] |= {"details": "totals", "questions": 1000}
    path.write_text(yaml.safe_dump(study), encoding="utf-8")
    return path


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    main()
