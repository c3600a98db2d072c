"""Models: what this machine runs, the chat servers it may ask, and servers of this session alone."""

import streamlit as st

from app.panels.models.model_lists import draw_added, draw_configured, draw_found, draw_local
from app.panels.models.needed import draw_needed
from app.panels.models.new_server import draw_new
from app.session import guarded
from app.visitor import barred

ABOUT = (
    "Models for the Playground and for studies. :material/lock: No model runs until you press a button. A test "
    "sends one fixed question and none of your texts."
)


@guarded
def draw() -> None:
    """Draw the page."""
    st.title("Models")
    st.caption(ABOUT)
    barred("try")  # what is disabled below has its reason here
    st.header("On this machine")
    draw_local()
    draw_needed()
    st.header("Chat servers of this machine")
    draw_configured()
    st.header("Local servers")
    draw_found()
    st.header("Server for this session")
    draw_added()
    draw_new()


draw()
