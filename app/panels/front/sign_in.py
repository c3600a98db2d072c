"""Signing in: the panel for those who have not, and who it is in the sidebar, with the way out."""

import streamlit as st

from app.display.named import named
from app.display.plain import plain
from app.session import explain
from app.visitor import check_server, sign_in, visitor
from fedprompt.errors import FedPromptError
from fedprompt.workspace.people import Person

__all__ = ["draw_person", "let_in"]

TONES = {"viewer": "gray", "engineer": "blue", "operator": "green"}
MEANS = {
    "viewer": "May look at everything here.",
    "engineer": "May try, score, tune, tag, import and export.",
    "operator": "May do everything here.",
}


def let_in() -> Person | None:
    """Return who may see the pages; None where something stands in the way, which is then drawn."""
    try:
        check_server()
        found = visitor()
        if found is not None and found.role != "nobody":
            return found
        _draw_out(found)
    except FedPromptError as error:
        explain(error)
    return None


def draw_person(person: Person) -> None:
    """Draw who this is and, where people sign in, the way out."""
    st.markdown(f":material/person: **{plain(person.name) or 'somebody'}**")
    if person.email and person.email != person.name:
        st.caption(plain(person.email))
    if not person.subject:
        named("sidebar_nobody_signs_in").caption("Nobody signs in here: whoever uses this machine may do everything.")
        return
    named(f"sidebar_{person.role}").markdown(f":{TONES[person.role]}-badge[{person.role}]", help=MEANS[person.role])
    st.button("Sign out", key="sidebar_sign_out", icon=":material/logout:", on_click=st.logout)


def _draw_out(person: Person | None) -> None:
    """Draw what somebody sees who is not let in: the buttons that sign in, or who may change that."""
    with st.container(key="sign_in", width=520, border=True, gap="medium"):
        st.title("Prompts found together")
        if person is not None:
            named("sign_in_shut_out").markdown(
                f"You are signed in as **{plain(person.label)}**, and this machine lets in only people whom its "
                "operator has named. Ask whoever runs it.",
            )
            st.button("Sign out", key="sign_in_out", icon=":material/logout:", on_click=st.logout)
            return
        settings = sign_in()
        again = st.user.get("is_logged_in") is True
        words = "Your sign-in has run out; sign in again." if again else "Sign in to see this machine's prompts."
        named("sign_in_again" if again else "sign_in_first").markdown(words)
        for provider in settings.providers if settings is not None else ():
            name = "Sign in" if provider == "default" else f"Sign in with {provider}"
            st.button(
                plain(name),
                key=f"sign_in_{provider}",
                type="primary",
                icon=":material/login:",
                on_click=st.login,
                args=(provider,),
            )
        st.caption(
            "Your organisation's sign-in page opens, and this one only hears who you are: a name, an address, and "
            "what your role here depends on. They are kept in a signed cookie of your browser; what you decide here "
            "is kept in the bank under your name."
        )
