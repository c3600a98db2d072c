"""Where each prompt wins on the visitor's own cases: which it alone gets right, and how it does on each answer."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from app.display.plain import plain
from fedprompt.workspace.playground.trials import Trial

__all__ = ["Win", "by_answer", "draw_wins", "wins_of"]

LONGEST = 80
MOST_ANSWERS = 30


@dataclass(frozen=True)
class Win:
    """The cases that one prompt alone gets right: rows, from 0, of those that all prompts were judged on."""

    name: str
    rows: tuple[int, ...]


def wins_of(trial: Trial) -> tuple[tuple[Win, ...], int]:
    """Return what each prompt alone gets right, and how many cases were judged of every prompt."""
    variants = range(len(trial.request.variants))
    found: dict[int, list[int]] = {number: [] for number in variants}
    judged = 0
    for row in range(len(trial.request.rows)):
        passed = [None if (cell := trial.cells.get((number, row))) is None else cell.passed for number in variants]
        if any(one is None for one in passed):
            continue
        judged += 1
        if sum(map(bool, passed)) == 1:
            found[passed.index(True)].append(row)
    return tuple(Win(trial.request.variants[number].name, tuple(rows)) for number, rows in found.items()), judged


def by_answer(trial: Trial) -> list[list[str]]:
    """Return a line for each right answer: the answer, its cases, and how many each prompt gets right."""
    places: dict[str, list[int]] = {}
    for row, answer in enumerate(trial.request.expected):
        if answer:
            places.setdefault(answer, []).append(row)
    if len(places) > MOST_ANSWERS:  # free texts, each with its own
        return []
    variants = range(len(trial.request.variants))
    return [
        [answer, f"{len(rows):,}", *(f"{_passed(trial, number, rows):,}" for number in variants)]
        for answer, rows in sorted(places.items())
    ]


def draw_wins(trial: Trial) -> None:
    """Draw it; nothing where fewer than two cases were judged of every prompt."""
    wins, judged = wins_of(trial)
    if judged < 2 or len(wins) < 2:
        return
    with st.expander("Where each prompt wins", icon=":material/emoji_events:"):
        for win in wins:
            st.markdown(_told(trial, win, judged))
        lines = by_answer(trial)
        if lines:
            head = ["correct answer", "cases", *(one.name for one in trial.request.variants)]
            frame = pd.DataFrame(lines, columns=_apart(head))
            st.dataframe(frame, hide_index=True, alt="Correct answers of each prompt, by label")
            st.caption("How many cases of each label every prompt answers correctly.")


def _told(trial: Trial, win: Win, judged: int) -> str:
    count = len(win.rows)
    name = f"**{plain(win.name)}**"
    told = f"Cases that only {name} answers correctly: {count:,} of {judged:,}"
    if not count:
        return f"{told}."
    text = " \N{MIDDLE DOT} ".join(trial.request.rows[win.rows[0]].values())
    shown = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return f"{told}, for example “{plain(shown)}”."


def _passed(trial: Trial, number: int, rows: Sequence[int]) -> int:
    return sum((cell := trial.cells.get((number, row))) is not None and cell.passed is True for row in rows)


def _apart(head: Sequence[str]) -> list[str]:
    """Return column names of which none is twice."""
    return [name if head.index(name) == place else f"{name} ({place})" for place, name in enumerate(head)]
