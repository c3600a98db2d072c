"""Test sets: rows kept under a name, to be used again by the Playground and by Compare, and deleted."""

import streamlit as st

from app.panels.trials.cases import Cases
from fedprompt.workspace.playground.trial_files import MOST_SETS, TrialFolder

__all__ = ["draw_sets"]


def draw_sets(page: str, folder: TrialFolder, cases: Cases) -> None:
    """Draw what keeps the rows as a test set, and what deletes one."""
    st.caption(
        f":material/lock: A test set stays on this machine, in a file of the home folder that its owner alone can "
        f"read, until you delete it ({MOST_SETS} at most). It is never put into the bank."
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input("Keep these rows as", key=f"{page}_set_name", max_chars=80, placeholder="a name") or ""
        ready = cases.lacking is None and bool(name.strip())
        if st.button("Keep", key=f"{page}_set_keep", icon=":material/save:", disabled=not ready):
            folder.save_set(name.strip(), {"rows": list(cases.rows), "expected": list(cases.expected)})
            st.toast(f"Kept {len(cases.rows):,} rows.")
    sets = folder.sets()
    if sets:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            gone = st.selectbox("Delete a test set", list(sets), index=None, key=f"{page}_set_gone")
            if gone is not None:
                st.button(
                    "Delete it",
                    key=f"{page}_set_delete",
                    icon=":material/delete:",
                    on_click=folder.forget_set,
                    args=(gone,),
                )
