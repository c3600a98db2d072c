"""Cases that are pinned: they go into a test set of their own, which every later comparison can run again."""

from collections.abc import Mapping

import streamlit as st

from app.display.named import named
from app.display.plain import plain
from app.session import guarded
from app.visitor import require, why_not
from fedprompt.workspace.playground.trial_files import TrialFolder
from fedprompt.workspace.playground.trials import Trial

__all__ = ["PINNED", "draw_pin"]

PINNED = "Pinned cases"


def draw_pin(page: str, folder: TrialFolder, trial: Trial, row: int) -> None:
    """Draw the button that pins a case, or says that it is pinned; ``row`` is counted from 0."""
    case = trial.request.rows[row]
    name = _set_of(folder, case)
    if case in (folder.sets().get(name) or {}).get("rows", ()):
        named(f"{page}_pinned").caption(f":material/keep: This case is in the test set “{plain(name)}”.")
        return
    right = trial.request.expected[row] if row < len(trial.request.expected) else ""
    st.button(
        "Pin this case",
        key=f"{page}_pin",
        icon=":material/keep:",
        disabled=why_not("try") is not None,
        help=f"Adds the case to the test set “{name}”, for later runs in Compare and the Playground.",
        on_click=_pin,
        args=(folder, name, case, right),
    )


def _set_of(folder: TrialFolder, case: Mapping[str, str]) -> str:
    """Return the test set that a case is pinned in: cases of other fields have one of their own."""
    kept = folder.sets().get(PINNED)
    same = kept is None or set(kept["rows"][0]) == set(case)
    return PINNED if same else f"{PINNED}: {', '.join(sorted(case))}"[:80]


@guarded
def _pin(folder: TrialFolder, name: str, case: Mapping[str, str], right: str) -> None:
    require("try")
    kept = folder.sets().get(name) or {"rows": [], "expected": []}
    folder.save_set(name, {"rows": [*kept["rows"], dict(case)], "expected": [*kept["expected"], right]})
