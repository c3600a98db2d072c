"""Federation: who takes part, round by round, and what travelled; on a site, only what this site does."""

from pathlib import Path
from typing import Any

import streamlit as st

from app.display.address import asked_for, follow_address, go, keep_address
from app.display.named import named
from app.display.plain import plain
from app.display.titles import apart
from app.panels.federation.federation_parts import draw_member, draw_result, draw_rounds_of
from app.panels.federation.forecast import draw_forecast
from app.panels.federation.roster import draw_hub_members, draw_roster
from app.panels.federation.round_controls import draw_controls
from app.panels.federation.sites_chosen import ask_sites
from app.panels.runs.work import active, draw_work, follow, newest_of
from app.panels.studies.study_form import ask_study, set_study
from app.session import guarded, role, workspace
from app.visitor import barred, require, submit, why_not
from fedprompt.bank.rows import JobRow
from fedprompt.workspace.cases.study_draft import KeptStudy, keep_study, kept_studies, study_yaml
from fedprompt.workspace.enrolled.hub_folder import HubFolder
from fedprompt.workspace.rounds.federation_view import federation_view, federations
from fedprompt.workspace.rounds.gathering_now import runs_now

ROUNDS = (
    "In each round, every site tunes the shared prompt on its own cases and sends back the update. The hub "
    "combines the updates into the next prompt, and the sites score it. Case texts never leave a site."
)
ABOUT = {
    "alone": f"{ROUNDS} Here every site is a file on this machine, with its own key, splits and ledger.",
    "hub": f"{ROUNDS} This machine is the hub: it starts the rounds and combines the updates.",
    "site": f"{ROUNDS} This machine is a site: it answers its federation's hub and starts nothing.",
}


@guarded
def draw() -> None:
    """Draw the page."""
    st.title("Federation")
    st.markdown(ABOUT[role()], width=860)
    if role() == "site":
        draw_member(workspace().home)
        return
    if role() == "hub":
        draw_hub_members("federation")
    job = newest_of("federate", "federate-flare")
    # One may also run that a command began, which is no job of the app.
    at_work = st.session_state["federation_at_work"] = bool(runs_now(workspace().home))

    def draw_runs() -> None:
        follow("federation", lambda: (newest_of("federate", "federate-flare"), newest_of("demo")), live, busy=at_work)

    if active(job) or at_work:
        draw_runs()
    elif federations(workspace()) or job is not None:
        run, another = st.tabs(["Runs", "Start a federation"])
        with run:
            draw_runs()
        with another:
            draw_start(job)
    else:
        draw_start(job)


@guarded
def live() -> None:
    """Draw the federation that runs, or the chosen one."""
    ws = workspace()
    if bool(runs_now(ws.home)) != st.session_state["federation_at_work"]:
        st.rerun()
    job = newest_of("federate", "federate-flare")
    draw_work(job, "federation", again=lambda: go_on(job, whole=True))
    if job is not None and job.state == "cancelled":
        st.button("Run one round", key="federation_next", icon=":material/skip_next:", on_click=go_on, args=(job,))
    runs = federations(ws)
    if not runs:
        return
    states = {"running": "not finished", "done": "finished"}
    names = apart(
        {
            run.id: f"{ws.bank.study(run.study).study.study}, {run.created:%d %b %H:%M}, {states[run.state]}"
            for run in runs
        }
    )
    shown = next(iter(names))
    if len(runs) > 1 and not active(job):
        follow_address("run", "federation_run", list(names))
        shown = str(
            st.selectbox(
                "Run",
                list(names),
                format_func=lambda one: names[one],
                key="federation_run",
                on_change=asked_for,
                args=("federation_run",),
            )
        )
        keep_address("run", "federation_run", shown)
    view = federation_view(ws, shown)
    draw_result(view, newest=shown == runs[0].id)
    st.header("Sites")
    draw_roster(view, job)
    draw_controls(view)
    draw_rounds_of(view)
    with st.expander(f"The study {view.run.study[:11]} of this run", icon=":material/article:"):
        st.code(study_yaml(ws.bank.study(view.run.study).study), language="yaml")


def draw_start(job: JobRow | None) -> None:
    """Draw the study, the sites and the buttons that begin a federation; ``job`` is the newest one."""
    kept = {one.name: one for one in kept_studies(workspace().home) if one.study is not None}
    st.header("Start a federation")
    if not kept:
        with st.container(border=True):
            named("federation_needs_study").markdown(
                "**Write a study first.** It says what the sites work on together."
            )
            if st.button("Write a study", key="federation_study", type="primary", icon=":material/edit_note:"):
                go("new_study")
        return
    chosen = kept[str(st.selectbox("Study", list(kept), key="federation_which", persist_state="session"))]
    with st.expander("View or edit the study", icon=":material/edit_note:"):
        draw_editor(chosen)
    assert chosen.study is not None
    kind, arguments = "federate", None
    if role() == "hub":
        folder = HubFolder(workspace().home)
        sites = list(folder.sites()) if (folder.path / "hub.json").exists() else []
        arguments = {"sites": sites} if len(sites) > 1 else None
        kind = "federate-flare"
        many = "1 site is admitted" if len(sites) == 1 else f"{len(sites)} sites are admitted"
        named("federation_members").caption(
            f"{many}. A federation needs at least two. Each site starts once its operator has accepted this study."
        )
    else:
        arguments = ask_sites(chosen.study)
    seed = st.number_input(
        "Seed", 0, 2**31, 0, key="federation_seed", width=200, help="The same seed gives the same run."
    )
    whole = None if arguments is None else {"study": str(chosen.path), **arguments, "seed": int(seed)}
    draw_forecast(whole)
    closed = barred("federate")
    with st.container(horizontal=True):
        for label, key, icon, last in (
            ("Start", "federation_start", "play_arrow", None),
            ("Run one round first", "federation_first", "skip_next", 1),
        ):
            st.button(
                label,
                key=key,
                icon=f":material/{icon}:",
                type="primary" if last is None else "secondary",
                disabled=closed or whole is None or (last is not None and chosen.study.moves is None),
                on_click=ask,
                args=(kind, whole, last),
            )
    draw_same(job, whole)


def draw_same(job: JobRow | None, whole: dict[str, Any] | None) -> None:
    """Say where a federation was asked for that had been finished before: nothing was run again."""
    if job is None or job.state != "done" or job.arguments != whole:
        return
    run = workspace().bank.run(str((job.result or {}).get("run")))
    if run.finished is not None and run.finished < job.created:
        named("federation_same").info(
            f"This study already ran with the same cases and seed, on {run.finished:%d %b %Y at %H:%M} UTC. "
            "Find that run under Runs, or choose another seed.",
            title="Already run",
            icon=":material/history:",
        )


def draw_editor(chosen: KeptStudy) -> None:
    """Draw a kept study as a form and as YAML, and keep it once it is changed."""
    if st.session_state.get("federation_of") != (chosen.path, chosen.changed):
        st.session_state["federation_of"] = (chosen.path, chosen.changed)
        set_study("federation", chosen.path.read_text(encoding="utf-8"))
    text = ask_study("federation")
    shown = "the sites' operators see all of it before they accept it" if role() == "hub" else "it is not sent anywhere"
    named("federation_study_shown" if role() == "hub" else "federation_study_kept").caption(
        ":material/lock: Your text stays in this session until you save it. It is then saved in "
        f"{plain(str(chosen.path.parent))} on this machine, readable only by you, until you delete it; {shown}."
    )
    changed = text is not None and text != chosen.path.read_text(encoding="utf-8")
    st.button(
        "Save the change",
        key="federation_keep",
        icon=":material/save:",
        disabled=not changed or why_not("federate") is not None,
        help="A changed study is a new study: each site must accept it again, and its run starts over.",
        on_click=keep,
        args=(text,),
    )


@guarded
def keep(text: str) -> None:
    """Keep a study."""
    require("federate")
    path: Path = keep_study(workspace().home, text)
    st.toast(f"Saved as {plain(path.name)}.")


@guarded
def ask(kind: str, arguments: dict[str, Any], last: int | None) -> None:
    """Queue a federation, to pause after a round if one is given."""
    submit(workspace(), kind, arguments if last is None else {**arguments, "pause_after": last})


@guarded
def go_on(job: JobRow | None, *, whole: bool = False) -> None:
    """Take a paused federation up again: to its end, or for one round."""
    if job is None:
        return
    ws = workspace()
    arguments = {key: value for key, value in job.arguments.items() if key != "pause_after"}
    runs = federations(ws)
    done = len(ws.bank.rounds(runs[0].id)) if runs else 0
    submit(ws, job.kind, arguments if whole else {**arguments, "pause_after": done + 1})


draw()
