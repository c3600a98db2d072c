"""Which of a site's cut cases its answers are over: new ones wait, and where some went nothing is answered.

A file of cases grows and shrinks, and every answer over it is an exact sum (``evaluation.splits.entering``). Invariant:
what is answered over is stored before anything is answered. A federation of files on one machine has one operator, who
sees every answer and every case, so its cases do not go through here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from fedprompt.errors import DataError
from fedprompt.evaluation.splits.assignments import SPLITS
from fedprompt.evaluation.splits.cutting import SplitName, Splits
from fedprompt.evaluation.splits.entered_file import Look, load_entered, save_entered
from fedprompt.evaluation.splits.entering import ID_DIGITS, CaseSet, Members, case_set, enter
from fedprompt.evaluation.splits.units import keys_of
from fedprompt.site.folder import ENTERED, SiteFolder
from fedprompt.study.schema import Study
from fedprompt.workspace.json_file import now

__all__ = ["CasesNow", "cases_now", "entered_splits"]


@dataclass(frozen=True)
class CasesNow:
    """How a study's cases stood when the file was last looked at; of a damaged list the sentence alone says something.

    Args:
        at: when.
        min_cases: how many new ones a split waits for.
        cases: split -> how many are answered over.
        waiting, gone: split -> distinct inputs, or groups.
        stopped: nothing is answered.
        sentence: what waits and why, or why nothing is answered.
    """

    at: str | None
    min_cases: int | None
    cases: Mapping[SplitName, int]
    waiting: Mapping[SplitName, int]
    gone: Mapping[SplitName, int]
    stopped: bool
    sentence: str


def entered_splits(folder: SiteFolder, study: Study, splits: Splits, before: Mapping[str, str], where: str) -> Splits:
    """Return the cut cases that may be answered over now, without those that wait, and store which these are.

    Args:
        before: the assignment that was stored before the cases were cut: it tells what a version that kept no list of
            cases answered over, or a site whose list was lost.
        where: the file of cases, for messages.

    Raises:
        DataError: cases of an earlier answer are gone, and too few for an answer without them.
    """
    least = max(study.privacy.min_cases, folder.policy.min_cases)
    key, path = folder.key, folder.entered(study.study)
    now_there = case_set(splits, key, study.fields)
    stored = load_entered(path)
    earlier = stored[0] if stored is not None else _before(folder, study, splits, now_there, before)
    found = enter(splits, now_there, key, least, earlier, _others(folder, study))
    look = Look(now(), least, found.waiting, found.gone, stopped=found.splits is None)
    sets = earlier if found.cases in earlier or found.splits is None else (*earlier, found.cases)
    save_entered(path, sets, look)
    if found.splits is None:
        raise DataError(f"{where}: {_stopped(look)}", code="cases-removed")
    return found.splits


def cases_now(folder: SiteFolder, study: str) -> CasesNow | None:
    """Return how a study's cases stood when the file was last looked at, None where that was never."""
    nothing: dict[SplitName, int] = dict.fromkeys(SPLITS, 0)
    try:
        stored = load_entered(folder.entered(study))
    except DataError as error:
        return CasesNow(None, None, nothing, nothing, nothing, stopped=True, sentence=str(error))
    sets, look = ((), None) if stored is None else stored
    if look is None:
        return None
    found: dict[SplitName, int] = {split: len(sets[-1][split]) for split in SPLITS} if sets else nothing
    return CasesNow(look.at, look.least, found, look.waiting, look.gone, look.stopped, _told(look))


def _told(look: Look) -> str:
    """Return in a sentence what waits and why, or why nothing is answered."""
    if look.stopped:
        return _stopped(look)
    if not any(look.waiting.values()):
        return "there are no new cases"
    return (
        f"new cases are waiting ({_counts(look.waiting)}, counted as distinct inputs or groups). They enter a "
        f"split once it has at least {look.least} of them, so that no two answers differ by only a few cases"
    )


def _stopped(look: Look) -> str:
    return (
        f"cases behind this site's earlier answers were removed or changed ({_counts(look.gone)}, counted as "
        "distinct inputs or groups). A new answer without them could reveal these few cases. The site answers "
        f"nothing until at least {look.least} cases of each such split were removed or added. To answer "
        "anyway, start a new case set with 'fedprompt site cases --begin-anew'"
    )


def _counts(counts: Mapping[SplitName, int]) -> str:
    return ", ".join(f"{count:,} in {split}" for split, count in counts.items() if count)


def _others(folder: SiteFolder, study: Study) -> list[Members]:
    """Return what the newest answers of the site's other studies were over, splits together."""
    own = folder.entered(study.study)
    found: list[Members] = []
    for path in sorted(folder.path.glob(f"{ENTERED}*.json")):
        stored = None if path == own else load_entered(path)
        if stored is not None and stored[0]:
            found.append({name: unit for members in stored[0][-1].values() for name, unit in members.items()})
    return found


def _before(
    folder: SiteFolder, study: Study, splits: Splits, there: CaseSet, before: Mapping[str, str]
) -> tuple[CaseSet, ...]:
    """Return what was answered over before there was a list of cases: what the stored assignment knows, if anything.

    The assignment does not tell inputs from groups. Where there are groups, all that went counts as one unit, so that
    it is never taken for enough.
    """
    if not before or not any(entry.decision == "sent" for entry in folder.ledger.entries()):
        return ()
    known: dict[SplitName, dict[str, str]] = {split: {} for split in SPLITS}
    seen: set[str] = set()
    grouped = False
    for split in SPLITS:
        for case, (name, unit) in zip(splits.cases(split), there[split].items(), strict=True):
            keys = keys_of(case, folder.key, study.fields)
            grouped |= len(keys) > 1
            seen.update(keys)
            if keys[0] in before:
                known[split][name] = unit
    for split in SPLITS:
        gone = [name[:ID_DIGITS] for name, old in before.items() if old == split and name not in seen]
        known[split].update((name, "0" * ID_DIGITS if grouped else name) for name in gone)
    return (known,)
