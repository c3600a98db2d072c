"""Scripted sites under attack: each has half of the texts that the attacker holds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.attackers.targets import Target
from fedprompt.evaluation.cases import Case
from fedprompt.models.scripted import NEGATIVE, POSITIVE
from fedprompt.site.folder import SiteFolder
from fedprompt.workspace.cases.site_of_file import make_worker
from tests.scripted_sites import LABELS, MODEL, study

__all__ = ["CASES", "START", "attacked", "made_up"]

CASES = 30  # in each split
START = MODEL.text_init("Overall the feeling is", 3).vectors
SPLITS = {"tune": CASES, "validation": CASES, "test": CASES}
SEEN = np.array([*sorted(POSITIVE), *sorted(NEGATIVE), *(f"word{number}" for number in range(60))])


def attacked(path: Path, count: int, **changes: Mapping[str, Any]) -> list[Target]:
    """Return sites under ``path``; there are as many others like a split's cases as it has."""
    chosen = study(**{"splits": SPLITS, **changes})
    found = []
    for place in range(count):
        name = f"site-{place}"
        every = made_up(4 * CASES, place)
        own, others = every[CASES:], every[:CASES]
        folder = SiteFolder(path / name)
        folder.prepare(name.encode().ljust(32, b"."))
        made = make_worker(name=name, folder=folder, study=chosen, model=MODEL, cases=own, where=name)
        found.append(Target(made, chosen, MODEL, others))
    return found


def made_up(count: int, seed: int) -> tuple[Case, ...]:
    """Return cases of six random words each, some of them with a feeling, labels in turn and at random beside them."""
    rng = np.random.default_rng([seed, 5])
    return tuple(
        Case({"text": f"{' '.join(rng.choice(SEEN, 6))} {seed}-{number}"}, LABELS[number % 2], line=number + 2)
        for number in range(count)
    )
