"""Taking prompts away: the formats, which of them can hold the choice, and the file once it is written."""

from collections.abc import Callable, Sequence
from pathlib import Path

import streamlit as st

from app.panels.plain import plain, seconds, sentence
from fedprompt.bank.rows import JobRow
from fedprompt.workspace.exporting import FormatView

__all__ = ["draw_download", "draw_formats"]

ICONS = {"bundle": "package_2", "peft": "extension", "any-slot": "deployed_code", "langchain": "link"}


def draw_formats(formats: Sequence[FormatView], busy: bool, write: Callable[[str], None]) -> None:
    """Draw one card a format; ``write`` is called with the name of the one to write."""
    titles = {view.name: view.title for view in formats}
    with st.grid(min(4, len(formats)), min_column_width=175) as grid:
        for view in formats:
            with grid.container(border=True, height="stretch"):
                tone = "green" if view.allowed else "gray"
                st.markdown(f":{tone}[:material/{ICONS.get(view.name, 'draft')}:] **{plain(view.title)}**")
                st.caption(plain(view.description))
                if not view.allowed:
                    instead = titles.get(view.instead or "", view.instead or "")
                    reason = plain(sentence(view.reason or "it cannot hold this choice"))
                    st.caption(
                        f":orange[:material/block:] {reason}"
                        + (f" Take **{plain(instead)}** instead." if instead else "")
                    )
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
            f"Download {path.name} ({_size(size)})".replace("_", "\\_"),
            path.read_bytes if size < 32 * 1024 * 1024 else (lambda: path.open("rb", buffering=0)),
            file_name=path.name,
            mime="application/zip" if path.suffix == ".zip" else "application/octet-stream",
            key="bank_download",
            type="primary",
            icon=":material/download:",
            on_click="ignore",
        )
        st.caption(":material/check_circle: Written. It says how to read its answers and the score it gets that way.")


def _size(number: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"
