"""The ledgers of the sites whose folders lie under this home, checked, in sentences that a person can read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from fedprompt.errors import LedgerError
from fedprompt.site.budgets import Budget, budgets_of
from fedprompt.site.exact_questions import CaseSet, case_sets
from fedprompt.site.folder import SiteFolder
from fedprompt.site.ledger import Entry, Ledger
from fedprompt.site.standing import notes
from fedprompt.site.tally import Tally
from fedprompt.verbs.refusals import REFUSALS
from fedprompt.verbs.registry import verb_named
from fedprompt.verbs.sentences import counted
from fedprompt.workspace.home import Home

__all__ = ["LedgerLine", "LedgerView", "ledger_files", "read_ledger"]

FILE = "ledger.jsonl"


@dataclass(frozen=True)
class LedgerLine:
    """One entry: what was decided (``sent``, ``resent``, ``refused`` or ``call``), and what it says in a sentence."""

    number: int
    time: datetime
    decision: str
    study: str
    size: int
    sentence: str


@dataclass(frozen=True)
class LedgerView:
    """A site's ledger, its ``lines`` newest first; with a ``problem`` the chain is broken, and no line is shown.

    ``sets`` are the sets of cases that answered exact questions. ``elsewhere``: the site answers a hub on another
    machine; the hub of any other site of this home is this machine's own. ``notes`` say what of the folder was lost or
    comes from a backup, and what to do. ``budgets``: what sets of cases have spent of budgets of privacy.
    """

    site: str
    lines: tuple[LedgerLine, ...]
    head: str
    problem: str | None
    sets: tuple[CaseSet, ...] = ()
    elsewhere: bool = False
    notes: tuple[str, ...] = ()
    budgets: tuple[Budget, ...] = ()

    @property
    def left(self) -> int:
        """Bytes that left the site through its gate, calls to other machines apart."""
        return sum(line.size for line in self.lines if line.decision != "call")

    @property
    def called(self) -> int:
        """How many times texts were sent to a model on another machine."""
        return sum(line.decision == "call" for line in self.lines)


def ledger_files(home: Home) -> tuple[tuple[str, Path], ...]:
    """Return each site's name and its ledger, by name; a demo's site is named with its demo's settings."""
    found = [(path.parent.name, path) for path in home.sites.glob(f"*/{FILE}")]
    demos = [(f"{path.parent.name}, {_demo(path.parts[-3])}", path) for path in home.sites.glob(f"*/*/{FILE}")]
    return (*sorted(found), *sorted(demos))


def _demo(folder: str) -> str:
    """Return in words which demo a folder is of."""
    found = re.fullmatch(r"demo-seed(\d+)-cases(\d+)-held(\d+)", folder)
    if found is None:
        return folder
    seed, cases, held = found.groups()
    return f"demo of seed {seed}: {cases} tuning cases, {held} each for validation and test"


def read_ledger(site: str, path: Path) -> LedgerView:
    """Check a ledger's chain of hashes from the first entry to the last, and say what each entry is."""
    ledger = Ledger(path)
    try:
        lines = tuple(_line(entry) for entry in reversed(ledger.entries()))
        folder = SiteFolder(path.parent)
        sets = case_sets(Tally(ledger, folder.replies), folder.replies)
        elsewhere = (path.parent / "site.json").exists()
        return LedgerView(site, lines, ledger.head, None, sets, elsewhere, notes(folder), budgets_of(folder))
    except LedgerError as error:
        return LedgerView(site, (), "", str(error))


def _line(entry: Entry) -> LedgerLine:
    try:
        time = datetime.fromisoformat(entry.time)
    except ValueError as error:
        raise LedgerError(f"entry {entry.number} has no readable time; restore a backup", code="damaged") from error
    at = f"{time.day} {time:%b %H:%M}"
    return LedgerLine(entry.number, time, entry.decision, entry.study, entry.size, f"On {at} {_what(entry)}")


def _what(entry: Entry) -> str:
    message = entry.message
    if entry.decision == "call":
        host, size = message.get("host", "an unknown host"), counted(message.get("bytes", entry.size))
        cases = _cases(message.get("cases"))
        return f"the site sent texts to {host}: {size} bytes in {counted(message.get('calls'))} calls, for {cases}."
    if entry.decision == "refused":
        code = str(message.get("code", "failed"))
        return f"the site refused to answer: {_refused(code)}. It sent only that code ({counted(entry.size)} bytes)."
    again = " again, with the same bytes" if entry.decision == "resent" else ""
    return f"the site sent{again} {counted(entry.size)} bytes: {_content(message, entry.arrays)}."


def _content(message: Mapping[str, Any], arrays: Mapping[str, list[int]]) -> str:
    verb = verb_named(message.get("verb"))
    return f"a reply to '{message.get('verb')}'" if verb is None else verb.sentence(message, arrays)


def _refused(code: str) -> str:
    return next((reason.ledger for known, reason in REFUSALS.items() if known == code), code)


def _cases(number: object) -> str:
    return "1 case" if number == 1 else f"{counted(number)} cases"
