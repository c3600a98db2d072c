"""Taking prompts away: the formats, which of them can hold the choice, and the file once it is written."""

from collections.abc import Callable, Sequence
from pathlib import Path

import streamlit as st

from app.panels.plain import plain, seconds, sentence
from app.panels.volume import volume
from fedprompt.bank.rows import JobRow
from fedprompt.workspace.exporting import FormatView
from fedprompt.workspace.signed_by import signed_by

__all__ = ["draw_download", "draw_formats"]

ICONS = {
    "any-slot": "deployed_code",
    "bundle": "package_2",
    "card": "article",
    "csv": "table",
    "dotprompt": "terminal",
    "hf-templates": "dataset",
    "langchain": "link",
    "langfuse": "list_alt",
    "parquet": "view_column",
    "peft": "extension",
    "promptfoo": "science",
    "prompty": "chat",
    "vllm": "dns",
}
GROUPS = (
    ("Run it", "In another program, with the model.", ("peft", "any-slot", "vllm", "langchain", "promptfoo")),
    ("Share it", "With people, and with stores of prompts.", ()),
    ("Scores", "What was measured, and on what.", ("csv", "parquet", "card")),
)
IN_NO_OTHER = "Share it"
MOST_DROPPED = 6


def draw_formats(formats: Sequence[FormatView], busy: bool, write: Callable[[str], None]) -> None:
    """Draw one card a format, in groups; ``write`` is called with the name of the one to write."""
    titles = {view.name: view.title for view in formats}
    grouped = {name for _, _, names in GROUPS for name in names}
    for group, about, names in GROUPS:
        shown = [view for view in formats if view.name in names or (group == IN_NO_OTHER and view.name not in grouped)]
        if not shown:
            continue
        st.markdown(f"**{group}** :small[:gray[{about}]]")
        with st.grid(5, min_column_width=175) as grid:
            for view in sorted(shown, key=lambda view: not view.allowed):
                with grid.container(border=True, height="stretch", gap="xsmall"):
                    _draw_format(view, titles, busy, write)


def _draw_format(view: FormatView, titles: dict[str, str], busy: bool, write: Callable[[str], None]) -> None:
    tone = "green" if view.allowed else "gray"
    st.markdown(f":{tone}[:material/{ICONS.get(view.name, 'draft')}:] **{plain(view.title)}**")
    st.caption(plain(view.description))
    if not view.allowed:
        instead = titles.get(view.instead or "", view.instead or "")
        reason = plain(sentence(view.reason or "it cannot hold this choice"))
        st.caption(f":orange[:material/block:] {reason}" + (f" Take **{plain(instead)}** instead." if instead else ""))
    st.space("stretch")
    st.button(
        "Write it",
        key=f"bank_write_{view.name}",
        icon=":material/output:",
        width="stretch",
        disabled=busy or not view.allowed,
        on_click=write,
        args=(view.name,),
    )


def draw_download(job: JobRow) -> None:
    """Draw an export on its way: its progress, its failure in a sentence, or the button that downloads it."""
    if job.state in ("queued", "running"):
        told = job.progress or {}
        total = float(told.get("total") or 0.0)
        share = min(1.0, float(told.get("done") or 0.0) / total) if total > 0 else 0.0
        waiting = "it waits until the job before it is done" if job.state == "queued" else "it begins"
        text = plain(str(told.get("message") or waiting))
        left = told.get("seconds_left")
        st.progress(share, text=f"Writing the export: {text}" + (f" · {seconds(left)}" if left else ""))
        return
    if job.state != "done" or job.result is None:
        st.error(plain(sentence(job.error or "the export was stopped; write it again")), icon=":material/error:")
        return
    path = Path(str(job.result["path"]))
    if not path.is_file():
        st.info("This export was taken away from the exports folder; write it again.", icon=":material/info:")
        return
    size = path.stat().st_size
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            f"Download {path.name} ({volume(size)})".replace("_", "\\_"),
            path.read_bytes if size < 32 * 1024 * 1024 else (lambda: path.open("rb", buffering=0)),
            file_name=path.name,
            mime="application/zip" if path.suffix == ".zip" else "application/octet-stream",
            key="bank_download",
            type="primary",
            icon=":material/download:",
            on_click="ignore",
        )
        signer = signed_by(path)
        signed = "Not signed" if signer is None else f"Signed by this home's key `{signer}`"
        st.caption(f":material/check_circle: Written. {signed}.")
    dropped = [str(one) for one in job.result.get("dropped") or ()]
    if dropped:
        lines = "\n".join(f"- {plain(sentence(one))}" for one in dropped[:MOST_DROPPED])
        more = f"\n- and {len(dropped) - MOST_DROPPED} more" if len(dropped) > MOST_DROPPED else ""
        st.info(f"{lines}{more}", title="What this format could not hold", icon=":material/content_cut:")
    else:
        st.caption("Nothing was left out that the prompt needs to answer the same.")
