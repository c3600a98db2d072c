"""Searching by meaning on Bank and Map, with the real encoder."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from fedprompt.workspace.workspace import Workspace

pytestmark = [pytest.mark.whole, pytest.mark.model]

Open = Callable[..., AppTest]
ASKED = "does the author feel cheerful or gloomy?"


@pytest.fixture
def searched(ws: Workspace, demo_home: Path, home_with_assets: Path) -> Workspace:
    """The demo's bank on a machine that has the encoder."""
    (demo_home / "assets").symlink_to(home_with_assets / "assets", target_is_directory=True)
    return ws


def test_the_bank_lists_what_means_alike_the_nearest_first(open_page: Open, searched: Workspace) -> None:
    at = open_page("bank")
    at.text_input(key="bank_meaning").set_value(ASKED).run()
    assert not at.error
    table = at.dataframe[0].value
    assert table["near"].is_monotonic_decreasing and 0 < len(table) <= 20
    assert "happy or unhappy" in set(table["prompt"][:5])
    assert ASKED not in str([job.arguments for job in searched.bank.jobs()]) + str(at.query_params)
    at.text_input(key="bank_meaning").set_value("").run()
    assert "near" not in at.dataframe[0].value and len(at.dataframe[0].value) > 20


def test_the_map_rings_what_means_alike_and_lists_it_first(open_page: Open, searched: Workspace) -> None:
    at = open_page("map")
    assert not at.error
    at.text_input(key="map_meaning").set_value(ASKED).run()
    assert not at.error
    table = at.dataframe[0].value
    near = table["near"].dropna()
    assert near.is_monotonic_decreasing and table["near"].notna()[: len(near)].all()
    assert "happy or unhappy" in set(table["prompt"][:5])
