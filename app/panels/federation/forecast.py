"""What a federation would take, asked for before it is begun: time and bytes, site by site."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app.display.amounts import volume
from app.display.named import named
from app.display.plain import sentence
from app.panels.runs.running import run_quick
from app.panels.runs.work import duration
from app.session import explain, workspace
from fedprompt.errors import FedPromptError

__all__ = ["draw_forecast"]

BASIS = {
    "measured": "The time is estimated from one step on this machine per site, one site after another",
    "earlier rounds": "The time is estimated from earlier rounds of this study",
    "not known": "The time is unknown: the sites' files are on other machines, and this study has no finished round",
}
WANTED = ("study", "sites", "mapping", "group")


def draw_forecast(arguments: Mapping[str, Any] | None) -> None:
    """Draw the button, and what was found for just these arguments (``study``, ``sites``, ``mapping``, ``group``)."""
    asked = None if arguments is None else {name: arguments.get(name) for name in WANTED}
    if st.button(
        "Estimate time and traffic",
        key="federation_forecast_ask",
        icon=":material/timer:",
        disabled=asked is None,
        help="Nothing is sent to a site. The size of each message is computed from the study.",
    ):
        try:
            found = run_quick(workspace(), "forecast", asked or {}, "Estimating time and traffic")
        except FedPromptError as error:  # what begins a federation stays in place
            explain(error)
            return
        st.session_state["federation_forecast"] = (asked, dict(found))
    kept = st.session_state.get("federation_forecast")
    if kept is None or kept[0] != asked:
        return
    _draw(kept[1])


def _draw(found: Mapping[str, Any]) -> None:
    rows = [
        {
            "Site": site,
            "Cases": one["cases"],
            "Time": "not known" if one["seconds"] is None else duration(one["seconds"]),
            "Receives": volume(one["sent"]),  # the hub's "sent" is what a site receives
            "Sends": volume(one["received"]),
        }
        for site, one in found["sites"].items()
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, placeholder="unknown", alt="Estimate by site", width=620)
    total = "" if found["seconds"] is None else f"{duration(found['seconds'])} in total; "
    travels = f"{volume(found['sent'])} to the sites and {volume(found['received'])} from them"
    rounds = f"{found['rounds']} rounds" if found["rounds"] else "no rounds, because the study has no soft prompt"
    named(f"forecast_{found['basis'].replace(' ', '_')}").caption(
        f"{total}{travels}, {rounds}. {sentence(BASIS[found['basis']])}"
    )
