"""Overview: what this is, what runs, what came of it; on a hub who is connected, on a site how it stands."""

from collections.abc import Sequence

import streamlit as st

from app.display.named import named
from app.display.plain import plain, sentence
from app.panels.federation.federation_parts import draw_member
from app.panels.federation.roster import draw_hub_members
from app.panels.federation.rounds import draw_rounds
from app.panels.federation.sites import draw_sites
from app.panels.federation.traffic import draw_traffic
from app.panels.federation.transfer import draw_transfer, transfer_sentence
from app.panels.front.beginning import draw_empty, draw_empty_hub, draw_empty_site, draw_plan
from app.panels.front.gains import draw_gains
from app.panels.front.next_steps import draw_next
from app.panels.front.numbers import draw_numbers
from app.panels.front.recent import draw_recent, draw_working
from app.panels.front.roles import draw_roles
from app.panels.front.study_best import draw_study_bests
from app.panels.runs.job import LONG, active_jobs, draw_jobs, newest
from app.panels.scores.best import draw_best
from app.panels.scores.curve import draw_curve
from app.session import guarded, overview_view, prompt_titles, recent_view, role, study_bests, workspace
from app.visitor import require, submit
from fedprompt.workspace.front.working import Working, working_now
from fedprompt.workspace.machine.launch import first_jobs
from fedprompt.workspace.results.views import OverviewView

BUSY, IDLE = "2s", "10s"  # how often is looked: a command may begin a federation while nothing runs here
ABOUT = (
    "Several sites use the same language model for the same task, and none can share its labelled cases. "
    "Alone, each site has too few cases to find a good prompt, and a prompt that wins at one site often loses "
    "at another. With fedprompt they find prompts together. Each site scores and tunes on its own cases, and only "
    "numbers leave the site. A hub combines the numbers into a prompt that works at every site."
)


@guarded
def start() -> None:
    """Take up what broke off; on a machine that works alone also the demo, its assets first where they are missing."""
    require("tune")
    ws = workspace()
    last = newest(ws.bank.jobs())
    if role() == "alone" and (last is None or last.kind in ("assets", "demo")) and first_jobs(ws):
        return
    submit(ws, last.kind if last else "demo", last.arguments if last else {})


def state_of(view: OverviewView, working: Sequence[Working]) -> tuple[object, ...]:
    """Return what the rest of the page depends on, so that it is drawn anew only when that has changed."""
    jobs = tuple((job.id, job.state) for job in view.jobs if job.kind in LONG)
    counts = (len(view.rounds), len(view.best), len(view.sites), len(view.gains))
    return (jobs, tuple(one.run for one in working), view.result is None, *counts)


@guarded
def live() -> None:
    """Draw what runs and, while it does, the rounds and the best prompts so far."""
    view = overview_view()
    working = working_now(workspace(), view.jobs)
    if st.session_state.get("overview_state") != state_of(view, working):
        st.session_state["overview_state"] = state_of(view, working)
        st.rerun()
    draw_working(working, watch=role() != "site")
    draw_jobs(view.jobs, start)
    if (active_jobs(view.jobs) or working) and view.result is None:
        draw_progress(view)


def draw_progress(view: OverviewView) -> None:
    """Draw the chart by round beside the best prompts."""
    if not view.rounds and not view.best:
        return
    grid = st.grid(2, min_column_width=360, gap="large")
    with grid.cell():
        named("overview_rounds").header("Rounds")
        draw_rounds(view.rounds, view.manual, [site.name for site in view.sites])
    with grid.cell():
        st.header("Best prompts", help="The highest accuracy on this study's validation cases.")
        draw_best(view.best, prompt_titles())


@guarded
def draw() -> None:
    """Draw the page."""
    st.title("Prompts found together")
    st.markdown(ABOUT, width=860)
    draw_roles()
    view = overview_view()
    working = working_now(workspace(), view.jobs)
    st.session_state["overview_state"] = state_of(view, working)
    busy = bool(active_jobs(view.jobs) or working)
    st.fragment(live, run_every=BUSY if busy else IDLE)()
    here = st.container() if role() == "hub" else None
    if role() == "site":
        st.header("This site")
        draw_member(workspace().home)
    if view.sites or view.best or view.result is not None or newest(view.jobs) is not None or working:
        draw_found(view, busy=busy)
    elif role() == "alone":
        draw_empty(start, assets_ready=view.assets_ready)
    else:
        (draw_empty_hub if role() == "hub" else draw_empty_site)()
    if here is not None:  # asked last, since the hub may take a moment to answer
        with here:
            draw_hub_members("overview")


def draw_found(view: OverviewView, *, busy: bool) -> None:
    """Draw what the newest federation and the bank tell."""
    sites = [site.name for site in view.sites]
    if busy and not view.sites and role() == "alone":
        draw_plan()
    if view.headline:
        place = named("overview_better" if is_better(view) else "overview_found")
        tell = place.success if is_better(view) else place.info
        tell(plain(sentence(view.headline)), icon=":material/hub:")
    if not busy:
        draw_next(view.best, (view.result or {}).get("prompts") or {})
    if view.curve:
        named("overview_worth").header("Value of the shared prompts")
        draw_curve(view.curve, here=view.has, who="the newcomer")
    if view.result is not None:
        draw_numbers(view.result)
    if view.transfer and view.gains:
        grid = st.grid(2, min_column_width=360, gap="large")
        with grid.cell():
            st.header("Accuracy at each site")
            named("transfer_said").caption(transfer_sentence(view.transfer, view.federated))
            draw_transfer(view.transfer, view.federated, sites)
        with grid.cell():
            named("overview_gains").header("Gain from joining")
            if donors := (view.result or {}).get("donors"):
                named("overview_donors").caption(plain(sentence(str(donors["sentence"]))))
            draw_gains(view.gains)
    draw_study_bests(study_bests(), prompt_titles(), view.result)
    if view.result is not None or not busy:
        draw_progress(view)
    if view.rounds or view.traffic.by_site:
        st.header("Data sent and received")
        draw_traffic(view.rounds, sites, view.traffic)
    if view.sites:
        st.header("Sites")
        draw_sites(view.sites)
    draw_recent(recent_view())


def is_better(view: OverviewView) -> bool:
    """Return whether joining helped the newcomer beyond chance, or the prompt tuned together beat the best template."""
    if view.curve:
        return any(point.n == view.has and (point.low or 0.0) > 0 for point in view.curve)
    against = ((view.result or {}).get("differences") or {}).get("federated_vs_manual", {})
    return bool(against.get("distinguishable")) and against["difference"] > 0


draw()
