"""Colours are told apart by people who see them all and by those who do not, and text on them can be read."""

import tomllib
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from app.display.palette import THEMES, Palette, contrast, dashes, on, shaded, shapes

# Machado, Oliveira and Fernandes (2009), A Physiologically-based Model for Simulation of Color Vision Deficiency, IEEE
# TVCG 15(6), the matrices of severity 1.0 for linear RGB; everyone else's is the identity.
SEEN = {
    "all": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
# Linear sRGB to XYZ under D65 (IEC 61966-2-1).
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
ALIKE = 10.0  # CIEDE2000; about 2 is just seen side by side, and lines of a chart lie apart
DEMO = 4  # sites of the demo, which every visitor sees: they lie further apart
ALIKE_IN_DEMO = 14.0
CONFIG = tomllib.loads((Path(__file__).parents[2] / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
Floats = NDArray[np.float64]
both = pytest.mark.parametrize("theme", ["light", "dark"])


def lab(colour: str, matrix: tuple[tuple[float, ...], ...]) -> Floats:
    """Return CIELAB of a colour as somebody sees it."""
    byte = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(byte <= 0.04045, byte / 12.92, ((byte + 0.055) / 1.055) ** 2.4)
    xyz = (TO_XYZ @ np.clip(np.array(matrix) @ linear, 0, 1)) / TO_XYZ.sum(1)
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def ciede2000(one: Floats, other: Floats) -> float:
    """Return the difference of two colours (Sharma, Wu and Dalal 2005, Color Res. Appl. 30(1), equations 2 to 22)."""
    (l1, a1, b1), (l2, a2, b2) = one, other
    chroma = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    g = 0.5 * (1 - np.sqrt(chroma**7 / (chroma**7 + 25**7)))
    c1, c2 = np.hypot(a1 * (1 + g), b1), np.hypot(a2 * (1 + g), b2)
    h1, h2 = (np.degrees(np.arctan2(b, a * (1 + g))) % 360 for a, b in ((a1, b1), (a2, b2)))
    turn = 0.0 if c1 * c2 == 0 else (h2 - h1 + 180) % 360 - 180
    dl, dc, dh = l2 - l1, c2 - c1, 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2))
    light, c = (l1 + l2) / 2, (c1 + c2) / 2
    h = h1 + h2 if c1 * c2 == 0 else (h1 + turn / 2) % 360
    t = 1 - 0.17 * np.cos(np.radians(h - 30)) + 0.24 * np.cos(np.radians(2 * h))
    t += 0.32 * np.cos(np.radians(3 * h + 6)) - 0.2 * np.cos(np.radians(4 * h - 63))
    sl = 1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2)
    sc, sh = 1 + 0.045 * c, 1 + 0.015 * c * t
    rotation = -2 * np.sqrt(c**7 / (c**7 + 25**7)) * np.sin(np.radians(60 * np.exp(-(((h - 275) / 25) ** 2))))
    parts = (dl / sl) ** 2 + (dc / sc) ** 2 + (dh / sh) ** 2 + rotation * dc / sc * dh / sh
    return float(np.sqrt(parts))


def nearest(colours: list[str], seen: str) -> float:
    """Return how far apart the two nearest of some colours are for somebody."""
    found = [lab(colour, SEEN[seen]) for colour in colours]
    return min(ciede2000(one, other) for one, other in combinations(found, 2))


@pytest.mark.parametrize(
    ("one", "other", "far"),  # pairs 1, 13 and 20 of Sharma, Wu and Dalal's table 1
    [
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 2.5, 0.0), (50.0, 0.0, -2.5), 4.3065),
        ((50.0, 2.5, 0.0), (50.0, 1.8634, 0.5757), 1.0000),
    ],
)
def test_the_difference_of_colours_is_that_of_its_papers_table(
    one: tuple[float, ...], other: tuple[float, ...], far: float
) -> None:
    assert ciede2000(np.array(one), np.array(other)) == pytest.approx(far, abs=1e-3)


@both
@pytest.mark.parametrize("seen", list(SEEN))
def test_no_two_sites_look_alike_nor_like_what_was_tuned_together(theme: str, seen: str) -> None:
    colours = THEMES[theme]
    assert nearest([*colours.sites, colours.together], seen) >= ALIKE
    assert nearest([*colours.sites[:DEMO], colours.together], seen) >= ALIKE_IN_DEMO


@both
def test_every_colour_of_a_chart_stands_out_from_the_page(theme: str) -> None:
    colours, page = THEMES[theme], CONFIG["theme"][theme]["backgroundColor"]
    marks = (*colours.sites, colours.together, colours.better, colours.worse)
    assert {one: round(contrast(one, page), 2) for one in marks if contrast(one, page) < 3} == {}
    assert contrast(colours.muted, page) >= 4.5


@both
def test_streamlits_own_charts_use_the_same_colours(theme: str) -> None:
    assert tuple(CONFIG["theme"][theme]["chartCategoricalColors"]) == THEMES[theme].sites


@both
def test_text_on_a_heat_map_can_be_read_on_every_cell(theme: str) -> None:
    colours: Palette = THEMES[theme]
    cells = [colours.heat_at(share / 200) for share in range(201)]
    assert (cells[0], cells[50], cells[200]) == (colours.heat[0], colours.heat[1], colours.heat[-1])
    assert min(contrast(on(cell), cell) for cell in cells) >= 4.5
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


def test_a_heat_map_of_one_value_is_drawn_in_the_lowest_colour() -> None:
    assert set(shaded(pd.DataFrame({"value": [0.5, 0.5]}), "value")["colour"]) == {THEMES["light"].heat[0]}


def test_sites_that_share_a_colour_differ_in_dash_and_shape() -> None:
    names = [f"site {number}" for number in range(24)]
    colours, lines, points = THEMES["light"].scale(names).range, dashes(names).range, shapes(names).range
    assert colours[8] == colours[0]
    assert len({(colour, tuple(line)) for colour, line in zip(colours, lines, strict=True)}) == len(names)
    assert len(set(zip(colours, points, strict=True))) == len(names)
    assert len({tuple(line) for line in lines[:DEMO]}) == len(set(points[:DEMO])) == DEMO
