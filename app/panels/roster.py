"""Who takes part: when each site last answered, how fast it is, in how many rounds, and why it was missing."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import streamlit as st

from app.panels.plain import plain
from app.panels.work import duration
from fedprompt.bank.rows import JobRow
from fedprompt.workspace.federation_view import FederationView

__all__ = ["draw_members", "draw_roster", "said_ago"]


def draw_roster(view: FederationView, job: JobRow | None) -> None:
    """Draw one line a site; ``job`` says which of them is asked now."""
    detail = ((job.progress if job and job.state == "running" else None) or {}).get("detail") or {}
    rows = [
        {
            "Site": row.site,
            "Now": str((job.progress or {}).get("message", "")) if job and detail.get("site") == row.site else "",
            "Last answered": "not yet" if row.seen is None else said_ago(row.seen),
            "A step": "not measured" if row.pace is None else duration(row.pace),
            "Rounds": f"{row.answered} of {row.asked}",
            "Cases": row.cases,
            "Last missing because": row.missing or "",
        }
        for row in view.sites
    ]
    if not rows:
        st.caption("No site has answered yet.")
        return
    frame = pd.DataFrame(rows)
    # Columns that say nothing of any site are left out.
    empty = [column for column in ("Now", "Last missing because") if not frame[column].any()]
    st.dataframe(frame.drop(columns=empty), hide_index=True, placeholder="", alt="The sites of this federation")
    if view.deadlines and job is not None and job.state == "running":
        waits = ", ".join(
            f"{duration(float(seconds))} {'to tune' if step == 'tune' else 'to score'}"
            for step, seconds in view.deadlines.items()
        )
        st.caption(f"In this round each site has {waits}; past that the round goes on once enough have answered.")


def draw_members(found: Mapping[str, Any]) -> None:
    """Draw who was invited, admitted or sent away, and who is connected now, as ``hub status`` says."""
    sites: Sequence[Mapping[str, Any]] = found["sites"]
    where = f"{found['host']}:{found['port']}"
    if found["running"]:
        st.caption(f":green[:material/lan:] The hub of {plain(str(found['federation']))} listens at {plain(where)}.")
    else:
        st.warning(
            "The hub does not run. Start it in a terminal or as a service: fedprompt hub run",
            icon=":material/lan:",
        )
    if not sites:
        st.caption("No site was invited yet: fedprompt hub invite NAME")
        return
    connected = {True: "yes", False: "no", None: "not known"}
    st.dataframe(
        pd.DataFrame(
            [
                {
                    "Site": one["site"],
                    "State": one["state"],
                    "Connected": connected[one["connected"]],
                    "Organisation": one["org"] or "",
                    "Since": said_ago(datetime.fromisoformat(str(one["since"]))),
                    "Fingerprint": str(one["fingerprint"] or "")[:24],
                }
                for one in sites
            ]
        ),
        hide_index=True,
        alt="The members of this federation",
    )


def said_ago(when: datetime) -> str:
    """Return how long ago something was, as people say it."""
    seconds = max(0.0, (datetime.now(UTC) - when).total_seconds())
    for size, unit in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "just now"
