"""Where files of cases are dropped and chosen; beside it, where they go and how long they are kept."""

from collections.abc import Sequence

import streamlit as st

from app.display.named import named
from app.display.plain import plain
from app.session import explain, guarded, workspace
from app.visitor import require, why_not
from fedprompt.errors import FedPromptError
from fedprompt.workspace.cases.evaluation_sets import (
    MAX_UPLOAD_MEGABYTES,
    EvaluationSet,
    evaluation_sets,
    keep_file,
    own_site,
    remove_file,
)

__all__ = ["KINDS", "choose_set", "draw_removal", "drop_file", "stays_here"]

KINDS = ["csv", "tsv", "jsonl", "ndjson", "parquet", "pq"]


def stays_here(site: str) -> None:
    """Say where a dropped file goes and how long it is kept."""
    folder = plain(str(workspace().home.sites / site / "data"))
    named("stays_here").caption(
        f":material/lock: The file stays on this machine. It is saved in {folder}, readable only by you, until "
        "you delete it. Nothing in it is sent anywhere or copied to the bank. Only numbers leave a site: "
        "counts, scores, and prompt updates."
    )


def drop_file(closed: bool = False, page: str = "data") -> None:
    """Draw the place to drop a file for this machine's own site, unless closed; it is kept at once, and chosen."""
    site = own_site(workspace().home)
    file = st.file_uploader(
        "File of labelled cases: CSV, TSV, JSON Lines or Parquet",
        type=KINDS,
        key=f"{page}_file",
        disabled=closed,
        max_upload_size=MAX_UPLOAD_MEGABYTES,
        help="One case per line, with a text column and an answer column.",
    )
    stays_here(site)
    if file is None or st.session_state.get(f"{page}_kept") == file.file_id:
        return
    try:
        require("tune")
        path = keep_file(workspace().home, site, file.name, file.getvalue())
    except FedPromptError as error:
        explain(error)
        return
    st.session_state[f"{page}_kept"] = file.file_id
    st.session_state[f"{page}_chosen"] = f"{site} / {path.name}"


def choose_set(sets: Sequence[EvaluationSet], page: str, label: str = "Evaluation set") -> EvaluationSet | None:
    """Draw the choice among this machine's evaluation sets, the newest first."""
    by_id = {one.id: one for one in sets}
    if not by_id:
        return None
    if st.session_state.get(f"{page}_chosen") not in by_id:
        st.session_state[f"{page}_chosen"] = next(iter(by_id))
    chosen = st.selectbox(label, list(by_id), key=f"{page}_chosen", persist_state="session")
    return by_id[str(chosen)]


def draw_removal(found: EvaluationSet, page: str = "data") -> None:
    """Draw the button that deletes a file, with a word of confirmation."""
    with st.popover("Delete file", icon=":material/delete:", type="tertiary"):
        st.markdown(f"{plain(found.path.name)} will be deleted from this machine. Its scores stay in the bank.")
        why = why_not("tune")
        st.button(
            "Delete",
            key=f"{page}_delete",
            type="primary",
            disabled=why is not None,
            help=why,
            on_click=_remove,
            args=(found, page),
        )


@guarded
def _remove(found: EvaluationSet, page: str) -> None:
    require("tune")
    if found in evaluation_sets(workspace().home):
        remove_file(found)
    st.session_state.pop(f"{page}_chosen", None)
