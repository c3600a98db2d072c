"""The file that remembers which cases a study's answers were over: JSON, private, replaced as a whole.

It holds HMACs and counts, so it tells nothing of a case to whoever lacks the site's key. Each case has a number whose
bit n says whether it was in the nth set that was answered over.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedprompt.errors import DataError
from fedprompt.evaluation.splits.assignments import SPLITS
from fedprompt.evaluation.splits.cutting import SplitName
from fedprompt.evaluation.splits.entering import ID_DIGITS, CaseSet
from fedprompt.evaluation.splits.stored import read_stored, write_stored

__all__ = ["Look", "load_entered", "save_entered"]

FORMAT = "fedprompt-entered-1"
MOST_SETS = 4096
_MEND = (
    "restore it from a backup, or run 'fedprompt site cases --begin-anew', which forgets which cases earlier "
    "answers used"
)
_ID = re.compile(rf"[0-9a-f]{{{ID_DIGITS}}}")


@dataclass(frozen=True)
class Look:
    """What was found when the site's file was last looked at.

    Args:
        at: when, in ISO 8601.
        least: how many new units a split waited for.
        waiting, gone: split -> units, as of ``entering.Entered``.
        stopped: whether nothing was answered, since too few of the cases that went.
    """

    at: str
    least: int
    waiting: Mapping[SplitName, int]
    gone: Mapping[SplitName, int]
    stopped: bool


def save_entered(path: Path, sets: Sequence[CaseSet], look: Look | None) -> None:
    """Write what was answered over, the newest set last.

    Raises:
        DataError: the file cannot be written, or the sets are too many.
    """
    if len(sets) > MOST_SETS:
        raise DataError(
            f"{path}: this site has answered over {MOST_SETS:,} sets of cases, which is the limit; start over "
            "with 'fedprompt site cases --begin-anew'",
            code="too-many",
        )
    splits: dict[str, dict[str, list[Any]]] = {}
    for split in SPLITS:
        table: dict[str, list[Any]] = {}
        for place, one in enumerate(sets):
            for name, unit in one[split].items():
                table[name] = [unit, table.get(name, ["", 0])[1] | 1 << place]
        splits[split] = dict(sorted(table.items()))
    told = None if look is None else vars(look) | {"waiting": dict(look.waiting), "gone": dict(look.gone)}
    body = json.dumps({"format": FORMAT, "sets": len(sets), "splits": splits, "look": told}, separators=(",", ":"))
    write_stored(path, body)


def load_entered(path: Path) -> tuple[tuple[CaseSet, ...], Look | None] | None:
    """Return the sets that were answered over and the last look, or None where there is no such file.

    Raises:
        DataError: the file cannot be read or is damaged.
    """
    body = read_stored(path, "a list of cases", _MEND)
    if body is None:
        return None
    try:
        return _sets(body), _look(body["look"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise DataError(f"{path}: not a list of cases of this version; {_MEND}", code="damaged") from None


def _sets(body: Any) -> tuple[CaseSet, ...]:
    count = body["sets"]
    if body["format"] != FORMAT or type(count) is not int or not 0 <= count <= MOST_SETS:
        raise ValueError
    sets: list[dict[SplitName, dict[str, str]]] = [{split: {} for split in SPLITS} for _ in range(count)]
    for split in SPLITS:
        for name, (unit, mask) in body["splits"][split].items():
            if (
                not _ID.fullmatch(name)
                or not _ID.fullmatch(unit)
                or type(mask) is not int
                or not 0 <= mask < 1 << count
            ):
                raise ValueError
            for place in range(count):
                if mask >> place & 1:
                    sets[place][split][name] = unit
    return tuple(sets)


def _look(body: Any) -> Look | None:
    if body is None:
        return None
    waiting: dict[SplitName, int] = {split: int(body["waiting"][split]) for split in SPLITS}
    gone: dict[SplitName, int] = {split: int(body["gone"][split]) for split in SPLITS}
    return Look(str(body["at"]), int(body["least"]), waiting, gone, stopped=bool(body["stopped"]))
