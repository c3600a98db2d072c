"""State that belongs to a reply: what kinds there are, and how each value changes what was kept before.

Invariant: such state is written in the transaction that keeps the reply, so that it is there if and only if the reply
is (``site.replies``). Its numbers also stand in the ledger's entry, so that a lost store gives nothing back (``gate``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["Beside", "Count", "Kind", "Passed", "Rise", "Value", "after", "merged", "noted_number", "numbers"]

# residual: what quantising left over, by study. rounds: the last round answered, by study and what it is a round of.
# exact: exact questions answered over the lifetime of a set of cases. updates: rounds that were tuned on it. cases:
# which those are, by the texts that a study reads, and rows: by all columns of their file. asked: each question. terms:
# under which study and bound they were asked last, as JSON. sums: what a site keeps of the secure sum it is in.
# trained, looks: rounds that trained weights on a site's text, and losses that were told of it, over its lifetime.
# privacy: noised answers over the lifetime of a set of cases, by how they were noised; turns: how often it was charged;
# noised: the numbers that were drawn; budget: under which terms it was spent last, as JSON.
Kind = Literal[
    "residual",
    "rounds",
    "exact",
    "updates",
    "cases",
    "rows",
    "asked",
    "terms",
    "sums",
    "trained",
    "looks",
    "privacy",
    "turns",
    "noised",
    "budget",
]


@dataclass(frozen=True)
class Count:
    """Is added to the number that was kept; ``most`` is what the sum may be, None for no bound."""

    by: int
    most: int | None = None


@dataclass(frozen=True)
class Rise:
    """Takes the place of the number that was kept, which must be smaller."""

    to: int


Value = bytes | Count | Rise  # bytes take the place of those that were kept
Beside = Mapping[Kind, Mapping[str, Value]]  # kind -> scope -> value


class Passed(Exception):
    """A bound was reached: a count would be past its most, or a number would not rise. Nothing was kept."""

    def __init__(self, kind: Kind, scope: str) -> None:
        super().__init__(f"{kind} of {scope}")
        self.kind, self.scope = kind, scope


def merged(*given: Beside) -> Beside:
    """Return all of some state; of one scope what comes last."""
    found: dict[Kind, dict[str, Value]] = {}
    for one in given:
        for kind, scopes in one.items():
            found.setdefault(kind, {}).update(scopes)
    return found


def after(before: int, value: Count | Rise) -> int | None:
    """Return the number that is kept after ``before``, None where a bound forbids it."""
    if isinstance(value, Rise):
        return value.to if value.to > before else None
    found = before + value.by
    return None if value.most is not None and found > value.most else found


def numbers(beside: Beside) -> dict[Kind, dict[str, dict[str, int]]]:
    """Return the numbers as the ledger has them: kind -> scope -> ``by`` or ``to``; bytes are left out."""
    found: dict[Kind, dict[str, dict[str, int]]] = {}
    for kind, scopes in sorted(beside.items()):
        for scope, value in sorted(scopes.items()):
            if not isinstance(value, bytes):
                noted = {"by": value.by} if isinstance(value, Count) else {"to": value.to}
                found.setdefault(kind, {})[scope] = noted
    return found


def noted_number(noted: Mapping[str, Mapping[str, Mapping[str, int]]], kind: Kind, scope: str, before: int) -> int:
    """Return the number after an entry whose ``counted`` is ``noted``."""
    one = noted.get(kind, {}).get(scope, {})
    return max(before, one["to"]) if "to" in one else before + one.get("by", 0)
