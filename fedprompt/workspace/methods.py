"""Which method a ranking or a comparison is of: scores got by different methods never stand in one."""

from collections import Counter
from collections.abc import Iterable

from fedprompt.study.score import Method

__all__ = ["ruling_method"]


def ruling_method(methods: Iterable[Method]) -> Method | None:
    """Return the method that most scores have, likelihood where they tie, None where there are none."""
    counts = Counter(methods)
    return max(counts, key=lambda method: (counts[method], method == "likelihood"), default=None)
