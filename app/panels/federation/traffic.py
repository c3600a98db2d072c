"""What each site sent and received in a run, and which sites a round did without, and why."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.display.amounts import volume
from app.display.named import named
from app.display.plain import plain, sentence
from app.session import role
from fedprompt.bank.rows import RoundRow
from fedprompt.workspace.results.travelled import Travelled
from fedprompt.workspace.rounds.federation_view import has_answered

__all__ = ["draw_traffic", "said_rounds"]

MOST_MISSING = 12
STEPS = {
    "keys": "while making keys",
    "shares": "while sharing secrets",
    "tune": "while tuning",
    "confirm": "while signing the list of sites",
    "unmask": "while the masks were removed",
    "evaluate": "while scoring the new prompt",
}
WHY = {
    "late": "answered too late",
    "failed": "failed",
    "refused": "refused",
    "untrue": "sent contradictory values",
    "closed": "was skipped when the step was closed",
    "left-out": "was excluded",
}
ABOUT = (
    "Received: data from the hub, such as the shared prompt. Sent: replies that passed the site's egress gate, "
    "such as scores and prompt updates. Neither contains case texts."
)
WHOLE = " The numbers cover every message of the run."
ROUNDS = " For this earlier run, the numbers cover only the messages of its rounds."
HERE = " Sites and hub are on this machine, so nothing left it."


def said_rounds(answered: int, asked: int) -> str:
    """Return in how many of the finished rounds a site answered."""
    return f"{answered} of {asked}" if asked else "none finished"


def draw_traffic(rounds: Sequence[RoundRow], sites: Sequence[str], traffic: Travelled) -> None:
    """Draw bytes by site, and the sites that were missing; nothing where nothing travelled yet."""
    names = list(dict.fromkeys([*sites, *traffic.by_site, *(s for row in rounds for s in row.body.get("by_site", {}))]))
    if traffic.by_site:
        answered = {name: sum(has_answered(row, name) for row in rounds) for name in names}
        st.table(
            [
                {
                    "Site": plain(name),
                    "Sent": volume(traffic.of(name).sent),
                    "Received": volume(traffic.of(name).received),
                    **({"Rounds": said_rounds(answered[name], len(rounds))} if rounds else {}),
                }
                for name in names
            ],
            border="horizontal",
            hide_index=True,
            alt="Bytes sent and received by each site",
        )
        st.caption(ABOUT + (WHOLE if traffic.whole else ROUNDS) + (HERE if role() == "alone" else ""))
    elif rounds:
        total = sum(float(row.body.get("bytes") or 0) for row in rounds)
        named("traffic_not_by_site").caption(
            f"The sites sent {volume(total)} in total over {len(rounds)} rounds. This federation ran before "
            "traffic was counted by site."
        )
    _draw_missing(rounds)


def _draw_missing(rounds: Sequence[RoundRow]) -> None:
    missing = [(row.number, one) for row in rounds for one in row.body.get("missing", ())]
    for number, one in missing[:MOST_MISSING]:
        named(f"traffic_missing_{number}").markdown(f":orange[:material/person_off:] {_missing(number, one)}")
    if len(missing) > MOST_MISSING:
        st.caption(f"and {len(missing) - MOST_MISSING} more absences")
    if not missing and any("missing" in row.body for row in rounds):
        named("traffic_none_missing").caption(":material/check_circle: Every site answered in every round.")


def _missing(number: int, one: Mapping[str, Any]) -> str:
    step, why = STEPS.get(str(one["step"]), str(one["step"])), WHY.get(str(one["why"]), str(one["why"]))
    reason = plain(sentence(str(one["reason"])))
    if one["why"] == "left-out":  # the reason is the whole of it
        return f"Round {number}: **{plain(str(one['site']))}** was {plain(str(one['reason']))}."
    return f"Round {number}: **{plain(str(one['site']))}** {plain(why)} {plain(step)}. {reason}"
