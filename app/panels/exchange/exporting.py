"""An export from the choice of a format to the file: what it would hold, and the job that writes it, followed."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from app.display.titles import title
from app.panels.exchange.outdated import draw_outdated
from app.panels.exchange.taking import draw_contents, draw_download, draw_formats
from app.panels.exchange.trying import draw_try
from app.panels.exchange.wording import draw_wording
from app.panels.runs.running import run_once
from app.session import bank_stamp, guarded, workspace
from app.visitor import barred, require, submit, why_not
from fedprompt.file_names import file_name
from fedprompt.prompts.prompt import Prompt
from fedprompt.workspace.exchange.exported_before import Outdated
from fedprompt.workspace.exchange.exporting import formats, tagged_with
from fedprompt.workspace.jobs.jobs import ENDED

__all__ = ["draw_export", "draw_updates", "make_room"]

KEPT_EXPORTS = 6
ONE_FILE = {"card": ".md", "csv": ".csv", "langchain": ".json", "langfuse": ".json", "parquet": ".parquet"}
A_FILE_A_PROMPT = {"dotprompt": ".prompt", "hf-templates": ".yaml", "prompty": ".prompty"}


def draw_export(chosen: tuple[str, ...]) -> None:
    """Draw the formats, what the one that was chosen would hold, and the export that was asked for last."""
    ws = workspace()
    kept: tuple[str, tuple[str, ...], str] | None = st.session_state.get("bank_export")
    looked: tuple[str, tuple[str, ...]] | None = st.session_state.get("bank_format")
    views = formats(ws, chosen)
    allowed = {view.name for view in views if view.allowed}
    asked = st.query_params.get("format") if looked is None else looked[0] if looked[1] == chosen else None
    format = asked if asked in allowed else None
    job = ws.bank.job(kept[0]) if kept is not None and kept[1:] == (chosen, format) else None
    busy = job is not None and job.state not in ENDED

    def choose(name: str) -> None:
        st.session_state["bank_format"] = (name, chosen)
        st.query_params["format"] = name  # so that a reload shows it again

    names = {view.prompt: _called(view.prompt) for view in views if view.prompt is not None}
    soft = _soft(chosen)
    draw_formats(views, names, format, choose, soft)
    if soft is not None:
        draw_wording(_called(soft), soft)
    if format is None:
        st.caption("Choose a format to preview its files. Nothing is written yet.")
    else:
        name = _file_name(chosen, format)
        draw_contents(
            _look(chosen, format, name), name, barred("exchange") or busy, lambda: _write(chosen, format, name)
        )
    if job is not None:
        st.fragment(follow, run_every="1s" if busy else None)(job.id)
    if format is not None and (first := _first(chosen)) is not None:
        draw_try(chosen, format, first)


def _first(chosen: tuple[str, ...]) -> Prompt | None:
    """Return the first prompt that is chosen, None where it is an adapted one."""
    bank = workspace().bank
    first = tagged_with(workspace(), chosen[0][1:])[0] if chosen[0].startswith("@") else chosen[0]
    return None if bank.is_adapted(first) else bank.prompt(first)


def _soft(chosen: tuple[str, ...]) -> str | None:
    """Return the prompt that is chosen where it is one alone and a soft one."""
    first = _first(chosen) if len(chosen) == 1 and not chosen[0].startswith("@") else None
    return first.id if first is not None and first.soft is not None else None


def _file_name(chosen: tuple[str, ...], format: str) -> str:
    if chosen[0].startswith("@"):
        return f"{file_name(chosen[0][1:], other='tagged')}-{format}{ONE_FILE.get(format, '.zip')}"
    named = _called(chosen[0], short=True)
    slug = file_name(re.sub(r"[\W_]+", "-", named.lower())[:40], other="prompt")
    many = f"-and-{len(chosen) - 1}-more" if len(chosen) > 1 else ""
    ending = ONE_FILE.get(format) or (A_FILE_A_PROMPT.get(format) if not many else None) or ".zip"
    return f"{slug}{many}-{chosen[0][3:9]}-{format}{ending}"


def draw_updates() -> None:
    """Draw the exports whose tags stand for other prompts now, each with what exports it anew."""
    draw_outdated(why_not("exchange") is not None, _again)
    kept: str | None = st.session_state.get("bank_updated")
    if kept is not None:
        row = workspace().bank.job(kept)
        st.fragment(draw_download, run_every="1s" if row.state not in ENDED else None)(row)


@guarded
def _again(one: Outdated) -> None:
    """Start the job that exports anew what is out of date."""
    require("exchange")
    ws, name = workspace(), _file_name(one.prompts, one.format)
    make_room(ws.home.exports)
    arguments = {"prompts": list(one.prompts), "format": one.format, "destination": str(ws.home.exports / name)}
    st.session_state["bank_updated"] = submit(ws, "export", arguments)


def _called(prompt: str, *, short: bool = False) -> str:
    """Return what a prompt, or an adapted one, is called; ``short``: by its own name alone."""
    bank = workspace().bank
    if bank.is_adapted(prompt):
        return bank.adapted_row(prompt).name
    row = bank.prompt_row(prompt)
    return row.called if short else title(row)


def _look(chosen: tuple[str, ...], format: str, name: str) -> Mapping[str, Any]:
    """Return what an export would hold; the last looks of this visitor are remembered until the bank changes."""
    key = (bank_stamp(), chosen, format)
    arguments = {"prompts": list(chosen), "format": format, "name": name}
    return run_once("bank_looks", key, workspace(), "export-preview", arguments, f"Preparing a preview of {name}")


@guarded
def _write(chosen: tuple[str, ...], format: str, name: str) -> None:
    """Start the job that writes an export."""
    require("exchange")
    ws = workspace()
    make_room(ws.home.exports)
    arguments = {"prompts": list(chosen), "format": format, "destination": str(ws.home.exports / name)}
    st.session_state["bank_export"] = (submit(ws, "export", arguments), chosen, format)


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
