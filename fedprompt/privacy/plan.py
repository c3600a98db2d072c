"""How a study's budget is kept: how much noise is on what, all of it worked out from the study alone.

A case is in one split, so each split has the whole budget: tune cases for the sizes and all steps, validation cases and
test cases for the sizes and so many counts. Which noise that takes says ``privacy.accounting``. Nothing here looks at a
case, so that a hub, a site and a reader of the study work out the same numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from fedprompt.errors import StudyError
from fedprompt.privacy.accounting import Event, Spent, least_noise, spent
from fedprompt.study.allowed_rounds import own_updates
from fedprompt.study.dp import DifferentialPrivacy
from fedprompt.study.schema import Study
from fedprompt.study.score import SplitName

__all__ = ["Plan", "plan_of"]

SIZES_SHARE = 20.0  # the noise of a split's size is this over epsilon: about 1 % of the budget
SPARE = 1e-3  # of epsilon, so that the figure which is told last is not above it


@dataclass(frozen=True)
class Plan:
    """What is noised how in a study with ``dp``.

    Attributes:
        dp: the study's budget.
        sizes: the noise of a split's size, in cases.
        rate: with which probability a step takes a unit; 0 where tuning is not covered.
        steps: how many steps there are in all.
        step: the noise of a step, in units of the clip.
        counts: how many noised counts a split of scores answers; 0 where scores are not covered.
        count: the noise of each, in cases.
    """

    dp: DifferentialPrivacy
    sizes: float
    rate: float = 0.0
    steps: int = 0
    step: float = 0.0
    counts: int = 0
    count: float = 0.0

    def covers(self, split: SplitName) -> bool:
        """Say whether what a split answers carries noise."""
        return bool(self.steps if split == "tune" else self.counts)

    @property
    def of_sizes(self) -> Event:
        """What a split's size costs."""
        return Event(self.sizes / self.dp.longest)

    def of_steps(self, steps: int) -> Event:
        """What so many steps cost."""
        return Event(self.step, self.rate, steps)

    def of_counts(self, counts: int) -> Event:
        """What so many noised counts cost."""
        return Event(self.count / self.dp.longest, count=counts)

    @property
    def events(self) -> Mapping[SplitName, tuple[Event, ...]]:
        """All that each covered split answers."""
        found: dict[SplitName, tuple[Event, ...]] = {}
        if self.steps:
            found["tune"] = (self.of_sizes, self.of_steps(self.steps))
        if self.counts:
            found["validation"] = found["test"] = (self.of_sizes, self.of_counts(self.counts))
        return found

    @property
    def spent(self) -> Mapping[SplitName, Spent]:
        """What all of it comes to, split by split."""
        return {split: spent(events, self.dp.at_delta) for split, events in self.events.items()}


def plan_of(study: Study) -> Plan | None:
    """Return how a study's budget is kept, None where it has none.

    Raises:
        StudyError: no noise keeps it.
    """
    dp = study.dp
    if dp is None:
        return None
    tuning = dp.tunes and study.moves is not None
    steps = own_updates(study) * study.tuning.steps if tuning else 0
    return _planned(dp, steps, study.tuning.batch, "scores" in dp.covers)


@lru_cache(maxsize=64)
def _planned(dp: DifferentialPrivacy, steps: int, batch: int, scores: bool) -> Plan:
    sizes = SIZES_SHARE * dp.longest / dp.epsilon
    beside, rate = (Event(sizes / dp.longest),), min(1.0, batch / dp.cases)
    epsilon = dp.epsilon * (1 - SPARE)
    step = least_noise(epsilon, dp.at_delta, count=steps, rate=rate, beside=beside) if steps else 0.0
    count = least_noise(epsilon, dp.at_delta, count=dp.scores, beside=beside) if scores else 0.0
    if step is None or count is None:
        asked = f"{steps:,} steps" if step is None else f"{dp.scores:,} counts"
        raise StudyError(
            f"no noise keeps an epsilon of {dp.epsilon:g} at a delta of {dp.at_delta:.2g} over {asked}: take a larger "
            "epsilon, or fewer rounds, steps or scores",
            code="privacy-not-kept",
        )
    return Plan(dp, sizes, rate if steps else 0.0, steps, step, dp.scores if scores else 0, count * dp.longest)
