"""The parts of the benchmark: what each one's federations are, what is made for them, and what is to be reached.

``primary`` is what the others differ from, one factor at a time. ``development`` is where methods and strengths were
fixed; its figures say nothing of what they reach elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from benchmarks.joins.drawing import Plan
from benchmarks.joins.making import Recipe

__all__ = ["PARTS", "Part"]


@dataclass(frozen=True)
class Part:
    """Federations of one plan.

    Args:
        plan: the sites.
        recipe: what is tuned; ``light`` for federations from ``full`` on, which leave out the costliest baselines.
        federations: how many are wanted.
        targets: n -> points of gain to reach.
        least: an interval's lower end to reach at n = 16, or at the one n of a control.
        title: how its rows begin.
    """

    title: str
    plan: Plan
    recipe: Recipe
    federations: int
    targets: Mapping[int, float]
    least: Mapping[int, float]
    light: Recipe | None = None
    full: int = 0

    def recipe_of(self, number: int) -> Recipe:
        """Return what is made for a federation."""
        return self.recipe if self.light is None or number < self.full else self.light


_FULL = Recipe(own=(8,), rounds=16, momentum=0.7, batch=16, rate=0.03, folded=(16,), pooled=128, distilled=True)
_LIGHT = replace(_FULL, folded=(), twice=(), pooled=0, distilled=False)
_SMALL = replace(_FULL, sizes=(16,), folded=(), twice=(), pooled=0, distilled=False)
_TREC = Plan("trec")
_NO_LOSS = {16: -1.0}

PARTS: dict[str, Part] = {
    "development": Part(
        "20 Newsgroups",
        Plan("news", newcomers=2, test=120),
        Recipe(sizes=(4, 16, 64), lengths=(8, 16, 24), prior_free=False),
        2,
        {},
        {},
    ),
    "primary": Part(
        "TREC",
        _TREC,
        _FULL,
        10,
        {4: 12.0, 8: 12.0, 16: 10.0, 32: 6.0, 64: 3.0},
        {16: 6.0},
        light=_LIGHT,
        full=1,
    ),
    "unlike": Part("TREC, unlike fine classes", replace(_TREC, unlike=True), _SMALL, 3, {16: 4.0}, {}),
    "equal-8": Part("TREC, 16 cases everywhere, 8 donors", replace(_TREC, tune=16), _SMALL, 3, {16: 8.0}, {}),
    "equal-4": Part("TREC, 16 cases everywhere, 4 donors", replace(_TREC, donors=4, tune=16), _SMALL, 3, {16: 2.0}, {}),
    "equal-2": Part("TREC, 16 cases everywhere, 2 donors", replace(_TREC, donors=2, tune=16), _SMALL, 3, {16: 0.0}, {}),
    "equal-12": Part("TREC, 16 cases everywhere, 12 donors", replace(_TREC, donors=12, tune=16), _SMALL, 3, {}, {}),
    "r8": Part("Reuters R8", Plan("r8", natural=True), _SMALL, 3, {16: 4.0}, {}),
    "sentiment": Part("sentiment (control)", Plan("sentiment"), _SMALL, 3, {}, _NO_LOSS),
    "shuffled": Part("TREC, donors' labels shuffled (control)", replace(_TREC, shuffled=True), _SMALL, 3, {}, _NO_LOSS),
    "thousand": Part(
        "TREC, a home with 1,000 cases (control)",
        replace(_TREC, home=1000),
        replace(_SMALL, sizes=(1000,), lengths=(16, 32), all_lengths=(1000,), finished=(1000,), shown=()),
        3,
        {},
        {1000: -1.0},
    ),
}
