"""A chat server for this session: its address, its key in memory alone, and the models it offers."""

import os

import streamlit as st
from pydantic import SecretStr

from app.display.named import named
from app.display.plain import plain, sentence
from app.panels.models.session_models import add_server
from app.session import explain, workspace
from app.visitor import require, why_not
from fedprompt.errors import FedPromptError
from fedprompt.models.chat.config import FILE, ChatSettings
from fedprompt.workspace.bills.found_servers import models_of, settings_of

__all__ = ["draw_new"]

OPENAI = "https://api.openai.com/v1"
KEYS = "OPENAI_API_KEY"


def draw_new() -> None:
    """Draw the boxes, the list of models on demand, the button that adds the server, and what is in the way of it.

    At rest nothing is asked of anybody and nothing is warned of: the address is empty.
    """
    st.caption(
        ":material/lock: A key that you type here is kept in memory until the session ends. It is never saved "
        "to the bank, a log, an export or a file, and never put in the page's URL."
    )
    grid = st.grid(2, min_column_width=320)
    with grid.cell():
        base_url = st.text_input(
            "Base URL",
            key="models_url",
            max_chars=2000,
            placeholder=f"{OPENAI}, or http://127.0.0.1:8000/v1",
            help="Address of the server, with an OpenAI-compatible API. It usually ends in /v1.",
        ).strip()
    with grid.cell():
        typed = st.text_input(
            "Key",
            key="models_key",
            type="password",
            max_chars=4000,
            autocomplete="off",
            placeholder=f"from {KEYS}" if _own(base_url) and os.environ.get(KEYS) else "none",
            help=f"If you leave this empty, OpenAI's own server uses {KEYS} from the app's environment.",
        ).strip()
    from_environment = os.environ.get(KEYS) if _own(base_url) else None
    key = SecretStr(typed or from_environment or "") if typed or from_environment else None
    settings: ChatSettings | None = None
    problem: FedPromptError | None = None
    if base_url:
        try:
            settings = settings_of(workspace().home.path, base_url, "any", key)
        except FedPromptError as error:
            problem = error
    closed = settings is None or why_not("try") is not None
    listed = st.session_state.get("models_listed")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        # A box of text keeps what was typed when the focus leaves it, which a list that takes new names does not.
        model = st.text_input("Model", key="models_model", max_chars=200, placeholder="name", disabled=closed).strip()
        if st.button("List models", key="models_list", icon=":material/list:", disabled=closed):
            try:
                require("try")
                st.session_state["models_listed"] = (base_url, models_of(workspace().home.path, base_url, key))
                st.rerun()
            except FedPromptError as error:
                explain(error)
        ask = st.button("Use in this session", key="models_add", icon=":material/add:", disabled=closed or not model)
    if listed is not None and listed[0] == base_url and not closed:
        st.pills("Models of this server", listed[1], key="models_offered", on_change=_take, disabled=closed)
    if ask and model and settings is not None:
        try:
            require("try")
            add_server(model, base_url, settings.host, settings.remote, key)
            st.rerun()
        except FedPromptError as error:
            explain(error)
    if problem is not None:
        _draw_problem(problem, base_url)
    if _own(base_url) and key is None:
        named("models_key_missing").info(
            f"Set {KEYS} in the environment before you start the app, or enter a key above.",
            title="No OpenAI key yet",
            icon=":material/key:",
        )


def _take() -> None:
    """Put the model that was chosen into the box."""
    if (chosen := st.session_state.get("models_offered")) is not None:
        st.session_state["models_model"] = str(chosen)


def _draw_problem(problem: FedPromptError, base_url: str) -> None:
    """Say what keeps an address from being asked, and the line that allows it."""
    if "allow" not in str(problem):
        named(f"models_{problem.code}").warning(plain(sentence(str(problem))), icon=":material/shield:")
        return
    host = base_url.split("/")[2] if base_url.count("/") >= 2 else base_url
    named("models_not_allowed").warning(
        f"{plain(host)} is another machine, and sending cases there is not allowed. To allow it, add this line "
        f"to {plain(str(workspace().home.path / FILE))}. For plain http, write http:// before the host.",
        title="This host is not allowed yet",
        icon=":material/shield:",
    )
    st.code(f'allow = ["{host}"]', language="toml")


def _own(base_url: str) -> bool:
    return base_url.rstrip("/") == OPENAI
