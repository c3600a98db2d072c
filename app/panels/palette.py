"""The colours of charts, for light and for dark. A site keeps its colour; what was tuned together is teal."""

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import streamlit as st

__all__ = ["PER_CENT", "Palette", "finished", "palette"]

PER_CENT = "format(100 * datum.value, '.0f') + ' %'"  # Vega's expression for the labels of an axis of shares


@dataclass(frozen=True)
class Palette:
    """Colours as ``#rrggbb``.

    ``heat`` runs from low to high; ``on_heat`` is text on its low and on its high end, which begins at
    ``turn`` in [0, 1]. ``tint`` is red, green and blue for tables.
    """

    ink: str
    muted: str
    line: str
    together: str
    better: str
    worse: str
    sites: tuple[str, ...]
    heat: tuple[str, ...]
    on_heat: tuple[str, str]
    turn: float
    tint: str

    def site(self, index: int) -> str:
        """Return the colour of the site at a place in the study's order."""
        return self.sites[index % len(self.sites)]

    def scale(self, names: Sequence[str]) -> alt.Scale:
        """Return a colour scale that gives each name its colour, in order."""
        return alt.Scale(domain=list(names), range=[self.site(i) for i in range(len(names))])


_LIGHT = Palette(
    ink="#0d1524",
    muted="#64717f",
    line="#dfe5ea",
    together="#0f766e",
    better="#0f766e",
    worse="#b4443c",
    sites=("#4878a8", "#c08427", "#8562ad", "#bb5a75", "#6b8e4e", "#55708a", "#a0653f", "#7a7f87"),
    heat=("#f6f3ea", "#d9e8e0", "#9dcbbf", "#4fa396", "#0f766e"),
    on_heat=("#0d1524", "#ffffff"),
    turn=0.86,
    tint="15, 118, 110",
)
_DARK = Palette(
    ink="#e4eaf0",
    muted="#98a5b3",
    line="#2a3540",
    together="#45c9b8",
    better="#45c9b8",
    worse="#ee8378",
    sites=("#7fb2e2", "#e0b25c", "#b99ce3", "#e792aa", "#a3c585", "#9ab4cd", "#d79f78", "#b3b9c2"),
    heat=("#1c2530", "#1d3a40", "#1c5853", "#24807a", "#3db5a6"),
    on_heat=("#dbe3ea", "#06110f"),
    turn=0.7,
    tint="69, 201, 184",
)


def palette() -> Palette:
    """Return the colours for the theme that the visitor sees."""
    return _DARK if st.context.theme.type == "dark" else _LIGHT


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
