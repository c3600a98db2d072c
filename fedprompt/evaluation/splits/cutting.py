"""Cuts a site's cases once into tune, validation and test, and never moves what was cut before.

Each unit (a distinct input, or a group) is ordered by HMAC-SHA256 under the site's key and the order is cut
at exact sizes within each label. Invariants: no input and no group is in two splits; the order of the file
decides nothing; cases that come later never move earlier ones; contradictory duplicates stay together.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fedprompt.errors import DataError
from fedprompt.evaluation.cases import Case, input_key, normalise
from fedprompt.evaluation.splits.apportion import apportion, apportion_table
from fedprompt.evaluation.splits.assignments import SPLITS, load_assignment, save_assignment
from fedprompt.evaluation.splits.units import Unit, find_units

__all__ = [
    "SPLITS",
    "Shortfall",
    "SplitName",
    "SplitSizes",
    "Splits",
    "assign",
    "input_key",
    "load_assignment",
    "normalise",
    "save_assignment",
]

SplitName = Literal["tune", "validation", "test"]
MAX_STRATA = 256


@dataclass(frozen=True)
class SplitSizes:
    """Sizes in units (distinct inputs, or groups): fractions if they sum to at most 1, else whole counts.

    Three ``int`` are always counts. With counts, what is beyond them stays unused; where too few units are
    there, counts shrink in proportion.

    Raises:
        DataError: a size is negative, all are zero, or counts and fractions are mixed.
    """

    tune: float
    validation: float
    test: float

    def __post_init__(self) -> None:
        if not all(0 <= size < float("inf") for size in self.wanted) or not any(self.wanted):
            raise DataError(f"split sizes {self._shown}: give sizes of 0 or more, not all 0", code="split-sizes")
        if not self.fractions and any(size != int(size) for size in self.wanted):
            raise DataError(
                f"split sizes {self._shown}: neither counts nor fractions of 1; "
                "give whole numbers, or fractions that sum to at most 1",
                code="split-sizes",
            )

    @property
    def wanted(self) -> tuple[float, float, float]:
        """The three sizes."""
        return (self.tune, self.validation, self.test)

    @property
    def fractions(self) -> bool:
        """Whether the sizes are fractions."""
        return sum(self.wanted) <= 1 + 1e-9 and not all(isinstance(size, int) for size in self.wanted)

    @property
    def _shown(self) -> str:
        return ", ".join(f"{size:g}" for size in self.wanted)

    def of(self, total: int) -> tuple[int, ...]:
        """Return the three sizes for so many units: exact, by largest remainder."""
        if self.fractions:
            rest = max(0.0, round(1 - sum(self.wanted), 9))
            return apportion(total, (*self.wanted, rest))[:3]
        counts = tuple(int(size) for size in self.wanted)
        return counts if sum(counts) <= total else apportion(total, counts)


@dataclass(frozen=True)
class Shortfall:
    """A split that has fewer independent units than are needed."""

    split: SplitName
    have: int
    need: int

    @property
    def missing(self) -> int:
        """How many more are needed."""
        return self.need - self.have


@dataclass(frozen=True)
class Splits:
    """A cut evaluation set.

    Args:
        tune, validation, test: the cases, in HMAC order.
        assignment: hexadecimal HMAC of each input and group -> split; what is stored. Holds earlier ones too.
        units: split -> independent units in it (distinct inputs, or groups).
        unused: cases beyond the wanted counts, free to be assigned later.
        left_out: cases whose input and group were put into different splits earlier.
    """

    tune: tuple[Case, ...]
    validation: tuple[Case, ...]
    test: tuple[Case, ...]
    assignment: Mapping[str, str]
    units: Mapping[str, int]
    unused: tuple[Case, ...] = ()
    left_out: tuple[Case, ...] = ()

    def cases(self, split: SplitName) -> tuple[Case, ...]:
        """Return the cases of one split."""
        return {"tune": self.tune, "validation": self.validation, "test": self.test}[split]

    def shortfalls(self, min_cases: int) -> tuple[Shortfall, ...]:
        """Return the splits with fewer than ``min_cases`` units; units are groups where groups are used."""
        return tuple(
            Shortfall(split, self.units[split], min_cases) for split in SPLITS if self.units[split] < min_cases
        )


def assign(
    cases: Sequence[Case],
    key: bytes,
    sizes: SplitSizes,
    earlier: Mapping[str, str] | None = None,
    *,
    fields: Sequence[str] | None = None,
    stratified: bool = True,
) -> Splits:
    """Cut the cases into splits.

    Args:
        cases: the cases, in any order.
        key: the site's key, 32 bytes.
        sizes: how large the splits shall be.
        earlier: the assignment stored when the site's cases were last cut; what is in it stays where it is.
        fields: the fields that make up an input; all if None.
        stratified: cut within each answer; give False where answers are free text. Past 256 answers it is not
            done.

    Raises:
        DataError: the key is not 32 bytes, or ``earlier`` names a split that there is not.
    """
    stored = dict(earlier or {})
    if stray := [split for split in stored.values() if split not in SPLITS]:
        raise DataError(
            f"the stored assignment names the split '{stray[0][:40]}'; restore its file from a backup",
            code="unknown-split",
        )
    found = find_units(cases, key, stored, fields)
    placed: dict[str, list[Unit]] = {split: [] for split in (*SPLITS, "unused")}
    fresh: list[Unit] = []
    for unit in found.units:
        (fresh if unit.split is None else placed[unit.split]).append(unit)
    stratum = _strata(found.units, stratified)
    for split, units in _cut(fresh, {split: placed[split] for split in SPLITS}, sizes, stratum).items():
        placed[split] = sorted([*placed[split], *units], key=lambda unit: unit.order)
    for split in SPLITS:
        stored.update((k, split) for unit in placed[split] for k in unit.keys)
    tune, validation, test, unused = (tuple(case for unit in units for case in unit.cases) for units in placed.values())
    return Splits(
        tune=tune,
        validation=validation,
        test=test,
        assignment=stored,
        units={split: len(placed[split]) for split in SPLITS},
        unused=unused,
        left_out=found.left_out,
    )


def _strata(units: Sequence[Unit], stratified: bool) -> Mapping[str, str]:
    """Return answer -> stratum."""
    answers = {unit.answer for unit in units}
    one = not stratified or len(answers) > MAX_STRATA
    return {answer: "" if one else answer for answer in answers}


def _cut(
    fresh: Sequence[Unit], old: Mapping[str, Sequence[Unit]], sizes: SplitSizes, stratum: Mapping[str, str]
) -> dict[str, list[Unit]]:
    """Return split (and ``unused``) -> the fresh units that go there; ``fresh`` is in HMAC order."""
    total = len(fresh) + sum(map(len, old.values()))
    goal = _goal(total, [len(old[split]) for split in SPLITS], sizes)
    columns = [want - len(old[split]) for want, split in zip(goal, SPLITS, strict=True)]
    columns.append(len(fresh) - sum(columns))
    by_stratum: dict[str, list[Unit]] = {}
    for unit in fresh:
        by_stratum.setdefault(stratum[unit.answer], []).append(unit)
    strata = sorted(by_stratum)
    have = Counter((stratum[unit.answer], split) for split, units in old.items() for unit in units)
    shares = np.zeros((len(strata), 4))
    for i, name in enumerate(strata):
        size = len(by_stratum[name]) + sum(have[name, split] for split in SPLITS)
        for j, split in enumerate(SPLITS):
            shares[i, j] = max(0.0, size * goal[j] / total - have[name, split])
        shares[i, 3] = size * (total - sum(goal)) / total
    table = apportion_table(shares, [len(by_stratum[name]) for name in strata], columns)
    cut: dict[str, list[Unit]] = {split: [] for split in (*SPLITS, "unused")}
    for name, row in zip(strata, table, strict=True):
        units = iter(by_stratum[name])
        for split, count in zip(cut, row, strict=True):
            cut[split].extend(next(units) for _ in range(int(count)))
    return cut


def _goal(total: int, have: Sequence[int], sizes: SplitSizes) -> list[int]:
    """Return the size of each split: the wanted one, or what it already has where that is more."""
    goal = list(sizes.of(total))
    held: set[int] = set()
    while over := {i for i in range(3) if i not in held and goal[i] < have[i]}:
        held |= over
        for i in over:
            goal[i] = have[i]
        free = [i for i in range(3) if i not in held]
        room = total - sum(goal[i] for i in held)
        if sum(goal[i] for i in free) > room:
            for i, size in zip(free, apportion(room, [goal[i] for i in free]), strict=True):
                goal[i] = size
    return goal
