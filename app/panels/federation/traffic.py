"""What each site sent and received in the rounds, and which sites a round did without, and why."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.display.amounts import volume
from app.display.named import named
from app.display.plain import plain, sentence
from fedprompt.bank.rows import RoundRow

__all__ = ["draw_traffic"]

MOST_MISSING = 12
STEPS = {"tune": "while tuning", "evaluate": "while scoring the round's prompt"}
WHY = {
    "late": "came too late",
    "failed": "failed",
    "refused": "refused",
    "untrue": "sent what cannot be true",
    "closed": "was not waited for",
    "left-out": "was left out",
}
ABOUT = (
    "Received is what the hub sent to the site, such as the shared prompt; sent is what left the site through its "
    "gate: the change of a prompt, and scores. No text of a case is in either."
)


def draw_traffic(rounds: Sequence[RoundRow], sites: Sequence[str]) -> None:
    """Draw bytes by site, and the sites that were missing; nothing where no round is finished."""
    if not rounds:
        return
    names = list(dict.fromkeys([*sites, *(site for row in rounds for site in row.body.get("by_site", {}))]))
    measured = [row for row in rounds if row.body.get("sent") or row.body.get("received")]
    if measured:
        # The hub's "sent" is what a site received.
        st.table(
            [
                {
                    "Site": plain(name),
                    "Sent": volume(_total(measured, "received", name)),
                    "Received": volume(_total(measured, "sent", name)),
                    "Answered": f"{sum(name in row.body.get('by_site', {}) for row in rounds)} of {len(rounds)} rounds",
                }
                for name in names
            ],
            border="horizontal",
            hide_index=True,
            alt="Bytes sent and received by each site",
        )
        counted = "" if len(measured) == len(rounds) else f" Bytes are of {len(measured)} of {len(rounds)} rounds."
        st.caption(ABOUT + counted)
    else:
        total = sum(float(row.body.get("bytes") or 0) for row in rounds)
        named("traffic_not_by_site").caption(
            f"The sites sent {volume(total)} in all over {len(rounds)} rounds. Bytes by site were not yet counted "
            "when this federation ran."
        )
    _draw_missing(rounds)


def _draw_missing(rounds: Sequence[RoundRow]) -> None:
    missing = [(row.number, one) for row in rounds for one in row.body.get("missing", ())]
    for number, one in missing[:MOST_MISSING]:
        named(f"traffic_missing_{number}").markdown(f":orange[:material/person_off:] {_missing(number, one)}")
    if len(missing) > MOST_MISSING:
        st.caption(f"and {len(missing) - MOST_MISSING} more times that a site was missing")
    if not missing and any("missing" in row.body for row in rounds):
        named("traffic_none_missing").caption(":material/check_circle: No site was missing in any round.")


def _missing(number: int, one: Mapping[str, Any]) -> str:
    step, why = STEPS.get(str(one["step"]), str(one["step"])), WHY.get(str(one["why"]), str(one["why"]))
    reason = plain(sentence(str(one["reason"])))
    if one["why"] == "left-out":  # the reason is the whole of it
        return f"Round {number}: **{plain(str(one['site']))}** was {plain(str(one['reason']))}."
    return f"Round {number}: **{plain(str(one['site']))}** {plain(why)} {plain(step)}. {reason}"


def _total(rounds: Sequence[RoundRow], which: str, site: str) -> float:
    return float(sum(row.body.get(which, {}).get(site, 0) for row in rounds))
