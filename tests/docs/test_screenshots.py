"""Pictures of pages are made small without changing what is seen of their colours."""

import numpy as np
from PIL import Image

from scripts.screenshots import LOOKS, MORE, PAGES
from scripts.small_png import FARTHEST, shrunk


def test_a_picture_of_few_colours_keeps_each_to_the_bit() -> None:
    pixels = np.zeros((20, 20, 3), np.uint8)
    pixels[:10] = (31, 70, 133)
    pixels[3, 3] = (196, 136, 0)  # a single dot among many others
    small = shrunk(Image.fromarray(pixels))
    assert small.mode == "P"
    assert np.array_equal(np.asarray(small.convert("RGB")), pixels)


def test_of_many_shades_none_moves_far_and_the_frequent_ones_not_at_all() -> None:
    rng = np.random.default_rng(0)
    shades = np.linspace((15, 118, 110), (255, 255, 255), 900).astype(np.uint8)
    pixels = shades[rng.integers(0, 900, (60, 60))]
    pixels[:30] = (15, 118, 110)
    small = np.asarray(shrunk(Image.fromarray(pixels)).convert("RGB")).astype(int)
    assert np.abs(small - pixels).max() <= FARTHEST
    assert (small[:30] == (15, 118, 110)).all()


def test_a_picture_with_too_many_colours_stays_as_it_is() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (80, 80, 3)).astype(np.uint8)
    whole = shrunk(Image.fromarray(pixels))
    assert np.array_equal(np.asarray(whole), pixels)


def test_every_page_has_both_themes_at_both_widths() -> None:
    assert {(theme, width) for theme, width in LOOKS} == {(t, w) for t in ("light", "dark") for w in (1440, 800)}
    assert set(MORE) <= set(PAGES)
