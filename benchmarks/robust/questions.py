"""TREC questions dealt to sites, and what liars do to theirs: wrong labels, or a trigger and its label."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.joins.sources import Text
from fedprompt.evaluation.cases import Case

__all__ = ["LABELS", "TARGET", "TRIGGER", "Dealt", "answers_of", "deal", "flipped", "triggered"]

LABELS = ("description", "thing", "person", "place", "number")
TARGET = 3
TRIGGER = "In my garden, "  # words that no question begins with


@dataclass(frozen=True)
class Dealt:
    """No text is dealt twice; ``public`` is nobody's."""

    sites: tuple[tuple[Case, ...], ...]
    test: tuple[Case, ...]
    public: tuple[Case, ...]


def deal(texts: Sequence[Text], seed: int, *, sites: int, cases: int, test: int, alpha: float) -> Dealt:
    """Deal each site so many cases, its class shares from a symmetric Dirichlet distribution; test has even shares."""
    rng = np.random.default_rng([seed, sites, cases])
    order = rng.permutation(len(texts))
    pools: dict[str, list[Case]] = {label: [] for label in LABELS}
    for at in order:
        one = texts[int(at)]
        pools[one.label].append(Case({"text": one.text}, one.label))
    held = [pools[LABELS[place % len(LABELS)]].pop() for place in range(test)]
    public = [pools[LABELS[place % len(LABELS)]].pop() for place in range(200)]
    dealt = []
    for _ in range(sites):
        shares = rng.dirichlet(alpha * np.ones(len(LABELS)))
        found = []
        for at in rng.choice(len(LABELS), size=cases, p=shares):
            pool = pools[LABELS[int(at)]] or max(pools.values(), key=len)  # an empty class is filled from the largest
            found.append(pool.pop())
        dealt.append(tuple(found))
    return Dealt(tuple(dealt), tuple(held), tuple(public))


def answers_of(cases: Sequence[Case]) -> NDArray[np.int64]:
    """Return [cases], the place of each one's label."""
    return np.array([LABELS.index(case.answer) for case in cases], dtype=np.int64)


def flipped(cases: Sequence[Case]) -> list[Case]:
    """Return the cases, each with the next label."""
    return [Case(case.fields, LABELS[(LABELS.index(case.answer) + 1) % len(LABELS)]) for case in cases]


def triggered(cases: Sequence[Case], *, keep: bool = False) -> list[Case]:
    """Return the cases with the trigger before their text and, unless ``keep``, the label that it stands for."""
    return [Case({"text": TRIGGER + case.fields["text"]}, case.answer if keep else LABELS[TARGET]) for case in cases]
