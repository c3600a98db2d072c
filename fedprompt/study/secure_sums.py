"""Secure sums in a study: the hub learns the sum of the sites' updates, and no update by itself.

Only names, bounds, and what secure sums exclude; what happens is in ``privacy.secure_sums``. A study that does not ask
for them has the digest that it had before there were any.
"""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from fedprompt.boundary.closed import Closed
from fedprompt.strategies.registry import strategy_named, strategy_names
from fedprompt.study.sharing import absent

__all__ = ["LEAST", "MOST_SITES", "MaybeSecureSums", "SecureSums", "excluded", "least_cohort"]

LEAST = 3
MOST_SITES = 128  # each shares masks with every other
SiteName = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Identity = Annotated[str, StringConstraints(pattern=r"^k1:[0-9a-f]{32}$")]


class SecureSums(Closed):
    """Updates are added up under masks, which only the sum is taken out of.

    ``sites`` are those that take part, each with the fingerprint of its key, so that a hub can add none of its own;
    sites on machines of their own take part only where it is said. ``least``: how many sites a sum is over at least;
    three, and more than half of all, if it is not said.
    """

    least: Annotated[int | None, Field(ge=LEAST, le=MOST_SITES, exclude_if=absent)] = None
    sites: Annotated[dict[SiteName, Identity] | None, Field(max_length=MOST_SITES, exclude_if=absent)] = None

    @model_validator(mode="after")
    def _enough(self) -> "SecureSums":
        if self.sites is None:
            return self
        if len(set(self.sites.values())) != len(self.sites):
            raise ValueError("two of the sites have the same key; name each site once, with its own")
        if len(self.sites) < self.least_of(0):
            raise ValueError(
                f"a secure sum is over {self.least_of(0)} sites at least and {len(self.sites)} are named; name all "
                "that take part, or lower 'least'"
            )
        return self

    def least_of(self, sites: int) -> int:
        """Return how many sites a sum is over at least, of the named ones, or of so many where none is named."""
        return least_cohort(sites if self.sites is None else len(self.sites), self.least)


def _said(given: Any) -> Any:
    """Read ``true`` as secure sums with the defaults, and ``false`` as none."""
    return {} if given is True else None if given is False else given


MaybeSecureSums = Annotated[SecureSums | None, BeforeValidator(_said)]


def least_cohort(sites: int, asked: int | None = None) -> int:
    """Return how many of so many sites take part in a sum at least: three, and more than half, or as many as asked.

    More than half, so that any two cohorts of a round have a site in common, which answers for one of them alone.
    """
    return max(LEAST, sites // 2 + 1, asked or 0)


def excluded(study: Any) -> tuple[tuple[str, str], str] | None:
    """Return the place in a study and the reason of what secure sums exclude, None where all of it goes together.

    Args:
        study: a ``Study`` whose parts are read already.
    """
    rounds = study.rounds
    sums = rounds.secure_sums
    if sums is None:
        return None
    at, name = ("rounds", "secure_sums"), rounds.strategy.name
    strategy = strategy_named(name)
    able = [one for one in strategy_names() if _adds(one)]
    if study.moves is None:
        return at, "'secure_sums' adds up updates, and the study has no 'soft:' or 'tunable:' part, so there are none"
    if strategy.schedule == "buffered":
        return at, (
            f"'{name}' takes updates one by one as they come, and a secure sum is over a whole round; take one of "
            f"{', '.join(able)}"
        )
    if strategy.needs != "sum":
        return at, f"'{name}' looks at each update, which secure sums hide; take one of {', '.join(able)}"
    if rounds.keep_updates:
        return at, "'keep_updates' keeps each update, which secure sums hide from the hub; take one of them out"
    if rounds.groups is not None:
        return at, (
            "'groups' likens single updates or runs rounds among some of the sites, and secure sums are among all; "
            "take one of them out"
        )
    if rounds.alone:
        return at, "with 'alone' each site's own prompt goes to the hub, which secure sums are to prevent; take one out"
    if study.worth is not None:
        return at, (
            "'worth' runs the rounds again without some sites, and the difference of two sums would be the sum of "
            "those; take one of them out"
        )
    if rounds.update != "float32":
        return ("rounds", "update"), (
            "a secure sum has whole numbers of its own, so 'update' is left out beside 'secure_sums'"
        )
    if rounds.quorum is not None and sums.sites is not None and rounds.quorum < sums.least_of(0):
        return ("rounds", "quorum"), (
            f"a secure sum of these sites is over {sums.least_of(0)} of them at least and the quorum is "
            f"{rounds.quorum}; raise it"
        )
    return None


def _adds(name: str) -> bool:
    strategy = strategy_named(name)
    return strategy.needs == "sum" and strategy.schedule == "rounds"
