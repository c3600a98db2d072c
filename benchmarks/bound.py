"""How much of the machine's matrix product scoring and tuning reach.

    python -m benchmarks.bound [--home DIR] [--dtype float32] [--repeats 5] [--json]

The bound is the time of bare matrix products of the shapes of the model's linear layers, for the distinct tokens in
packs of the same size, in the same run and dtype; twice that for a step of tuning, whose backward pass has one product
for each of the forward's. Attention, norms, rotations, the head and Python are ours to pay. The same scores are also
computed in other packs, another order and one by one, and the largest change is reported.
"""

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.report import Row, report, show
from fedprompt.models.threads import spin_briefly
from fedprompt.workspace.home import find_home

MODEL, TEXT = "smollm2-135m-instruct", "vader-text"


def main() -> None:
    """Time both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--cases", type=int, default=24)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    options.home = find_home(options.home).path
    spin_briefly(os.environ)
    import torch

    from benchmarks.scoring_vs_lm_eval import _texts
    from fedprompt.evaluation.cases import Case
    from fedprompt.evaluation.runs.demonstrations import Shown
    from fedprompt.evaluation.runs.runner import query
    from fedprompt.models.protocols import ChoiceQuery, RunSettings
    from fedprompt.models.registry import load
    from fedprompt.prompts.prompt import Prompt
    from fedprompt.workspace.demo.run import demo_study
    from fedprompt.workspace.demo.settings import DemoSettings
    from fedprompt.workspace.rounds.start_prompt import start_prompt

    settings = RunSettings(options.dtype, options.threads, options.device)
    model = load(MODEL, options.home, settings)
    study = demo_study(DemoSettings(task="sentiment"))
    cases = [Case({"text": text}, "positive") for text in _texts(options)]
    tune = [Case({"text": "fine"}, label) for label in ("positive", "negative") * 2]
    asking = [(Prompt(template), Shown(template, tune)) for template in study.candidates()]
    asked = [query(prompt, case, study.answer.labels, shown.to(case)) for case in cases for prompt, shown in asking]

    def bare(tokens: int, pack: int, times: int = 1) -> float:
        """Return the seconds that the linear layers' products take."""
        weights = [m.weight for m in model._body._inner.modules() if isinstance(m, torch.nn.Linear)]  # type: ignore[attr-defined]
        sizes = [pack] * (tokens // pack) + ([tokens % pack] if tokens % pack else [])
        inputs = {
            (s, w.shape[1]): torch.randn(s, w.shape[1], dtype=w.dtype, device=w.device) for s in sizes for w in weights
        }
        began = time.perf_counter()
        with torch.no_grad():
            for size in sizes:
                for weight in weights:
                    for _ in range(times):
                        torch.nn.functional.linear(inputs[size, weight.shape[1]], weight)
        if options.device != "cpu":
            torch.cuda.synchronize()
        return time.perf_counter() - began

    result = model.choices(asked)
    bare(result.distinct, settings.pack)
    scoring, bounds = [], []
    for _ in range(options.repeats):
        scoring.append(model.choices(asked).seconds)
        bounds.append(bare(result.distinct, settings.pack))
    start = start_prompt(model, study)
    slot = Prompt(study.soft_template(), start)
    tuned = [query(slot, case, study.answer.labels, ()) for case in cases]
    objective = model.objective(tuned, [0] * len(tuned), start.tokens)
    rows = list(range(min(16, len(tuned))))
    tokens = len(rows) * start.tokens
    objective.loss_and_gradient(start.vectors, rows)
    steps, least = [], []
    for _ in range(3 * options.repeats):
        began = time.perf_counter()
        objective.loss_and_gradient(start.vectors, rows)
        steps.append(time.perf_counter() - began)
        least.append(bare(tokens, tokens, times=2))
    known = np.concatenate(result.loglikelihoods)
    other = load(MODEL, options.home, replace(settings, pack=192))
    moved = {
        "packs of 192 tokens": np.concatenate(other.choices(asked).loglikelihoods),
        "the other order": np.concatenate(model.choices(asked[::-1]).loglikelihoods[::-1]),
        "one by one": np.concatenate([_alone(model, q) for q in asked[:48]]),
    }
    shift = 1e-4 if options.dtype == "float32" else None
    table = [
        _row("scoring", scoring, bounds, result.distinct),
        _row(f"a tuning step of {len(rows)} cases and 8 soft tokens", steps, least, tokens),
    ]
    for name, values in moved.items():
        gap = float(np.abs(values - known[: len(values)]).max())
        pairs, before = values.reshape(-1, 2), known[: len(values)].reshape(-1, 2)
        flips = int((pairs.argmax(1) != before.argmax(1)).sum())
        table.append(
            Row(f"scores moved by {name}", "nats", gap, target=shift, met=None if shift is None else gap <= shift)
        )
        table.append(Row(f"answers flipped by {name}", f"of {len(pairs)}", float(flips)))
    table.append(Row("distinct over all tokens", "ratio", result.distinct / result.tokens))
    assert isinstance(asked[0], ChoiceQuery)
    show(report("bound", table, dtype=options.dtype, threads=options.threads), as_json=options.json)


def _alone(model: object, asked: object) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    found: np.ndarray[tuple[int], np.dtype[np.float64]] = model.choices([asked]).loglikelihoods[0]  # type: ignore[attr-defined]
    return found


def _row(name: str, ours: list[float], bare: list[float], tokens: int) -> Row:
    part = median(bare) / median(ours)
    return Row(
        f"part of the matrix product, {name}, {tokens:,} tokens",
        "s",
        median(ours),
        median(bare),
        part,
        0.6,
        part >= 0.6,
    )


if __name__ == "__main__":
    main()
