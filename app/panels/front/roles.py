"""What somebody may want of this machine, a button for each: shared prompts, a federation to join, a hub to run."""

import streamlit as st

from app.display.address import go
from app.session import role

__all__ = ["draw_roles"]

JOIN = (
    "A hub operator sends you an invitation, and your machine answers it. Your machine connects only to that "
    "hub, and your cases stay on it. You review each study before your site answers any of it."
)
JOINING = "fedprompt site init clinic.invite.json\nfedprompt site join clinic.kit.zip\nfedprompt ui --role site"
HUB = (
    "A hub sends studies to sites and combines their answers. It never sees a case. You invite the sites, send "
    "them a study, and start the rounds once their operators have accepted it."
)
RUNNING = "fedprompt hub init meadow --host hub.example.org\nfedprompt hub invite clinic\nfedprompt ui --role hub"


def draw_roles() -> None:
    """Draw the buttons; a machine that is a site already has only the first, and a hub, which has no cases, none."""
    if role() == "hub":
        return
    with st.container(horizontal=True, key="overview_roles"):
        if st.button("Use shared prompts", key="overview_shared", icon=":material/join_inner:"):
            go("shared")
        if role() != "alone":
            return
        with st.popover("Join a federation", icon=":material/lan:", key="overview_join"):
            st.markdown(JOIN)
            st.code(JOINING, language="sh")
            st.caption("The guide for site operators explains each step, and what leaves a site.")
        with st.popover("Run a hub", icon=":material/hub:", key="overview_hub"):
            st.markdown(HUB)
            st.code(RUNNING, language="sh")
            st.caption("The guide for hub operators explains each step.")
