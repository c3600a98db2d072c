"""The foot of the sidebar: who this is, which machine it is, where it keeps things, what it is in a federation."""

import socket
from pathlib import Path

import streamlit as st

from app.display.named import named
from app.display.plain import plain
from app.panels.front.sign_in import draw_person
from app.panels.models.session_models import added_servers
from fedprompt.errors import FedPromptError
from fedprompt.workspace.bills.found_servers import configured_servers
from fedprompt.workspace.people import Person

__all__ = ["draw_sidebar"]

MOST_HOSTS = 3
ROLES = {
    "alone": ("Standalone", "All sites are on this machine."),
    "hub": ("Hub", "Combines what the sites send. It holds no cases."),
    "site": ("Site", "Holds private cases. Only replies that pass its egress gate leave."),
}


def draw_sidebar(home: Path, role: str, person: Person) -> None:
    """Draw the visitor, and the machine's name, its home folder and its role."""
    title, meaning = ROLES[role]
    with st.sidebar.container(key="sidebar_person", gap="xsmall"):
        draw_person(person)
    with st.sidebar.container(key="sidebar_machine", gap="xsmall"):
        st.markdown(f":material/computer: **{plain(socket.gethostname())}**")
        st.markdown(f":green-badge[{title}]")
        state, words = _travels(home)
        named(f"sidebar_{state}").caption(f"{meaning} {words}")
        st.caption(f":material/folder: {plain(_short(home))}")


def _travels(home: Path) -> tuple[str, str]:
    """Return which other machines texts may go to, by the chat servers set up here: a name, and words."""
    try:
        hosts = {one.host for one in configured_servers(home) if one.remote and one.host}
    except FedPromptError:
        return "unreadable", "The allowed chat servers could not be read. See the Models page."
    hosts |= {one.host for one in added_servers().values() if one.remote}
    if not hosts:
        return "nowhere", "No external chat server is set up."
    some = ", ".join(sorted(hosts)[:MOST_HOSTS]) + (" and others" if len(hosts) > MOST_HOSTS else "")
    return "elsewhere", f"Texts that you run on chat models are sent to {plain(some)}."


def _short(home: Path) -> str:
    try:
        return f"~/{home.relative_to(Path.home())}"
    except (ValueError, RuntimeError):  # it lies elsewhere, or this user has no home directory
        return str(home)
