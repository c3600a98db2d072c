"""What the audit sees: leaks that are there, leaks that are not, and noise that keeps its word, over numbers of cases.

    python -m benchmarks.audit_power [--home DIR] [--wheels DIR] [--folder DIR] [--seeds 10] [--json]

A linear probe on the sentence encoder's vectors stands for the prompt, so that hundreds of tunings take minutes. TREC
questions in five classes. *ordinary*: 96 steps of 16 cases; *overfitted*: 400 steps; *unrelated*: tuned on cases that
are neither the members nor the others, so that there is nothing to find. A row is how often an attack's test is
significant at 5 %, before any correction, and its mean AUC.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Row, report, show
from benchmarks.robust.probes import DIRECTIONS, Encoded, features_of, probe_of
from benchmarks.robust.questions import LABELS, deal
from fedprompt.auditing.known_others import all_but_one
from fedprompt.auditing.lira import confidence, likelihood_ratio
from fedprompt.auditing.membership import Membership, membership
from fedprompt.auditing.one_run import one_run
from fedprompt.auditing.played import Steps, played
from fedprompt.models.protocols import SoftObjective
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.tuning.settings import TuningSettings
from fedprompt.tuning.steps import tune_tensors
from fedprompt.workspace.home import find_home

SIZES, SHADOWS, PLAYS, RATE, BATCH = (48, 200, 800), 8, 300, 0.03, 16
WAYS = {"ordinary": 96, "overfitted": 400, "unrelated": 96}
START = SoftPrompt(np.zeros((len(LABELS), DIRECTIONS + 1), np.float32), "probe")
Vectors = NDArray[np.float32]


def main() -> None:
    """Audit each way of tuning at each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--wheels", type=Path, default=Path(".cache/wheels"))
    parser.add_argument("--folder", type=Path, default=Path(".cache/robustness"))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    encoded = Encoded(find_home(options.home).path, options.wheels, options.folder / "vectors.npz")
    rows: list[Row] = []
    for size in SIZES:
        found: dict[tuple[str, str], list[Membership]] = {}
        bounds: dict[str, list[float]] = {}
        for seed in range(options.seeds):
            for way, steps in WAYS.items():
                _audited(encoded, size, seed, way, steps, found, bounds)
            print(f"{size} cases, seed {seed}", file=sys.stderr, flush=True)
        for (way, attack), told in found.items():
            areas = [one.auc.value for one in told]
            seen = float(np.mean([one.p < 0.05 for one in told]))
            name = f"{size} and {size} cases, {way}, {attack}"
            rows.append(Row(f"{name}: significant", "share of audits", seen))
            rows.append(
                Row(f"{name}: AUC", f"mean ({min(areas):.2f} to {max(areas):.2f} over seeds)", float(np.mean(areas)))
            )
        for way, least in bounds.items():
            rows.append(
                Row(f"{size} and {size} cases, {way}: epsilon of one run", "mean lower bound", float(np.mean(least)))
            )
    show(report("audit_power", rows), as_json=options.json)


def _audited(
    encoded: Encoded,
    size: int,
    seed: int,
    way: str,
    steps: int,
    found: dict[tuple[str, str], list[Membership]],
    bounds: dict[str, list[float]],
) -> None:
    dealt = deal(encoded.texts, seed, sites=3, cases=size, test=0, alpha=100.0)
    features, answers = features_of(encoded, dealt.public, [*dealt.sites[0], *dealt.sites[1]])
    members = np.arange(2 * size) < size
    elsewhere = probe_of(*features_of(encoded, dealt.public, dealt.sites[2]))
    own = probe_of(features[:size], answers[:size])
    rng = np.random.default_rng([seed, size, steps])
    whole = probe_of(features, answers)
    target = _tuned(elsewhere if way == "unrelated" else own, steps, rng)

    def sure(vectors: Vectors) -> NDArray[np.float64]:
        return confidence(whole.loglikelihoods(vectors), answers)

    inside = rng.random((SHADOWS, 2 * size)) < 0.5
    shadows = np.stack([sure(_tuned(probe_of(features[row], answers[row]), steps, rng)) for row in inside])
    masks = np.zeros((PLAYS, 2 * size), dtype=bool)
    for row in masks:
        row[rng.permutation(2 * size)[:size]] = True
    ends = [_slopes(features, answers, vectors) for vectors in (START.vectors, target)]
    plays = played(ends[0], ends[1], masks, Steps(steps, BATCH, RATE), rng)
    scores = {
        "loss": sure(target),
        "lira": likelihood_ratio(sure(target), shadows, inside),
        "all-but-one": all_but_one(target.reshape(-1), members, plays, masks),
    }
    for attack, told in scores.items():
        found.setdefault((way, attack), []).append(membership(told[members], told[~members]))
    if way != "unrelated":
        guesses = likelihood_ratio(shadows[0], shadows[1:], inside[1:])
        bounds.setdefault(way, []).append(one_run(guesses, inside[0]).epsilon)


def _tuned(objective: SoftObjective, steps: int, rng: np.random.Generator) -> Vectors:
    settings = TuningSettings(steps, min(BATCH, len(objective)), RATE)
    found: Vectors = tune_tensors(objective, START, settings, rng=rng).end.vectors
    return found


def _slopes(features: Vectors, answers: NDArray[np.int64], vectors: Vectors) -> Vectors:
    """Return [cases, values]: the slope of each case's own loss."""
    probe = probe_of(features, answers)
    wrong = np.exp(probe.loglikelihoods(vectors))
    wrong[np.arange(len(answers)), answers] -= 1.0
    found = np.einsum("nk,nd->nkd", wrong, features).reshape(len(answers), -1)
    slopes: Vectors = found.astype(np.float32)
    return slopes


if __name__ == "__main__":
    main()
