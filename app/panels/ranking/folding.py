"""The parts of a run under the best of them: rounds of a federation, parts of a tuning."""

from collections.abc import Callable, Collection, Sequence

import streamlit as st

from fedprompt.bank.rows import PromptRow

__all__ = ["ask_fold", "folded", "more_of"]


def ask_fold(page: str) -> bool:
    """Draw the switch and return whether the parts of a run are folded."""
    st.session_state.setdefault(f"{page}_fold", True)
    return bool(
        st.toggle(
            "One line per run",
            key=f"{page}_fold",
            persist_state="session",
            help="Shows only the best round of a federation, or the best part of a tuning. (+3) means three more of "
            "that run.",
        )
    )


def folded(
    rows: Sequence[PromptRow], better: Callable[[PromptRow], float], kept: Collection[str] = ()
) -> dict[str, int]:
    """Return the ids of the rows to show, in their order, each with how many others of its run it stands for.

    Args:
        rows: prompts in the order they are listed.
        better: of a run's prompts, the one with the highest value is shown; of equals, the first.
        kept: ids that are shown in any case.
    """
    best: dict[object, PromptRow] = {}
    count: dict[object, int] = {}
    for row in rows:
        if row.id in kept or (run := _run(row)) is None:
            continue
        count[run] = count.get(run, 0) + 1
        if run not in best or better(row) > better(best[run]):
            best[run] = row
    shown = {one.id: count[run] - 1 for run, one in best.items()}
    return {row.id: shown.get(row.id, 0) for row in rows if row.id in shown or row.id in kept or _run(row) is None}


def more_of(title: str, others: int) -> str:
    """Return a title with how many other parts of its run it stands for."""
    return title if not others else f"{title} (+{others})"


def _run(row: PromptRow) -> tuple[str, str] | None:
    """Return what a prompt is a part of, None where it stands alone."""
    run = row.notes.get("run")
    return (run, row.origin) if row.kind == "soft" and isinstance(run, str) else None
