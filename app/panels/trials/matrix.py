"""Many rows by several variants: a line a variant with its totals, a table of all answers, and a CSV of everything."""

from collections.abc import Sequence
from typing import Any
from zlib import crc32

import pandas as pd
import streamlit as st

from app.display.amounts import money
from app.display.named import named
from app.display.plain import between, plain
from app.panels.trials.cells import draw_cards, said_judging, title_of
from app.panels.trials.certainty import draw_certainty
from app.panels.trials.failures import draw_taking
from app.panels.trials.sweep_chart import draw_sweep
from fedprompt.workspace.playground.sweeps import swept_of
from fedprompt.workspace.playground.trial_statistics import share_interval
from fedprompt.workspace.playground.trial_totals import totals_of
from fedprompt.workspace.playground.trials import Trial, TrialCell

__all__ = ["draw_csv", "draw_matrix"]

MOST_FILTERS = 12
TOTALS = {
    "passed": st.column_config.ProgressColumn(
        "passed", format="%.1f %%", max_value=100, help="Share of the judged answers that pass every scorer."
    ),
    "95 % interval": st.column_config.TextColumn(help="95 % Wilson interval of the pass rate, in per cent."),
    "judged": st.column_config.NumberColumn(
        help="Answers that a scorer could judge. Most scorers need the correct answer."
    ),
    "not answered": st.column_config.NumberColumn(
        help="Rows that ended with an error. Select a row to read the error."
    ),
    "seconds each": st.column_config.NumberColumn(
        format="%.2f", help="Mean time per answer, without loading the model."
    ),
    "tokens": st.column_config.NumberColumn(help="All tokens of the model: prompts, labels, and written texts."),
}


def _summary(trial: Trial) -> pd.DataFrame:
    """Return one line a variant: what passed, what failed, the mean latency and the tokens of all its rows."""
    lines = []
    for number in range(len(trial.request.variants)):
        found, interval = totals_of(trial, number), share_interval(trial, number)
        lines.append(
            {
                "variant": title_of(trial, number),
                "model": trial.request.variants[number].model,
                "passed": None if found.passed is None else 100 * found.passed,
                "95 % interval": None if interval is None else between(interval.low, interval.high),
                "judged": found.judged,
                "answered": found.answered,
                "not answered": found.failed,
                "seconds each": found.seconds,
                "tokens": found.tokens,
                "cost": None if found.cost is None else money(found.cost, found.currency),
            }
        )
    frame = pd.DataFrame(lines)
    if not frame["judged"].any():  # no right answer is known, and no scorer did without one
        frame = frame.drop(columns=["passed", "95 % interval", "judged"])
    return frame if frame["cost"].notna().any() else frame.drop(columns="cost")


def _matrix(trial: Trial, rows: Sequence[int]) -> pd.DataFrame:
    """Return one line a row: its fields, the correct answer, and each variant's answer with its verdict."""
    return pd.DataFrame([_line(trial, row) for row in rows], index=list(rows))


def _line(trial: Trial, row: int) -> dict[str, Any]:
    line: dict[str, Any] = dict(trial.request.rows[row])
    if any(trial.request.expected):
        line["correct answer"] = trial.request.expected[row] or None
    for number in range(len(trial.request.variants)):
        cell = trial.cells.get((number, row))
        line[title_of(trial, number)] = _coming(trial, number, row) if cell is None else _said(cell)
    return line


def _coming(trial: Trial, number: int, row: int) -> str | None:
    """Return what is written of an answer so far, None while nothing is."""
    text = trial.live.get((number, row))
    return f"{text} \N{LOWER HALF BLOCK}".lstrip() if text is not None else None


def _said(cell: TrialCell) -> str:
    if cell.error is not None:
        return f"\N{WARNING SIGN} {cell.error}"
    verdict = cell.passed
    mark = "" if verdict is None else "\N{CHECK MARK} " if verdict else "\N{BALLOT X} "
    share = f" ({100 * max(cell.probabilities.values()):.0f} %)" if cell.probabilities else ""
    if cell.answer is None:
        return mark + cell.output
    return mark + cell.answer + share + (f" \N{MIDDLE DOT} {cell.generated}" if cell.generated else "")


def _everything(trial: Trial) -> pd.DataFrame:
    """Return one line a cell with all there is of it."""
    lines = []
    for (number, row), cell in sorted(trial.cells.items(), key=lambda item: (item[0][1], item[0][0])):
        line: dict[str, Any] = {"row": row + 1, **trial.request.rows[row]}
        if any(trial.request.expected):
            line["right answer"] = trial.request.expected[row]
        line |= {"variant": title_of(trial, number), "model": trial.request.variants[number].model}
        line["answer"] = cell.answer
        line |= {f"p({label})": value for label, value in (cell.probabilities or {}).items()}
        line |= {"written": cell.generated, "seconds": round(cell.seconds, 4)}
        line |= {"tokens read": cell.read, "tokens written": cell.written}
        if cell.cost is not None:
            line |= {"cost": cell.cost, "currency": cell.currency}
        for one in cell.judged:
            line |= {f"{one.scorer}": one.value, f"{one.scorer} passes": one.passed, f"{one.scorer} why": one.reason}
        for took in cell.judging.values():
            line |= {"judge calls": took.calls, "judge tokens": took.tokens}
            if took.cost is not None:
                line |= {"judge cost": took.cost.amount, "judge currency": took.cost.currency}
        line["problem"] = cell.error
        lines.append(line)
    return pd.DataFrame(lines)


def draw_csv(page: str, trial: Trial) -> None:
    """Draw the button that downloads everything there is of the answers."""
    st.download_button(
        "Download as CSV",
        _everything(trial).to_csv(index=False),
        file_name=f"{page}.csv",
        mime="text/csv",
        key=f"{page}_csv",
        icon=":material/download:",
        on_click="ignore",
    )


def draw_matrix(page: str, trial: Trial, *, active: bool, against_first: bool = False) -> int | None:
    """Draw a sweep's chart, the totals, the table with its filters, and the row that is picked as cards.

    Rows that are ticked, or all that a filter leaves, can be added to a test set or shown as examples.

    Args:
        page: begins the keys of what is drawn.
        trial: the run.
        active: whether more answers are to come.
        against_first: whether to offer the rows where the first variant passes and another does not.

    Returns:
        The row if a single one is picked, counted from 0, or None.
    """
    if (swept := swept_of(trial)) is not None:
        draw_sweep(swept)
    count, variants = len(trial.request.rows), range(len(trial.request.variants))
    st.dataframe(
        _summary(trial),
        hide_index=True,
        placeholder="\N{EN DASH}",
        column_config=TOTALS,
        alt="Totals of each variant",
    )
    for judge, took in trial.judging.items():
        named(f"matrix_judging_{judge}").caption(plain(said_judging(judge, took)))
    if count == 1:
        _draw_one(trial)
        return None
    draw_certainty(page, trial)
    outputs = {row: {cell.output for v in variants if (cell := trial.cells.get((v, row)))} for row in range(count)}
    differ = [row for row in range(count) if len(outputs[row]) > 1]
    fails = [row for row in range(count) if any(_fails(trial, v, row) for v in variants)]
    ways = {"all": ("All", list(range(count)))}
    if len(variants) > 1:
        ways["differ"] = ("Different answers", differ)
    if against_first and any(cell.passed is not None for cell in trial.cells.values()):
        worse = [row for row in range(count) if _got_worse(trial, row)]
        ways["worse"] = ("Worse than the first", worse)
    ways["fails"] = ("Failed", fails)
    which = str(
        st.segmented_control(
            "Rows",
            list(ways),
            format_func=lambda key: f"{ways[key][0]} ({len(ways[key][1])})",
            default="all",
            key=f"{page}_rows",
            required=True,
        )
    )
    rows = ways.get(which, ways["all"])[1]
    if len(variants) > 1 and fails:
        rows = _failed_by(page, trial, rows)
    frame = _matrix(trial, rows)
    picked = st.dataframe(
        frame,
        hide_index=True,
        placeholder="",
        on_select="rerun",
        selection_mode="multi-row",
        key=f"{page}_matrix_{trial.run[:8]}_{which}_{crc32(repr(rows).encode()):08x}"[:120],
        height=min(35 * (len(rows) + 1) + 3, 35 * 14),
        alt="Answers of each variant by row",
    )
    chosen = [rows[one] for one in picked.selection.rows if one < len(rows)]
    if rows and not active:
        draw_taking(page, trial, chosen or rows, ticked=bool(chosen))
    if len(chosen) != 1:
        st.caption("Select one row to see its answers side by side.")
        return None
    _draw_row(trial, chosen[0])
    draw_cards(trial, chosen[0])
    return chosen[0]


def _draw_row(trial: Trial, row: int) -> None:
    """Draw a row's own texts and its right answer, above what the variants answer."""
    with st.container(border=True, gap="xsmall"):
        st.markdown(f"**Row {row + 1}**")
        for field, text in trial.request.rows[row].items():
            st.caption(plain(field))
            st.text(text)
        if row < len(trial.request.expected) and trial.request.expected[row]:
            st.markdown(f"Correct answer: **{plain(trial.request.expected[row])}**")


def _failed_by(page: str, trial: Trial, rows: list[int]) -> list[int]:
    """Draw the choice of variants; return the rows on which all of those chosen fail."""
    variants = range(min(len(trial.request.variants), MOST_FILTERS))
    chosen = st.pills(
        "Failed by",
        list(variants),
        format_func=lambda number: plain(title_of(trial, number)),
        selection_mode="multi",
        key=f"{page}_failed_by",
    )
    return [row for row in rows if all(_fails(trial, number, row) for number in chosen)]


def _fails(trial: Trial, number: int, row: int) -> bool:
    cell = trial.cells.get((number, row))
    return cell is not None and (cell.error is not None or cell.passed is False)


def _got_worse(trial: Trial, row: int) -> bool:
    """Return whether the first variant passes on a row and another that was run does not."""
    first, *others = (trial.cells.get((number, row)) for number in range(len(trial.request.variants)))
    return first is not None and first.passed is True and any(one is not None and not one.passed for one in others)


def _draw_one(trial: Trial) -> None:
    """Draw one row with more variants than cards are good for: a line a variant."""
    lines = []
    for number in range(len(trial.request.variants)):
        cell = trial.cells.get((number, 0))
        lines.append(
            {"variant": title_of(trial, number), "answer": _coming(trial, number, 0) if cell is None else _said(cell)}
        )
    st.dataframe(pd.DataFrame(lines), hide_index=True, placeholder="not run yet", alt="Answers of each variant")
