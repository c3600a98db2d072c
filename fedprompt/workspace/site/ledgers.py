"""The ledgers of the sites whose folders lie under this home, checked, in sentences that a person can read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from fedprompt.errors import LedgerError
from fedprompt.site.gate import ABOUT
from fedprompt.site.ledger import Entry, Ledger
from fedprompt.workspace.home import Home
from fedprompt.workspace.results.labels import choice_words

__all__ = ["LedgerLine", "LedgerView", "ledger_files", "read_ledger"]

FILE = "ledger.jsonl"
SHOWN_OF_ID = 11  # as the pages show it: p1: and eight digits
CODES = {
    "unknown-study": "its operator has not accepted that study",
    "unknown-prompt": "it was asked for a prompt that the study does not hold",
    "too-few-cases": "it has too few cases",
    "budget-spent": "its budget of replies is spent",
    "bad-soft-prompt": "the soft prompt that came did not fit the study",
    "failed": "something failed while it worked",
    "bad-task": "the task was malformed",
    "not-allowed": "its operator's policy does not allow it",
    "not-supported": "it does not do such work",
    "paused": "its operator has paused it",
}


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
    """A site's ledger, its ``lines`` newest first; with a ``problem`` the chain is broken, and no line is shown."""

    site: str
    lines: tuple[LedgerLine, ...]
    head: str
    problem: str | None


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
    return f"demo of seed {seed}: {cases} cases to tune on, {held} held out twice"


def read_ledger(site: str, path: Path) -> LedgerView:
    """Check a ledger's chain of hashes from the first entry to the last, and say what each entry is."""
    ledger = Ledger(path)
    try:
        lines = tuple(_line(entry) for entry in reversed(ledger.entries()))
        return LedgerView(site, lines, ledger.head, None)
    except LedgerError as error:
        return LedgerView(site, (), "", str(error))


def _line(entry: Entry) -> LedgerLine:
    try:
        time = datetime.fromisoformat(entry.time)
    except ValueError as error:
        raise LedgerError(f"entry {entry.number} has no time that can be read; restore a backup") from error
    at = f"{time.day} {time:%b %H:%M}"
    return LedgerLine(entry.number, time, entry.decision, entry.study, entry.size, f"On {at} {_what(entry)}")


def _what(entry: Entry) -> str:
    message = entry.message
    if entry.decision == "call":
        host, size = message.get("host", "an unknown host"), _count(message.get("bytes", entry.size))
        cases = _cases(message.get("cases"))
        return f"texts were sent to {host}: {size} bytes in {_count(message.get('calls'))} calls, for {cases}."
    if entry.decision == "refused":
        code = str(message.get("code", "failed"))
        return f"it refused to answer: {CODES.get(code, code)}. {_count(entry.size)} bytes left, with that code alone."
    again = " once more, the same bytes as before" if entry.decision == "resent" else ""
    return f"this left{again}: {_count(entry.size)} bytes, {_content(message, entry.arrays)}."


def _content(message: Mapping[str, Any], arrays: Mapping[str, list[int]]) -> str:
    verb = message.get("verb")
    if verb == "describe":
        counts = ", ".join(f"{_count(message.get(split))} {split}" for split in ("tune", "validation", "test"))
        return f"how many cases there are ({counts}) and how many of each label"
    if verb == "tune":
        shape = next((of for name, of in sorted(arrays.items()) if name != "scales"), [0, 0])
        about = message.get(ABOUT)
        of = "a prompt" if about is None else f"prompt {_short(about)}"
        size = " vectors of ".join(map(_count, shape))
        return f"the change of {of} in round {message.get('round')} ({size} numbers), n={message.get('cases')}"
    if verb in ("score", "evaluate"):
        scores, pairs = message.get("scores") or (), len(message.get("comparisons") or ())
        splits = " and ".join(sorted({str(one.get("split")) for one in scores})) or "no cases"
        sizes = sorted({int(one.get("n", 0)) for one in scores})
        n = f", n={sizes[0]}" + (f" to {sizes[-1]}" if len(sizes) > 1 else "") if sizes else ""
        compared = f" and {pairs} comparison{'' if pairs == 1 else 's'}" if pairs else ""
        if (choice := message.get("choice")) is not None:
            return f"which prompt it keeps ({_choice(choice)}) and its score on {splits}{n}"
        prompts = list(dict.fromkeys(str(one.get("prompt")) for one in scores))
        what = f"score of prompt {_short(prompts[0])}" if len(prompts) == 1 else f"scores of {len(prompts)} prompts"
        return f"the {what}{compared} on {splits}{n}"
    return f"a reply to '{verb}'"


def _choice(choice: Mapping[str, Any]) -> str:
    share = choice.get("share")
    known = choice_words(str(choice.get("kind")), share if isinstance(share, float) else None)
    return known or "one of a kind that is not known here"


def _short(prompt: object) -> str:
    return str(prompt)[:SHOWN_OF_ID]


def _cases(number: object) -> str:
    return "1 case" if number == 1 else f"{_count(number)} cases"


def _count(number: object) -> str:
    return f"{number:,}" if isinstance(number, int) else "an unknown number of"
