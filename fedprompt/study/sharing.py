"""What a study may ask for beside one prompt for all: prompts of groups, own choices, a head, what joining is worth.

Only names, bounds and defaults; what they mean is in ``federation.clustering``, ``site.personal``, ``verbs.head`` and
``verbs.worth``.
A part that a study leaves out is left out of its JSON too, so that the digest of a study that asks for none of this
stays as it was.
"""

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from fedprompt.boundary.closed import Closed

__all__ = ["MOST_FOLDS", "MOST_WAYS", "Groups", "Personal", "SharedHead", "Worth", "absent"]

Share = Annotated[float, Field(gt=0, lt=1)]
MOST_FOLDS, MOST_WAYS = 8, 8


def absent(value: object) -> bool:
    """Whether a part was left out (None or False), so that it is left out of the JSON."""
    return value is None or value is False


class Groups(Closed):
    """Sites whose likeness is below ``apart`` are tuned apart for ``rounds`` more rounds, after those of all together.

    ``by``: the likeness of their updates from the common prompt, or of their scores of the study's templates.
    ``most`` groups at most, none of fewer than ``smallest`` sites. By updates, a group is cut only where it stands
    ``still``: where its mean update is at most so much of its longest.
    """

    by: Literal["updates", "templates"] = "updates"
    most: Annotated[int, Field(ge=2, le=100)] = 3
    smallest: Annotated[int, Field(ge=1, le=10_000)] = 2
    apart: Annotated[float, Field(ge=-1, le=1)] = 0.0
    still: Annotated[float, Field(gt=0, le=1)] = 0.25
    rounds: Annotated[int, Field(ge=1, le=1000)] = 2


class Personal(Closed):
    """Each site chooses on its validation cases; ``mixtures`` are the shares of its own prompt in mixed ones."""

    mixtures: Annotated[tuple[Share, ...], Field(max_length=16)] = (0.25, 0.5, 0.75)

    @model_validator(mode="after")
    def _different(self) -> "Personal":
        if len(set(self.mixtures)) != len(self.mixtures):
            raise ValueError("a share of a mixture is given twice; give each share once")
        return self


class SharedHead(Closed):
    """Each site fits a regression on the bundled sentence encoder, a head, and the hub gives back their mean.

    ``examples`` are public texts of the same kind of work, without a label, and no site's cases: the head looks along
    the ``directions`` in which they differ most, and along no other. ``strength`` is of a site's cases against the
    penalty, ``noise`` how much is added to each number of a site's head, in units of what hides one case.
    """

    examples: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=2_000)], ...],
        Field(min_length=8, max_length=1_000),
    ]
    directions: Annotated[int, Field(ge=2, le=64)] = 16
    strength: Annotated[float, Field(ge=0.01, le=100)] = 1.0
    noise: Annotated[float, Field(ge=0.25, le=100)] = 1.5

    @model_validator(mode="after")
    def _enough(self) -> "SharedHead":
        if len(set(self.examples)) <= self.directions:
            raise ValueError(
                f"{len(set(self.examples))} different examples do not span {self.directions} directions; give "
                "more examples, or fewer directions"
            )
        return self


class Worth(Closed):
    """Sites play newcomers with ``n`` labelled cases each, so that the federation learns what joining is worth.

    Rounds are run anew without each of ``folds`` parts of the sites; the sites of a part then answer alone and with
    what the others share, from ``draws`` draws of ``n`` tune cases. ``ways``: how many ways of using what is shared are
    compared for each ``n``, beside the ways that need nobody. A site takes ``seconds`` for each ``n`` at most.
    An ``n`` below ``min_cases`` is allowed by being named here.
    """

    n: Annotated[tuple[Annotated[int, Field(ge=0, le=10_000)], ...], Field(min_length=1, max_length=12)] = (8, 16, 32)
    draws: Annotated[int, Field(ge=1, le=100)] = 5
    seconds: Annotated[float, Field(ge=1, le=86_400)] = 120.0
    folds: Annotated[int, Field(ge=2, le=MOST_FOLDS)] = 4
    ways: Annotated[int, Field(ge=1, le=MOST_WAYS)] = 3

    @model_validator(mode="after")
    def _rising(self) -> "Worth":
        if any(after <= before for before, after in pairwise(self.n)):
            raise ValueError("list the numbers of labelled cases in rising order, each once, such as [8, 16, 32]")
        return self
