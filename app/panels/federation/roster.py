"""Who takes part: when each site last answered, how fast it is, in how many rounds, and why it was missing.

On a hub also who is a member and connected, asked once a visit and again on demand.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import streamlit as st

from app.display.named import named
from app.display.plain import plain
from app.panels.federation.traffic import said_rounds
from app.panels.runs.running import run_quick
from app.panels.runs.work import duration
from app.session import guarded, workspace
from fedprompt.bank.rows import JobRow
from fedprompt.workspace.enrolled.hub_folder import HubFolder
from fedprompt.workspace.rounds.federation_view import AtWork, FederationView

__all__ = ["draw_hub_members", "draw_members", "draw_roster", "said_ago", "said_now"]

NOT_TOLD = "unknown"
SUMMED = dict.fromkeys(("keys", "shares", "confirm", "unmask"), "takes part in the secure sum")
WORK = {"tune": "tunes", **SUMMED}


def draw_roster(view: FederationView, job: JobRow | None) -> None:
    """Draw one line a site; ``job`` says which of them is asked now, where no round gathers."""
    detail = ((job.progress if job and job.state == "running" else None) or {}).get("detail") or {}
    asked, message = detail.get("site"), str((job.progress or {}).get("message", "")) if job else ""
    rows = [
        {
            "Site": row.site,
            "Now": said_now(row.now, view) or (message if row.site == asked else ""),
            "Last answered": "not yet" if row.seen is None else said_ago(row.seen),
            "Step time": "not measured" if row.pace is None else duration(row.pace),
            "Rounds": said_rounds(row.answered, row.asked),
            "Cases": row.cases,
            "Study": NOT_TOLD if row.study is None else row.study[:11],
            "Version": row.version or NOT_TOLD,
            "Last absence": row.missing or "",
        }
        for row in view.sites
    ]
    if not rows:
        st.caption("No site has answered yet.")
        return
    frame = pd.DataFrame(rows)
    # Columns that say nothing of any site are left out.
    empty = [column for column in ("Now", "Last absence") if not frame[column].any()]
    if view.run.kind == "demo":  # all of it is this one program
        empty.append("Version")
    if view.count == 0:
        empty.append("Rounds")
    st.dataframe(
        frame.drop(columns=empty),
        hide_index=True,
        placeholder="",
        column_config={
            "Rounds": st.column_config.TextColumn(help="Number of finished rounds that the site answered."),
            "Step time": st.column_config.TextColumn(help="Time for one step of tuning at the site, as last measured."),
            "Study": st.column_config.TextColumn(help="Digest of the study that the site accepted."),
            "Version": st.column_config.TextColumn(
                help="Version of fedprompt at the site. It may differ from the hub's by one minor version."
            ),
            "Now": st.column_config.TextColumn(
                help="Sites do not report progress. The remaining time is estimated from the previous round."
            ),
        },
        alt="Sites of this federation",
    )
    if (view.now is None or view.now.step is None) and view.deadlines and job is not None and job.state == "running":
        waits = ", ".join(
            f"{duration(float(seconds))} {'to tune' if step == 'tune' else 'to score'}"
            for step, seconds in view.deadlines.items()
        )
        st.caption(
            f"In this round each site has {waits}. After that, the round continues once enough sites have answered."
        )


def said_now(now: AtWork | None, view: FederationView) -> str:
    """Return what a site does in the step that gathers now, as people say it."""
    if now is None or now.state == "left out":
        return "" if now is None else "excluded"
    if now.state != "at work":
        return now.state
    step = None if view.now is None else view.now.step
    verb = "scores" if step is None else WORK.get(step.step, "scores")
    left = NOT_TOLD if now.left is None else f"about {duration(now.left)}" if now.left >= 1 else "more than last time"
    return f"{verb} for {duration(now.since or 0.0)}, remaining: {left}"


def draw_members(found: Mapping[str, Any]) -> None:
    """Draw who was invited, admitted or sent away, and who is connected now, as ``hub status`` says."""
    sites: Sequence[Mapping[str, Any]] = found["sites"]
    where = f"{found['host']}:{found['port']}"
    if found["running"]:
        st.caption(
            f":green[:material/lan:] The hub of {plain(str(found['federation']))} is listening at {plain(where)}."
        )
    else:
        named("hub_stopped").warning(
            "The hub is not running. Start it in a terminal or as a service: fedprompt hub run",
            icon=":material/lan:",
        )
    if not sites:
        named("hub_none_invited").caption("No site is invited yet. Invite one with: fedprompt hub invite NAME")
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
        alt="Members of this federation",
    )


def said_ago(when: datetime) -> str:
    """Return how long ago something was, as people say it."""
    seconds = max(0.0, (datetime.now(UTC) - when).total_seconds())
    for size, unit in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "just now"


@guarded
def draw_hub_members(page: str) -> None:
    """Draw them, or how this machine becomes a hub; ``page`` begins the keys."""
    if not (HubFolder(workspace().home).path / "hub.json").exists():
        named("hub_none").info(
            "This machine has no hub yet. Create one with: fedprompt hub init NAME. Then invite sites with: "
            "fedprompt hub invite SITE",
            icon=":material/hub:",
        )
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.header("Members")
        if st.button("Refresh", key=f"{page}_look", icon=":material/refresh:", type="tertiary"):
            st.session_state.pop(f"{page}_roster", None)
    if f"{page}_roster" not in st.session_state:
        st.session_state[f"{page}_roster"] = dict(run_quick(workspace(), "roster", {}, "Asking the hub"))
    draw_members(st.session_state[f"{page}_roster"])
