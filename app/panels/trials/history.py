"""What was kept: test sets, and earlier runs opened again with their boxes filled; both can be deleted."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from app.display.plain import plain
from app.drafts import set_aside, when
from app.panels.trials.cases import EARLIER, Cases
from app.panels.trials.typed_case import fill_fields
from app.panels.variants.slots import MOST_VARIANTS, fill_variant
from fedprompt.errors import FedPromptError
from fedprompt.workspace.answers.variants import Variant
from fedprompt.workspace.playground.trial_files import KEPT_DAYS, MOST_RUNS, MOST_SETS, TrialFolder
from fedprompt.workspace.playground.trials import TrialRequest

__all__ = ["draw_history", "draw_sets"]


def draw_sets(page: str, folder: TrialFolder, cases: Cases) -> None:
    """Draw what keeps the rows as a test set, and what deletes one."""
    st.caption(
        ":material/lock: A test set is saved on this machine, readable only by its owner, until you delete it "
        f"(at most {MOST_SETS}). It is never saved to the bank."
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input("Save these rows as", key=f"{page}_set_name", max_chars=80, placeholder="name") or ""
        ready = cases.lacking is None and bool(name.strip())
        if st.button("Save", key=f"{page}_set_keep", icon=":material/save:", disabled=not ready):
            folder.save_set(name.strip(), {"rows": list(cases.rows), "expected": list(cases.expected)})
            st.toast(f"Saved {len(cases.rows):,} rows.")
    sets = folder.sets()
    if sets:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            gone = st.selectbox("Delete a test set", list(sets), index=None, key=f"{page}_set_gone")
            if gone is not None:
                st.button(
                    "Delete",
                    key=f"{page}_set_delete",
                    icon=":material/delete:",
                    on_click=folder.forget_set,
                    args=(gone,),
                )


SHOWN, SHOWN_PROMPTS, MOST_CHANGES, LONGEST = 20, 3, 6, 80


def draw_history(folder: TrialFolder, show: Callable[[str], None]) -> None:
    """Draw the runs that are kept; ``show`` is called with the run that is opened."""
    st.caption(
        f":material/lock: Saved runs stay on this machine, readable only by their owner, for {KEPT_DAYS} days "
        f"(at most {MOST_RUNS} runs). Other runs are deleted after about an hour. No run is saved to the bank."
    )
    kept = [(run, request) for run in folder.runs()[: 2 * SHOWN] if (request := _request(folder, run)) is not None]
    kept = [one for one in kept if one[1].keep][:SHOWN]
    if not kept:
        st.caption("No saved runs yet.")
        return
    for place, (run, request) in enumerate(kept):
        older = kept[place + 1][1] if place + 1 < len(kept) else None
        with st.container(key=f"playground_kept_{run[:12]}", gap="xsmall"):
            with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
                size = f"{len(request.variants)} \N{MULTIPLICATION SIGN} {len(request.rows):,}"
                st.markdown(
                    f"{when(request.made)} \N{MIDDLE DOT} {plain(request.name)} :gray-badge[{size}]", width="stretch"
                )
                st.button(
                    "Open",
                    key=f"playground_open_{run[:12]}",
                    icon=":material/history:",
                    on_click=_open,
                    args=(run, request, show),
                )
                st.button(
                    "Delete",
                    key=f"playground_forget_{run[:12]}",
                    icon=":material/delete:",
                    on_click=folder.forget,
                    args=(run,),
                )
            st.caption(plain(said_of(request, older)))
    st.button(
        "Delete all runs",
        key="playground_forget_all",
        icon=":material/delete_sweep:",
        on_click=_forget_all,
        args=(folder,),
    )


def said_of(request: TrialRequest, older: TrialRequest | None) -> str:
    """Return what a run's prompts begin with, and what tells it from the run before it."""
    shown = request.variants[:SHOWN_PROMPTS]
    told = " · ".join(f"{one.name}: {_excerpt(one)}" for one in shown)
    if (more := len(request.variants) - len(shown)) > 0:
        told += f" and {more} more"
    if older is None:
        return told
    if not (changed := changes(older, request)):
        return f"{told}. Same as the previous run."
    return f"{told}. Changed since the previous run: {', '.join(changed)}."


def changes(older: TrialRequest, newer: TrialRequest) -> list[str]:
    """Return in words what a run asks that the one before it did not."""
    found = []
    if len(older.variants) != len(newer.variants):
        found.append("number of variants")
    for one, other in zip(older.variants, newer.variants, strict=False):
        if one.template != other.template or one.soft != other.soft:
            found.append(f"prompt of {other.name}")
        if one.model != other.model or one.server != other.server:
            found.append(f"model of {other.name}")
        same: dict[str, Any] = {"name": "", "template": {}, "soft": None, "model": "x", "server": None}
        if one.model_copy(update=same) != other.model_copy(update=same):
            found.append(f"settings of {other.name}")
    if older.rows != newer.rows:
        found.append("texts")
    if older.expected != newer.expected:
        found.append("correct answers")
    if older.checks != newer.checks:
        found.append("scorers")
    return found[:MOST_CHANGES]


def _excerpt(variant: Variant) -> str:
    """Return the beginning of a prompt in one line."""
    parts = [str(one.get("content", "")) for one in variant.template.get("messages") or ()]
    text = " ".join((variant.template.get("text") or " ".join(parts)).split())
    return f"“{text if len(text) <= LONGEST else text[:LONGEST] + '…'}”"


def _forget_all(folder: TrialFolder) -> None:
    for run in folder.runs():
        folder.forget(run)


def _request(folder: TrialFolder, run: str) -> TrialRequest | None:
    try:
        body = dict(folder.request(run))
        body.pop("job", None)
        return TrialRequest.parse(body)
    except FedPromptError:
        return None  # of another version, or gone meanwhile


def _open(run: str, request: TrialRequest, show: Callable[[str], None]) -> None:
    set_aside("playground")
    state = st.session_state
    chosen = request.variants[:MOST_VARIANTS] if len(request.variants) <= MOST_VARIANTS else request.variants[:1]
    state["playground_variants"] = list(range(1, len(chosen) + 1))
    for number, variant in enumerate(chosen, 1):
        fill_variant(number, variant)
    if len(request.rows) == 1:
        state["playground_how"] = "Type"
        fill_fields("playground", request.rows[0])
        state["playground_right"] = request.expected[0] if request.expected else ""
    else:
        state["playground_how"], state["playground_rows_of"] = EARLIER, run
    show(run)
