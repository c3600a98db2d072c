from collections.abc import Callable

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from fedprompt.workspace.workspace import Workspace
from tests.pages.many import add_many

pytestmark = pytest.mark.whole

Open = Callable[..., AppTest]


def ranking(at: AppTest) -> pd.DataFrame:
    return at.dataframe[0].value


def test_without_scores_the_page_says_where_they_come_from(open_page: Open) -> None:
    at = open_page("leaderboard")
    assert "Start the demo on the Overview page" in at.info[0].value
    assert not at.dataframe


@pytest.mark.usefixtures("demo_home")
def test_prompts_stand_in_the_order_of_their_means(open_page: Open) -> None:
    table = ranking(open_page("leaderboard"))
    assert table["mean"].is_monotonic_decreasing
    assert list(table["place"]) == list(range(1, len(table) + 1))
    assert table["standing"].iloc[-1] == "below"
    worst = table[["editorials", "movies", "products", "tweets"]].min(axis=1)
    assert (table["worst site"] - worst).abs().max() < 1e-9


@pytest.mark.usefixtures("demo_home")
def test_what_was_not_measured_is_missing_and_never_zero(open_page: Open) -> None:
    at = open_page("leaderboard")
    rest = at.dataframe[1].value
    alone = rest[rest["prompt"] == "tuned at tweets, round 4"].iloc[0]
    assert alone["tweets"] > 80
    assert pd.isna(alone["movies"])


@pytest.mark.usefixtures("demo_home")
def test_filters_are_asked_of_the_store_and_places_begin_anew(open_page: Open) -> None:
    at = open_page("leaderboard")
    at.selectbox(key="leaderboard_origin").select("federated").run()
    found = ranking(at)
    assert set(found["prompt"]) == {f"tuned together, round {n}" for n in (1, 2, 3, 4)}
    assert list(found["place"]) == [1, 2, 3, 4]
    at.selectbox(key="leaderboard_origin").select(None).run()
    at.text_input(key="leaderboard_text").set_value("terse").run()
    assert "terse" in set(ranking(at)["prompt"])
    at.text_input(key="leaderboard_text").set_value("").run()
    at.selectbox(key="leaderboard_site").select("editorials").run()
    at.number_input(key="leaderboard_least").set_value(80).run()
    assert ranking(at)["editorials"].min() >= 80
    at.number_input(key="leaderboard_least").set_value(100).run()
    assert "loosen" in at.info[0].value


@pytest.mark.usefixtures("demo_home")
def test_a_prompt_tuned_on_pooled_cases_is_a_reference_and_never_best(open_page: Open) -> None:
    table = ranking(open_page("leaderboard"))
    pooled = table[table["prompt"].str.startswith("tuned on all cases")]
    assert len(pooled) == 4 and set(pooled["standing"]) == {"reference"}
    assert pooled["best with"].isna().all()
    best = table[table["standing"] == "best"]
    assert list(best["prompt"]) == ["tuned together, round 3"]  # TOGETHER's third row has the highest mean
    assert table["best with"].sum() == pytest.approx(100)
    assert not table["prompt"].str.contains("(", regex=False).any() and table["short id"].is_unique


@pytest.mark.usefixtures("demo_home")
def test_test_cases_are_shown_on_request_and_for_nominated_prompts_only(open_page: Open) -> None:
    at = open_page("leaderboard")
    assert "test mean" not in ranking(at)
    switch = at.toggle(key="leaderboard_test")
    assert "they were looked at once" in switch.label
    switch.set_value(True).run()
    measured = ranking(at)[ranking(at)["test mean"].notna()]
    assert set(measured["prompt"]) == {"good or bad", "tuned together, round 3", "tuned on all cases, round 3"}


@pytest.mark.usefixtures("demo_home")
def test_nothing_on_the_page_comes_from_a_bank_of_another_home(
    open_page: Open, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert open_page("leaderboard").dataframe
    monkeypatch.setenv("FEDPROMPT_HOME", f"{tmp_path}/other")
    assert not open_page("leaderboard").dataframe


def test_a_new_score_is_seen_at_the_next_look(open_page: Open, ws: Workspace) -> None:
    from tests.demo_bank import fill

    assert not open_page("leaderboard").dataframe
    fill(ws, finished=False)
    assert open_page("leaderboard").dataframe


def test_the_study_that_was_worked_on_last_is_shown_and_not_an_older_demo(
    open_page: Open, ws: Workspace, demo_home: object
) -> None:
    digest, _ = add_many(ws, 3)
    at = open_page("leaderboard")
    assert at.selectbox(key="leaderboard_study").value == digest
    assert list(ranking(at)["prompt"]) == ["try 2", "try 1", "try 0"]


def test_a_study_is_chosen_for_every_page_and_stands_in_the_address(
    open_page: Open, ws: Workspace, demo_home: object
) -> None:
    demo = ws.bank.studies()[0].digest
    add_many(ws, 3)
    at = open_page("leaderboard")
    at.selectbox(key="leaderboard_study").set_value(demo).run()
    assert at.query_params["study"] == demo
    assert "tuned together, round 3" in set(ranking(at)["prompt"])
    at.run()
    assert at.selectbox(key="leaderboard_study").value == demo


def test_a_link_names_the_study_and_one_that_is_not_there_is_ignored(
    open_page: Open, ws: Workspace, demo_home: object
) -> None:
    demo = ws.bank.studies()[0].digest
    digest, _ = add_many(ws, 3)
    at = open_page("leaderboard")
    at.query_params["study"] = demo
    at.run()
    assert at.selectbox(key="leaderboard_study").value == demo
    at.query_params["study"] = "s1:" + "0" * 32
    at.run()
    assert at.selectbox(key="leaderboard_study").value == demo
    assert at.query_params["study"] == demo != digest
