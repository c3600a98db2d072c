"""Several prompts on texts that the visitor gives: what each answers, and where they differ.

Invariant: only what is typed or uploaded here is run, never a site's case.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from app.panels.case_table import match_columns, read_table
from app.panels.outputs import draw_bars
from app.panels.rating import draw_rating
from app.panels.running import run_quick
from fedprompt.models.registry import DEFAULT_MODEL
from fedprompt.prompts.prompt import Prompt
from fedprompt.workspace.workspace import Workspace

__all__ = ["PRIVATE", "OwnCases", "ask_rows", "draw_answers", "model_of", "run_trial"]

PRIVATE = (
    ":material/lock: What you type or upload here goes to the prompts' own model, on this machine unless it is a chat "
    "model whose host this machine allows, and is not kept. "
    "No site's private case is ever shown."
)


@dataclass(frozen=True)
class OwnCases:
    """``rows``: field -> text; ``expected``: the right answer of each row, or nothing where none was given."""

    rows: tuple[dict[str, str], ...] = ()
    expected: tuple[str, ...] = ()


def ask_rows(fields: Sequence[str]) -> OwnCases:
    """Draw the inputs, typed or as a table, and return the rows to run."""
    how = st.segmented_control(
        "Your cases", ["Type one", "Many from a table"], default="Type one", key="compare_how", required=True
    )
    if how != "Type one":
        return _ask_table(fields)
    typed = {
        field: st.text_area(
            field,
            key=f"compare_field_{field}",
            height=90,
            placeholder="For example: I expected little, and it made my week.",
            persist_state="session",
        )
        or ""
        for field in fields
    }
    return OwnCases((typed,)) if all(text.strip() for text in typed.values()) else OwnCases()


def _ask_table(fields: Sequence[str]) -> OwnCases:
    table = read_table("compare", fields)
    if not table:
        return OwnCases()
    rows = match_columns(table, fields, "compare")
    others = [column for column in table[0] if column not in fields]
    if not others:
        return OwnCases(rows)
    column = st.selectbox(
        "Which column holds the right answer?",
        [None, *others],
        format_func=lambda name: "none of them" if name is None else name,
        key="compare_expected",
        help="With it, this page shows where another prompt is wrong and the first one right.",
    )
    return OwnCases(rows, () if column is None else tuple(row[column] for row in table))


def model_of(ws: Workspace, prompt: str) -> str:
    """Return the name of the model that a prompt was scored with; the default one where it has no study."""
    study = ws.bank.prompt_row(prompt).study
    return DEFAULT_MODEL if study is None else ws.bank.study(study).study.model


def run_trial(
    ws: Workspace, prompts: Mapping[str, Prompt], rows: Sequence[Mapping[str, str]]
) -> dict[str, list[dict[str, Any]]]:
    """Run every prompt on every row; return the row results by the prompt's name."""
    results = {}
    for name, prompt in prompts.items():
        arguments = {
            "name": prompt.name[:80],
            "template": prompt.template.canonical(),
            "rows": [{field: row.get(field, "") for field in prompt.template.variables} for row in rows],
            "labels": list(prompt.template.words or {}),
            "soft": prompt.id if prompt.soft is not None else None,
            "model": model_of(ws, prompt.id),
            "generate": prompt.template.words is None,
        }
        results[name] = list(run_quick(ws, "playground", arguments, f"Running {name}")["rows"])
    return results


def draw_answers(cases: OwnCases, results: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Draw the answers: bars for one case; for more, a table with a choice of rows, and a blind rating."""
    problems = {name: row["error"] for name, answers in results.items() for row in answers if row["error"]}
    for name, problem in problems.items():
        st.warning(f"{name}: {problem}", icon=":material/warning:")
    if len(cases.rows) == 1:
        draw_bars({name: answers[0]["probabilities"] or {} for name, answers in results.items()})
        for name, answers in results.items():
            if answers[0]["generated"] is not None:
                st.caption(name)
                st.code(answers[0]["generated"], language=None, wrap_lines=True)
    else:
        _draw_table(cases, results)
    with st.expander("Rate the answers blind"):
        draw_rating(cases.rows, {name: [_answer(one) for one in answers] for name, answers in results.items()})


def _draw_table(cases: OwnCases, results: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    frame = _frame(cases.rows, results)
    differ = frame[[f"{name}: answer" for name in results]].nunique(axis=1, dropna=False) > 1
    shown = {"all": pd.Series(True, index=frame.index), "differ": differ}
    said = {"all": f"All {len(frame)}", "differ": f"Only where they differ ({int(differ.sum())})"}
    if len(cases.expected) == len(frame):
        frame.insert(len(cases.rows[0]), "right answer", list(cases.expected))
        shown["worse"] = _worse(cases.expected, results)
        said["worse"] = f"Only where it got worse than the first ({int(shown['worse'].sum())})"
    which = st.segmented_control(
        "Cases",
        list(shown),
        default="all",
        format_func=lambda key: said[key],
        key="compare_which",
        required=True,
        label_visibility="collapsed",
    )
    chosen = frame[shown.get(str(which), shown["all"])]
    share = st.column_config.NumberColumn(format="%.1f %%")
    st.dataframe(
        chosen,
        hide_index=True,
        placeholder="no answer",
        column_config={f"{name}: sure": share for name in results},
        alt="What each prompt answers on each case",
    )
    st.download_button(
        "Download as CSV",
        chosen.to_csv(index=False),
        file_name="answers.csv",
        mime="text/csv",
        key="compare_csv",
        icon=":material/download:",
        on_click="ignore",
    )


def _worse(expected: Sequence[str], results: Mapping[str, Sequence[Mapping[str, Any]]]) -> "pd.Series[bool]":
    """Return where the first prompt is right and another is not, capitals and outer spaces aside."""
    first, *others = (
        [_same(_answer(one), right) for one, right in zip(answers, expected, strict=True)]
        for answers in results.values()
    )
    return pd.Series([right and not all(other[row] for other in others) for row, right in enumerate(first)], dtype=bool)


def _same(answer: str | None, expected: str) -> bool:
    return answer is not None and answer.strip().casefold() == expected.strip().casefold()


def _answer(result: Mapping[str, Any]) -> str | None:
    found = result["generated"] if result["answer"] is None else result["answer"]
    return None if found is None else str(found)


def _frame(rows: Sequence[Mapping[str, str]], results: Mapping[str, Sequence[Mapping[str, Any]]]) -> pd.DataFrame:
    lines = []
    for place, row in enumerate(rows):
        line: dict[str, Any] = dict(row)
        for name, answers in results.items():
            answer = answers[place]
            shares = answer["probabilities"]
            line[f"{name}: answer"] = _answer(answer)
            line[f"{name}: sure"] = 100 * max(shares.values()) if shares else None
        lines.append(line)
    return pd.DataFrame(lines)
