"""A map is of what the bank holds now, exact, the same each time, and says how much of the differences it shows."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fedprompt.errors import FedPromptError
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Template
from fedprompt.workspace.answers.nearest_words import run_nearest_words
from fedprompt.workspace.search.map_points import BEST, MOST_POINTS, Box, MapView, map_view
from fedprompt.workspace.search.prompt_map import LEAST, TEXTS, load_map, make_map, map_sizes
from fedprompt.workspace.shelf.events import retire
from fedprompt.workspace.workspace import Workspace
from tests.coded import coded
from tests.new_bank import new_workspace

MODEL, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
# Of length 1, on a circle in a plane: two directions show everything.
CIRCLE = np.stack([[np.cos(a), np.sin(a), 0.0] for a in 2 * np.pi * np.arange(8) / 8]).astype(np.float32)


def _soft(vector: np.ndarray, model: str = MODEL) -> Prompt:
    return Prompt(Template("soft", text="{text}{soft}"), SoftPrompt(vector[None], model))


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    with new_workspace(tmp_path / "home") as opened:
        opened.bank.record_prompts([(_soft(row), {}) for row in CIRCLE], study=None, origin="import")
        yield opened


def test_points_in_a_plane_keep_their_distances_and_nothing_is_lost(ws: Workspace) -> None:
    found = make_map(ws, MODEL)
    assert found.shares is not None
    assert sum(found.shares) == pytest.approx(1.0)
    wanted = np.linalg.norm(CIRCLE[:, None] - CIRCLE[None], axis=2)
    got = np.linalg.norm(found.places[:, None] - found.places[None], axis=2)
    np.testing.assert_allclose(got, wanted, atol=1e-5)


def test_a_kept_map_is_the_one_that_was_made_and_is_gone_once_a_prompt_comes(ws: Workspace) -> None:
    assert load_map(ws, MODEL) is None
    made = make_map(ws, MODEL)
    kept = load_map(ws, MODEL)
    assert kept is not None
    np.testing.assert_array_equal(kept.places, made.places)
    np.testing.assert_array_equal(make_map(ws, MODEL).families, made.families)
    ws.bank.record_prompt(_soft(np.array([0.0, 0.0, 1.0], np.float32)), study=None, origin="import")
    assert load_map(ws, MODEL) is None
    assert len(make_map(ws, MODEL).numbers) == 9


def test_each_models_soft_prompts_have_a_map_of_their_own(ws: Workspace) -> None:
    ws.bank.record_prompt(_soft(np.ones(5, np.float32), OTHER), study=None, origin="import")
    ws.bank.record_prompt(Prompt(Template("plain", text="Say: {text}")), study=None, origin="import")
    assert map_sizes(ws) == {TEXTS: 1, MODEL: 8, OTHER: 1}
    make_map(ws, MODEL)
    ws.bank.record_prompt(_soft(np.zeros(5, np.float32) + 2, OTHER), study=None, origin="import")
    assert load_map(ws, MODEL) is not None


def test_prompts_that_do_not_differ_make_no_map_and_say_so(ws: Workspace) -> None:
    for length in range(1, 7):  # of one direction, so alike once their lengths are 1
        ws.bank.record_prompt(_soft(np.full(4, float(length), np.float32), OTHER), study=None, origin="import")
    assert make_map(ws, OTHER).distinct < LEAST


def test_a_damaged_map_is_no_map(ws: Workspace) -> None:
    make_map(ws, MODEL)
    (path,) = (ws.home.path / "index" / "maps").iterdir()
    path.write_bytes(path.read_bytes()[:40])
    assert load_map(ws, MODEL) is None


def test_a_map_is_readable_by_its_owner_alone(ws: Workspace) -> None:
    make_map(ws, MODEL)
    (path,) = (ws.home.path / "index" / "maps").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_retired_prompt_is_off_the_map_without_a_new_one(ws: Workspace) -> None:
    make_map(ws, MODEL)
    view = map_view(ws, MODEL, "pca", None)
    assert view is not None
    retire(ws, view.ids[2], by="Ada", note="")
    after = map_view(ws, MODEL, "pca", None)
    assert after is not None
    assert after.ids == view.ids[:2] + view.ids[3:]


def test_an_unknown_layout_or_model_is_refused_in_a_sentence(ws: Workspace) -> None:
    with pytest.raises(FedPromptError, check=coded("unknown-map")):
        make_map(ws, MODEL, "umap")
    with pytest.raises(FedPromptError, check=coded("no-soft-prompt")):
        make_map(ws, OTHER)


def test_past_the_bound_only_the_best_are_points_and_cells_count_all() -> None:
    rng, many = np.random.default_rng(0), MOST_POINTS + 1_000
    means = rng.uniform(size=many)
    means[7] = np.nan
    ids = tuple(f"p1:{place}" for place in range(many))
    places = rng.normal(size=(many, 2)).astype(np.float32)
    view = MapView(ids, places, means, np.zeros(many, np.int64), None, many)
    best = np.argsort(-np.nan_to_num(means, nan=-1.0))[:BEST]
    assert view.shown(None).tolist() == np.sort(best).tolist()
    assert view.counts(None)[0].sum() == many
    box = Box(0.0, 9.0, 0.0, 9.0)
    inside = view.shown(box)
    assert (places[inside] >= 0).all()
    assert len(inside) == len(view.inside(box)) == int((places >= 0).all(axis=1).sum())


def test_what_was_found_comes_first_the_nearest_ahead_and_only_from_the_part_that_is_shown() -> None:
    ids, means = tuple(f"p1:{place}" for place in range(5)), np.array([0.1, 0.9, np.nan, 0.5, 0.9])
    view = MapView(ids, np.zeros((5, 2), np.float32), means, np.zeros(5, np.int64), None, 5)
    part = np.array([0, 2, 3, 4])
    assert view.among(part, ["p1:4", "p1:1", "p1:gone", "p1:0"]) == [4, 0]
    assert view.best(part, {"p1:0": 0.2, "p1:1": 0.9, "p1:2": 0.8}, 3) == [2, 0, 4]
    assert view.best(part, {}, 3) == [4, 3, 0]


def test_words_are_refused_for_a_template_and_for_a_model_that_no_study_names(ws: Workspace) -> None:
    template = ws.bank.record_prompt(Prompt(Template("plain", text="Say: {text}")), study=None, origin="import")
    with pytest.raises(FedPromptError, check=coded("words-of-its-own")):
        run_nearest_words(ws, {"prompt": template})
    soft = ws.bank.prompts(kind="soft")[0].id
    with pytest.raises(FedPromptError, check=coded("vocabulary-unknown")):
        run_nearest_words(ws, {"prompt": soft})
