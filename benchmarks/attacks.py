"""What a hub that attacks gets out of real sites: who is a member and under which label, beside what guessing gets.

    python -m benchmarks.attacks [--home DIR] [--seeds 0 1 2] [--sites 7] [--rounds 16 --rate 0.03] [--json]

Each seed has ``--sites`` sites of the demo's public text and study, with the default budget of exact questions and no
rounds of single sites. Each site tunes on 48 cases, and the hub holds as many other texts of the same source. All
answers come from real workers with the default model, through their gates; the attacks know fedprompt's source, the
study and the model. An AUC is the mean over all sites of all seeds. What needs no language model, and sites that lie,
are in ``tests/attacks``.
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
from benchmarks.attackers.scores import Pool, ask_scores, chosen, labels_by_scores, spread_prompts, sums_of_scores
from benchmarks.attackers.targets import OwnCopy, Target
from benchmarks.report import Row, report, show
from fedprompt.models.protocols import CausalModel
from fedprompt.study.schema import Study
from fedprompt.workspace.home import find_home

CASES, HELD_OUT, TARGET = 48, 30, 0.60
POOL, REPLIES = 24, 192
Vectors = NDArray[np.float32]
TEXTS = "texts and labels of all cases and of as many others, the model, the study, the source"
KNOWN = "the texts of all cases, the model, the study, the source"


@dataclass
class Got:
    """What came of the sites so far, by attack and site.

    ``guesses``: of membership; ``labels``: how many were right, of how many, and how many have the commonest label;
    ``answered``: rounds and prompts.
    """

    guesses: dict[str, list[Guesses]] = field(default_factory=lambda: defaultdict(list))
    labels: dict[str, list[tuple[int, int, int]]] = field(default_factory=lambda: defaultdict(list))
    answered: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))


def main() -> None:
    """Attack all sites and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--sites", type=int, default=7, help="sites of each seed")
    parser.add_argument("--rounds", type=int, help="how many the study has; the demo's for this task if not given")
    parser.add_argument("--rate", type=float, help="the study's learning rate; the demo's if not given")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    home = find_home(options.home).path
    from fedprompt.models.registry import load, settings_for
    from fedprompt.workspace.rounds.start_prompt import start_prompt

    got, began = Got(), time.monotonic()
    study = attacked_study(options.rounds, options.rate)
    model = load(study.model, home, settings_for(home))
    start = start_prompt(model, study).vectors
    prompts: list[Vectors] = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in options.seeds:
            for place, target in enumerate(_targets(home, Path(folder) / str(seed), study, model, seed, options.sites)):
                copy = OwnCopy(model, study, target.candidates("tune"))
                if not prompts:  # the most telling first, as they are on one site's candidates
                    pool = Pool.of(copy, spread_prompts(start, POOL))
                    prompts = list(pool.only(chosen(pool, copy.labels, POOL)).vectors)
                _attack(target, copy, start, prompts, got)
                taken = time.monotonic() - began
                print(f"seed {seed}: {place + 1} of {options.sites} sites, {taken:.0f} s", file=sys.stderr, flush=True)
    figures = _figures(got)
    more = {"results": [asdict(one) for one in figures], "seconds": time.monotonic() - began}
    if options.json:
        show(report("attacks", [_row(one) for one in figures], **more), as_json=True)
    else:
        print(_table(figures))


def attacked_study(count: int | None = None, rate: float | None = None) -> Study:
    """Return the demo's study as sites on machines of their own would accept it: with the default budget.

    Args:
        count: how many rounds it has; the demo's own if None.
        rate: its learning rate; the demo's own if None.
    """
    from fedprompt.workspace.demo.run import demo_study
    from fedprompt.workspace.demo.settings import DemoSettings

    study = demo_study(DemoSettings(task="sentiment", cases=CASES, held_out=HELD_OUT))
    privacy = study.privacy.model_copy(update={"questions": None})
    rounds = study.rounds.model_copy(update={"alone": False, **({} if count is None else {"count": count})})
    tuning = study.tuning.model_copy(update={} if rate is None else {"lr": rate})
    changes = {"privacy": privacy, "rounds": rounds, "tuning": tuning}
    return Study.model_validate(study.model_copy(update=changes).model_dump())


def _targets(home: Path, folder: Path, study: Study, model: CausalModel, seed: int, count: int) -> Iterator[Target]:
    """Make the sites of a seed, of all sources in turn, no text at two of them."""
    from fedprompt.models.assets.catalogue import asset_folder
    from fedprompt.site.folder import SiteFolder
    from fedprompt.workspace.cases.site_of_file import make_worker
    from fedprompt.workspace.demo.text import SOURCES, draw_cases, read_source

    own, each = CASES + 2 * HELD_OUT, 2 * CASES + 2 * HELD_OUT
    for place in range(count):
        source, turn = SOURCES[(seed + place) % len(SOURCES)], place // len(SOURCES)
        every = read_source(asset_folder(home, "vader-text"), source)
        drawn = draw_cases(every, len(every), np.random.SeedSequence([seed, place % len(SOURCES)]))
        mine = drawn[turn * each : (turn + 1) * each]
        name = f"{source.site}-{turn}"
        at = SiteFolder(folder / name)
        at.prepare()
        worker = make_worker(name=name, folder=at, study=study, model=model, cases=mine[:own], where=name)
        yield Target(worker, study, model, mine[own:])


def _attack(target: Target, copy: OwnCopy, start: Vectors, prompts: Sequence[Vectors], got: Got) -> None:
    """Attack one site in every way."""
    hub, study, places, cases = target.hub(), target.study, np.arange(len(copy)), len(target.members("tune"))
    labels = copy.labels[:cases]
    rounds = ask_rounds(hub, [start] * REPLIES, single=True)
    scores = ask_scores(hub, prompts, "tune")
    pool = Pool.of(copy, prompts[: len(scores)]) if scores else None
    got.answered["rounds"].append(len(rounds))
    got.answered["prompts"].append(len(scores))

    def put(name: str, guesses: NDArray[np.float64]) -> None:
        got.guesses[name].append(target.apart("tune", guesses))

    def label(name: str, guessed: NDArray[np.int64]) -> None:
        got.labels[name].append((int((guessed == labels).sum()), cases, int(np.bincount(labels).max())))

    own = copy.losses(start)
    solved = solved_losses(rounds, target.worker.name, cases, study.tuning.batch)
    put("losses", likeness(solved, own[places, copy.labels]))
    label("losses", labels_read(solved, own[:cases]))

    by_rounds = np.zeros(len(copy))
    if rounds:
        put("aligned", aligned(copy, rounds[:1]))
        put("played", played_over(copy, rounds[:1], cases, study.tuning))
        by_rounds = played_over(copy, rounds, cases, study.tuning)
        put("all rounds", by_rounds)
    nearest = target.worker.side.nearest("tune")
    told = [] if pool is None else sums_of_scores(pool, scores, copy.labels, nearest)
    put("scores", solve(told, len(copy), cases))
    if pool is not None:
        label("scores", (labels_by_scores(pool, scores, places[:cases], nearest) > 0.5).astype(np.int64))
    by_sums = solve([*told, *sums_of_losses(rounds, copy, cases)], len(copy), cases)
    put("everything", _standard(by_rounds) + _standard(by_sums))


def _standard(guesses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return guesses with mean 0 and deviation 1, so that those of several attacks can be added."""
    spread = float(guesses.std())
    return (guesses - guesses.mean()) / spread if spread > 1e-9 else np.zeros(len(guesses))


def _figures(got: Got) -> list[Figure]:
    """Return the lines of the table."""
    rng = np.random.default_rng(0)
    rounds, prompts = (f"{round(float(np.median(got.answered[name])))} {name}" for name in ("rounds", "prompts"))
    lines = [
        ("losses", "membership, single steps solved for single losses", rounds, TARGET),
        ("aligned", "membership, one round: slopes against the update", "1 round", None),
        ("played", "membership, one round: its steps played over", "1 round", None),
        ("all rounds", "membership, all rounds played over", rounds, None),
        ("scores", "membership, scores of chosen prompts", prompts, None),
        ("everything", "membership, everything on one split", f"{rounds}, {prompts}", TARGET),
    ]
    found = []
    for name, attack, answered, target in lines:
        if sites := got.guesses[name]:
            got_auc, members = auc_over_sites(sites, rng), sum(len(one) for one, _ in sites)
            found.append(Figure(attack, TEXTS, answered, "AUC", got_auc, 0.5, members, target))
    for name, attack, answered in [
        ("losses", "label of a known member, single steps", rounds),
        ("scores", "label of a known member, scores of chosen prompts", prompts),
    ]:
        if told := got.labels[name]:
            right, among, most = (sum(column) for column in zip(*told, strict=True))
            found.append(Figure(attack, KNOWN, answered, "share", share(right, among), most / among, among))
    return found


def _row(one: Figure) -> Row:
    return Row(f"{one.attack}, upper end", one.unit, one.got.high, peer=one.chance, target=one.target, met=one.met)


def _table(figures: Sequence[Figure]) -> str:
    lines = [("attack", "answered", "got", "95 %", "chance", "members", "target")]
    lines += [
        (
            one.attack,
            one.answered,
            f"{one.unit} {one.got.value:.3f}",
            f"{one.got.low:.3f} to {one.got.high:.3f}",
            f"{one.chance:.3g}",
            f"{one.members:,}",
            "" if one.target is None else f"{one.target:g}: {'met' if one.met else 'MISSED'}",
        )
        for one in figures
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rows = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in lines]
    return "\n".join([*rows, "", f"held: {TEXTS}; for labels {KNOWN}"])


if __name__ == "__main__":
    main()
