"""Which rounds a study lets a hub ask of a site: among whom, up to which number, and of how many steps.

A site holds each tune task against this, so that what a hub may ask follows from the study that the site's operator
accepted. Rounds have one of four places: among all sites, within a group of them, at one site alone, or, to measure
what joining is worth, among the sites outside of a fold.
"""

from typing import Literal, get_args

from fedprompt.strategies.registry import strategy_named
from fedprompt.study.round_size import cases_drawn
from fedprompt.study.schema import Study

__all__ = [
    "FOLDS",
    "Among",
    "cases_a_round",
    "is_among_all",
    "last_round",
    "least_steps",
    "most_updates",
    "own_updates",
]

Fold = Literal["fold-1", "fold-2", "fold-3", "fold-4", "fold-5", "fold-6", "fold-7", "fold-8"]
Among = Literal["all", "group", "alone"] | Fold
FOLDS: tuple[Fold, ...] = get_args(Fold)
"""Rounds among all sites but those of a fold, by the fold's number from 1."""


def is_among_all(among: object) -> bool:
    """Whether rounds are among all sites, which is left out of a task's JSON."""
    return among == "all"


def last_round(study: Study, among: Among) -> int:
    """Return the highest number that such a round may have, 0 where the study has no such rounds.

    Where nobody waits, a round is a site's turn: every update of a step may be one site's, and it may fail once a step.
    """
    rounds = study.rounds
    if among == "alone":
        return rounds.count if rounds.alone else 0
    if among == "group" and rounds.groups is None:
        return 0
    if among in FOLDS:
        return 0 if study.worth is None or FOLDS.index(among) >= study.worth.folds else rounds.count
    count = rounds.count if among == "all" else rounds.total
    if strategy_named(rounds.strategy.name).schedule != "buffered":
        return count
    return count * (int(rounds.strategy.options["buffer"]) + 1)


def most_updates(study: Study) -> int:
    """Return how many rounds a site's tune cases answer over their lifetime at most, in this and other studies."""
    return own_updates(study) if study.privacy.updates is None else study.privacy.updates


def own_updates(study: Study) -> int:
    """Return how many rounds this study asks of a site's tune cases at most."""
    grouped = 0 if study.rounds.groups is None else last_round(study, "group") - last_round(study, "all")
    folds = 0 if study.worth is None else study.worth.folds - 1  # a site is in one of them
    return last_round(study, "all") + grouped + last_round(study, "alone") + folds * last_round(study, "fold-1")


def least_steps(study: Study) -> int:
    """Return the fewest steps that a round may ask of a site."""
    return study.tuning.steps if study.rounds.least_steps is None else study.rounds.least_steps


def cases_a_round(study: Study) -> int:
    """Return how many distinct cases the fewest steps of a round draw, where a site has enough of them."""
    return cases_drawn(study.tuning.steps, study.rounds.least_steps, study.tuning.batch)
