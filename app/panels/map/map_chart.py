"""The map of prompts as a chart: points with a colour, cells where there are too many, rings around what was found.

Plotly draws it, since it has the lasso; it is read only where a map is drawn. Texts are escaped, since Plotly reads a
few HTML tags in them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from itertools import cycle
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.display.palette import Palette, palette
from app.display.plain import percent
from app.display.titles import title
from app.session import bank_stamp, prompt_titles, workspace
from fedprompt.prompts.origins import origin_words
from fedprompt.workspace.search.map_points import Box, MapView, Outline

__all__ = ["COLOURS", "Chosen", "chosen_of", "draw_map"]

COLOURS = {"score": "Score", "site": "Best site", "family": "Cluster", "time": "Time"}
HEIGHT, LONGEST = 540, 80
NOT = "not measured"
SYMBOLS = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "x", "star")
# What only moves the picture in the browser is left out: "Zoom in" asks the store for the part that was chosen.
CONFIG = {
    "displaylogo": False,
    "displayModeBar": True,
    "doubleClick": False,
    "modeBarButtonsToRemove": ["zoom", "pan", "zoomIn", "zoomOut", "autoScale", "resetScale", "toImage"],
}


@dataclass(frozen=True)
class Chosen:
    """What the visitor chose: ``places`` of points of the map, and the ``box`` around what was drawn (None: clicks)."""

    places: NDArray[np.int64]
    box: Box | None


@dataclass(frozen=True)
class _Point:
    place: int
    id: str
    name: str
    origin: str
    mean: float | None
    site: str
    family: int
    came: datetime


def draw_map(
    view: MapView, colour: str, study: str | None, box: Box | None, found: Mapping[str, float], key: str
) -> Chosen | None:
    """Draw the part of the map in a box; return what the visitor chose on it, if anything.

    ``key`` names the map and the box.
    """
    inside = len(view.inside(box))
    figure = _kept_figure((*bank_stamp(), key, colour, study, box, palette().ink), view, colour, study, box)
    event = st.plotly_chart(
        _ringed(figure, view, study, box, found) if found else figure,
        key=key,
        theme=None,
        on_select="rerun",
        selection_mode=("points", "box", "lasso"),
        config=CONFIG,
        alt=f"Map of {inside:,} prompts, coloured by {COLOURS[colour].lower()}",
    )
    return chosen_of(view, event["selection"])


@st.cache_resource(max_entries=24, show_spinner=False)
def _kept_figure(asked: tuple[object, ...], _view: MapView, _colour: str, _study: str | None, _box: Box | None) -> Any:
    """Return the picture that was made for what is ``asked``: making one takes longer than all else on the page."""
    return _figure(_view, _colour, _study, _box)


def _figure(view: MapView, colour: str, study: str | None, box: Box | None) -> Any:
    from plotly.graph_objects import Figure  # type: ignore[import-untyped]

    points = _points(view, view.shown(box).tolist(), study)
    colours = palette()
    size = 11 if len(points) <= 200 else 8 if len(points) <= 1_000 else 6
    traces = [_cells(view, box, colours)] if len(view.inside(box)) > len(points) else []
    traces += _coloured(colour, points, size, colours, view)
    return Figure({"data": traces, "layout": _layout(view, box, colours)})


def _ringed(figure: Any, view: MapView, study: str | None, box: Box | None, found: Mapping[str, float]) -> Any:
    """Return a picture with a ring around each prompt that was found; its dot stands for those in cells."""
    from plotly.graph_objects import Figure

    red, places = palette().worse, view.among(view.inside(box), found)
    ring = {"symbol": "circle-open-dot", "size": 16, "color": red, "line": {"color": red, "width": 2.5}}
    return Figure(figure).add_trace(_trace(_points(view, places, study), ring, view, "found"))


def chosen_of(view: MapView, selection: Mapping[str, Any]) -> Chosen | None:
    """Return what a chart's selection means on the map; all points within a line count, those in cells, too."""
    parts: list[Box | Outline] = [
        Box(float(min(one["x"])), float(max(one["x"])), float(min(one["y"])), float(max(one["y"])))
        for one in selection.get("box", ())
    ]
    parts += [Outline(tuple(map(float, one["x"])), tuple(map(float, one["y"]))) for one in selection.get("lasso", ())]
    if parts:
        boxes = [part.box if isinstance(part, Outline) else part for part in parts]
        around = Box(
            min(box.left for box in boxes),
            max(box.right for box in boxes),
            min(box.low for box in boxes),
            max(box.high for box in boxes),
        )
        return Chosen(np.unique(np.concatenate([view.inside(part) for part in parts])), around)
    clicked = {int(one["customdata"]) for one in selection.get("points", ()) if isinstance(one.get("customdata"), int)}
    known = sorted(place for place in clicked if 0 <= place < len(view.ids))
    return Chosen(np.asarray(known, np.int64), None) if known else None


def _points(view: MapView, shown: Sequence[int], study: str | None) -> list[_Point]:
    ws = workspace()
    rows, names = view.rows(ws, shown), prompt_titles()
    sites = {} if study is None else ws.bank.best_sites(study, list(rows))
    found = []
    for place in shown:
        row, mean = rows[view.ids[place]], float(view.means[place])
        found.append(
            _Point(
                place,
                row.id,
                names.get(row.id) or title(row),
                origin_words(row.origin),
                None if mean != mean else mean,
                sites.get(row.id, NOT),
                int(view.families[place]),
                row.created.astimezone(UTC),
            )
        )
    return found


def _coloured(
    colour: str, points: Sequence[_Point], size: int, colours: Palette, view: MapView
) -> list[dict[str, Any]]:
    edge = {"color": colours.muted, "width": 0.6}
    plain = {"size": size, "line": edge}
    if colour in ("site", "family"):
        kinds: dict[str, list[_Point]] = {}
        for point in points:
            kinds.setdefault(point.site if colour == "site" else f"cluster {point.family + 1}", []).append(point)
        unknown = kinds.pop(NOT, [])
        traces = [
            _trace(kinds[kind], {**plain, "color": colours.site(place), "symbol": symbol}, view, kind, legend=True)
            for place, (kind, symbol) in enumerate(zip(sorted(kinds), cycle(SYMBOLS), strict=False))
        ]
        return [
            *traces,
            *([_trace(unknown, {**plain, "color": colours.muted}, view, NOT, legend=True)] * bool(unknown)),
        ]
    known = [point for point in points if colour == "time" or point.mean is not None]
    unknown = [point for point in points if colour != "time" and point.mean is None]
    traces = []
    if unknown:
        traces.append(_trace(unknown, {**plain, "color": colours.muted, "opacity": 0.5}, view, NOT, legend=True))
    if known:
        values = [point.came.timestamp() if colour == "time" else 100 * (point.mean or 0.0) for point in known]
        ramp = colours.heat[1:]
        bar = {
            "title": {"text": "added (UTC)" if colour == "time" else "accuracy, %", "font": {"color": colours.muted}},
            "thickness": 12,
            "len": 0.6,
            "outlinewidth": 0,
            "tickfont": {"color": colours.ink},
            **(_times(min(values), max(values)) if colour == "time" else {}),
        }
        scale = [[place / (len(ramp) - 1), one] for place, one in enumerate(ramp)]
        marker = {**plain, "color": values, "colorscale": scale, "colorbar": bar, "showscale": True}
        traces.append(_trace(known, marker, view, "measured"))
    return traces


def _times(first: float, last: float) -> dict[str, Any]:
    places = sorted({first, (first + last) / 2, last})
    return {"tickvals": places, "ticktext": [f"{datetime.fromtimestamp(at, UTC):%d %b %H:%M}" for at in places]}


def _trace(
    points: Sequence[_Point], marker: Mapping[str, Any], view: MapView, name: str, *, legend: bool = False
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": escape(name),
        "showlegend": legend,
        "x": [float(view.places[point.place, 0]) for point in points],
        "y": [float(view.places[point.place, 1]) for point in points],
        "marker": marker,
        "unselected": {"marker": {"opacity": 0.25}},
        "customdata": [point.place for point in points],
        "text": [_tip(point) for point in points],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _tip(point: _Point) -> str:
    """Return what is told of a point; one string, since Plotly takes long over columns of them."""
    name = point.name if len(point.name) <= LONGEST else f"{point.name[:LONGEST]}…"
    mean = NOT if point.mean is None else percent(point.mean)
    return (
        f"<b>{escape(name)}</b><br>{escape(point.origin)}<br>mean accuracy over sites: {mean}<br>best site: "
        f"{escape(point.site)}<br>cluster {point.family + 1}, added {point.came:%d %b %Y, %H:%M} UTC"
    )


def _cells(view: MapView, box: Box | None, colours: Palette) -> dict[str, Any]:
    """Return the grid of counts; a cell is darker, the more prompts are in it (by logarithm)."""
    counts, x, y = view.counts(box)
    many = np.where(counts > 0, counts, np.nan).T
    return {
        "type": "heatmap",
        "x": ((x[1:] + x[:-1]) / 2).tolist(),
        "y": ((y[1:] + y[:-1]) / 2).tolist(),
        "z": [[None if one != one else float(one) for one in row] for row in np.log10(many)],
        "customdata": counts.T.astype(int).tolist(),
        "colorscale": [[0.0, colours.line], [1.0, colours.muted]],
        "showscale": False,
        "hoverongaps": False,
        "hovertemplate": "%{customdata:,} prompts<extra></extra>",
    }


def _layout(view: MapView, box: Box | None, colours: Palette) -> dict[str, Any]:
    axes = {}
    for place, name in enumerate(("xaxis", "yaxis")):
        share = "" if view.shares is None else f": {percent(view.shares[place])} of the variance"
        text = f"{'first' if place == 0 else 'second'} component{share}"
        axes[name] = {
            "title": {"text": text, "font": {"size": 12, "color": colours.muted}},
            "showgrid": False,
            "zeroline": False,
            "showticklabels": False,
            "fixedrange": True,
            **({} if box is None else {"range": _wider(*((box.left, box.right), (box.low, box.high))[place])}),
        }
    return {
        **axes,
        "height": HEIGHT,
        "margin": {"l": 30, "r": 10, "t": 30, "b": 40},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "Source Sans, sans-serif", "size": 13, "color": colours.ink},
        "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0.0, "itemsizing": "constant"},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": colours.muted, "activecolor": colours.together},
        "newselection": {"line": {"color": colours.together, "width": 2}},
        "dragmode": "lasso",
        "hoverlabel": {"align": "left"},
        "template": "none",
    }


def _wider(low: float, high: float) -> list[float]:
    edge = 0.03 * (high - low)
    return [low - edge, high + edge]
