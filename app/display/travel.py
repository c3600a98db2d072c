"""Ways from one page to another. In the address they take prompt ids, and the study to speak of, and nothing else."""

from collections.abc import Sequence

import streamlit as st
from streamlit.errors import StreamlitAPIException

__all__ = ["go"]


def go(page: str, prompts: Sequence[str] = (), study: str | None = None) -> None:
    """Open a page on some prompts, or on a study by its digest.

    Where a page runs alone there is nowhere to go, and it stays.
    """
    try:
        st.switch_page(f"../pages/{page}.py", query_params={"p": list(prompts)} | ({"study": study} if study else {}))
    except StreamlitAPIException:
        st.caption(f"Open the page '{page}' for that.")
