"""Federated pre-training: far apart against in step and alone, a step against transformers' Trainer, and kill -9.

    python -m benchmarks.pretraining [--parts federated steps kills] [--seeds 0 1 2] [--folder DIR] [--home DIR]

*federated*: four sites, each with other groups of 20 Newsgroups, go on from a tiny model that was trained on groups
that no site has: DiLoCo with many local steps a round, synchronous training with as many steps and windows, and each
site alone. Perplexity of held-out text, each site counting once; intervals: t over seeds, 95 %.
*steps*: processor time of a step on one thread, the least of ``--times`` processes a side, in turn.
*kills*: one run of ten rounds, killed twenty times.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import Row, report, show

SCRATCH = {"layers": 4, "width": 192, "heads": 4, "feed_forward": 512}
MODEL = "smollm2-135m-instruct"
FEW = 150  # posts a site of a run that is killed


def main() -> None:
    """Run the parts that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", default=["federated", "steps", "kills"])
    parser.add_argument("--folder", type=Path, help="what is made is kept there, so that a later call goes on")
    parser.add_argument("--home", type=Path, help="where the default model is; without it steps are of the tiny model")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--update", default="float32")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--local", type=int, default=50)
    parser.add_argument("--warm", type=int, default=400)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--times", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    for name, kind in (("--side", str), ("--model", Path), ("--window", int), ("--batch", int), ("--side-steps", int)):
        parser.add_argument(name, type=kind, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        from benchmarks.pretrains.steps import side

        print(json.dumps(side(options.side, options.model, options.window, options.batch, options.side_steps)))
        return
    with tempfile.TemporaryDirectory() as made:
        options.folder = options.folder or Path(made)
        options.folder.mkdir(parents=True, exist_ok=True)
        rows, more = _run(options)
    show(report("pretraining", rows, **more), as_json=options.json)


def _run(options: argparse.Namespace) -> tuple[list[Row], dict[str, Any]]:
    import torch

    from benchmarks.pretrains.federated import Shape, compare, write_start
    from benchmarks.pretrains.text import write_posts

    torch.set_num_threads(1)
    shape = Shape(SCRATCH, 4096, 64, 4, options.local, options.rounds, options.warm, 64, options.lr)
    posts = write_posts(options.folder / "posts", options.folder / "wheels")
    start = write_start(options.folder, posts, shape)
    rows: list[Row] = []
    more: dict[str, Any] = {"shape": vars(shape)}
    if "federated" in options.parts:
        found = []
        for seed in options.seeds:
            found.append(compare(options.folder, posts, shape, start, seed, options.update))
            print(json.dumps({"seed": seed, "share": found[-1].share, **vars(found[-1])}), flush=True)
        rows += _federated(found)
        more["federated"] = [vars(one) for one in found]
    if "steps" in options.parts:
        rows += _steps(options, start)
    if "kills" in options.parts:
        rows.append(_kills(options, posts, start))
    return rows, more


def _federated(found: list[Any]) -> list[Row]:
    falls = [100 * (1 - one.synchronous / one.start) for one in found]
    shares = [100 * one.share for one in found]
    gains = [100 * (1 - one.together / one.alone) for one in found]
    home = [100 * (1 - both / alone) for one in found for _, alone, both in one.at_home.values()]
    fewer = [one.bytes["synchronous"] / one.bytes["together"] for one in found]
    low = _interval(shares)[0]
    return [
        Row("synchronous training's fall in perplexity", "%", _mean(falls), target=10.0, met=min(falls) >= 10),
        Row("its share that DiLoCo reaches", "%", _mean(shares), target=95.0, met=_mean(shares) >= 95),
        Row("the same, lower end over seeds", "%", low),
        Row("together below alone, all text", "%", _mean(gains), target=0.0, met=min(gains) > 0),
        Row("together below alone, a site's own text, least", "%", min(home), target=0.0, met=min(home) > 0),
        Row("together below alone, a site's own text, mean", "%", _mean(home)),
        Row("fewer bytes from sites than synchronous", "times", _mean(fewer), target=50.0, met=min(fewer) >= 49.5),
    ]


def _steps(options: argparse.Namespace, start: Path) -> list[Row]:
    from benchmarks.pretrains.steps import run_sides
    from fedprompt.models.registry import find_model_folder

    chosen = [("tiny", start, 64, 4, 30)]
    if options.home is not None:
        chosen.append(("135M", find_model_folder(MODEL, options.home), 256, 4, 4))
    rows = []
    for name, model, window, batch, steps in chosen:
        found = run_sides("benchmarks.pretraining", model, window, batch, steps, options.times)
        ours, peer = found["ours"], found["trainer"]
        ratio = peer["seconds"] / ours["seconds"]
        bound = 100 * ours["flops"] / 1e9 / ours["gflops"] / ours["seconds"]
        apart = max(abs(a - b) for a, b in zip(ours["losses"], peer["losses"], strict=True))
        rows += [
            Row(f"step, {name}", "s", ours["seconds"], peer["seconds"], ratio, 1.2, ratio >= 1.2),
            Row(f"step, {name}, of the matrix bound", "%", bound, target=70.0, met=bound >= 70),
            Row(f"largest difference of losses, {name}", "nats", apart),
            Row(f"memory, {name}", "MB", ours["memory"], peer["memory"], peer["memory"] / ours["memory"]),
        ]
    return rows


def _kills(options: argparse.Namespace, posts: dict[str, Path], start: Path) -> Row:
    from benchmarks.pretrains.federated import Shape
    from benchmarks.pretrains.kills import kill_anywhere

    shape = Shape(SCRATCH, 4096, 64, 2, 4, 10, 0, 4, options.lr)
    study, sites = options.folder / "kills.yaml", {}
    text = shape.study("kills", start, update="int8").replace("scored: 1, ", "") + "privacy: {min_cases: 2}\n"
    study.write_text(text, encoding="utf-8")
    for site in ("rec", "sci"):
        sites[site] = options.folder / f"few-{site}.jsonl"
        few = (posts[site] / "posts.jsonl").read_text(encoding="utf-8").splitlines()[:FEW]
        sites[site].write_text("\n".join(few), encoding="utf-8")
    done, starts, same = kill_anywhere(options.folder, study, sites, options.kills, 7)
    print(json.dumps({"kills": done, "starts": starts, "equal to the bit": same}), flush=True)
    good = float(done if same else 0)
    return Row("kills after which it went on, equal to the bit", "kills", good, target=20.0, met=good >= 20)


def _mean(values: list[float]) -> float:
    return float(np.mean(values))


def _interval(values: list[float]) -> tuple[float, float]:
    from scipy.stats import t

    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5 if len(values) > 1 else np.nan
    return _mean(values) - float(half), _mean(values) + float(half)


if __name__ == "__main__":
    main()
