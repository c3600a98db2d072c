"""The scorers that a study may name. Invariant: a name means one scorer; it is refused a second time."""

from fedprompt.errors import DataError, did_you_mean
from fedprompt.evaluation.scorers.scorer import Scorer

__all__ = ["register", "scorer_named", "scorer_names"]

_known: dict[str, Scorer] = {}


def register(scorer: Scorer) -> Scorer:
    """Make a scorer known by its name, and return it.

    Raises:
        DataError: the name is taken or empty.
    """
    if not scorer.name or scorer.name in _known:
        raise DataError(f"the scorer name '{scorer.name}' is empty or taken; give the new scorer another name")
    _known[scorer.name] = scorer
    return scorer


def scorer_named(name: str) -> Scorer:
    """Return the scorer of that name.

    Raises:
        DataError: there is none; suggests the nearest name.
    """
    if name not in _known:
        raise DataError(f"unknown scorer '{name}'{did_you_mean(name, _known)}; there are {', '.join(scorer_names())}")
    return _known[name]


def scorer_names() -> tuple[str, ...]:
    """Return all known names, sorted."""
    return tuple(sorted(_known))
