"""The members of this hub's federation and who is connected, asked once a visit and again on demand."""

import streamlit as st

from app.panels.federation.roster import draw_members
from app.panels.runs.running import run_quick
from app.session import guarded, workspace
from fedprompt.workspace.enrolled.hub_folder import HubFolder

__all__ = ["draw_hub_members"]


@guarded
def draw_hub_members(page: str) -> None:
    """Draw them, or how this machine becomes a hub; ``page`` begins the keys."""
    if not (HubFolder(workspace().home).path / "hub.json").exists():
        st.info(
            "This machine is no hub yet. Begin in a terminal: fedprompt hub init NAME, then hub invite SITE.",
            icon=":material/hub:",
        )
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.header("Members")
        if st.button("Look again", key=f"{page}_look", icon=":material/refresh:", type="tertiary"):
            st.session_state.pop(f"{page}_roster", None)
    if f"{page}_roster" not in st.session_state:
        st.session_state[f"{page}_roster"] = dict(run_quick(workspace(), "roster", {}, "Asking the hub"))
    draw_members(st.session_state[f"{page}_roster"])
