"""The map of prompts as a chart: points with a colour, cells where there are too many, rings around what was found."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from app.panels.palette import Palette, finished, palette
from app.panels.plain import percent
from app.panels.titles import origin_words, title
from app.session import prompt_titles, workspace
from fedprompt.workspace.map_points import Box, MapView

__all__ = ["COLOURS", "draw_map"]

COLOURS = {"score": "Score", "site": "Best site", "family": "Family", "time": "Time"}
HEIGHT = 520


def draw_map(
    view: MapView, colour: str, study: str | None, box: Box | None, found: Mapping[str, float], key: str
) -> Box | None:
    """Draw the part of the map in a box; return the box that the visitor drew, if any."""
    shown, inside = view.shown(box, tuple(found)), len(view.inside(box))
    data = _points(view, list(shown), study, found)
    colours, scale = palette(), alt.Scale(zero=False, nice=False, padding=24)
    names = [
        f"{'first' if axis == 0 else 'second'} direction"
        + ("" if view.shares is None else f": {percent(view.shares[axis])} of the differences")
        for axis in (0, 1)
    ]
    bare = alt.Axis(labels=False, grid=False)
    x, y = alt.X("x:Q", title=names[0], scale=scale, axis=bare), alt.Y("y:Q", title=names[1], scale=scale, axis=bare)
    tips = [
        alt.Tooltip("prompt:N"),
        alt.Tooltip("origin:N", title="where from"),
        alt.Tooltip("mean:N", title="mean over sites"),
        alt.Tooltip("site:N", title="scores best at"),
        alt.Tooltip("family:N"),
        alt.Tooltip("time:T", title="came", format="%d %b %Y, %H:%M"),
    ]
    drawn = alt.selection_interval(name="box", encodings=["x", "y"])
    size = 90 if len(shown) <= 200 else 40 if len(shown) <= 1_000 else 22
    points = (
        alt.Chart(data)
        .mark_circle(size=size, opacity=0.9, stroke=colours.muted, strokeWidth=0.6)
        .encode(x=x, y=y, color=_colour(colour, data, colours), tooltip=tips)
        .add_params(drawn)
    )
    layers: list[alt.Chart] = [points]
    if inside > len(shown):
        cells = pd.DataFrame(view.cells(box), columns=["x", "x2", "y", "y2", "prompts"])
        counted = alt.Color(
            "prompts:Q",
            scale=alt.Scale(type="log", range=[colours.line, colours.muted]),
            legend=alt.Legend(title="prompts in a cell", format=",d"),
        )
        grid = alt.Chart(cells).mark_rect().encode(x=x, y=y, x2="x2:Q", y2="y2:Q", color=counted, tooltip=["prompts:Q"])
        layers.insert(0, grid)
    if found:
        ring = alt.Chart(data[data["found"]]).mark_point(
            size=5 * size, color=colours.worse, strokeWidth=2.5, filled=False
        )
        layers.append(ring.encode(x=x, y=y, tooltip=tips))
    chart = alt.layer(*layers).resolve_scale(color="independent").properties(height=HEIGHT)
    event = st.altair_chart(
        finished(chart),
        key=key,
        on_select="rerun",
        selection_mode="box",
        alt=f"A map of {inside:,} prompts, coloured by {COLOURS[colour].lower()}",
    )
    return _box(event.get("selection", {}).get("box", {}))


def _points(view: MapView, shown: Sequence[int], study: str | None, found: Mapping[str, float]) -> pd.DataFrame:
    ws = workspace()
    rows, names = view.rows(ws, shown), prompt_titles()
    sites = {} if study is None else ws.bank.best_sites(study, list(rows))
    return pd.DataFrame(
        [
            {
                "id": (id := view.ids[place]),
                "x": float(view.places[place, 0]),
                "y": float(view.places[place, 1]),
                "prompt": names.get(id) or title(rows[id]),
                "origin": origin_words(rows[id].origin),
                "score": 100 * float(view.means[place]),
                "mean": percent(None if (mean := float(view.means[place])) != mean else mean),
                "site": sites.get(id, "not measured"),
                "family": f"family {int(view.families[place]) + 1}",
                "time": rows[id].created,
                "found": id in found,
            }
            for place in shown
        ]
    )


def _colour(colour: str, data: pd.DataFrame, colours: Palette) -> Any:
    ramp = alt.Scale(range=list(colours.heat[1:]), interpolate="lab")
    if colour == "score":
        shade = alt.Color("score:Q", scale=ramp, legend=alt.Legend(title="mean, %", gradientLength=200))
        return alt.condition("isValid(datum.score)", shade, alt.value(colours.muted))
    if colour == "time":
        return alt.Color(
            "time:T", scale=ramp, legend=alt.Legend(title="came", gradientLength=200, format="%d %b %H:%M")
        )
    kinds = sorted(set(data[colour]) - {"not measured"})
    return alt.Color(
        f"{colour}:N",
        title=None,
        scale=alt.Scale(
            domain=[*kinds, "not measured"] if "not measured" in set(data[colour]) else kinds,
            range=[*(colours.site(place) for place in range(len(kinds))), colours.muted],
        ),
    )


def _box(drawn: Mapping[str, Sequence[float]]) -> Box | None:
    """Return the box in a chart's event; None where nothing is drawn."""
    x, y = drawn.get("x"), drawn.get("y")
    if not x or not y:
        return None
    return Box(float(min(x)), float(max(x)), float(min(y)), float(max(y)))
