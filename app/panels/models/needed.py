"""The package that chat servers need: told where a server is added, and installed at a click where that may be."""

import streamlit as st

from app.display.named import named
from app.display.plain import plain
from app.session import explain
from app.visitor import why_not
from fedprompt.errors import FedPromptError
from fedprompt.extras import is_installed, pip_command
from fedprompt.workspace.machine.installing import install_part, why_not_install

__all__ = ["draw_needed"]

SHOWN_LINES = 12


def draw_needed() -> None:
    """Say which package is missing and draw what installs it; nothing where it is there."""
    if is_installed("chat"):
        if st.session_state.pop("models_installed", False):
            named("models_installed").success(
                "The package is installed. You can use chat servers now.", icon=":material/check:"
            )
        return
    named("models_needed").info(
        "Chat servers need a package that is not installed on this machine. Local models work without it. To "
        "install it, run this command in fedprompt's environment:",
        title="Chat servers need one more package",
        icon=":material/extension:",
    )
    st.code(pip_command("chat"), language="sh")
    why = why_not("federate") or why_not_install()
    if why is not None:
        st.caption(f":material/lock: {plain(why)}")
    elif st.button(
        "Install now",
        key="models_install",
        icon=":material/download:",
        help="Runs this command on this machine. The package comes from pip's package index.",
    ):
        _install()


def _install() -> None:
    lines: list[str] = []
    with st.status("Installing the package", expanded=True) as status:
        place = st.empty()

        def hear(line: str) -> None:
            lines.append(line)
            place.code("\n".join(lines[-SHOWN_LINES:]), language=None)

        try:
            install_part("chat", hear)
        except FedPromptError as error:
            status.update(label="The package could not be installed", state="error")
            explain(error)
            return
    st.session_state["models_installed"] = True
    st.rerun()
