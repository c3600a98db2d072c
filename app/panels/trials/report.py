"""A comparison as one HTML file to pass on: what was found at the sites and on one's own cases, and no text of a case.

Invariant: the text of a case is in it only where whoever makes it asks for that.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import streamlit as st

from app.display.plain import between, percent, points, sentence
from app.panels.prompts.answers import said
from app.panels.trials.wins import by_answer, wins_of
from fedprompt.workspace.playground.trial_totals import totals_of
from fedprompt.workspace.playground.trials import Trial
from fedprompt.workspace.results.html_report import Block, Section, Table, html_report
from fedprompt.workspace.results.views import CompareView

__all__ = ["comparison_report", "draw_report"]

NO_CASES = "The texts of the cases are not in this report."


def draw_report(view: CompareView, names: Mapping[str, str], told: Sequence[str], trial: Trial | None) -> None:
    """Draw the download; ``told`` are the sentences of the pairs, ``trial`` the run on the visitor's own cases."""
    with st.expander("Report to share", icon=":material/description:"):
        st.caption(
            "One HTML file for any browser, which works offline. It has the prompts, their scores and "
            "differences, and the totals of your own cases."
        )
        texts = st.toggle(
            "Include my texts and answers",
            key="compare_report_texts",
            disabled=trial is None,
            help="Everyone who opens the file can read them." if trial else "Run the prompts on your own cases first.",
        )
        st.download_button(
            "Download report",
            comparison_report(view, names, told, trial, texts=bool(texts)),
            file_name="comparison.html",
            mime="text/html",
            key="compare_report",
            icon=":material/download:",
            on_click="ignore",
        )


def comparison_report(
    view: CompareView, names: Mapping[str, str], told: Sequence[str], trial: Trial | None, *, texts: bool = False
) -> str:
    """Return the report as HTML; ``texts``: with the texts and answers of the visitor's own cases."""
    sections = [
        Section("Findings", [sentence(one) for one in told], [_pairs(view, names)]),
        Section("Scores at each site", (), [_scores(view, names)], "Validation cases, with 95 % intervals."),
        Section("The prompts", (), [Block(names[one.id], _text(one.text, one.words)) for one in view.prompts]),
    ]
    if trial is not None and trial.cells:
        sections.append(_own(trial, texts=texts))
    made = datetime.now(UTC)
    return html_report("Comparison of prompts", f"Made with fedprompt on {made:%d %b %Y %H:%M} UTC.", sections)


def _text(text: str, words: Mapping[str, str]) -> str:
    return f"{text}\n\nAnswers: {said(words)}" if words else text


def _pairs(view: CompareView, names: Mapping[str, str]) -> Table:
    rows = []
    for pair in view.pairs:
        whole = pair.interval
        change = "not measured" if pair.points is None else points(pair.points)
        interval = "" if whole is None else f"{points(whole.low)} to {points(whole.high)}"
        p = "" if pair.p_value is None else "under 0.001" if pair.p_value < 0.001 else f"{pair.p_value:.3f}"
        cases = "" if pair.found is None else f"{pair.found.whole.n:,}"
        rows.append([names[pair.first], names[pair.second], change, interval, p, cases])
    return Table(["First", "Second", "Difference in points", "95 % interval", "p", "Cases"], rows)


def _scores(view: CompareView, names: Mapping[str, str]) -> Table:
    rows = []
    for prompt in view.prompts:
        at = [view.scores[prompt.id].get(site) for site in view.sites]
        shown = [
            "not measured"
            if one is None
            else f"{percent(one.value)} ({between(one.interval.low, one.interval.high)}; {one.n:,} cases)"
            for one in at
        ]
        rows.append([names[prompt.id], *shown])
    return Table(["Prompt", *view.sites], rows)


def _own(trial: Trial, *, texts: bool) -> Section:
    """Return what came of the visitor's own cases."""
    variants = trial.request.variants
    totals = [totals_of(trial, number) for number in range(len(variants))]
    parts: list[Table | Block] = [
        Table(
            ["Prompt", "Passes", "Judged", "Answered", "Not answered"],
            [
                [one.name, percent(found.passed), f"{found.judged:,}", f"{found.answered:,}", f"{found.failed:,}"]
                for one, found in zip(variants, totals, strict=True)
            ],
        )
    ]
    if lines := by_answer(trial):
        parts.append(Table(["Correct answer", "Cases", *(one.name for one in variants)], lines))
    wins, judged = wins_of(trial)
    told = [f"Cases that only “{win.name}” answers correctly: {len(win.rows):,} of {judged:,}." for win in wins]
    if texts:
        parts.append(_cases(trial))
    return Section("On own cases", told if judged else (), parts, "" if texts else NO_CASES)


def _cases(trial: Trial) -> Table:
    fields = list(trial.request.rows[0])
    rows = []
    for row, case in enumerate(trial.request.rows):
        right = trial.request.expected[row] if row < len(trial.request.expected) else ""
        cells = (trial.cells.get((number, row)) for number in range(len(trial.request.variants)))
        answers = ["not run" if cell is None else cell.error or cell.output for cell in cells]
        rows.append([*(case.get(field, "") for field in fields), right, *answers])
    return Table([*fields, "Correct answer", *(one.name for one in trial.request.variants)], rows)
