"""A page of the bank's prompts: found in the store by what is typed or by meaning, and chosen by a tick."""

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from app.display.address import MAX_IDS, query_ids, set_query_ids
from app.display.named import named
from app.display.titles import title
from app.panels.ranking.folding import ask_fold, folded, more_of
from app.panels.ranking.meaning import ask_meaning
from app.panels.ranking.ranking import KINDS as TITLES
from app.panels.ranking.ranking import table_key
from app.panels.ranking.ranking_filters import KINDS, ask_page, where_from
from app.panels.studies.study_choice import ask_study
from app.session import means_of, prompt_titles, prompts_passing, workspace
from fedprompt.bank.rows import PromptRow
from fedprompt.prompts.origins import origin_words
from fedprompt.workspace.search.looking_up import HOW, LONGEST, Filter, typed_filter

__all__ = ["choose"]

PAGE = 100


def choose() -> tuple[str, ...]:
    """Draw what is searched for and a page of the prompts, the newest first; return the ids of those chosen.

    What is ticked and what the address names are the same prompts. They stand first on every page and in every search;
    a tick moves no row.
    """
    near, wanted = _ask()
    if near is None:
        place = ask_page("bank", wanted, prompts_passing(wanted, 1).total, PAGE)
        found = prompts_passing(wanted, PAGE, place * PAGE).rows
        asked: object = (wanted, place)
        if not found:
            named("bank_none_passes").info(
                "No prompt matches. Shorten the search, or reset kind and origin.", icon=":material/filter_alt_off:"
            )
    else:
        found = tuple(sorted(workspace().bank.rows_of(list(near)), key=lambda row: -near[row.id]))
        asked = tuple(near)
    first = _first(repr(asked))
    shown = [*workspace().bank.rows_of(first), *(row for row in found if row.id not in first)]
    fold = near is None and any("run" in row.notes for row in shown) and ask_fold("bank")
    means = means_of([row.id for row in shown])
    lines = (
        folded(shown, lambda row: means.get(row.id, -1.0), first) if fold else dict.fromkeys(row.id for row in shown)
    )
    chosen = _draw([row for row in shown if row.id in lines], near, first, means, lines) if shown else ()
    st.session_state["bank_chosen"] = chosen
    if set(chosen[:MAX_IDS]) != set(query_ids()):
        set_query_ids(chosen[:MAX_IDS])
        st.session_state["bank_linked"] = query_ids()
    return chosen


def _first(asked: str) -> tuple[str, ...]:
    """Return the prompts that stand first, ticked: those of a new address, or what was ticked before a new search."""
    state, linked = st.session_state, query_ids()
    state.setdefault("bank_turn", 0)
    if state.get("bank_linked") != linked:
        state["bank_linked"], state["bank_first"] = linked, linked
        state["bank_turn"] = state["bank_turn"] + 1  # a table of its own, which knows no earlier ticks
    elif state.get("bank_asked") != asked:
        state["bank_first"] = state.get("bank_chosen", linked)
    state["bank_asked"] = asked
    first: tuple[str, ...] = state["bank_first"]
    return first


def _ask() -> tuple[dict[str, float] | None, Filter]:
    """Draw the boxes; return what was found by meaning (None where nothing is searched so) and the store's filter."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Search",
            key="bank_find",
            icon=":material/search:",
            placeholder="Words, p1:3f9c or @staging",
            width=270,
            live=True,
            max_chars=LONGEST,
            help=HOW,
        )
        kind = st.selectbox(
            "Kind", list(KINDS), format_func=KINDS.__getitem__, key="bank_kind", width=110, bind="query-params"
        )
        origins = where_from()
        origin = st.selectbox(
            "Origin",
            list(origins),
            format_func=origins.__getitem__,
            key="bank_origin",
            width=170,
            bind="query-params",
        )
        ask_study("bank", "Scores of")
        near = ask_meaning()
    return near, typed_filter(text or "", Filter(kind=kind or None, origin=origin or None, retired=True))


def _draw(
    shown: Sequence[PromptRow],
    near: dict[str, float] | None,
    first: Sequence[str],
    means: Mapping[str, float],
    lines: Mapping[str, int | None],
) -> tuple[str, ...]:
    """Draw the table; ``lines`` says of each prompt how many other parts of its run it stands for."""
    names = prompt_titles()
    tags = _tags()
    frame = pd.DataFrame(
        [
            {
                "prompt": more_of(names.get(row.id) or title(row), lines.get(row.id) or 0),
                "near": None if near is None else near.get(row.id),
                "kind": TITLES.get(row.kind, row.kind),
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
    linked = [place for place, row in enumerate(shown) if row.id in first]
    config = st.column_config
    event = st.dataframe(
        frame,
        hide_index=True,
        key=table_key(f"bank_{st.session_state['bank_turn']}", [row.id for row in shown]),
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": linked}} if linked else None,
        placeholder="not measured",
        height=min(38 + 35 * max(1, len(frame)), 420),
        column_config={
            "prompt": config.TextColumn("Prompt", width=320),
            "near": config.NumberColumn(
                "Similarity", format="%.2f", width=80, help="Cosine similarity: 1 is identical, 0 is unrelated."
            ),
            "kind": config.TextColumn("Kind", width=90),
            "tags": config.TextColumn("Tags", width=180),
            "from": config.TextColumn("Origin", width=150),
            "mean": config.NumberColumn(
                "Accuracy",
                format="%.1f %%",
                width=110,
                help="Mean accuracy over the sites on the validation cases of the study shown here. If this "
                "revision did not score a prompt at every site, the newest one that did is used.",
            ),
            "made on": config.DatetimeColumn("Created", format="D MMM YYYY, HH:mm", width=145),
            "id": config.TextColumn("Id", width=100),
        },
        alt="Prompts of the bank",
    )
    chosen = tuple(shown[place].id for place in event.selection.rows if place < len(shown))
    if not chosen:
        st.caption("Select a row to read, tag or export the prompt.")
    return chosen


def _tags() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in workspace().bank.tags():
        found.setdefault(one.prompt, []).append(one.tag)
    return found
