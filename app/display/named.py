"""A message of a page under a name, by which tests and a browser find it while its words are written better."""

from typing import Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.errors import StreamlitDuplicateElementKey

__all__ = ["named"]


def named(name: str, *, narrow: bool = False) -> DeltaGenerator:
    """Return a place for one message, whose key is ``told_NAME`` (in a browser the class ``st-key-told_NAME``).

    Where a page tells the same twice, the first bears the name: a message never fails for its name.

    Args:
        name: begins with the page's or panel's name, as the keys of its widgets do.
        narrow: whether it is as wide as its words, for a place in a row of others.
    """
    width: Literal["content", "stretch"] = "content" if narrow else "stretch"
    try:
        return st.container(key=f"told_{name}", width=width)
    except StreamlitDuplicateElementKey:
        return st.container(width=width)
