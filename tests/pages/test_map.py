from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Template
from fedprompt.workspace.search.prompt_map import TEXTS, load_map, make_map
from fedprompt.workspace.workspace import Workspace, open_workspace
from tests.pages.messages import messages

Open = Callable[..., AppTest]
MODEL = "sha256:" + "a" * 64


class Letters:
    """An encoder that counts letters."""

    width = 26

    def encode(self, texts: object) -> np.ndarray:
        assert isinstance(texts, list)
        counted = [[text.lower().count(chr(97 + place)) for place in range(26)] for text in texts]
        return np.asarray(counted, np.float32)


@pytest.fixture
def fresh(home: Path) -> Iterator[Workspace]:
    with open_workspace(home) as opened:
        yield opened


def _fill(ws: Workspace, count: int) -> None:
    rng = np.random.default_rng(0)
    template = Template("soft", text="{text}{soft}")
    batch = [
        (Prompt(template, SoftPrompt(row[None].astype(np.float32), MODEL)), {}) for row in rng.normal(size=(count, 4))
    ]
    ws.bank.record_prompts(batch, study=None, origin="import")


def _charts(at: AppTest) -> int:
    return len(at.get("plotly_chart"))


def test_an_empty_bank_says_what_to_do_and_draws_no_map(open_page: Open) -> None:
    at = open_page("map")
    assert "map_too_few" in messages(at)
    assert not _charts(at)


def test_three_prompts_are_too_few(open_page: Open, fresh: Workspace) -> None:
    _fill(fresh, 3)
    at = open_page("map")
    assert " 3" in messages(at)["map_too_few"]
    assert not _charts(at)


def test_without_the_encoder_the_map_of_templates_names_what_is_missing(open_page: Open, demo_home: Path) -> None:
    at = open_page("map")
    assert "error_asset" in messages(at)
    assert [str(button.key)[:6] for button in at.button if button.key != "map_meaning"] == ["error_"]


def test_the_demos_templates_are_a_map_with_its_share_of_the_differences(
    open_page: Open, ws: Workspace, demo_home: Path
) -> None:
    make_map(ws, TEXTS, encoder=Letters())
    at = open_page("map")
    assert not at.error
    assert _charts(at) == 1
    assert "%" in messages(at)["map_shown"]
    assert at.dataframe[0].value["mean"].is_monotonic_decreasing


@pytest.mark.parametrize("colour", ["site", "family", "time"])
def test_soft_prompts_are_mapped_by_a_job_in_each_colour(
    colour: str, open_page: Open, ws: Workspace, demo_home: Path
) -> None:
    make_map(ws, TEXTS, encoder=Letters())
    at = open_page("map")
    (model,) = [row.model_digest for row in ws.bank.studies()]
    assert load_map(ws, model) is None
    at.selectbox(key="map_space").set_value(model)
    at.session_state["map_colour"] = colour
    at.run()
    assert not at.exception
    assert not at.error
    assert _charts(at) == 1
    assert load_map(ws, model) is not None


@pytest.mark.slow
def test_six_thousand_prompts_are_counted_in_cells_with_the_best_as_points(open_page: Open, fresh: Workspace) -> None:
    _fill(fresh, 6_000)
    at = open_page("map")
    assert not at.error
    assert _charts(at) == 1
    assert "map_in_cells" in messages(at)
