"""Ticking rows of a table: Streamlit draws tables on a canvas, so a tick is a click at a place."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

__all__ = ["tick"]

ROW, TICK = 35, 16  # pixels: a row's and the heading's height, and how far in the ticks are


def tick(page: "Page", table: "Locator", *places: int) -> None:
    """Tick rows by their places on the screen, from 0, and wait until the page has answered each."""
    for place in places:
        table.click(position={"x": TICK, "y": ROW * (place + 1) + ROW // 2})
        page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
