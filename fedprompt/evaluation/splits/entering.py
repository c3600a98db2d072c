"""Which of its cases a site answers over, so that no two answers differ by only a few cases.

Answers are exact sums, and two of them over sets that differ by one case tell that case. So new cases wait, split by
split, until enough of them are there; and where cases went, nothing is answered until enough changed. Invariant: in
each split, the cases that are answered over are those of an earlier answer, or differ from those of every earlier
answer by at least ``least`` units that came or ``least`` units that went. A unit is a distinct input, or a group.
"""

import hashlib
import hmac
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.splits.assignments import SPLITS
from fedprompt.evaluation.splits.cutting import SplitName, Splits
from fedprompt.evaluation.splits.units import find_units
from fedprompt.prompts.ids import canonical_json

__all__ = ["ID_DIGITS", "CaseSet", "Entered", "Members", "case_set", "enter"]

ID_DIGITS = 32
Members = Mapping[str, str]  # a case's id -> its unit, both beginnings of HMACs under the site's key
CaseSet = Mapping[SplitName, Members]


@dataclass(frozen=True)
class Entered:
    """What may be answered over.

    Args:
        splits: the cut cases without those that wait; None where nothing may be answered.
        cases: the same as ids; of the last answer where nothing may be answered.
        waiting: split -> units with cases that wait.
        gone: split -> units with cases of the last answer that are no longer there.
    """

    splits: Splits | None
    cases: CaseSet
    waiting: Mapping[SplitName, int]
    gone: Mapping[SplitName, int]


def case_set(splits: Splits, key: bytes, fields: Sequence[str] | None = None) -> CaseSet:
    """Return the ids and units of all cut cases.

    A case whose text, answer or group changed has another id. Of equal cases each has an id of its own, so that one
    more of them is a new case.
    """
    found: dict[SplitName, dict[str, str]] = {}
    for split in SPLITS:
        units = {id(case): unit.order for unit in find_units(splits.cases(split), key, {}, fields).units
                 for case in unit.cases}  # fmt: skip
        named = zip(_ids(splits.cases(split), key), splits.cases(split), strict=True)
        found[split] = {name: units[id(case)][:ID_DIGITS] for name, case in named}
    return found


def enter(
    splits: Splits, now: CaseSet, key: bytes, least: int, earlier: Sequence[CaseSet], others: Sequence[Members] = ()
) -> Entered:
    """Return what may be answered over.

    Args:
        now: the :func:`case_set` of ``splits``.
        least: how many units a split's cases must differ by from those of an earlier answer.
        earlier: what answers of this study were over, the newest last.
        others: what the newest answers of other studies of the site were over, splits together.
    """
    last: CaseSet = earlier[-1] if earlier else {split: {} for split in SPLITS}
    gone = {split: len(_went(now[split], last[split])) for split in SPLITS}
    chosen = next(_possible(now, least, earlier, others), None)
    if chosen is None:
        return Entered(None, last, dict.fromkeys(SPLITS, 0), gone)
    waiting = {split: len({unit for name, unit in now[split].items() if name not in chosen[split]}) for split in SPLITS}
    kept: dict[SplitName, tuple[Case, ...]] = {
        split: tuple(
            case
            for name, case in zip(_ids(splits.cases(split), key), splits.cases(split), strict=True)
            if name in chosen[split]
        )
        for split in SPLITS
    }
    entered: CaseSet = {split: {name: now[split][name] for name in chosen[split]} for split in SPLITS}
    units: dict[str, int] = {split: len(set(entered[split].values())) for split in SPLITS}
    found = replace(splits, tune=kept["tune"], validation=kept["validation"], test=kept["test"], units=units)
    return Entered(found, entered, waiting, gone)


def _possible(now: CaseSet, least: int, earlier: Sequence[CaseSet], others: Sequence[Members]) -> Iterator[CaseSet]:
    """Give the sets that may be answered over, the largest first."""
    for pool in (now, *({split: _within(now[split], other) for split in SPLITS} for other in others)):
        mixed = {split: _of_split(pool[split], least, [old[split] for old in earlier]) for split in SPLITS}
        found = {split: members for split, members in mixed.items() if members is not None}
        together = {name: unit for members in found.values() for name, unit in members.items()}
        if len(found) == len(SPLITS) and all(_apart(together, other, least) for other in others):
            yield found
    # What was answered over before may be again, whatever was answered elsewhere meanwhile.
    whole = [old for old in reversed(earlier) if not any(_went(now[split], old[split]) for split in SPLITS)]
    known = [{split: _within(now[split], old[split]) for split in SPLITS} for old in whole]
    for found in sorted(known, key=lambda one: -sum(map(len, one.values()))):
        if all(_apart(found[split], old[split], least) for old in earlier for split in SPLITS):
            yield found


def _of_split(now: Members, least: int, earlier: Sequence[Members]) -> Members | None:
    answered = [_within(now, old) for old in reversed(earlier) if not _went(now, old)]
    for found in (now, *sorted(answered, key=len, reverse=True)):
        if all(_apart(found, old, least) for old in earlier):
            return found
    return None


def _within(now: Members, old: Members) -> Members:
    """Return the cases that an earlier set has too."""
    if now.keys() & old.keys():
        return {name: unit for name, unit in now.items() if name in old}
    units = set(old.values())
    return {name: unit for name, unit in now.items() if unit in units}


def _went(now: Members, old: Members) -> set[str]:
    """Return the units with cases of an earlier set that are no longer there.

    Cases are compared one by one; where not one is the same, since they were read with other fields or answers, units
    are: an input is known by its texts, and a group by its name.
    """
    if now.keys() & old.keys():
        return {old[name] for name in old.keys() - now.keys()}
    return set(old.values()) - set(now.values())


def _apart(now: Members, old: Members, least: int) -> bool:
    """Return whether two sets are one, or differ by enough."""
    came, went = _went(old, now), _went(now, old)
    return not (came or went) or len(came) >= least or len(went) >= least


def _ids(cases: Sequence[Case], key: bytes) -> Iterator[str]:
    seen: Counter[bytes] = Counter()
    for case in cases:
        body = canonical_json([dict(case.fields), case.answer, case.group])
        told = b"case\0%d\0%s" % (seen[body], body)
        seen[body] += 1
        yield hmac.new(key, told, hashlib.sha256).hexdigest()[:ID_DIGITS]
