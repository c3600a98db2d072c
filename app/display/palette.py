"""The colours of charts, for light and for dark. A site keeps its colour; what was tuned together is teal.

The colours of sites are those of Okabe and Ito (2008, Color Universal Design, jfly.uni-koeln.de/color), moved until
each has 3 : 1 against the page and no two look alike to people without one of the three kinds of cones. Colour is
never alone: a line has a dash and a point has a shape of its own, which also tell the ninth site from the first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import pandas as pd
import streamlit as st

__all__ = ["PER_CENT", "THEMES", "Palette", "contrast", "dashes", "finished", "on", "palette", "shaded", "shapes"]

PER_CENT = "format(100 * datum.value, '.0f') + ' %'"  # Vega's expression for the labels of an axis of shares
DASHES = ((1, 0), (7, 3), (2, 2), (9, 3, 2, 3), (14, 4))
# A circle is what holds for all: a mean, or what there is one of.
SHAPES = (
    "square",
    "triangle-up",
    "diamond",
    "cross",
    "triangle-down",
    "triangle-right",
    "triangle-left",
)
ON_COLOUR = ("#000000", "#ffffff")  # of these two one has 4.58 : 1 or more on any colour


@dataclass(frozen=True)
class Palette:
    """Colours as ``#rrggbb``; ``heat`` runs from low to high, ``tint`` is red, green and blue for tables."""

    ink: str
    muted: str
    line: str
    together: str
    better: str
    worse: str
    sites: tuple[str, ...]
    heat: tuple[str, ...]
    tint: str

    def site(self, index: int) -> str:
        """Return the colour of the site at a place in the study's order."""
        return self.sites[index % len(self.sites)]

    def scale(self, names: Sequence[str]) -> alt.Scale:
        """Return a colour scale that gives each name its colour, in order."""
        return alt.Scale(domain=list(names), range=[self.site(i) for i in range(len(names))])

    def heat_at(self, share: float) -> str:
        """Return the colour at a share in [0, 1] of the way from low to high."""
        place = min(max(share, 0.0), 1.0) * (len(self.heat) - 1)
        first = min(int(place), len(self.heat) - 2)
        pairs = zip(_bytes(self.heat[first]), _bytes(self.heat[first + 1]), strict=True)
        return "#" + "".join(f"{round(a + (b - a) * (place - first)):02x}" for a, b in pairs)


_LIGHT = Palette(
    ink="#0d1524",
    muted="#64717f",
    line="#dfe5ea",
    together="#0f766e",
    better="#0f766e",
    worse="#b4443c",
    sites=("#1f4685", "#c48800", "#632043", "#9a2700", "#6288bb", "#867300", "#59554f", "#20a677"),
    heat=("#f6f3ea", "#d9e8e0", "#9dcbbf", "#4fa396", "#0f766e"),
    tint="15, 118, 110",
)
_DARK = Palette(
    ink="#e4eaf0",
    muted="#98a5b3",
    line="#2a3540",
    together="#45c9b8",
    better="#45c9b8",
    worse="#ee8378",
    sites=("#3489cb", "#e9a520", "#a15d7b", "#d65900", "#9fc5f0", "#efe641", "#a29384", "#88f7c6"),
    heat=("#1c2530", "#1d3a40", "#1c5853", "#24807a", "#3db5a6"),
    tint="69, 201, 184",
)


THEMES = {"light": _LIGHT, "dark": _DARK}


def palette() -> Palette:
    """Return the colours for the theme that the visitor sees."""
    return THEMES["dark" if st.context.theme.type == "dark" else "light"]


def on(colour: str) -> str:
    """Return the colour of text on a colour: black or white, whichever can be read better."""
    return max(ON_COLOUR, key=lambda ink: contrast(ink, colour))


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, 1 to 21 (WCAG 2.2, contrast ratio)."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def shaded(data: pd.DataFrame, column: str, least: float = 1e-9) -> pd.DataFrame:
    """Return a table with what each cell of a heat map is drawn in: its ``colour``, and the ``ink`` of its text.

    Colours run over the column's values, over a span of ``least`` at least.
    """
    values, colours = data[column].astype(float), palette()
    low, span = values.min(), max(values.max() - values.min(), least)
    shades = [colours.heat_at((value - low) / span) for value in values]
    return data.assign(colour=shades, ink=[on(shade) for shade in shades])


def dashes(names: Sequence[str]) -> alt.Scale:
    """Return a scale that gives each name a dash; those that share a colour differ in it."""
    return alt.Scale(domain=list(names), range=[list(DASHES[_turn(i) % len(DASHES)]) for i in range(len(names))])


def shapes(names: Sequence[str]) -> alt.Scale:
    """Return a scale that gives each name a shape; those that share a colour differ in it."""
    return alt.Scale(domain=list(names), range=[SHAPES[_turn(i) % len(SHAPES)] for i in range(len(names))])


def _turn(index: int) -> int:
    """Return a place that moves on by one each time the colours begin anew."""
    return index + index // len(_LIGHT.sites)


def _bytes(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    """Return the relative luminance of WCAG 2.2."""
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (byte / 255 for byte in _bytes(colour))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def finished(chart: alt.LayerChart | alt.FacetChart) -> alt.LayerChart | alt.FacetChart:
    """Return a chart with the axes and the frame that all charts here share."""
    colours = palette()
    styled: alt.LayerChart | alt.FacetChart = (
        chart.configure_view(stroke=None)
        .configure_axis(
            domain=False,
            ticks=False,
            gridColor=colours.line,
            labelColor=colours.muted,
            titleColor=colours.muted,
            labelFontSize=12,
            titleFontSize=12,
            titleFontWeight="normal",
            labelPadding=6,
        )
        .configure_legend(labelColor=colours.ink, labelFontSize=12, titleColor=colours.muted, symbolType="circle")
    )
    return styled
