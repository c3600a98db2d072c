"""The address carries ids and chosen settings, never what was typed; what it says wrongly is ignored."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from fedprompt.workspace.search.prompt_map import TEXTS, make_map
from fedprompt.workspace.workspace import Workspace
from tests.pages.many import add_many
from tests.pages.test_map import Letters

pytestmark = [pytest.mark.whole, pytest.mark.usefixtures("demo_home")]

Open = Callable[..., AppTest]
ROOT = Path(__file__).parents[2]


def linked(page: str, **settings: str | list[str]) -> AppTest:
    """Open a page with an address, as a reload or a link does."""
    at = AppTest.from_file(str(ROOT / "pages" / f"{page}.py"), default_timeout=30)
    at.query_params.update(settings)
    at.run()
    assert not at.exception and not at.error
    return at


def test_the_leaderboards_settings_come_from_the_address(ws: Workspace) -> None:
    at = linked(
        "leaderboard",
        leaderboard_kind="templates",
        leaderboard_origin="written for the study",
        leaderboard_site="tweets",
        leaderboard_least="75",
        leaderboard_order="worst site",
        leaderboard_columns=["Tags", "Id"],
    )
    table = at.dataframe[0].value
    assert table["tweets"].min() >= 75 and set(table["kind"]) == {"template"}
    assert table["worst site"].is_monotonic_decreasing
    assert at.pills(key="leaderboard_columns").value == ["tags", "short id"]


def test_a_page_of_the_ranking_comes_from_the_address_until_the_filters_change(ws: Workspace) -> None:
    digest, _ = add_many(ws, 120)
    at = linked("leaderboard", study=digest, leaderboard_page="2")
    assert list(at.dataframe[0].value["place"]) == list(range(51, 101))
    at.text_input(key="leaderboard_text").set_value("try").run()
    assert at.number_input(key="leaderboard_page").value == 1


@pytest.mark.parametrize("page", ["9", "-1", "two", ""])
def test_what_the_address_says_wrongly_is_ignored(ws: Workspace, page: str) -> None:
    add_many(ws, 120)
    at = linked("leaderboard", leaderboard_page=page, leaderboard_kind="nothing", leaderboard_order="<b>", keep="me")
    assert list(at.dataframe[0].value["place"]) == list(range(1, 51))
    assert at.query_params["keep"] == "me"


def test_what_was_typed_comes_neither_from_the_address_nor_into_it(ws: Workspace) -> None:
    at = linked("leaderboard", leaderboard_text="terse", leaderboard_tag="staging", bank_find="terse")
    assert at.text_input(key="leaderboard_text").value == "" == at.text_input(key="leaderboard_tag").value
    at.text_input(key="leaderboard_text").set_value("a secret of mine").run()
    assert "secret" not in str(at.query_params)
    at = linked("bank", bank_find="terse", bank_kind="tuned")
    assert at.text_input(key="bank_find").value == "" and set(at.dataframe[0].value["kind"]) == {"tuned"}
    at.text_input(key="bank_find").set_value("a secret of mine").run()
    assert "secret" not in str(at.query_params)


def test_the_maps_settings_come_from_the_address(ws: Workspace) -> None:
    make_map(ws, TEXTS, encoder=Letters())
    model = ws.bank.studies()[0].model_digest
    name = f"soft prompts of model {model.removeprefix('sha256:')[:8]}"
    at = linked("map", map_space=name, map_colour="Best site", map_method="t-SNE")
    assert at.selectbox(key="map_space").value == model
    assert at.segmented_control(key="map_colour").value == "site"
    assert at.segmented_control(key="map_method").value == "tsne"
    make_map(ws, TEXTS, encoder=Letters())
    at = linked("map", map_space="gone", map_colour="Taste")
    assert at.selectbox(key="map_space").value == TEXTS and at.segmented_control(key="map_colour").value == "score"


def test_the_picture_of_a_comparison_comes_from_the_address_beside_its_prompts(ws: Workspace) -> None:
    ids = [row.id for row in ws.bank.prompts()][:2]
    at = linked("compare", p=ids, compare_picture="Calibration")
    assert at.segmented_control(key="compare_picture").value == "calibration"
    at.multiselect(key="compare_prompts").set_value(ids[:1]).run()
    assert at.query_params["p"] == ids[0]


def test_the_run_of_a_federation_comes_from_the_address(ws: Workspace) -> None:
    study = ws.bank.studies()[0].digest
    first, second = (f"r1:{digit * 32}" for digit in "ab")
    for run in (first, second):
        ws.bank.start_run(run, kind="federate", study=study, settings={"sites": ["a", "b"]})
    at = linked("federation", run=first)
    assert at.selectbox(key="federation_run").value == first
    at.selectbox(key="federation_run").set_value(second).run()
    assert at.query_params["run"] == second
    at = linked("federation", run="r1:gone", keep="me")
    assert at.selectbox(key="federation_run").value == second
    assert at.query_params["run"] == second and at.query_params["keep"] == "me"
