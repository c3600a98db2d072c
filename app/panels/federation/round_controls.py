"""What the operator of a federation may order while it runs: wait longer, close now, leave a site out, take it back."""

from collections.abc import Mapping

import streamlit as st

from app.display.named import named
from app.display.plain import plain, sentence
from app.panels.runs.work import duration
from app.session import guarded, workspace
from app.visitor import barred, person, require
from fedprompt.workspace.rounds.federation_view import FederationView
from fedprompt.workspace.rounds.gathering_now import StepNow
from fedprompt.workspace.rounds.given_orders import GivenOrder, What, give_order

__all__ = ["draw_controls", "said_step"]

MOST_ORDERS = 6
# The steps of a round, and those before and after the rounds.
IN_ROUNDS: Mapping[str, str] = {
    "keys": "sites make keys for the secure sum",
    "shares": "sites share the secrets of their masks",
    "tune": "sites tune",
    "confirm": "sites sign whose updates are in the secure sum",
    "unmask": "sites let the hub remove the masks from the sum",
    "evaluate": "sites score the new prompt",
}
BESIDE: Mapping[str, str] = {
    "describe": "Sites count their cases",
    "score": "Sites score the study's prompts",
    "compare": "Sites compare prompts case by case",
    "alone": "Each site tunes a prompt alone",
    "choose": "Each site chooses the prompt that it keeps",
    "worth": "Sites measure the value of the shared prompts",
    "head": "Sites fit heads on the sentence encoder",
    "test": "Sites score the chosen prompts on test cases",
}
WORDS = {
    "wait": "extended the deadline",
    "close": "closed the step",
    "leave-out": "excluded",
    "take-back": "included again",
}
MARKS = {True: ":green[:material/check:]", False: ":orange[:material/block:]", None: ":material/schedule:"}


def draw_controls(view: FederationView) -> None:
    """Draw the controls of a run, those of a round only while one gathers; of a finished run, what was ordered."""
    if view.run.kind != "federate":
        return
    if view.run.result is not None:
        _draw_orders(view.orders)
        return
    with st.container(border=True, key="federation_controls"):
        step = None if view.now is None else view.now.step
        if step is not None:
            _draw_step(step, view.count)
        closed = barred("federate")
        if step is not None:
            _draw_time(view.run.id, step, closed)
        _draw_sites(view, closed)
    _draw_orders(view.orders)


def said_step(step: StepNow, count: int) -> str:
    """Return what the sites do in a step of a run of ``count`` rounds, without a full stop."""
    if step.step not in IN_ROUNDS:
        return BESIDE[step.step]
    of = f" of {count}" if step.round <= count else ""
    return f"Round {step.round}{of}: {IN_ROUNDS[step.step]}"


def _draw_step(step: StepNow, count: int) -> None:
    had = "no time limit" if step.seconds is None else duration(step.seconds)
    named("federation_step").markdown(
        f"**{said_step(step, count)}.** {step.answered} of {step.taking_part} sites have answered; "
        f"{step.quorum} are required. Time limit per site: {had}.",
        help="After the deadline, the round continues once enough sites have answered. If every site is required, "
        "it waits for every site.",
    )


def _draw_time(run: str, step: StepNow, closed: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        minutes = st.number_input(
            "Extra minutes",
            1,
            7 * 24 * 60,
            max(1, min(30, round((step.seconds or 300.0) / 60))),
            key="federation_minutes",
            width=150,
            disabled=closed,
        )
        st.button(
            "Extend",
            key="federation_wait",
            icon=":material/more_time:",
            disabled=closed or step.seconds is None,
            help="This step has no deadline: it waits for every site." if step.seconds is None else None,
            on_click=_order,
            args=(run, "wait", None, 60.0 * minutes),
        )
        why = step.why_not_close
        st.button(
            "Close the step",
            key="federation_close",
            icon=":material/door_front:",
            disabled=closed or why is not None,
            help="The step continues with the sites that have answered. The others are listed as missing."
            if why is None
            else plain(sentence(why)),
            on_click=_order,
            args=(run, "close", None, None),
        )


def _draw_sites(view: FederationView, closed: bool) -> None:
    asked = [row.site for row in view.sites if row.site not in view.left_out]
    out = () if view.now is None or view.now.step is None else view.now.step.waiting
    asked.sort(key=lambda site: site not in out)  # whose answer is out first: they are whom it is about
    with st.container(horizontal=True, vertical_alignment="bottom"):
        site = st.selectbox("Site", asked, key="federation_site", width=220, disabled=closed)
        st.button(
            "Exclude",
            key="federation_leave_out",
            icon=":material/person_off:",
            disabled=closed or site is None,
            help="An excluded site gets no more tasks and does not count as required until you include it again. "
            "Its earlier answers still count.",
            on_click=_order,
            args=(view.run.id, "leave-out", site, None),
        )
    for number, (name, by) in enumerate(view.left_out.items()):
        with st.container(horizontal=True, vertical_alignment="center"):
            named(f"federation_left_out_{number}", narrow=True).markdown(
                f"**{plain(name)}** is excluded{f' by {plain(by)}' if by else ''}.", width="content"
            )
            st.button(
                "Include again",
                key=f"federation_take_back_{number}",
                icon=":material/person_add:",
                type="tertiary",
                disabled=closed,
                on_click=_order,
                args=(view.run.id, "take-back", name, None),
            )


def _draw_orders(orders: tuple[GivenOrder, ...]) -> None:
    taken = {True: "taken", False: "refused", None: "waits"}
    for place, one in enumerate(reversed(orders[-MOST_ORDERS:])):
        of = one.order
        who = f"{plain(of.by)}: " if of.by else ""
        what = f"{WORDS[of.what]} {plain(of.site or '')}".rstrip()
        named(f"federation_order_{place}_{taken[one.done]}").caption(
            f"{MARKS[one.done]} {of.at[11:16]} UTC, {who}**{what}**. {plain(sentence(one.said))}"
        )


@guarded
def _order(run: str, what: What, site: str | None, seconds: float | None) -> None:
    """Give an order."""
    require("federate")
    give_order(workspace(), what, run=run, site=site, seconds=seconds, by=person().label)
