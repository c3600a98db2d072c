"""How long each site's update was and how much it went the way of the others', outliers marked."""

from collections.abc import Sequence

import altair as alt
import pandas as pd
import streamlit as st

from app.display.named import named
from app.display.palette import dashes, finished, palette, shapes
from app.display.plain import plain
from app.session import bank_stamp, workspace
from fedprompt.workspace.rounds.contributing import contributions_of
from fedprompt.workspace.rounds.federation_view import OPPOSED, UpdateRow

__all__ = ["draw_contributions", "draw_updates"]


def draw_updates(rows: Sequence[UpdateRow], sites: Sequence[str]) -> None:
    """Draw norms and cosines by round; nothing where no update was kept."""
    if not rows:
        named("updates_not_kept").caption(
            "Not measured: the hub did not keep the sites' updates. Turn on “Keep each site's updates” in the "
            "study to see them here."
        )
        return
    data = pd.DataFrame([vars(row) for row in rows])
    grid = st.grid(2, min_column_width=320, gap="large")
    with grid.cell():
        st.markdown("**Length**", help="How far a site moved the prompt in a round (Euclidean norm).")
        _draw(data, "norm", sites, None)
    with grid.cell():
        st.markdown(
            "**Direction**",
            help="Cosine with the sum of the other sites' updates: 1 is the same direction, 0 is unrelated, "
            "negative is opposed.",
        )
        _draw(data.dropna(subset=["cosine"]), "cosine", sites, 0.0)
    odd = [row for row in rows if row.outlier]
    for row in odd[:8]:
        why = (
            "pointed against the others"
            if row.cosine is not None and row.cosine < OPPOSED
            else "was much longer than most"
        )
        named(f"updates_odd_{row.round}_{row.site}").markdown(
            f":orange[:material/warning:] Round {row.round}: the update of **{plain(row.site)}** {why}."
        )
    if not odd:
        named("updates_none_odd").caption(":material/check_circle: No update is unusual.")


def draw_contributions(run: str) -> None:
    """Draw what each site contributed to a finished run, once it is asked for."""
    if not st.toggle(
        "Show contributions",
        key="federation_contributions",
        help="Shapley values from the updates that the hub kept. No site is asked. They measure agreement with the "
        "result, not whether a site is honest.",
    ):
        return
    asked = (bank_stamp(), run)
    if st.session_state.get("federation_shares", (None,))[0] != asked:
        st.session_state["federation_shares"] = (asked, contributions_of(workspace(), run))
    found = st.session_state["federation_shares"][1]
    over = "1 round" if found.rounds == 1 else f"the last {found.rounds} rounds"
    named("federation_contributed").caption(f"Averages over {over}. The Shapley values of all sites add up to 1.")
    st.dataframe(
        pd.DataFrame(
            [
                {
                    "site": one.site,
                    "Shapley value": round(one.value, 3),
                    "standard error": round(one.error, 3),
                    "lost without it": round(one.without, 3),
                    "median length": round(one.norm, 3),
                    "median cosine": None if one.cosine is None else round(one.cosine, 2),
                    "outliers": f"{one.outliers} of {one.rounds}",
                }
                for one in found.sites
            ]
        ),
        hide_index=True,
    )


def _draw(data: pd.DataFrame, column: str, sites: Sequence[str], rule: float | None) -> None:
    colours = palette()
    x = alt.X("round:O", title="round", axis=alt.Axis(labelAngle=0, grid=False))
    y = alt.Y(f"{column}:Q", title=None, axis=alt.Axis(tickCount=5))
    legend = alt.Legend(orient="top", columns=4, symbolStrokeWidth=2, symbolSize=90)
    who = alt.Color("site:N", title=None, scale=colours.scale(sites), legend=legend)
    dash = alt.StrokeDash("site:N", title=None, scale=dashes(sites), legend=legend)
    shape = alt.Shape("site:N", title=None, scale=shapes(sites), legend=legend)
    tips = [alt.Tooltip("site:N"), alt.Tooltip("round:O"), alt.Tooltip(f"{column}:Q", format=".3f")]
    base = alt.Chart(data).encode(x=x, y=y, tooltip=tips)
    layers: list[alt.Chart] = [
        base.mark_line(strokeWidth=1.6).encode(color=who, strokeDash=dash),
        base.mark_point(size=60, filled=True, opacity=1).encode(color=who, shape=shape),
    ]
    if bool(data["outlier"].any()):  # a layer without marks would be a picture without a name to a screen reader
        odd = alt.Chart(data[data["outlier"]])
        layers.append(odd.mark_point(size=240, strokeWidth=2, color=colours.worse).encode(x=x, y=y))
    if rule is not None:
        zero = pd.DataFrame([{column: rule}])
        layers.append(alt.Chart(zero).mark_rule(strokeDash=[4, 4], color=colours.muted).encode(y=f"{column}:Q"))
    st.altair_chart(finished(alt.layer(*layers).properties(height=220)), alt=f"{column.capitalize()} of updates")
