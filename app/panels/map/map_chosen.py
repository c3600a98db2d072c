"""The prompts of a part of the map as a table, and what can be done with those that are ticked."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app.display.address import go
from app.display.named import named
from app.display.plain import plain
from app.display.titles import title
from app.panels.ranking.ranking import table_key
from app.panels.runs.running import run_quick
from app.session import explain, prompt_titles, workspace
from fedprompt.errors import FedPromptError
from fedprompt.prompts.origins import origin_words
from fedprompt.workspace.search.map_points import MapView

__all__ = ["draw_chosen"]

MOST, LIKE = 200, 20


def draw_chosen(view: MapView, places: NDArray[np.int64], found: Mapping[str, float]) -> None:
    """Draw the table, what was found first and then by score; ``places``: [chosen] int64 points of the map."""
    best = view.best(places, found, MOST)
    rows, names = view.rows(workspace(), best), prompt_titles()
    shown = [rows[view.ids[place]] for place in best]
    frame = pd.DataFrame(
        {
            "prompt": [names.get(row.id) or title(row) for row in shown],
            "near": [found.get(row.id) for row in shown],
            "mean": [100 * float(view.means[place]) if _known(view, place) else None for place in best],
            "family": [int(view.families[place]) + 1 for place in best],
            "from": [origin_words(row.origin) for row in shown],
            "came": [row.created for row in shown],
        }
    )
    config = st.column_config
    event = st.dataframe(
        frame if found else frame.drop(columns="near"),
        hide_index=True,
        key=table_key("map", [row.id for row in shown]),
        on_select="rerun",
        selection_mode="multi-row",
        placeholder="not measured",
        height=min(38 + 35 * max(1, len(frame)), 320),
        column_config={
            "prompt": config.TextColumn("Prompt", width=240),
            "near": config.NumberColumn(
                "Similarity", format="%.2f", width=80, help="Cosine similarity: 1 is identical, 0 is unrelated."
            ),
            "mean": config.NumberColumn(
                "Accuracy",
                format="%.1f %%",
                width=110,
                help="Mean over all sites on validation cases. Empty unless every site scored the prompt.",
            ),
            "family": config.NumberColumn("Cluster", width=80, help="k-means cluster. Cluster 1 is the largest."),
            "from": config.TextColumn("Origin"),
            "came": config.DatetimeColumn("Added", format="D MMM YYYY, HH:mm", width=160),
        },
        alt="Prompts of this part of the map",
    )
    if len(places) > MOST:
        st.caption(f"Showing the {MOST} best of {len(places):,}. Select fewer on the map to see the others.")
    chosen = [shown[place] for place in event.selection.rows if place < len(shown)]
    ids, one = [row.id for row in chosen], chosen[0] if len(chosen) == 1 else None
    with st.container(horizontal=True):
        if st.button("Compare", key="map_compare", icon=":material/compare_arrows:", disabled=not 2 <= len(ids) <= 6):
            go("compare", ids)
        if st.button("Open in Bank", key="map_bank", icon=":material/inventory_2:", disabled=not ids):
            go("bank", ids)
        if st.button("Find similar", key="map_like", icon=":material/join_inner:", disabled=one is None) and one:
            _like(one.id)
        soft = one is not None and one.kind == "soft"
        if st.button("Nearest words", key="map_words", icon=":material/spellcheck:", disabled=not soft) and one:
            _words(one.id)
    if not chosen:
        st.caption(
            "Select one prompt to find similar ones, or two to six to compare. For a soft prompt you can also "
            "list its nearest words."
        )
    kept = st.session_state.get("map_nearest")
    if one is not None and kept is not None and kept[0] == one.id:
        _draw_words(kept[1])


def _known(view: MapView, place: int) -> bool:
    return bool(view.means[place] == view.means[place])


def _like(prompt: str) -> None:
    try:
        result = run_quick(workspace(), "search", {"like": prompt, "limit": LIKE}, "Finding similar prompts")
    except FedPromptError as error:
        explain(error)
        return
    st.session_state["map_like_found"] = (prompt, {one["id"]: float(one["similarity"]) for one in result["found"]})
    st.rerun()


def _words(prompt: str) -> None:
    try:
        result = run_quick(workspace(), "nearest-words", {"prompt": prompt}, "Finding the nearest words")
    except FedPromptError as error:
        explain(error)
        return
    st.session_state["map_nearest"] = (prompt, result["tokens"])


def _draw_words(tokens: Sequence[Sequence[Mapping[str, object]]]) -> None:
    st.markdown("**Nearest words of each vector**")
    lines = [
        {
            "vector": place,
            "words": "   ".join(f"{str(one['word']).strip() or '(space)'} {one['similarity']:.2f}" for one in near),
        }
        for place, near in enumerate(tokens, 1)
    ]
    st.dataframe(pd.DataFrame(lines), hide_index=True, alt="Nearest words of each vector with their cosine similarity")
    named("map_words_meaning").caption(
        plain("Cosine similarity to the model's own words. A tuned vector need not mean the same as its nearest words.")
    )
