"""The demo's table over several seeds, its time by stage, and what joining gains at several sizes of tune split.

    python -m benchmarks.demo --home DIR [--seeds 0 1 2] [--sizes 48] [--json]

The peers are in the same run: the best manual template, each site's own prompt, and one tuned on the pooled cases. The
home must hold the assets (``fedprompt assets pull``); each run has a new home with nothing but these, where nothing is
known yet.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.report import Row, report, show
from fedprompt.workspace.as_json import as_json
from fedprompt.workspace.demo.result import DemoResult
from fedprompt.workspace.demo.run import demo
from fedprompt.workspace.demo.settings import DemoSettings
from fedprompt.workspace.home import find_home
from fedprompt.workspace.progress import Progress
from fedprompt.workspace.workspace import open_workspace

NAMES = ("manual", "local_own", "local_only", "centralised", "federated", "kept")
MEAN, ABOVE_MANUAL, SECONDS = 0.90, 0.03, 240.0


def main() -> None:
    """Run the demo for every seed and size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--sizes", type=int, nargs="+", default=[48])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    assets = (find_home(options.home).path / "assets").resolve()
    found: dict[int, list[DemoResult]] = {}
    for size in options.sizes:
        for seed in options.seeds:
            with tempfile.TemporaryDirectory() as home:
                (Path(home) / assets.name).symlink_to(assets)
                with open_workspace(Path(home)) as ws:
                    found.setdefault(size, []).append(
                        demo(ws, DemoSettings(task="sentiment", seed=seed, cases=size), _tell)
                    )
    rows = [row for size, results in found.items() for row in _rows(size, results)]
    show(report("demo", rows, results=[_brief(r) for rs in found.values() for r in rs]), as_json=options.json)


def _rows(size: int, results: list[DemoResult]) -> list[Row]:
    def middle(name: str) -> float:
        return float(median(result.outcome.test[name].mean for result in results))

    where = f"{size} tune cases"
    rows = [Row(f"{name}, {where}", "accuracy", middle(name)) for name in NAMES if name != "federated"]
    federated, manual = middle("federated"), middle("manual")
    total = float(median(result.seconds["total"] for result in results))
    gains = {
        name: float(
            median(result.outcome.test[name].mean - result.outcome.test["local_own"].mean for result in results)
        )
        for name in ("federated", "kept")
    }
    return [
        *rows,
        Row(f"federated, {where}", "accuracy", federated, manual, federated / manual, MEAN, federated >= MEAN),
        Row(
            f"federated over manual, {where}",
            "accuracy",
            federated - manual,
            target=ABOVE_MANUAL,
            met=federated - manual >= ABOVE_MANUAL,
        ),
        Row(f"federated over local_own, {where}", "accuracy", gains["federated"]),
        Row(f"kept over local_own, {where}", "accuracy", gains["kept"]),
        Row(f"time, {where}", "s", total, target=SECONDS, met=total <= SECONDS),
    ]


def _brief(result: DemoResult) -> dict[str, Any]:
    names = ("seed", "test", "transfer", "differences", "kept", "sentences", "headline", "seconds", "settings")
    told = as_json(result)
    return {name: told[name] for name in names}


def _tell(progress: Progress) -> None:
    print(f"{progress.stage}: {progress.message}", file=sys.stderr)


if __name__ == "__main__":
    main()
