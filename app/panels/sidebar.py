"""The foot of the sidebar: who this is, which machine it is, where it keeps things, what it is in a federation."""

import socket
from pathlib import Path

import streamlit as st

from app.panels.plain import plain
from app.panels.sign_in import draw_person
from fedprompt.workspace.people import Person

__all__ = ["draw_sidebar"]

ROLES = {
    "alone": ("Works alone", "All sites are on this machine. Nothing is sent anywhere."),
    "hub": ("Hub", "Joins what the sites send; holds no site's cases."),
    "site": ("Site", "Holds private cases; only what its gate lets through leaves."),
}


def draw_sidebar(home: Path, role: str, person: Person) -> None:
    """Draw the visitor, and the machine's name, its home folder and its role."""
    title, meaning = ROLES[role]
    with st.sidebar.container(key="sidebar_person", gap="xsmall"):
        draw_person(person)
    with st.sidebar.container(key="sidebar_machine", gap="xsmall"):
        st.markdown(f":material/computer: **{plain(socket.gethostname())}**")
        st.markdown(f":green-badge[{title}]")
        st.caption(meaning)
        st.caption(f":material/folder: {plain(_short(home))}")


def _short(home: Path) -> str:
    try:
        return f"~/{home.relative_to(Path.home())}"
    except ValueError:
        return str(home)
