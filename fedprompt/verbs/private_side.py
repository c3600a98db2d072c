"""What a verb uses of a site's budget of privacy: sizes and counts with noise, the same at each asking."""

from collections.abc import Sequence
from typing import Protocol

from fedprompt.privacy.noised_counts import CountNoise
from fedprompt.privacy.plan import Plan
from fedprompt.study.score import SplitName

__all__ = ["PrivateSide"]


class PrivateSide(Protocol):
    """A site's noised numbers."""

    @property
    def plan(self) -> Plan:
        """What carries noise, and how much."""
        ...

    @property
    def noise(self) -> CountNoise:
        """What scores carry."""
        ...

    def size(self, split: SplitName) -> int:
        """Return how many cases a split has, as it is told."""
        ...

    def counts(self, split: SplitName, name: str, values: Sequence[int]) -> tuple[int, ...]:
        """Return exact counts with noise; ``name`` is the question's, as ``Verb.exact`` has it."""
        ...
