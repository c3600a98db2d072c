"""Several prompts on texts that the visitor gives: what each answers, and where they differ.

Invariant: only what is typed or uploaded here is run, never a site's case.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.panels.case_table import ask_table
from app.panels.outputs import draw_bars
from app.panels.running import run_quick
from fedprompt.models.registry import DEFAULT_MODEL
from fedprompt.prompts.prompt import Prompt
from fedprompt.workspace.workspace import Workspace

__all__ = ["PRIVATE", "ask_rows", "draw_answers", "model_of", "run_trial"]

PRIVATE = (
    ":material/lock: What you type or upload here goes to the prompts' own model, on this machine unless it is a chat "
    "model whose host this machine allows, and is not kept. "
    "No site's private case is ever shown."
)


def ask_rows(fields: Sequence[str]) -> tuple[dict[str, str], ...]:
    """Draw the inputs, typed or as a table, and return the rows to run."""
    how = st.segmented_control(
        "Your cases", ["Type one", "Many from a table"], default="Type one", key="compare_how", required=True
    )
    if how != "Type one":
        return ask_table("compare", fields)
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
    return (typed,) if all(text.strip() for text in typed.values()) else ()


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


def draw_answers(rows: Sequence[Mapping[str, str]], results: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Draw the answers: bars for one case, a table with a switch for more."""
    problems = {name: row["error"] for name, answers in results.items() for row in answers if row["error"]}
    for name, problem in problems.items():
        st.warning(f"{name}: {problem}", icon=":material/warning:")
    if len(rows) == 1:
        draw_bars({name: answers[0]["probabilities"] or {} for name, answers in results.items()})
        for name, answers in results.items():
            if answers[0]["generated"] is not None:
                st.caption(name)
                st.code(answers[0]["generated"], language=None, wrap_lines=True)
        return
    frame = _frame(rows, results)
    differ = frame[[f"{name}: answer" for name in results]].nunique(axis=1, dropna=False) > 1
    only = st.toggle(f"Only where they differ ({int(differ.sum())} of {len(frame)})", key="compare_differ")
    shown = frame[differ] if only else frame
    share = st.column_config.NumberColumn(format="%.1f %%")
    st.dataframe(
        shown,
        hide_index=True,
        placeholder="no answer",
        column_config={f"{name}: sure": share for name in results},
        alt="What each prompt answers on each case",
    )
    st.download_button(
        "Download as CSV",
        shown.to_csv(index=False),
        file_name="answers.csv",
        mime="text/csv",
        key="compare_csv",
        icon=":material/download:",
        on_click="ignore",
    )


def _frame(rows: Sequence[Mapping[str, str]], results: Mapping[str, Sequence[Mapping[str, Any]]]) -> pd.DataFrame:
    lines = []
    for place, row in enumerate(rows):
        line: dict[str, Any] = dict(row)
        for name, answers in results.items():
            answer = answers[place]
            shares = answer["probabilities"]
            line[f"{name}: answer"] = answer["generated"] if answer["answer"] is None else answer["answer"]
            line[f"{name}: sure"] = 100 * max(shares.values()) if shares else None
        lines.append(line)
    return pd.DataFrame(lines)
