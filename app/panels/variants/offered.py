"""The tools that a chat offers to the model, as JSON: typed, checked, and told by name."""

import json
from collections.abc import Sequence

import streamlit as st

from app.display.named import named
from app.display.plain import plain
from fedprompt.errors import PromptError
from fedprompt.prompts.tools import LONGEST_TOOLS, Tool, openai_tools, read_tools

__all__ = ["ask_tools", "write_tools"]

EXAMPLE = (
    '[{"name": "find_order", "description": "Finds an order", "parameters": {"type": "object", "properties": {}}}]'
)


def ask_tools(key: str) -> str:
    """Draw the box for the tools; return what it holds."""
    with st.expander("Tools", icon=":material/build:", key=f"{key}_box"):
        text = st.text_area(
            "Tools, a JSON list",
            key=key,
            height=150,
            max_chars=LONGEST_TOOLS,
            placeholder=EXAMPLE,
            persist_state="session",
            help="Each tool has a name, a description and a JSON schema of its arguments, as OpenAI or Anthropic write "
            "them. Chat servers only.",
        )
        text = text or ""
        try:
            tools = read_tools(text)
        except PromptError:
            tools = ()  # the variant says why
        if tools:
            names = ", ".join(f"**{plain(one.name)}**" for one in tools)
            named(f"{key}_names").caption(f":material/check_circle: Offers {names}.")
        st.caption("The page shows the calls that a model makes. It never runs a tool.")
    return text


def write_tools(tools: Sequence[Tool]) -> str:
    """Return tools as the box holds them, empty if there are none."""
    return json.dumps(openai_tools(tools), indent=1, ensure_ascii=False) if tools else ""
