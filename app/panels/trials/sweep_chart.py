"""A sweep drawn: a line over one setting, a heat map over two, by the measure that the visitor picks."""

import altair as alt
import pandas as pd
import streamlit as st

from app.display.palette import finished, palette, shaded
from fedprompt.workspace.playground.sweeps import MEASURES, Swept

__all__ = ["draw_sweep"]

FORMATS = {"passed": ".0%", "different": ".1f", "written": ".0f", "seconds": ".2f"}
ABOUT = {
    "passed": "Share of the judged answers that pass every scorer.",
    "different": "Number of different texts over the seeds for one row. 1 means that all are the same.",
    "written": "Mean length of the texts.",
    "seconds": "Mean time per answer.",
}
LINE_HEIGHT = 220


def draw_sweep(swept: Swept) -> None:
    """Draw the choice of a measure and the chart; nothing before the first answer."""
    measures = swept.measures
    if not measures:
        return
    chosen = st.segmented_control(
        "Show",
        measures,
        default=measures[0],
        format_func=lambda name: MEASURES[name].capitalize(),
        key="playground_sweep_shown",
        required=True,
    )
    name = str(chosen) if chosen in measures else measures[0]
    data = pd.DataFrame(
        [
            {"x": f"{p.at[0]:g}", "y": f"{p.at[-1]:g}", "at": p.at[0], "value": p.values[name], "answers": p.answers}
            for p in swept.points
            if name in p.values
        ]
    )
    chart = _line(data, swept, name) if len(swept.axes) == 1 else _heat(data, swept, name)
    axes = " and ".join(swept.axes)
    st.altair_chart(finished(chart), alt=f"{MEASURES[name].capitalize()} by {axes}")
    repeated = "" if swept.axes == ("seed",) else " Each point is the mean over its rows and seeds."
    greedy = " At temperature 0 decoding is greedy, so top-p has no effect." if len(swept.axes) > 1 else ""
    st.caption(f"{ABOUT[name]}{repeated}{greedy}")


def _line(data: pd.DataFrame, swept: Swept, name: str) -> alt.LayerChart | alt.FacetChart:
    colours = palette()
    base = alt.Chart(data).encode(
        x=alt.X(
            "at:Q",
            title=swept.axes[0],
            scale=alt.Scale(zero=False, nice=False, padding=24),
            axis=alt.Axis(values=sorted(data["at"]), grid=False),
        ),
        y=alt.Y(
            "value:Q",
            title=MEASURES[name],
            axis=alt.Axis(format=FORMATS[name], tickCount=4),
            scale=alt.Scale(domain=[0, 1]) if name == "passed" else alt.Scale(zero=True),
        ),
        tooltip=_tips(swept, name),
    )
    line = base.mark_line(color=colours.together, strokeWidth=2)
    points = base.mark_circle(color=colours.together, size=80, opacity=1)
    text = base.mark_text(dy=-14, color=colours.ink, fontSize=12).encode(text=alt.Text("value:Q", format=FORMATS[name]))
    return alt.layer(line, points, text).properties(height=LINE_HEIGHT)


def _heat(data: pd.DataFrame, swept: Swept, name: str) -> alt.LayerChart | alt.FacetChart:
    data = shaded(data, "value")
    columns = sorted(data["x"].unique(), key=float)
    rows = sorted(data["y"].unique(), key=float, reverse=True)
    base = alt.Chart(data).encode(
        x=alt.X(
            "x:N",
            title=swept.axes[0],
            sort=columns,
            scale=alt.Scale(paddingInner=0.05),
            axis=alt.Axis(labelAngle=0, grid=False),
        ),
        y=alt.Y("y:N", title=swept.axes[1], sort=rows, scale=alt.Scale(paddingInner=0.1), axis=alt.Axis(grid=False)),
        tooltip=_tips(swept, name),
    )
    boxes = base.mark_rect(cornerRadius=5).encode(color=alt.Color("colour:N", scale=None, legend=None))
    text = base.mark_text(fontSize=13).encode(
        text=alt.Text("value:Q", format=FORMATS[name]), color=alt.Color("ink:N", scale=None, legend=None)
    )
    return alt.layer(boxes, text).properties(height=44 * len(rows) + 50)


def _tips(swept: Swept, name: str) -> list[alt.Tooltip]:
    fields = ["at:Q"] if len(swept.axes) == 1 else ["x:N", "y:N"]
    tips = [alt.Tooltip(field, title=axis) for field, axis in zip(fields, swept.axes, strict=True)]
    return [*tips, alt.Tooltip("value:Q", title=MEASURES[name], format=FORMATS[name]), alt.Tooltip("answers:Q")]
