"""Where one site's cases were cut under several names, each case keeps one place, and none is both tuned on and tested.

A file may be cut under the key of the site that it belongs to, and under another name of the same machine before that.
A case that another name's cut holds is taken over from there. Invariant: no case that any of the cuts has in ``test``
is given to ``tune``, and none that any has in ``tune`` is given to ``test``; such a case is contested, and used for
nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.splits.units import keys_of

__all__ = ["Adopted", "Other", "adopt"]


@dataclass(frozen=True)
class Other:
    """The cut of the same cases under another name: its key, and HMAC under that key -> split."""

    key: bytes
    assignment: Mapping[str, str]


@dataclass(frozen=True)
class Adopted:
    """What to cut: the cases, with the assignment that holds for them, and those that are used for nothing."""

    cases: tuple[Case, ...]
    assignment: Mapping[str, str]
    contested: tuple[Case, ...]


def adopt(
    cases: Sequence[Case],
    key: bytes,
    own: Mapping[str, str],
    others: Sequence[Other],
    fields: Sequence[str] | None = None,
) -> Adopted:
    """Return the cases and the assignment that all cuts together give them.

    Args:
        key: of the site that the cases belong to; ``own`` is its stored assignment, and what is in it stays there.
        others: the cuts under other names.
        fields: the fields that make up an input; all if None.
    """
    if not any(other.assignment for other in others):
        return Adopted(tuple(cases), own, ())
    assignment = dict(own)
    contested: list[Case] = []
    kept: list[Case] = []
    for case in cases:
        mine = keys_of(case, key, fields)
        theirs = [keys_of(case, other.key, fields) for other in others]
        clash = False
        for place, name in enumerate(mine):
            found = {
                other.assignment[keys[place]]
                for other, keys in zip(others, theirs, strict=True)
                if keys[place] in other.assignment
            }
            if name in own:
                clash |= {own[name], *found} >= {"tune", "test"}
            elif len(found) == 1:
                assignment[name] = next(iter(found))
            else:
                clash |= len(found) > 1
        (contested if clash else kept).append(case)
    return Adopted(tuple(kept), assignment, tuple(contested))
