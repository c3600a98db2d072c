"""What shared prompts are worth by how many labelled cases a site has: right answers alone and with them, in a picture.

Invariant: the two lines are of the same sites, and the band is the interval of their difference, so that where it lies
above the line of "alone" a gain can be told from chance.
"""

from collections.abc import Sequence

import altair as alt
import pandas as pd
import streamlit as st

from app.display.named import named
from app.display.palette import PER_CENT, finished, palette
from app.display.plain import percent, points
from fedprompt.workspace.results.worth import CurvePoint, nearest

__all__ = ["ALONE", "SHARED", "cases", "draw_curve", "said_curve", "said_needed"]

ALONE, SHARED = "alone", "with shared prompts"
KNEE = 4.0  # cases; up to about here the axis is even, beyond it is logarithmic, so that 0 has its place
LEAST_SPAN = 0.1


def draw_curve(curve: Sequence[CurvePoint], *, here: int | None = None, who: str = "you", height: int = 270) -> None:
    """Draw both lines over the number of labelled cases, and the numbers behind them.

    Args:
        curve: rising by ``n``.
        here: how many cases one site has; marked, with what as much would take alone.
        who: whose cases those are, in a word or two.
    """
    if not curve:
        st.caption("The value of these prompts at new sites has not been measured yet.")
        return
    st.altair_chart(
        finished(alt.layer(*_layers(curve, here, who)).properties(height=height)), alt="; ".join(said_curve(curve))
    )
    if here is not None and (told := said_needed(curve, here)):
        named("curve_needed").markdown(told)
    sites = max(point.sites for point in curve)
    band = (
        " The band is the 95 % interval of the gain. The gain is statistically significant where the whole "
        "band is above the dashed line."
    )
    alone = " “Alone” is the strongest method measured without other sites' prompts."
    of = "One site," if sites == 1 else f"Mean of {sites:,} sites, each"
    st.caption(f"{of} measured with prompts that it did not help to tune.{alone}" + (band if _told(curve) else ""))
    with st.expander("Numbers of the curve", icon=":material/table_rows:"):
        st.table(_table(curve), border="horizontal", hide_index=True)


def said_curve(curve: Sequence[CurvePoint]) -> list[str]:
    """Return the picture in words, a part for each point."""
    return [
        f"{cases(point.n)}: accuracy {percent(point.alone)} alone, {percent(point.shared)} with shared prompts"
        for point in curve
    ]


def said_needed(curve: Sequence[CurvePoint], here: int) -> str | None:
    """Return how many cases would be needed alone to get as much right, None where that is not told or no gain."""
    at = nearest(curve, here)
    if at is None or at.needed is None or at.needed <= at.n:
        return None
    has = "no labelled case" if at.n == 0 else "1 labelled case" if at.n == 1 else f"{at.n:,} labelled cases"
    return (
        f"With {has} and shared prompts, a site is as accurate as with about {at.needed:,.0f} cases alone "
        "(dotted line)."
    )


def _layers(curve: Sequence[CurvePoint], here: int | None, who: str) -> list[alt.Chart]:
    colours = palette()
    at = None if here is None else nearest(curve, here)
    x, y = _x(curve, here, at), _y(curve)
    kinds = [SHARED, ALONE]
    legend = alt.Legend(orient="top", title=None, labelLimit=260, symbolSize=110, symbolStrokeWidth=0, offset=18)
    rows = [
        {"n": point.n, "of": of, "right": getattr(point, name), "sites": point.sites}
        for point in curve
        for of, name in ((ALONE, "alone"), (SHARED, "shared"))
    ]
    base = alt.Chart(pd.DataFrame(rows)).encode(
        x=x,
        y=y,
        color=alt.Color(
            "of:N",
            sort=kinds,
            scale=alt.Scale(domain=kinds, range=[colours.together, colours.muted]),
            legend=legend,
        ),
        tooltip=[
            alt.Tooltip("of:N", title="how"),
            alt.Tooltip("n:Q", title="labelled cases"),
            alt.Tooltip("right:Q", title="right", format=".1%"),
            alt.Tooltip("sites:Q"),
        ],
    )
    dash = alt.Scale(domain=kinds, range=[[1, 0], [6, 4]])
    shape = alt.Scale(domain=kinds, range=["circle", "square"])
    told = _told(curve)
    band = pd.DataFrame([{"n": p.n, "low": p.alone + low, "high": p.alone + high} for p, low, high in told])
    layers = [
        base.mark_line(strokeWidth=2.5).encode(strokeDash=alt.StrokeDash("of:N", scale=dash, legend=None)),
        base.mark_point(filled=True, size=70, opacity=1).encode(shape=alt.Shape("of:N", scale=shape, legend=legend)),
    ]
    if told:
        area = alt.Chart(band).mark_area(color=colours.together, opacity=0.14)
        layers.insert(0, area.encode(x=x, y=alt.Y("low:Q", scale=y["scale"]), y2="high:Q"))
    return layers if here is None else [*layers, *_here(here, who, at, x, y)]


def _x(curve: Sequence[CurvePoint], here: int | None, at: CurvePoint | None) -> alt.X:
    values = {point.n for point in curve}
    if at is not None and at.needed is not None:
        values.add(round(at.needed))
    most = max(*values, here or 0, KNEE)
    return alt.X(
        "n:Q",
        title="labelled cases at the site",
        scale=alt.Scale(type="symlog", constant=KNEE, domain=[min(values) - 0.3, 1.08 * most], nice=False),
        axis=alt.Axis(values=sorted(values), grid=False, format="d", labelOverlap=True),
    )


def _y(curve: Sequence[CurvePoint]) -> alt.Y:
    ends = [value for point in curve for value in (point.alone, point.shared)]
    ends += [point.alone + value for point, low, high in _told(curve) for value in (low, high)]
    low, high = max(0.0, min(ends) - 0.03), min(1.0, max(ends) + 0.03)
    scale = alt.Scale(domain=[low, max(high, low + LEAST_SPAN)], clamp=True, nice=False)
    return alt.Y("right:Q", title="accuracy", scale=scale, axis=alt.Axis(labelExpr=PER_CENT, tickCount=5))


def _told(curve: Sequence[CurvePoint]) -> list[tuple[CurvePoint, float, float]]:
    """Return the points that have an interval, each with it."""
    return [(p, p.low, p.high) for p in curve if p.low is not None and p.high is not None]


def _here(here: int, who: str, at: CurvePoint | None, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Return the line at one site's cases, and the way to as many as would be needed alone."""
    colours = palette()
    mark = alt.Chart(pd.DataFrame([{"n": here, "said": f"{who}: {cases(here)}"}])).encode(x=x)
    said = mark.mark_text(color=colours.ink, fontSize=12, align="left" if here == 0 else "center", dy=-9)
    layers = [
        mark.mark_rule(color=colours.ink, strokeWidth=1, strokeDash=[2, 3]),
        said.encode(y=alt.value(0), text="said:N"),
    ]
    if at is not None and at.needed is not None and at.needed > at.n:
        way = alt.Chart(pd.DataFrame([{"n": at.n, "to": at.needed, "right": at.shared}])).encode(y=y)
        end = way.mark_point(shape="square", size=110, strokeWidth=2, filled=False, color=colours.ink)
        layers += [
            way.mark_rule(color=colours.ink, strokeWidth=1.2, strokeDash=[2, 3]).encode(x=x, x2="to:Q"),
            end.encode(x=alt.X("to:Q", scale=x["scale"])),
        ]
    return layers


def _table(curve: Sequence[CurvePoint]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "Labelled cases": f"{point.n:,}",
                "Sites": point.sites,
                "Alone": percent(point.alone),
                "With shared prompts": percent(point.shared),
                "Gain, points": _gain(point),
                "Smallest gain of a site": "unknown" if point.worst is None else points(100 * point.worst),
                "Cases needed alone": _needed(point, curve[-1].n),
            }
            for point in curve
        ]
    )


def _needed(point: CurvePoint, most: int) -> str:
    return f"more than {most:,} cases" if point.needed is None else f"{point.needed:,.0f} cases"


def _gain(point: CurvePoint) -> str:
    told = points(100 * point.gain)
    if point.low is None or point.high is None:
        return told
    return f"{told} ({points(100 * point.low)} to {points(100 * point.high)})"


def cases(n: int) -> str:
    """Return how many cases in words."""
    return "no case" if n == 0 else "1 case" if n == 1 else f"{n:,} cases"
