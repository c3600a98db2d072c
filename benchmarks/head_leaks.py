"""What a shared head tells of single cases, and what it is worth to a newcomer, over strengths, directions and noise.

    python -m benchmarks.head_leaks [--task trec] [--home DIR] [--wheels DIR] [--vectors DIR] [--federations 8] [--json]

The attacker holds a site's head, how many cases of each class it has, and texts with their labels: the site's own and
as many others of the same classes. *Known*: it holds all of them at once. A head without noise is a sum over members of
``strength x (truth - answer) x features``, so that a system of linear equations tells the members; with noise, its
ridge solution. *Single*: it holds one text at a time, and the heads of the other sites to compare with. *Label*: it
knows that a text is a member, and guesses its label by the site's head and by those of the others.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from scipy.stats import t as student

from benchmarks.joins.sources import read_texts
from benchmarks.report import Row, report, show
from fedprompt.adapting.class_bias import fit_bias
from fedprompt.adapting.heads import directions_of, fit_head, head_features, log_shares, with_noise
from fedprompt.adapting.log_probabilities import normalised
from fedprompt.workspace.home import find_home

Table = NDArray[np.float64]
Places = NDArray[np.int64]
MOST, EXAMPLES, HOME, TEST, PRECISION = 5_300, 100, 64, 150, 1.0
SITES = ((30, 8), (48, 6), (60, 8), (128, 8))  # (cases of a donor, donors)
# directions (0: all of the encoder's), strength, noise
WAYS = (
    (0, 0.1, 0.0),
    (0, 10.0, 0.0),
    (0, 100.0, 0.0),
    (0, 1.0, 1.0),
    (16, 1.0, 0.0),
    (16, 0.1, 1.0),
    (16, 1.0, 0.5),
    (16, 1.0, 0.75),
    (16, 1.0, 1.0),
    (16, 1.0, 1.5),
    (16, 3.0, 1.0),
    (8, 1.0, 0.75),
    (8, 1.0, 1.0),
    (24, 1.0, 1.0),
)
TARGET = 0.60


@dataclass
class Found:
    """Of one way: areas of each site looked at, label guesses, and right answers of each newcomer."""

    known: list[float] = field(default_factory=list)
    single: list[float] = field(default_factory=list)
    label: list[float] = field(default_factory=list)
    guessed: list[float] = field(default_factory=list)
    right: dict[int, list[float]] = field(default_factory=lambda: {0: [], 16: []})


def main() -> None:
    """Measure each way for each size of site."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="trec", choices=("trec", "news"))
    parser.add_argument("--home", type=Path)
    parser.add_argument("--wheels", type=Path, default=Path(".cache/wheels"))
    parser.add_argument("--vectors", type=Path, default=Path(".cache/head-vectors"))
    parser.add_argument("--federations", type=int, default=8)
    parser.add_argument("--looked", type=int, default=3, help="sites of each federation that are attacked")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    vectors, labels = _encoded(options)
    rows: list[Row] = []
    for cases, donors in SITES:
        found = {way: Found() for way in WAYS}
        for seed in range(options.federations):
            _federation(vectors, labels, cases, donors, options.looked, seed, found)
        for way, one in found.items():
            rows += _rows(cases, donors, way, one)
    show(report("head_leaks", rows, task=options.task), as_json=options.json)


def _encoded(options: argparse.Namespace) -> tuple[NDArray[np.float32], Places]:
    kept = options.vectors / f"{options.task}.npz"
    if not kept.exists():
        from fedprompt.models.sentence_encoder import load_encoder

        home = find_home(options.home).path
        texts = read_texts(options.task, options.wheels, home)
        rng = np.random.default_rng(0)
        some = [texts[int(at)] for at in sorted(rng.choice(len(texts), min(MOST, len(texts)), replace=False))]
        kept.parent.mkdir(parents=True, exist_ok=True)
        found = load_encoder(home).encode([one.text for one in some])
        np.savez(kept, vectors=found, labels=np.unique([one.label for one in some], return_inverse=True)[1])
    with np.load(kept) as held:
        return held["vectors"], held["labels"].astype(np.int64)


def _federation(
    vectors: NDArray[np.float32],
    labels: Places,
    cases: int,
    donors: int,
    looked: int,
    seed: int,
    found: dict[tuple[int, float, float], Found],
) -> None:
    rng, many = np.random.default_rng([seed, cases, donors]), int(labels.max()) + 1
    pools = [[int(at) for at in rng.permutation(np.flatnonzero(labels == one))] for one in range(many)]
    home, *sites = [_site(pools, size, rng) for size in (HOME + TEST, *[cases] * donors)]
    left = rng.permutation(np.array([at for pool in pools for at in pool]))
    examples, others = left[:EXAMPLES], left[EXAMPLES:]
    strangers = [_alike(labels, site, others) for site in sites[:looked]]
    for way, one in found.items():
        directions, strength, noise = way
        if directions:
            used = head_features(vectors, directions_of(vectors[examples], directions))
        else:
            used = vectors.astype(np.float64)
        heads = []
        for place, site in enumerate(sites):
            head = fit_head(used[site], labels[site], many, strength)
            secret = f"{seed} {cases} {place} {way}".encode()
            heads.append(with_noise(head, strength, noise, secret).astype(np.float64) if noise else head)
        for place, unseen in enumerate(strangers):
            if len(unseen) == len(sites[place]):
                rest = [head for at, head in enumerate(heads) if at != place]
                _attacked(one, way, used, labels, sites[place], unseen, heads[place], np.array(rest))
        shared = np.mean(heads, axis=0)
        test, known = home[HOME:], home[:HOME]
        for n in one.right:
            table, seen = normalised(used[test] @ shared.T), normalised(used[known[:n]] @ shared.T)
            bias = fit_bias(seen, labels[known[:n]], precision=PRECISION) if n else np.zeros(many)
            one.right[n].append(float(((table + bias).argmax(axis=1) == labels[test]).mean()))


def _site(pools: list[list[int]], size: int, rng: np.random.Generator) -> Places:
    """Return a site's cases, of class shares Dirichlet(1); shares that the texts left cannot fill are drawn anew."""
    while True:
        counts = rng.multinomial(size, rng.dirichlet(np.ones(len(pools))))
        if all(count <= len(pool) for count, pool in zip(counts, pools, strict=True)):
            break
    drawn = [pool.pop() for count, pool in zip(counts, pools, strict=True) for _ in range(count)]
    return rng.permutation(np.array(drawn, dtype=np.int64))


def _alike(labels: Places, site: Places, others: Places) -> Places:
    """Return as many cases of each class as the site has, of those that no site has."""
    counts = np.bincount(labels[site])
    return np.concatenate([others[labels[others] == one][:count] for one, count in enumerate(counts)])


def _attacked(
    one: Found,
    way: tuple[int, float, float],
    used: Table,
    labels: Places,
    site: Places,
    unseen: Places,
    head: Table,
    rest: Table,
) -> None:
    _, strength, noise = way
    held = np.concatenate([site, unseen])
    member = np.arange(len(held)) < len(site)
    x, y, shares = used[held], labels[held], log_shares(labels[site], len(head))
    miss = np.eye(len(head))[y] - np.exp(normalised(x @ head.T + shares))
    parts = np.einsum("ik,id->kdi", miss, x).reshape(-1, len(x))
    wanted = head.ravel() / strength - parts.sum(axis=1) / 2
    ridge = 4 * max(noise, 1e-4) ** 2 * np.eye(len(x))
    one.known.append(_area(np.linalg.solve(parts.T @ parts + ridge, parts.T @ wanted), member))
    rows = np.arange(len(y))
    own = normalised(x @ head.T)[rows, y]
    others = np.stack([normalised(x @ each.T)[rows, y] for each in rest])
    one.single.append(_area((own - others.mean(axis=0)) / (others.std(axis=0) + 1e-6), member))
    both = normalised(x @ head.T + shares) + normalised(x @ rest.mean(axis=0).T)
    one.label.append(float((both.argmax(axis=1) == y)[member].mean()))
    one.guessed.append(float(((x @ rest.mean(axis=0).T + shares).argmax(axis=1) == y)[member].mean()))


def _area(score: Table, member: NDArray[np.bool_]) -> float:
    ranks, inside = rankdata(score), int(member.sum())
    return float((ranks[member].sum() - inside * (inside + 1) / 2) / (inside * (len(score) - inside)))


def _rows(cases: int, donors: int, way: tuple[int, float, float], one: Found) -> Iterator[Row]:
    directions, strength, noise = way
    name = f"{donors} x {cases}, {directions or 'all'} directions, strength {strength:g}, noise {noise:g}: "
    for what, areas in (("known", one.known), ("single", one.single)):
        low, mean, high = _interval(areas)
        yield Row(f"{name}{what}, area", f"AUC ({low:.3f} to {high:.3f})", mean, target=TARGET, met=high <= TARGET)
    gained = _interval(np.subtract(one.label, one.guessed).tolist())
    told = f"share of labels ({gained[0]:+.3f} to {gained[2]:+.3f} apart)"
    yield Row(f"{name}label, guessing", told, float(np.mean(one.label)), peer=float(np.mean(one.guessed)))
    for n, values in one.right.items():
        low, mean, high = _interval(values)
        yield Row(f"{name}right at n = {n}", f"share ({low:.3f} to {high:.3f})", mean)


def _interval(values: list[float]) -> tuple[float, float, float]:
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, mean, mean
    half = float(student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return mean - half, mean, mean + half


if __name__ == "__main__":
    main()
