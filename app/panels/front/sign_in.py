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
    "viewer": "Can view everything here.",
    "engineer": "Can run, score, tune, tag, import and export.",
    "operator": "Can do everything here.",
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
        named("sidebar_nobody_signs_in").caption("No sign-in is required: everyone on this machine can do everything.")
        return
    named(f"sidebar_{person.role}").markdown(f":{TONES[person.role]}-badge[{person.role}]", help=MEANS[person.role])
    st.button("Sign out", key="sidebar_sign_out", icon=":material/logout:", on_click=st.logout)


def _draw_out(person: Person | None) -> None:
    """Draw what somebody sees who is not let in: the buttons that sign in, or who may change that."""
    with st.container(key="sign_in", width=520, border=True, gap="medium"):
        st.title("Prompts found together")
        if person is not None:
            named("sign_in_shut_out").markdown(
                f"You are signed in as **{plain(person.label)}**, but you have no access to this machine. Ask "
                "its operator to add you.",
            )
            st.button("Sign out", key="sign_in_out", icon=":material/logout:", on_click=st.logout)
            return
        settings = sign_in()
        again = st.user.get("is_logged_in") is True
        words = "Your session has expired. Sign in again." if again else "Sign in to see the prompts on this machine."
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
            "Your organisation's sign-in page opens. fedprompt receives your name, your address, and the "
            "attribute that sets your role here. It keeps them in a signed cookie in your browser. Your "
            "decisions are recorded in the bank under your name."
        )
