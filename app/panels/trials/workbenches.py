"""Saved workbenches of the Playground: saved under a name, opened, shared by a link, deleted."""

import streamlit as st

from app.display.named import named
from app.display.plain import plain, sentence
from app.drafts import draft_values, put_values, set_aside, when
from app.panels.trials.kept_boxes import PLAYGROUND
from app.session import explain, guarded, workspace
from app.visitor import person, why_not
from fedprompt.errors import FedPromptError
from fedprompt.workspace.workbenches import MOST_WORKBENCHES, Workbench, WorkbenchFolder

__all__ = ["draw_workbenches", "follow_bench"]

LINKED = "playground_bench"
NOT_SAVED = frozenset({LINKED, "playground_linked", "playground_run_shown"})


def follow_bench() -> None:
    """Put the workbench that the address names into the boxes, once; what stood there can be brought back."""
    state, asked = st.session_state, st.query_params.get("bench")
    if asked is None or state.get(LINKED) == asked[:40]:
        return
    state[LINKED] = asked[:40]
    try:
        found = _folder().open(asked)
    except FedPromptError as error:
        state["playground_bench_problem"] = str(error)
        return
    _fill(found)


def draw_workbenches() -> None:
    """Draw what saves this workbench, and those that are saved."""
    if (problem := st.session_state.pop("playground_bench_problem", None)) is not None:
        named("playground_no_bench").warning(plain(sentence(problem)), icon=":material/link_off:")
    with st.expander("Saved workbenches", icon=":material/bookmarks:", key="playground_workbenches"):
        st.caption(
            ":material/lock: A workbench holds everything on this page: prompts, settings, texts and scorers. "
            f"It is saved on this machine, readable only by you (at most {MOST_WORKBENCHES}). Its link "
            "contains an id and no text. Others can open it after you share it."
        )
        why = why_not("try")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            name = st.text_input("Name", key="playground_bench_name", max_chars=80, placeholder="name") or ""
            if st.button(
                "Save workbench",
                key="playground_bench_save",
                icon=":material/save:",
                disabled=why is not None or not name.strip(),
                help=why,
            ):
                try:
                    _folder().save(name, _values())
                except FedPromptError as error:
                    explain(error)
        for one in _folder().saved():
            _draw_one(one)


def _draw_one(one: Workbench) -> None:
    key = one.id[:12]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(one.name)}** · {when(one.saved)}", width="stretch")
        st.button(
            "Open", key=f"playground_bench_open_{key}", icon=":material/folder_open:", on_click=_open, args=(one,)
        )
        st.button(
            "Overwrite", key=f"playground_bench_over_{key}", icon=":material/save:", on_click=_save_over, args=(one,)
        )
        with st.popover("Link", icon=":material/link:"):
            st.toggle(
                "Share with others on this machine",
                one.shared,
                key=f"playground_bench_share_{key}",
                on_change=_share,
                args=(one, f"playground_bench_share_{key}"),
            )
            st.code(f"/playground?bench={one.id}", language=None)
            st.caption("Append this to the app's URL.")
        st.button(
            "Delete",
            key=f"playground_bench_delete_{key}",
            icon=":material/delete:",
            on_click=_folder().forget,
            args=(one.id,),
        )


def _folder() -> WorkbenchFolder:
    return WorkbenchFolder(workspace().home, person().mark)


def _values() -> dict[str, object]:
    return {name: value for name, value in draft_values(PLAYGROUND).items() if name not in NOT_SAVED}


def _fill(found: Workbench) -> None:
    set_aside("playground")
    linked = st.session_state.get(LINKED)
    put_values(PLAYGROUND, {name: value for name, value in found.values.items() if name not in NOT_SAVED})
    if linked is not None:
        st.session_state[LINKED] = linked
    st.query_params.pop("run", None)


@guarded
def _open(found: Workbench) -> None:
    st.query_params["bench"] = st.session_state[LINKED] = found.id
    _fill(found)


@guarded
def _save_over(found: Workbench) -> None:
    _folder().save(found.name, _values(), over=found.id, shared=found.shared)


@guarded
def _share(found: Workbench, key: str) -> None:
    _folder().share(found.id, bool(st.session_state[key]))
