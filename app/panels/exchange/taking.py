"""Taking prompts away: the formats, which of them can hold the choice, what one would hold, and the file written."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import pandas as pd
import streamlit as st

from app.display.amounts import volume
from app.display.named import named
from app.display.plain import label, plain, seconds, sentence
from app.panels.exchange.wording import word_button
from fedprompt.bank.rows import JobRow
from fedprompt.workspace.exchange.exporting import FormatView
from fedprompt.workspace.exchange.signed_by import signed_by

__all__ = ["draw_contents", "draw_download", "draw_formats"]

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
    "peft-adapter": "memory",
    "promptfoo": "science",
    "prompty": "chat",
    "vllm": "dns",
}
GROUPS = (
    (
        "Run it",
        "For another program that runs the model.",
        ("peft", "peft-adapter", "any-slot", "vllm", "langchain", "promptfoo"),
    ),
    ("Share it", "For people and prompt stores.", ()),
    ("Scores", "The measurements and their conditions.", ("csv", "parquet", "card")),
)
IN_NO_OTHER = "Share it"
MOST_DROPPED = 6
TEXT_ONLY = frozenset({"dotprompt", "hf-templates", "langchain", "langfuse", "prompty"})


def draw_formats(
    formats: Sequence[FormatView],
    names: Mapping[str, str],
    chosen: str | None,
    choose: Callable[[str], None],
    soft: str | None = None,
) -> None:
    """Draw one card a format, in groups.

    Args:
        formats: all of them.
        names: prompts' titles, by id.
        chosen: the format that is shown below.
        choose: called with a format's name.
        soft: the one soft prompt among what is chosen, which can be turned into words.
    """
    titles = {view.name: view.title for view in formats}
    grouped = {name for _, _, members in GROUPS for name in members}
    for place, (group, about, members) in enumerate(GROUPS):
        shown = [
            view for view in formats if view.name in members or (group == IN_NO_OTHER and view.name not in grouped)
        ]
        if not shown:
            continue
        named(f"bank_group_{place}").markdown(f"**{group}** :small[:gray[{about}]]")
        with st.grid(5, min_column_width=175) as grid:
            for view in sorted(shown, key=lambda view: not view.allowed):
                with grid.container(border=True, height="stretch", gap="xsmall"):
                    _draw_format(view, titles, names, chosen, choose, soft)


def _draw_format(
    view: FormatView,
    titles: Mapping[str, str],
    names: Mapping[str, str],
    chosen: str | None,
    choose: Callable[[str], None],
    soft: str | None,
) -> None:
    tone = "green" if view.allowed else "gray"
    st.markdown(f":{tone}[:material/{ICONS.get(view.name, 'draft')}:] **{plain(view.title)}**")
    st.caption(plain(view.description))
    if not view.allowed:
        instead = titles.get(view.instead or "", view.instead or "")
        of = "" if view.prompt is None else f"“{names.get(view.prompt, view.prompt[:11])}”: "
        reason = plain(sentence(of + (view.reason or "it cannot hold this selection")))
        named(f"bank_cannot_{view.name}").caption(
            f":orange[:material/block:] {reason}" + (f" Use **{plain(instead)}** instead." if instead else "")
        )
        if soft is not None and view.name in TEXT_ONLY:
            word_button(soft, view.name)
    st.space("stretch")
    here = view.name == chosen
    st.button(
        "Shown below" if here else "Preview",
        key=f"bank_look_{view.name}",
        icon=":material/check:" if here else ":material/visibility:",
        width="stretch",
        disabled=here or not view.allowed,
        on_click=choose,
        args=(view.name,),
    )


def draw_contents(found: Mapping[str, Any], name: str, closed: bool, write: Callable[[], None]) -> None:
    """Draw what an export named ``name`` would hold, lines that use it, and the button that writes it."""
    files = found["files"]
    count = len(files) + found["left_out"]
    with st.container(border=True, key="bank_contents"):
        packed = f", {count} file{'' if count == 1 else 's'}" if name.endswith(".zip") else ""
        st.markdown(f"**{plain(name)}** :small[:gray[{volume(found['size'])}{packed}]]")
        grid = st.grid(2, min_column_width=340, gap="large")
        with grid.cell():
            _draw_files(files, found["left_out"])
        with grid.cell():
            _draw_snippet(found["snippet"], name)
        _draw_dropped(found["dropped"])
        st.button(
            "Export",
            key="bank_write",
            type="primary",
            icon=":material/output:",
            disabled=closed,
            on_click=write,
        )


def _draw_files(files: Sequence[Mapping[str, Any]], left_out: int) -> None:
    st.dataframe(
        pd.DataFrame([{"File": one["name"], "Size": volume(one["size"])} for one in files]),
        hide_index=True,
        height=min(38 + 35 * len(files), 220),
        alt="Files of this export",
    )
    if left_out:
        st.caption(f"and {left_out:,} more files")
    texts = {one["name"]: one for one in files if one["head"] is not None}
    if not texts:
        return
    chosen = st.selectbox("Preview of", list(texts), key=f"bank_head_{crc32(''.join(texts).encode()):08x}")
    shown = texts[chosen]
    st.code(shown["head"] + ("\n\N{HORIZONTAL ELLIPSIS}" if shown["more"] else ""), language=None, height=220)


def _draw_snippet(snippet: Mapping[str, Any], name: str) -> None:
    zipped = snippet["inside"] and name.endswith(".zip")
    st.markdown(
        "**How to use it** "
        f":small[:gray[{'Unpack it and run this in its folder.' if zipped else 'Run this next to the file.'}]]"
    )
    st.code(snippet["code"].strip(), language=snippet["language"])
    if snippet["note"]:
        st.caption(snippet["note"])


def _draw_dropped(dropped: Sequence[str]) -> None:
    """Say what a format cannot hold of these prompts."""
    if not dropped:
        named("bank_all_kept").caption("The format holds everything that the prompt needs.")
        return
    lines = "\n".join(f"- {plain(sentence(str(one)))}" for one in dropped[:MOST_DROPPED])
    more = f"\n- and {len(dropped) - MOST_DROPPED} more" if len(dropped) > MOST_DROPPED else ""
    named("bank_dropped").info(f"{lines}{more}", title="Not included in this format", icon=":material/content_cut:")


def draw_download(job: JobRow) -> None:
    """Draw an export on its way: its progress, its failure in a sentence, or the button that downloads it."""
    if job.state in ("queued", "running"):
        told = job.progress or {}
        total = float(told.get("total") or 0.0)
        share = min(1.0, float(told.get("done") or 0.0) / total) if total > 0 else 0.0
        waiting = "waiting for the previous job" if job.state == "queued" else "starting"
        text = plain(str(told.get("message") or waiting))
        left = told.get("seconds_left")
        st.progress(share, text=f"Writing the export: {text}" + (f" · {seconds(left)}" if left else ""))
        return
    if job.state != "done" or job.result is None:
        named("bank_export_failed").error(
            plain(sentence(job.error or "the export was stopped; start it again")), icon=":material/error:"
        )
        return
    path = Path(str(job.result["path"]))
    if not path.is_file():
        named("bank_export_gone").info(
            "This export is no longer in the exports folder. Export it again.", icon=":material/info:"
        )
        return
    size = path.stat().st_size
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            label(f"Download {path.name} ({volume(size)})"),
            path.read_bytes if size < 32 * 1024 * 1024 else (lambda: path.open("rb", buffering=0)),
            file_name=path.name,
            mime="application/zip" if path.suffix == ".zip" else "application/octet-stream",
            key="bank_download",
            type="primary",
            icon=":material/download:",
            on_click="ignore",
        )
        signer = signed_by(path)
        signed = "Not signed" if signer is None else f"Signed with this home's key `{signer}`"
        named("bank_written_unsigned" if signer is None else "bank_written_signed", narrow=True).caption(
            f":material/check_circle: Exported. {signed}."
        )
