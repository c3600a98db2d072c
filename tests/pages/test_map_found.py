"""What a visitor does on the map: choose a part, zoom in, look for more like a prompt, read a soft prompt's words."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from fedprompt.workspace.search.map_points import MapView, map_view
from fedprompt.workspace.search.prompt_map import TEXTS, make_map
from fedprompt.workspace.workspace import Workspace
from tests.pages.messages import messages
from tests.pages.test_map import Letters

pytestmark = [pytest.mark.whole, pytest.mark.usefixtures("demo_home")]

Open = Callable[..., AppTest]
Mapped = tuple[AppTest, MapView]


@pytest.fixture
def model(ws: Workspace) -> str:
    return ws.bank.studies()[0].model_digest


@pytest.fixture
def soft(open_page: Open, ws: Workspace, model: str) -> Mapped:
    """The map of the demo's soft prompts."""
    make_map(ws, TEXTS, encoder=Letters())
    make_map(ws, model)
    at = open_page("map")
    at.selectbox(key="map_space").set_value(model).run()
    view = map_view(ws, model, "pca", ws.bank.studies()[0].digest)
    assert view is not None and not at.error
    return at, view


def choose(at: AppTest, view: MapView, model: str, count: int) -> int:
    """Draw a box around the leftmost prompts; return how many are in it."""
    x, y = view.places[:, 0], view.places[:, 1]
    edge = float(sorted(x)[count - 1])
    box = {"x": [float(x.min()) - 1, edge], "y": [float(y.min()) - 1, float(y.max()) + 1]}
    selection = {"points": [], "point_indices": [], "box": [box], "lasso": []}
    at.session_state[f"map_chart_{model}_pca_{hash(None)}"] = {"selection": selection}
    at.run()
    return int((x <= edge).sum())


def tick(at: AppTest, rows: list[int]) -> None:
    at.session_state[at.dataframe[0].key] = {"selection": {"rows": rows, "columns": [], "cells": []}}
    at.run()


def test_a_box_lists_its_prompts_and_zooming_in_draws_them_alone(soft: Mapped, model: str) -> None:
    at, view = soft
    assert at.button(key="map_in").disabled and at.button(key="map_out").disabled
    inside = choose(at, view, model, 5)
    assert f"{inside} of {len(view.ids)} " in messages(at)["map_shown"]
    assert len(at.dataframe[0].value) == inside
    at.button(key="map_in").click().run()
    assert not at.error and messages(at)["map_shown"].startswith(f"{inside} ")
    at.button(key="map_out").click().run()
    assert messages(at)["map_shown"].startswith(f"{len(view.ids)} ")


def test_ticked_prompts_go_to_compare_and_to_the_bank(soft: Mapped) -> None:
    at, _ = soft
    assert at.button(key="map_compare").disabled and at.button(key="map_bank").disabled
    tick(at, [0, 1])
    assert not at.button(key="map_compare").disabled and at.button(key="map_like").disabled
    tick(at, [*range(7)])
    assert at.button(key="map_compare").disabled and not at.button(key="map_bank").disabled


def test_more_like_a_prompt_are_ringed_and_come_first_until_that_is_cleared(soft: Mapped) -> None:
    at, view = soft
    first = at.dataframe[0].value["prompt"].iloc[0]
    tick(at, [0])
    at.button(key="map_like").click().run()
    assert not at.error
    table = at.dataframe[0].value
    likeness = table["near"].dropna()
    assert likeness.is_monotonic_decreasing and len(likeness) == min(20, len(view.ids) - 1)
    assert first not in set(table["prompt"][: len(likeness)])  # it is not like itself
    assert str(len(likeness)) in messages(at)["map_ringed"]
    at.button(key="map_clear").click().run()
    assert "near" not in at.dataframe[0].value


def test_the_words_nearest_to_a_soft_prompts_vectors_are_read_on_the_page(soft: Mapped) -> None:
    at, _ = soft
    tick(at, [0])
    at.button(key="map_words").click().run()
    assert not at.error
    words = at.dataframe[1].value
    assert list(words["vector"]) == list(range(1, 9))  # the demo's prompts have eight
    assert words["words"].str.len().min() > 0
    assert "map_words_meaning" in messages(at)


def test_a_template_has_no_nearest_words(open_page: Open, ws: Workspace) -> None:
    make_map(ws, TEXTS, encoder=Letters())
    at = open_page("map")
    tick(at, [0])
    assert at.button(key="map_words").disabled and not at.button(key="map_like").disabled
