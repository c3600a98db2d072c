"""How a site adapts for each number of labelled cases: learnt from donors, sent with what they share, read as hostile.

Invariant: the numbers of cases rise, each setting lies in its bounds, and for any number of cases there is a setting.
"""

import math
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from fedprompt.boundary.closed import Closed

__all__ = ["DEFAULT_SETTINGS", "AtN", "Method", "Settings"]

Method = Literal["template", "alone", "bias", "finished", "mixture"]


class AtN(Closed):
    """What is done with ``n`` labelled cases.

    ``method``: the best template, the site's own prompt, the shared prompts at their given weights, a shared prompt
    that is finished at home, or a mixture whose weights are learnt; a bias is learnt with each. ``precision`` and
    ``pull`` are those of ``mixture``; ``own``: whether the site's own prompt is a member. The rest is of finishing:
    ``steps``, ``rate`` (a part of the rate at which a home tunes), ``mu`` (the pull back to where it starts) and
    ``share`` (the part of the way that is kept).
    """

    n: Annotated[int, Field(ge=0, le=100_000)]
    method: Method = "mixture"
    precision: Annotated[float, Field(ge=0.01, le=10_000)] = 2.0
    pull: Annotated[float, Field(ge=0, le=10_000)] = 12.0
    own: bool = False
    steps: Annotated[int, Field(ge=0, le=1000)] = 8
    rate: Annotated[float, Field(gt=0, le=1)] = 0.3
    mu: Annotated[float, Field(ge=0, le=100)] = 0.0
    share: Annotated[float, Field(ge=0, le=1)] = 1.0


class Settings(Closed):
    """A setting for each of some numbers of labelled cases, which rise."""

    at: Annotated[tuple[AtN, ...], Field(min_length=1, max_length=50)]

    @model_validator(mode="after")
    def _rising(self) -> "Settings":
        numbers = [one.n for one in self.at]
        if any(later <= earlier for earlier, later in pairwise(numbers)):
            raise ValueError("numbers of cases rise, each once")
        return self

    def for_n(self, n: int) -> AtN:
        """Return the setting of the nearest number of cases on a logarithmic scale, the smaller of equals.

        What is said for no case is taken for no case alone, unless nothing else is said. Where nothing is said for no
        case, it is the setting of the fewest cases; without a case no number of it but the members' weights counts.
        """
        if n <= 0:
            return self.at[0]
        counted = [one for one in self.at if one.n] or list(self.at)
        return min(counted, key=lambda one: abs(math.log(max(one.n, 1) / n)))


# Fixed on the development task (six topics of 20 Newsgroups; benchmarks/LOG.md): with no more than four cases a label's
# number is pulled to zero by half a case's worth, else by one. How strongly weights are pulled hardly matters there.
DEFAULT_SETTINGS = Settings(at=tuple(AtN(n=n, precision=0.5 if n <= 4 else 1.0) for n in (0, 4, 8, 16, 32, 64)))
