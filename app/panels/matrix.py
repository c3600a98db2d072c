"""Many rows by several variants: a line a variant with its totals, a table of all answers, and a CSV of everything."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.panels.cells import draw_cards, money, title_of
from app.panels.sweep_chart import draw_sweep
from fedprompt.workspace.swept import swept_of
from fedprompt.workspace.trials import Trial, TrialCell

__all__ = ["all_frame", "draw_matrix", "matrix_frame", "summary_frame"]

SHOWN_ROWS = 60


def summary_frame(trial: Trial) -> pd.DataFrame:
    """Return one line a variant: what passed, what failed, the mean latency and the tokens of all its rows."""
    lines = []
    for number in range(len(trial.request.variants)):
        cells = [cell for (of, _), cell in trial.cells.items() if of == number]
        good = [cell for cell in cells if cell.error is None]
        judged = [passed for cell in good if (passed := cell.passed) is not None]
        lines.append(
            {
                "variant": title_of(trial, number),
                "model": trial.request.variants[number].model,
                "passed": 100 * sum(judged) / len(judged) if judged else None,
                "judged": len(judged),
                "answered": len(good),
                "not answered": len(cells) - len(good),
                "seconds each": sum(cell.seconds for cell in good) / len(good) if good else None,
                "tokens": sum(cell.tokens for cell in good),
                "cost": _cost(cells),
            }
        )
    frame = pd.DataFrame(lines)
    return frame if frame["cost"].notna().any() else frame.drop(columns="cost")


def _cost(cells: Sequence[TrialCell]) -> str | None:
    """Return what a variant's calls cost, None where no price is known; failed ones count, since they were paid."""
    paid = [cell for cell in cells if cell.cost is not None]
    return money(sum(cell.cost or 0.0 for cell in paid), paid[0].currency) if paid else None


def matrix_frame(trial: Trial, rows: Sequence[int]) -> pd.DataFrame:
    """Return one line a row: its fields, the right answer, and each variant's answer with its verdict."""
    return pd.DataFrame([_line(trial, row) for row in rows], index=list(rows))


def _line(trial: Trial, row: int) -> dict[str, Any]:
    line: dict[str, Any] = dict(trial.request.rows[row])
    if any(trial.request.expected):
        line["right answer"] = trial.request.expected[row] or None
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
        return mark + (cell.generated or "")
    return mark + cell.answer + share + (f" \N{MIDDLE DOT} {cell.generated}" if cell.generated else "")


def all_frame(trial: Trial) -> pd.DataFrame:
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
        line["problem"] = cell.error
        lines.append(line)
    return pd.DataFrame(lines)


def draw_matrix(trial: Trial) -> None:
    """Draw a sweep's chart, the totals, the table with its filters, and the row that is picked as cards."""
    if (swept := swept_of(trial)) is not None:
        draw_sweep(swept)
    count, variants = len(trial.request.rows), range(len(trial.request.variants))
    st.dataframe(
        summary_frame(trial),
        hide_index=True,
        placeholder="\N{EN DASH}",
        column_config={
            "passed": st.column_config.ProgressColumn(
                "passed", format="%.1f %%", max_value=100, help="By every scorer that could judge"
            ),
            "seconds each": st.column_config.NumberColumn(format="%.2f"),
        },
        alt="Each variant's totals",
    )
    if count == 1:
        _draw_one(trial)
        return
    outputs = {row: {cell.output for v in variants if (cell := trial.cells.get((v, row)))} for row in range(count)}
    differ = [row for row in range(count) if len(outputs[row]) > 1]
    fails = [
        row
        for row in range(count)
        if any((cell := trial.cells.get((v, row))) and (cell.error or cell.passed is False) for v in variants)
    ]
    ways = {f"All ({count})": list(range(count))}
    if len(variants) > 1:
        ways[f"Only where they differ ({len(differ)})"] = differ
    ways[f"Only what fails ({len(fails)})"] = fails
    names = list(ways)
    place = st.segmented_control(
        "Rows", range(len(names)), format_func=lambda n: names[n], default=0, key="playground_rows", required=True
    )
    rows = ways[names[min(int(place or 0), len(names) - 1)]]
    frame = matrix_frame(trial, rows)
    picked = st.dataframe(
        frame,
        hide_index=True,
        placeholder="",
        on_select="rerun",
        selection_mode="single-row",
        key=f"playground_matrix_{trial.run[:8]}_{int(place or 0)}",
        height=min(35 * (len(rows) + 1) + 3, 35 * 14),
        alt="Each variant's answer on each row",
    )
    chosen = [rows[one] for one in picked.selection.rows if one < len(rows)]
    if chosen:
        st.caption(f"Row {chosen[0] + 1}")
        draw_cards(trial, chosen[0])
    else:
        st.caption("Tick a row to see its answers side by side.")


def _draw_one(trial: Trial) -> None:
    """Draw one row with more variants than cards are good for: a line a variant."""
    lines = []
    for number in range(len(trial.request.variants)):
        cell = trial.cells.get((number, 0))
        lines.append(
            {"variant": title_of(trial, number), "answer": _coming(trial, number, 0) if cell is None else _said(cell)}
        )
    st.dataframe(pd.DataFrame(lines), hide_index=True, placeholder="not run yet", alt="What each variant answers")
