"""Three of twelve sites lie: every attack against every defence, beside FedAvg over the nine honest sites alone.

    python -m benchmarks.robustness [--home DIR] [--wheels DIR] [--folder DIR] [--seeds 0 1 2 3 4] [--json]
    python -m benchmarks.robustness --sites 5 --liars 1
    python -m benchmarks.robustness --model [--defences fedavg nearest-mixing] [--attacks ...] [--seeds 0]

Without ``--model`` a linear probe on the sentence encoder's vectors stands for the prompt, so that the whole matrix
takes minutes; with it the bundled language model tunes soft prompts, about a minute a cell on one core. TREC
questions in five classes, class shares Dirichlet(1), each site 128 labelled questions (32 with the model). A cell that
is in ``--folder`` is not run again. The recommended default follows from the attacks that are not adaptive.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.attackers.updates import ACTORS, ADAPTIVE, Actor
from benchmarks.report import Row, report, show
from benchmarks.robust.federating import Defence, World, federate
from fedprompt.study.strategies import least_sites
from fedprompt.workspace.home import find_home

SITES, LIARS = 12, 3
STRATEGIES = (
    "fedavg",
    "norm-bounded-mean",
    "median",
    "trimmed-mean",
    "geometric-median",
    "multi-krum",
    "bulyan",
    "flame",
    "nearest-mixing",
)
NOBODY = "nobody lies"
POINTS, BACKDOOR = -1.0, 10.0  # to reach: points against the honest alone, and above the clean prompt's backdoor


def defences_of(sites: int, liars: int) -> list[Defence]:
    """Return every defence that so many sites bear; Bulyan expects as many liars as it can."""
    given: dict[str, dict[str, float]] = {
        **{name: {} for name in STRATEGIES},
        "norm-bounded-mean": {"norm": 1},
        **{name: {"liars": liars} for name in ("trimmed-mean", "multi-krum", "nearest-mixing")},
        "bulyan": {"liars": min(liars, (sites - 3) // 4)},
    }
    return [Defence(name, name, options) for name, options in given.items() if least_sites(name, options) <= sites]


def main() -> None:
    """Fill the matrix and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--wheels", type=Path, default=Path(".cache/wheels"))
    parser.add_argument("--folder", type=Path, default=Path(".cache/robustness"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--model", action="store_true")
    parser.add_argument("--sites", type=int, default=SITES)
    parser.add_argument("--liars", type=int, default=LIARS)
    parser.add_argument("--defences", nargs="+", choices=STRATEGIES)
    parser.add_argument("--attacks", nargs="+", choices=[NOBODY, *(one.name for one in (*ACTORS, *ADAPTIVE))])
    parser.add_argument("--besides", action="store_true", help="lies beside the updates: false scores, poisoned packs")
    parser.add_argument("--table", action="store_true", help="print the matrix as the documents hold it")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.besides:
        show(report("robustness", list(_besides(options))), as_json=options.json)
        return
    every = defences_of(options.sites, options.liars)
    defences = [one for one in every if not options.defences or one.name in options.defences]
    actors: list[Actor | None] = [None, *ACTORS, *ADAPTIVE]
    actors = [one for one in actors if not options.attacks or _named(one) in options.attacks]
    size = "" if options.sites == SITES else f"-{options.sites}"
    file = options.folder / f"{'prompts' if options.model else 'probes'}{size}.jsonl"
    cells = _cells(file)
    for seed in options.seeds:
        _fill(cells, file, options, seed, defences, actors)
    held = {key: one for key, one in cells.items() if key[0] in options.seeds}
    if options.table:
        print(_table(held, options.seeds, defences, actors))
        return
    rows = list(_rows(held, options.seeds, defences, actors))
    cells_told = [{"seed": key[0], "attack": key[1], "defence": key[2], **one} for key, one in held.items()]
    show(report("robustness", rows, model=options.model, cells=cells_told), as_json=options.json)


Key = tuple[int, str, str]
Cell = dict[str, float]


def _named(actor: Actor | None) -> str:
    return NOBODY if actor is None else actor.name


def _cells(file: Path) -> dict[Key, Cell]:
    if not file.exists():
        return {}
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    return {(one["seed"], one["attack"], one["defence"]): one["reached"] for one in lines}


def _fill(
    cells: dict[Key, Cell],
    file: Path,
    options: argparse.Namespace,
    seed: int,
    defences: Sequence[Defence],
    actors: Sequence[Actor | None],
) -> None:
    wanted: list[tuple[Key, Actor | None, Defence]] = [
        ((seed, "honest alone", "fedavg"), None, Defence("fedavg", "fedavg", {}))
    ]
    wanted += [((seed, _named(actor), one.name), actor, one) for actor in actors for one in defences]
    left = [one for one in wanted if one[0] not in cells]
    if not left:
        return
    world = _world(options, seed)
    file.parent.mkdir(parents=True, exist_ok=True)
    for key, actor, defence in left:
        found = federate(world, defence, actor, seed, alone=key[1] == "honest alone")
        cells[key] = {"accuracy": found.accuracy, "backdoor": found.backdoor}
        line = {"seed": seed, "attack": key[1], "defence": key[2], "reached": cells[key]}
        with file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")
        print(f"{key}: {found.accuracy:.3f}, backdoor {found.backdoor:.3f}", file=sys.stderr, flush=True)


def _world(options: argparse.Namespace, seed: int) -> World:
    home, sites, liars = find_home(options.home).path, options.sites, options.liars
    if options.model:
        from benchmarks.robust.prompts import prompt_world

        return prompt_world(home, options.wheels, seed, sites=sites, liars=liars, cases=32, rounds=4)
    from benchmarks.robust.probes import Encoded, probe_world

    encoded = Encoded(home, options.wheels, options.folder / "vectors.npz")
    return probe_world(encoded, seed, sites=sites, liars=liars, cases=128, rounds=12)


def _besides(options: argparse.Namespace) -> Iterator[Row]:
    from benchmarks.robust.besides import chosen_round, poisoned_pack

    mixing = Defence("nearest-mixing", "nearest-mixing", {"liars": options.liars})
    for seed in options.seeds:
        world = _world(options, seed)
        reached = federate(world, mixing, None, seed)
        honest = chosen_round(world, reached, lying=False, bounded=False)
        for bounded in (False, True):
            kept = chosen_round(world, reached, lying=True, bounded=bounded)
            how = "bounded" if bounded else "mean over sites"
            yield Row(f"seed {seed}: round kept under false scores, {how}", "share right", kept, peer=honest)
        for poisoned in (0, 1, options.liars):
            pack = poisoned_pack(world, seed, poisoned=poisoned)
            yield Row(f"seed {seed}: pack with {poisoned} poisoned prompts", "share right", pack.accuracy)
            yield Row(f"seed {seed}: the same, trigger obeyed", "share", pack.backdoor)


def _over(
    cells: dict[Key, Cell], seeds: Sequence[int], attack: str, defence: str
) -> tuple[float, float, float, float, float] | None:
    """Return (points against the honest alone, low, high, backdoor in %, points above the clean prompt's)."""
    from scipy.stats import t

    held = [seed for seed in seeds if (seed, attack, defence) in cells and (seed, "honest alone", "fedavg") in cells]
    if not held:
        return None
    honest = [cells[seed, "honest alone", "fedavg"] for seed in held]
    found = [cells[seed, attack, defence] for seed in held]
    apart = [100 * (one["accuracy"] - clean["accuracy"]) for one, clean in zip(found, honest, strict=True)]
    doors = [100 * one["backdoor"] for one in found]
    above = [100 * (one["backdoor"] - clean["backdoor"]) for one, clean in zip(found, honest, strict=True)]
    mean = float(np.mean(apart))
    half = float(t.ppf(0.975, len(held) - 1) * np.std(apart, ddof=1) / np.sqrt(len(held))) if len(held) > 1 else np.nan
    return mean, mean - half, mean + half, float(np.mean(doors)), float(np.mean(above))


def _rows(
    cells: dict[Key, Cell], seeds: Sequence[int], defences: Sequence[Defence], actors: Sequence[Actor | None]
) -> Iterator[Row]:
    clean = [cells[seed, "honest alone", "fedavg"] for seed in seeds if (seed, "honest alone", "fedavg") in cells]
    yield Row("the honest sites alone, FedAvg", "share right", float(np.mean([one["accuracy"] for one in clean])))
    yield Row("the same, triggered texts given the target", "share", float(np.mean([one["backdoor"] for one in clean])))
    for actor in actors:
        for defence in defences:
            found = _over(cells, seeds, _named(actor), defence.name)
            if found is None:
                continue
            mean, low, high, _, above = found
            name = f"{_named(actor)}, {defence.name}"
            unit = f"points against the honest alone ({low:+.1f} to {high:+.1f})"
            yield Row(name, unit, mean, target=POINTS, met=mean >= POINTS)
            if actor is not None and actor.backdoor:
                unit = "points that the trigger is obeyed more than by the clean prompt"
                yield Row(f"{name}, backdoor", unit, above, target=BACKDOOR, met=above <= BACKDOOR)


def _table(
    cells: dict[Key, Cell], seeds: Sequence[int], defences: Sequence[Defence], actors: Sequence[Actor | None]
) -> str:
    lines = ["| attack | " + " | ".join(f"`{one.name}`" for one in defences) + " |", "|---" * (len(defences) + 1) + "|"]
    for actor in actors:
        told = []
        for defence in defences:
            found = _over(cells, seeds, _named(actor), defence.name)
            if found is None:
                told.append("")
                continue
            door = actor is not None and actor.backdoor
            text = f"{found[0]:+.1f} / {found[3]:.0f} %" if door else f"{found[0]:+.1f}"
            good = found[0] >= POINTS and (not door or found[4] <= BACKDOOR)
            told.append(f"**{text}**" if good else text)
        mark = " (adaptive)" if actor in ADAPTIVE else ""
        lines.append(f"| {_named(actor)}{mark} | " + " | ".join(told) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
