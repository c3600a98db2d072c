"""A site's meter of privacy: what each set of its cases has spent, of what, and what the next round costs.

A set's figure holds what other sets with some of its cases have spent as well, so that it is true of every case of it.
"""

import json
from dataclasses import dataclass
from math import inf

import numpy as np

from fedprompt.privacy.accounting import Event, Spent, spent
from fedprompt.site.folder import SiteFolder
from fedprompt.site.known_cases import NO_ROW, TAG_BYTES
from fedprompt.site.private_answers import as_unit, charges_of
from fedprompt.site.replies import ReplyStore
from fedprompt.site.tally import Tally

__all__ = ["Budget", "budgets", "budgets_of"]


@dataclass(frozen=True)
class Budget:
    """What a set of cases has spent; ``split`` and what follows are None where the store of replies was lost.

    Attributes:
        id: the set's.
        unit: what is hidden.
        epsilon: spent so far, with all other studies over the same cases.
        guessed: how often a guess whether a unit was used is right at most.
        split: which part of the cases it is.
        study: that spent last.
        cases: how many there are.
        delta: the study's.
        most: what the same cases may spend in all studies together.
        next_round: epsilon after one more round of the study; None of scores.
    """

    id: str
    unit: str
    epsilon: float
    guessed: float
    split: str | None = None
    study: str | None = None
    cases: int | None = None
    delta: float | None = None
    most: float | None = None
    next_round: float | None = None

    @property
    def sentence(self) -> str:
        """What was spent and what is left, for people."""
        guess = f"A guess whether a {self.unit} was used is right at most {100 * self.guessed:.0f} % of the time"
        if self.study is None:
            return f"a set of cases whose replies are lost: epsilon {self.epsilon:.3g} spent at least. {guess}"
        told = f"{self.split} of '{self.study}', {self.cases:,} cases: epsilon {self.epsilon:.3g} spent"
        if self.most is None:
            return f"{told}, no bound, since this machine holds every site's cases. {guess}"
        told = told.removesuffix(" spent") + f" of {self.most:g} spent"
        if self.next_round is not None:
            left = self.next_round <= self.most
            told += f", {self.next_round:.3g} after one more round" if left else ", which leaves no more rounds"
        return f"{told}. {guess}"


def budgets(tally: Tally, replies: ReplyStore) -> tuple[Budget, ...]:
    """Return the budget of every set of a site's cases that has answered with noise.

    Raises:
        LedgerError: the ledger's chain is broken, or the replies cannot be read.
    """
    charges = charges_of(tally)
    tags = {name: replies.kept("cases", name) for name in dict.fromkeys(one.set for one in charges)}
    found = []

    def rows(one: str, other: str) -> tuple[bytes, bytes]:
        """Return what is kept of the rows or groups of two sets, nothing where it is lost: their cases tell then."""
        return replies.kept("rows", one) or b"", replies.kept("rows", other) or b""

    for name, own in tags.items():
        kept = replies.kept("budget", name)
        terms = {} if kept is None else json.loads(kept)
        inside = [one for one in charges if one.set == name or _meet(own, tags[one.set]) or _meet(*rows(name, one.set))]
        unit = str(terms.get("unit", inside[0].unit))
        delta = float(terms.get("delta", 1e-6))
        events = as_unit(inside, unit)
        now = Spent(inf, delta, 1.0) if events is None else spent(events, delta)
        after = None
        if terms.get("round") is not None and events is not None:
            noise, rate, steps = terms["round"]
            after = spent([*events, Event(float(noise), float(rate), int(steps))], delta).epsilon
        found.append(
            Budget(
                id=name,
                unit=unit,
                epsilon=now.epsilon,
                guessed=now.guessed,
                split=terms.get("split"),
                study=terms.get("study"),
                cases=None if own is None else len(own) // TAG_BYTES,
                delta=delta if terms else None,
                most=terms.get("most"),
                next_round=after,
            )
        )
    return tuple(found)


def budgets_of(folder: SiteFolder) -> tuple[Budget, ...]:
    """Return the budgets of a site's folder."""
    return budgets(Tally(folder.ledger, folder.replies), folder.replies)


def _meet(one: bytes | None, other: bytes | None) -> bool:
    """Say whether two sets have a case in common, as they may where it is lost which cases one has."""
    if one is None or other is None:
        return True
    first, second = (np.frombuffer(tags, dtype=np.uint64) for tags in (one, other))
    return bool(np.isin(first[first != NO_ROW], second).any())
