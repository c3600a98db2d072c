"""What a hub that attacks gets out of real sites: who is a member and under which label, beside what guessing gets.

    python -m benchmarks.attacks [--home DIR] [--seeds 0 1 2] [--sites 8] [--json]

Each seed has ``--sites`` sites of the demo's public text and study, 48 cases in each split, and the hub holds as many
other texts of the same source. All answers come from real workers with the default model, through their gates, within
their budgets; the attacks know fedprompt's source, the study and the model. An AUC is the mean over all sites of all
seeds. Attacks that need no language model, and sites that lie, are in ``tests/attacks``.
"""

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.attackers.deltas import aligned, played_over
from benchmarks.attackers.equations import solve
from benchmarks.attackers.figures import Figure, Guesses, auc_over_sites, share
from benchmarks.attackers.losses import labels_read, likeness, solved_losses, sums_of_losses
from benchmarks.attackers.rounds import ask_rounds
from benchmarks.attackers.scores import Pool, ask_scores, chosen, line, single_texts, spread_prompts, sums_of_scores
from benchmarks.attackers.targets import OwnCopy, Target
from benchmarks.report import Row, report, show
from fedprompt.models.protocols import CausalModel
from fedprompt.study.schema import Study
from fedprompt.workspace.home import find_home

CASES, TARGET = 48, 0.60
POOL, LINE, SINGLED = 32, 40, 6
Vectors = NDArray[np.float32]
TEXTS = "the texts of all cases and as many others, their labels, the model, the study, the source"


@dataclass
class Got:
    """What came of the sites so far: attack -> guesses site by site; ``told``: attack -> (right, among)."""

    guesses: dict[str, list[Guesses]] = field(default_factory=lambda: defaultdict(list))
    told: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    answered: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))


def main() -> None:
    """Attack all sites and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--sites", type=int, default=8, help="sites of each seed")
    parser.add_argument("--replies", type=int, default=192, help="rounds that are asked for at most")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    home = find_home(options.home).path
    got, began = Got(), time.monotonic()
    from fedprompt.models.registry import load, settings_for
    from fedprompt.workspace.demo.run import DemoSettings, demo_study
    from fedprompt.workspace.rounds.start_prompt import start_prompt

    study = demo_study(DemoSettings(cases=CASES, held_out=CASES))
    model = load(study.model, home, settings_for(home))
    start = start_prompt(model, study).vectors
    prompts: list[Vectors] = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in options.seeds:
            for place, target in enumerate(_targets(home, Path(folder) / str(seed), study, model, seed, options.sites)):
                if not prompts:
                    prompts = _prompts(target, start)
                _attack(target, start, prompts, got, replies=options.replies, single=place == 0)
                taken = time.monotonic() - began
                print(f"seed {seed}: {place + 1} of {options.sites} sites, {taken:.0f} s", file=sys.stderr)
    figures = _figures(got)
    rows = [_row(one) for one in figures]
    found = report("attacks", rows, results=[asdict(one) for one in figures], seconds=time.monotonic() - began)
    if options.json:
        show(found, as_json=True)
    else:
        print(_table(figures))


def _targets(home: Path, folder: Path, study: Study, model: CausalModel, seed: int, count: int) -> Iterator[Target]:
    """Make the sites of a seed, as evenly of all sources as can be, no text at two of them."""
    from fedprompt.models.assets.catalogue import asset_folder
    from fedprompt.site.folder import SiteFolder
    from fedprompt.workspace.cases.site_of_file import make_worker
    from fedprompt.workspace.demo.text import SOURCES, draw_cases, read_source

    of_each = 3 * CASES
    for place in range(count):
        source, turn = SOURCES[place % len(SOURCES)], place // len(SOURCES)
        every = read_source(asset_folder(home, "vader-text"), source)
        drawn = draw_cases(every, len(every), np.random.SeedSequence([seed, place % len(SOURCES)]))
        mine = drawn[turn * (of_each + CASES) : (turn + 1) * (of_each + CASES)]
        own, others = mine[:of_each], mine[of_each:]
        name = f"{source.site}-{turn}"
        at = SiteFolder(folder / name)
        at.prepare()
        worker = make_worker(name=name, folder=at, study=study, model=model, cases=own, where=name)
        yield Target(worker, study, model, others)


def _prompts(target: Target, start: Vectors) -> list[Vectors]:
    """Return soft prompts to ask about, the most telling first, as they are on one site's candidates."""
    copy = OwnCopy(target.model, target.study, target.candidates("validation"))
    pool = Pool.of(copy, spread_prompts(start, POOL))
    return list(pool.only(chosen(pool, copy.labels, POOL)).vectors)


def _attack(
    target: Target, start: Vectors, prompts: Sequence[Vectors], got: Got, *, replies: int, single: bool
) -> None:
    """Attack one site in every way."""
    hub, study = target.hub(), target.study
    copy = OwnCopy(target.model, study, target.candidates("tune"))
    here = np.arange(len(copy))
    rounds = ask_rounds(hub, [start] * replies, single=True)
    got.answered["rounds"].append(len(rounds))

    own = copy.losses(start)
    solved = solved_losses(rounds, target.worker.name, CASES, study.tuning.batch)
    got.guesses["losses"].append(target.apart("tune", likeness(solved, own[here, copy.labels])))
    right = int((labels_read(solved, own[:CASES]) == copy.labels[:CASES]).sum())
    got.told["labels"].append((right, CASES))

    whole = [one for one in rounds if one.steps == study.tuning.steps]
    everything = np.zeros(len(copy))
    if whole:
        got.guesses["aligned"].append(target.apart("tune", aligned(copy, whole[:1])))
        got.guesses["played"].append(target.apart("tune", played_over(copy, whole[:1], CASES, study.tuning)))
        guesses = played_over(copy, whole, CASES, study.tuning)
        got.guesses["all played"].append(target.apart("tune", guesses))
        everything += _standard(guesses)

    if single:
        pool = Pool.of(copy, line(prompts[0], prompts[1], LINE))
        told = single_texts(hub, pool, copy.labels, "tune", SINGLED)
        got.told["single"].append((sum((g > 0.5) == (c < CASES) for c, g in told.items()), len(told)))
    scores = ask_scores(hub, prompts, "tune")
    got.answered["tune scores"].append(len(scores))
    equations = sums_of_losses(rounds, copy, CASES)
    if scores:
        equations += sums_of_scores(Pool.of(copy, prompts[: len(scores)]), scores, copy.labels)
    everything += _standard(solve(equations, len(copy), CASES))
    got.guesses["everything"].append(target.apart("tune", everything))

    scores = ask_scores(hub, prompts, "validation")
    got.answered["scores"].append(len(scores))
    held = OwnCopy(target.model, study, target.candidates("validation"))
    pool = Pool.of(held, prompts[: len(scores)])
    guesses = solve(sums_of_scores(pool, scores, held.labels), len(held), CASES)
    got.guesses["scores"].append(target.apart("validation", guesses))


def _standard(guesses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return guesses with mean 0 and deviation 1, so that those of several attacks can be added."""
    spread = float(guesses.std())
    return (guesses - guesses.mean()) / spread if spread > 0 else np.zeros(len(guesses))


def _figures(got: Got) -> list[Figure]:
    """Return the lines of the table."""
    rng = np.random.default_rng(0)
    rounds, scores = (_middle(got.answered[name]) for name in ("rounds", "scores"))
    tune = _middle(got.answered["tune scores"])
    lines = [
        ("losses", "single steps solved for single losses", f"{rounds} rounds"),
        ("scores", "exact scores of chosen prompts", f"{scores} prompts on validation"),
        ("aligned", "one ordinary round: slopes against the update", "1 round"),
        ("played", "one ordinary round: its steps played over", "1 round"),
        ("all played", "all rounds that are answered, played over", f"{rounds} rounds"),
        ("everything", "everything on the tune split", f"{rounds} rounds, {tune} prompts"),
    ]
    found = []
    for name, told, answered in lines:
        if sites := got.guesses[name]:
            members = sum(len(one) for one, _ in sites)
            target = TARGET if name in ("losses", "scores", "everything") else None
            figure = Figure(
                f"membership, {told}", TEXTS, answered, "AUC", auc_over_sites(sites, rng), 0.5, members, target
            )
            found.append(figure)
    right, among = _sums(got.told["labels"])
    if among:
        held = f"the members' texts, {TEXTS.split(', ', 2)[2]}"
        found.append(
            Figure(
                "label of a known member, single steps",
                held,
                f"{rounds} rounds",
                "share",
                share(right, among),
                0.5,
                among,
            )
        )
    right, among = _sums(got.told["single"])
    if among:
        found.append(
            Figure(
                "membership of one text, two prompts that differ in it alone",
                TEXTS,
                "2 prompts on tune",
                "share",
                share(right, among),
                0.5,
                among,
            )
        )
    return found


def _sums(told: Sequence[tuple[int, int]]) -> tuple[int, int]:
    return sum(right for right, _ in told), sum(among for _, among in told)


def _middle(counts: Sequence[int]) -> int:
    return int(np.median(counts)) if counts else 0


def _row(one: Figure) -> Row:
    return Row(f"{one.attack}, upper end", one.unit, one.got.high, peer=one.chance, target=one.target, met=one.met)


def _table(figures: Sequence[Figure]) -> str:
    lines = [("attack", "answered", "got", "95 %", "chance", "members")]
    for one in figures:
        lines.append(
            (
                one.attack,
                one.answered,
                f"{one.got.value:.3f} {one.unit}",
                f"{one.got.low:.3f} to {one.got.high:.3f}",
                f"{one.chance:g}",
                str(one.members),
            )
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in lines)


if __name__ == "__main__":
    main()
