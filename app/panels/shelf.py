"""The table of the bank's prompts: found by a part of a name or by meaning, and chosen by a tick."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app.panels.meaning import ask_meaning
from app.panels.ranking import KINDS, table_key
from app.panels.titles import origin_words, title
from app.session import means_of, prompt_titles, query_ids, workspace
from fedprompt.bank.rows import PromptRow

__all__ = ["choose"]


def choose(rows: Sequence[PromptRow]) -> tuple[str, ...]:
    """Draw the boxes to search with and the table of prompts, the newest first; return the ids of those chosen."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Find", key="bank_find", icon=":material/search:", placeholder="Part of a name", width=320, live=True
        )
        near = ask_meaning()
    names, asked = prompt_titles(), query_ids()
    known = {row.id for row in rows}
    linked_rows = workspace().bank.rows_of([id for id in asked if id not in known])
    rows = [*rows, *linked_rows] if near is None else workspace().bank.rows_of(list(near))
    shown = [row for row in rows if (text or "").lower() in names.get(row.id, row.name).lower()]
    means = means_of([row.id for row in shown])
    if near is None:
        shown.sort(key=lambda row: (row.id not in asked, -means.get(row.id, 0.0)))
    else:
        shown.sort(key=lambda row: -near[row.id])
    tags = _tags()
    frame = pd.DataFrame(
        [
            {
                "prompt": names.get(row.id) or title(row),
                "near": None if near is None else near[row.id],
                "kind": KINDS.get(row.kind, row.kind),
                "tags": ", ".join(tags.get(row.id, ())),
                "from": origin_words(row.origin),
                "mean": None if (mean := means.get(row.id)) is None else 100 * mean,
                "made on": row.created,
                "id": row.id[:11],
            }
            for row in shown
        ],
        columns=["prompt", "near", "kind", "tags", "from", "mean", "made on", "id"],
    )
    if near is None:
        frame = frame.drop(columns="near")
    if not any(frame["tags"]):
        frame = frame.drop(columns="tags")
    linked = [place for place, row in enumerate(shown) if row.id in asked]
    config = st.column_config
    event = st.dataframe(
        frame,
        hide_index=True,
        key=table_key("bank", [row.id for row in shown]),
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": linked}} if linked else None,
        placeholder="not measured",
        height=min(38 + 35 * max(1, len(frame)), 420),
        column_config={
            "prompt": config.TextColumn("Prompt", width=230),
            "near": config.NumberColumn(
                "Near", format="%.2f", width=80, help="How alike the meaning is: 1 is the same, 0 unrelated (cosine)."
            ),
            "kind": config.TextColumn("Kind", width=90),
            "tags": config.TextColumn("Tags", width=180),
            "from": config.TextColumn("Where from"),
            "mean": config.NumberColumn("Mean", format="%.1f %%", width=110),
            "made on": config.DatetimeColumn("Made on", format="D MMM YYYY, HH:mm", width=160),
            "id": config.TextColumn("Id", width=120),
        },
        alt="The prompts of the bank",
    )
    chosen = tuple(shown[place].id for place in event.selection.rows if place < len(shown))
    if not chosen:
        st.caption("Tick a row to see the prompt in full, tag it, and export it.")
    return chosen


def _tags() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in workspace().bank.tags():
        found.setdefault(one.prompt, []).append(one.tag)
    return found
