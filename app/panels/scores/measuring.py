"""Pairs of prompts that no site compared: those of sites on this machine are compared at once, others on demand."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.display.plain import plain, sentence
from app.panels.runs.work import active, draw_work, follow, newest_of
from app.session import guarded, role, workspace
from app.visitor import submit, why_not_job
from fedprompt.bank.rows import JobRow
from fedprompt.workspace.local.measured_pairs import Askable, askable
from fedprompt.workspace.results.views import CompareView

__all__ = ["draw_measuring"]

KIND = "compare-pairs"
ASK = (
    "The cases are at the sites. Each site compares the prompts on its own validation cases and replies with "
    "counts. Each pair counts as one exact question in the site's ledger."
)


def draw_measuring(view: CompareView) -> None:
    """Draw what measures the pairs that were not compared yet; nothing where all were, or no site can be asked."""
    if role() == "site":
        return
    missing = [(pair.first, pair.second) for pair in view.pairs if pair.found is None]
    found = askable(workspace(), missing) if missing else None
    if found is None:
        return
    job = _job_of(found)
    if job is None and found.where == "here" and why_not_job(KIND) is None:
        _ask(found)
        job = _job_of(found)
        if job is not None and job.state == "done":  # it was answered before this page is drawn
            st.rerun()
    if job is None:
        _draw_button(found)
    elif job.state == "done":
        _draw_missing(job.result or {})
    else:
        follow("compare", lambda: (newest_of(KIND),), _live)


@guarded
def _live() -> None:
    job = newest_of(KIND)
    draw_work(job, "compare_pairs")
    if active(job):
        st.caption("Comparing the prompts case by case, with the cases on this machine.")


def _draw_button(found: Askable) -> None:
    why = why_not_job(KIND)
    elsewhere = found.where == "elsewhere"
    st.button(
        "Ask the sites to compare" if elsewhere else "Compare on this machine",
        key="compare_ask_sites",
        icon=":material/balance:",
        disabled=why is not None,
        help=why,
        on_click=_ask,
        args=(found,),
    )
    if elsewhere:
        st.caption(ASK)


def _draw_missing(result: Mapping[str, Any]) -> None:
    for site, why in dict(result.get("missing") or {}).items():
        st.caption(f"**{plain(str(site))}** sent no comparison. {plain(sentence(str(why)))}")


def _job_of(found: Askable) -> JobRow | None:
    """Return the newest job that compares just these."""
    job = newest_of(KIND)
    if job is None or job.arguments.get("run") != found.run:
        return None
    return job if [tuple(pair) for pair in job.arguments["pairs"]] == list(found.pairs) else None


@guarded
def _ask(found: Askable) -> None:
    submit(workspace(), KIND, {"run": found.run, "pairs": [list(pair) for pair in found.pairs]})
