"""An export from the choice of a format to the file: the job that writes it, followed until it has ended."""

import re
from pathlib import Path

import streamlit as st

from app.panels.taking import draw_download, draw_formats
from app.session import guarded, workspace
from app.visitor import barred, require, submit
from fedprompt.workspace.exporting import formats
from fedprompt.workspace.jobs import ENDED

__all__ = ["draw_export"]

KEPT_EXPORTS = 6
ONE_FILE = {"card": ".md", "csv": ".csv", "langchain": ".json", "langfuse": ".json", "parquet": ".parquet"}
A_FILE_A_PROMPT = {"dotprompt": ".prompt", "hf-templates": ".yaml", "prompty": ".prompty"}


def draw_export(chosen: tuple[str, ...]) -> None:
    """Draw the formats, and below them the export that was asked for last."""
    ws = workspace()
    kept: tuple[str, tuple[str, ...]] | None = st.session_state.get("bank_export")
    job = ws.bank.job(kept[0]) if kept is not None and kept[1] == chosen else None
    busy = job is not None and job.state not in ENDED

    @guarded
    def write(name: str) -> None:
        require("exchange")
        make_room(ws.home.exports)
        slug = re.sub(r"[^a-z0-9]+", "-", ws.bank.prompt_row(chosen[0]).name.lower()).strip("-")[:40] or "prompt"
        many = f"-and-{len(chosen) - 1}-more" if len(chosen) > 1 else ""
        ending = ONE_FILE.get(name) or (A_FILE_A_PROMPT.get(name) if not many else None) or ".zip"
        arguments = {
            "prompts": list(chosen),
            "format": name,
            "destination": str(ws.home.exports / f"{slug}{many}-{chosen[0][3:9]}-{name}{ending}"),
        }
        st.session_state["bank_export"] = (submit(ws, "export", arguments), chosen)

    draw_formats(formats(ws, chosen), barred("exchange") or busy, write)
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
