"""How long honest updates are, beside the longest that a study with ``max_norm: auto`` takes.

    python -m benchmarks.update_norms [--home DIR] [--seeds N] [--sites N] [--json]

The demo's sites tune the demo's soft prompt as a round asks them to: from its start, and then from the mean of what
came of it. Each row is a learning rate, a number of soft tokens and a number of steps; ``ours`` is the longest update
of all sites, rounds and seeds, ``peer`` the bound. A ratio above 1 would mean that an honest site is cut. It needs the
assets.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import Row, report, show
from fedprompt.models.registry import load
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.study.schema import Study
from fedprompt.study.update_bound import longest_update
from fedprompt.tuning.metered import prepare
from fedprompt.tuning.settings import settings_of
from fedprompt.tuning.steps import tune_tensors

ROUNDS, CASES = 2, 48
# (learning rate, tokens, steps, strategy); the first is the default of a study and of the demo.
DEFAULT = (0.01, 8, 8, "fedavg")
OTHERS = ((0.001, 8, 8, "fedavg"), (0.1, 8, 8, "fedavg"), (0.01, 32, 8, "fedavg"), (0.01, 8, 32, "fedavg"))
PROXIMAL = (0.01, 8, 8, "fedprox")


def main() -> None:
    """Tune, measure, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--seeds", type=int, default=3, help="of the default; the other rows take one")
    parser.add_argument("--sites", type=int, default=4)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows, seen = [], {}
    for point in (DEFAULT, *OTHERS, PROXIMAL):
        seeds = range(options.seeds if point == DEFAULT else 1)
        lengths, most = _lengths(options.home, point, seeds, options.sites)
        lr, tokens, steps, strategy = point
        name = f"lr {lr:g}, {tokens} tokens, {steps} steps, {strategy}"
        longest = max(lengths)
        rows.append(Row(name, "norm", longest, most, longest / most, target=1.0, met=longest <= most))
        seen[name] = {"least": min(lengths), "median": float(np.median(lengths)), "longest": longest}
        print(name, seen[name], most, file=sys.stderr, flush=True)
    show(report("update_norms", rows, seen=seen), as_json=options.json)


def _lengths(
    home: Path | None, point: tuple[float, int, int, str], seeds: range, sites: int
) -> tuple[list[float], float]:
    """Return the norms of all updates, and the study's bound."""
    from fedprompt.models.assets.catalogue import asset_folder
    from fedprompt.workspace.demo.text import SOURCES, draw_cases, read_source
    from fedprompt.workspace.home import find_home

    where, study = find_home(home).path, _study(*point)
    model = load(study.model, where)
    assert study.soft is not None and isinstance(study.soft.init, str)
    found = []
    for seed in seeds:
        objectives = [
            prepare(model, study, draw_cases(cases, CASES, np.random.SeedSequence([seed, place])))
            for place, source in enumerate(SOURCES[:sites])
            for cases in [read_source(asset_folder(where, "vader-text"), source)]
        ]
        start = model.text_init(study.soft.init, study.soft.tokens)
        for number in range(1, ROUNDS + 1):
            deltas = []
            for place, objective in enumerate(objectives):
                rng = np.random.default_rng([seed, place, number])
                tuned = tune_tensors(objective, start, settings_of(study, number), rng=rng)
                deltas.append(tuned.end.vectors - start.vectors)
                found.append(float(np.linalg.norm(deltas[-1].astype(np.float64))))
            start = SoftPrompt(start.vectors + np.mean(deltas, axis=0, dtype=np.float32), start.model)
    return found, longest_update(study, start.vectors.size, study.tuning.steps)


def _study(lr: float, tokens: int, steps: int, strategy: str) -> Study:
    from fedprompt.workspace.demo.run import demo_study
    from fedprompt.workspace.demo.settings import DemoSettings

    body: dict[str, Any] = demo_study(DemoSettings(task="sentiment", templates=1)).model_dump(mode="json")
    body["tuning"] |= {"lr": lr, "steps": steps}
    body["soft"]["tokens"] = tokens
    body["rounds"]["strategy"] = {"name": strategy}
    return Study.model_validate(body)


if __name__ == "__main__":
    main()
