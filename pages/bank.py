"""Bank: look at prompts, take them away, bring some in."""

import re
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import streamlit as st

from app.panels.plain import plain, sentence
from app.panels.prompt import draw_prompt
from app.panels.ranking import KINDS, table_key
from app.panels.taking import draw_download, draw_formats
from app.panels.titles import origin_words
from app.panels.travel import go
from app.session import explain, guarded, leaderboard_view, prompt_titles, query_ids, workspace
from fedprompt.bank.rows import PromptRow
from fedprompt.errors import FedPromptError
from fedprompt.workspace.exporting import formats, import_file
from fedprompt.workspace.jobs import submit
from fedprompt.workspace.views import LeaderRow

MOST, SHOWN, KEPT_EXPORTS = 500, 4, 6
MAX_IMPORT_MEGABYTES = 64
ENDED = ("done", "failed", "cancelled")


@guarded
def draw() -> None:
    """Draw the page."""
    st.title("Bank")
    st.caption("Every prompt that was written, tuned or imported here. Choose some to read them or take them away.")
    rows = workspace().bank.prompts(limit=MOST)
    scores = scores_of() if rows else {}
    chosen = choose(rows, scores) if rows else ()
    if not rows:
        st.info(
            "Start the demo on the Overview page, or import a bundle below.",
            title="The bank is empty",
            icon=":material/inventory_2:",
        )
    if chosen:
        draw_chosen(chosen, scores)
    st.subheader("Bring a prompt in")
    bring()


def scores_of() -> dict[str, LeaderRow]:
    """Return what prompts scored, by id; nothing where there is no study yet."""
    view = leaderboard_view(None, False)
    return {row.id: row for row in (*view.ranked, *view.partial)}


def choose(rows: Sequence[PromptRow], scores: dict[str, LeaderRow]) -> tuple[str, ...]:
    """Draw the table of prompts and return the ids of those chosen."""
    text = st.text_input(
        "Find", key="bank_find", icon=":material/search:", placeholder="Part of a name", width=320, live=True
    )
    names = prompt_titles()
    shown = [row for row in reversed(rows) if (text or "").lower() in names.get(row.id, row.name).lower()]
    means = {row.id: scores[row.id].mean if row.id in scores else None for row in shown}
    shown.sort(key=lambda row: (row.id not in query_ids(), -(means[row.id] or 0.0)))
    frame = pd.DataFrame(
        [
            {
                "prompt": names.get(row.id, row.name),
                "kind": KINDS.get(row.kind, row.kind),
                "from": origin_words(row.origin),
                "mean": None if (mean := means[row.id]) is None else 100 * mean,
                "made on": row.created,
                "id": row.id[:11],
            }
            for row in shown
        ],
        columns=["prompt", "kind", "from", "mean", "made on", "id"],
    )
    linked = [place for place, row in enumerate(shown) if row.id in query_ids()]
    config = st.column_config
    event = st.dataframe(
        frame,
        hide_index=True,
        key=table_key("bank", [row.id for row in shown]),
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": linked}} if linked else None,
        placeholder="not measured",
        height=min(38 + 35 * max(1, len(frame)), 420),
        column_config={
            "prompt": config.TextColumn("Prompt", width=230),
            "kind": config.TextColumn("Kind", width=90),
            "from": config.TextColumn("Where from"),
            "mean": config.NumberColumn("Mean", format="%.1f %%", width=110),
            "made on": config.DatetimeColumn("Made on", format="D MMM YYYY, HH:mm", width=160),
            "id": config.TextColumn("Id", width=120),
        },
        alt="The prompts of the bank",
    )
    chosen = tuple(shown[place].id for place in event.selection.rows if place < len(shown))
    if not chosen:
        st.caption("Tick a row to see the prompt in full and to export it.")
    return chosen


def draw_chosen(chosen: Sequence[str], scores: dict[str, LeaderRow]) -> None:
    """Draw the chosen prompts in full, where they can go next, and the formats they can be written in."""
    ws = workspace()
    for one in chosen[:SHOWN]:
        row = ws.bank.prompt_row(one)
        parents = {parent: prompt_titles().get(parent, parent[:11]) for parent in row.parents}
        draw_prompt(ws.bank.prompt(one), row, parents, scores.get(one))
    if len(chosen) > SHOWN:
        st.caption(f"and {len(chosen) - SHOWN} more, which are exported with these")
    with st.container(horizontal=True):
        if st.button("Try in the playground", key="bank_try", icon=":material/experiment:", disabled=len(chosen) > 1):
            go("playground", chosen[:1])
        if st.button(
            "Compare",
            key="bank_compare",
            icon=":material/compare_arrows:",
            disabled=not 2 <= len(chosen) <= 4,
        ):
            go("compare", chosen)
    st.subheader("Take away")
    draw_export(tuple(chosen))


def draw_export(chosen: tuple[str, ...]) -> None:
    """Draw the formats, and below them the export that was asked for last."""
    ws = workspace()
    kept: tuple[str, tuple[str, ...]] | None = st.session_state.get("bank_export")
    job = ws.bank.job(kept[0]) if kept is not None and kept[1] == chosen else None
    busy = job is not None and job.state not in ENDED

    def write(name: str) -> None:
        make_room(ws.home.exports)
        slug = re.sub(r"[^a-z0-9]+", "-", ws.bank.prompt_row(chosen[0]).name.lower()).strip("-")[:40] or "prompt"
        many = f"-and-{len(chosen) - 1}-more" if len(chosen) > 1 else ""
        ending = ".json" if name == "langchain" else ".zip"
        arguments = {
            "prompts": list(chosen),
            "format": name,
            "destination": str(ws.home.exports / f"{slug}{many}-{chosen[0][3:9]}-{name}{ending}"),
        }
        st.session_state["bank_export"] = (submit(ws, "export", arguments), chosen)

    draw_formats(formats(ws, chosen), busy, write)
    if job is not None:
        st.fragment(follow, run_every="1s" if busy else None)(job.id)


@guarded
def follow(job: str) -> None:
    """Draw an export until it is there; the page is drawn anew once it has ended."""
    row = workspace().bank.job(job)
    ended = st.session_state.get("bank_ended") == job
    if row.state in ENDED and not ended:
        st.session_state["bank_ended"] = job
        st.rerun()
    draw_download(row)


def make_room(folder: Path) -> None:
    """Keep the newest exports only, so that the folder does not grow without bound."""
    if folder.is_dir():
        old = sorted((path for path in folder.iterdir() if path.is_file()), key=lambda path: path.stat().st_mtime)
        for path in old[: max(0, len(old) - KEPT_EXPORTS + 1)]:
            path.unlink(missing_ok=True)


def bring() -> None:
    """Draw the import: a file, a button, and what came of it in a sentence."""
    st.caption("A bundle that fedprompt wrote, here or elsewhere. It is checked before anything of it is kept.")
    file = st.file_uploader(
        "A file to import",
        type=["zip", "json"],
        key="bank_file",
        max_upload_size=MAX_IMPORT_MEGABYTES,
        label_visibility="collapsed",
    )
    if file is not None and st.button("Import", key="bank_import", type="primary", icon=":material/input:"):
        ws = workspace()
        suffix = Path(file.name).suffix.lower()
        with TemporaryDirectory(dir=ws.home.path, prefix="import-") as folder:
            path = Path(folder) / f"upload{suffix}"
            path.write_bytes(file.getvalue())
            try:
                found = import_file(ws, path)
            except FedPromptError as error:
                explain(type(error)(str(error).replace(str(path), file.name)))
                return
        names = [ws.bank.prompt_row(one).name for one in found.prompts]
        st.success(
            plain(f"{len(names)} prompt{'' if len(names) == 1 else 's'} came in: {', '.join(names[:8])}."),
            icon=":material/check_circle:",
        )
        for dropped in found.dropped:
            st.warning(plain(sentence(dropped)), icon=":material/info:")


draw()
