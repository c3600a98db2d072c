from collections.abc import Callable

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from fedprompt.workspace.workspace import Workspace
from tests.pages.many import add_many
from tests.pages.messages import messages
from tests.pages.titled import alone, pooled, together

pytestmark = pytest.mark.whole

Open = Callable[..., AppTest]


def ranking(at: AppTest) -> pd.DataFrame:
    return at.dataframe[0].value


def test_without_scores_the_page_says_where_they_come_from(open_page: Open) -> None:
    at = open_page("leaderboard")
    assert "leaderboard_no_scores" in messages(at)
    assert not at.dataframe


@pytest.mark.usefixtures("demo_home")
def test_prompts_stand_in_the_order_of_their_means(open_page: Open) -> None:
    table = ranking(open_page("leaderboard"))
    assert table["mean"].is_monotonic_decreasing
    assert list(table["place"]) == list(range(1, len(table) + 1))
    assert table["standing"].iloc[-1] == "worse"
    worst = table[["editorials", "movies", "products", "tweets"]].min(axis=1)
    assert (table["worst site"] - worst).abs().max() < 1e-9


@pytest.mark.usefixtures("demo_home")
def test_what_was_not_measured_is_missing_and_never_zero(open_page: Open) -> None:
    at = open_page("leaderboard")
    rest = at.dataframe[1].value
    tweets = rest[rest["prompt"] == alone("tweets", 4)].iloc[0]
    assert tweets["tweets"] > 80
    assert pd.isna(tweets["movies"])


@pytest.mark.usefixtures("demo_home")
def test_filters_are_asked_of_the_store_and_places_begin_anew(open_page: Open) -> None:
    at = open_page("leaderboard")
    at.selectbox(key="leaderboard_origin").select("federated").run()
    found = ranking(at)
    assert set(found["prompt"]) == {together(n) for n in (1, 2, 3, 4)}
    assert list(found["place"]) == [1, 2, 3, 4]
    at.selectbox(key="leaderboard_origin").select("").run()
    at.text_input(key="leaderboard_text").set_value("terse").run()
    assert "terse" in set(ranking(at)["prompt"])
    at.text_input(key="leaderboard_text").set_value("").run()
    at.selectbox(key="leaderboard_site").select("editorials").run()
    at.number_input(key="leaderboard_least").set_value(80).run()
    assert ranking(at)["editorials"].min() >= 80
    at.number_input(key="leaderboard_least").set_value(100).run()
    assert "leaderboard_none_passes" in messages(at)


@pytest.mark.usefixtures("demo_home")
def test_a_prompt_tuned_on_pooled_cases_is_a_reference_and_never_best(open_page: Open) -> None:
    table = ranking(open_page("leaderboard"))
    ours = table[table["prompt"].isin([pooled(n) for n in (1, 2, 3, 4)])]
    assert len(ours) == 4 and set(ours["standing"]) == {"reference"}
    assert ours["best with"].isna().all()
    best = table[table["standing"] == "best"]
    assert list(best["prompt"]) == [together(3)]  # TOGETHER's third row has the highest mean
    assert table["best with"].sum() == pytest.approx(100)
    assert not table["prompt"].str.contains("(", regex=False).any() and table["short id"].is_unique


@pytest.mark.usefixtures("demo_home")
def test_test_cases_are_shown_on_request_and_for_nominated_prompts_only(open_page: Open) -> None:
    at = open_page("leaderboard")
    assert "test mean" not in ranking(at)
    switch = at.toggle(key="leaderboard_test")
    switch.set_value(True).run()
    measured = ranking(at)[ranking(at)["test mean"].notna()]
    assert set(measured["prompt"]) == {"good or bad", together(3), pooled(3)}


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
    assert together(3) in set(ranking(at)["prompt"])
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


def tick(at: AppTest, rows: list[int]) -> AppTest:
    """Tick rows of the first table, as a visitor does."""
    at.session_state[at.dataframe[0].key] = {"selection": {"rows": rows, "columns": [], "cells": []}}
    at.run()
    return at


def test_the_second_page_goes_on_where_the_first_ends_and_ticks_stay_with_theirs(
    open_page: Open, ws: Workspace
) -> None:
    add_many(ws, 70)
    at = tick(open_page("leaderboard"), [0])
    first = ranking(at)
    assert list(first["prompt"]) == [f"try {number}" for number in range(69, 19, -1)]
    at.number_input(key="leaderboard_page").set_value(2).run()
    assert list(ranking(at)["prompt"]) == [f"try {number}" for number in range(19, -1, -1)]
    assert list(ranking(at)["place"]) == list(range(51, 71))
    assert at.button(key="leaderboard_bank").disabled  # nothing is ticked here
    told = messages(at)["leaderboard_pages"]
    assert "70" in told and "50" in told


@pytest.mark.parametrize(("rows", "enough"), [([2], False), ([0, 3], True), ([*range(7)], False)])
@pytest.mark.usefixtures("demo_home")
def test_two_to_six_ticked_rows_go_to_compare(open_page: Open, rows: list[int], enough: bool) -> None:
    at = tick(open_page("leaderboard"), rows)
    button = at.button(key="leaderboard_compare")
    assert button.disabled is not enough
    if enough:
        button.click().run()
        assert "open_compare" in messages(at)  # alone, a page cannot go there


@pytest.mark.usefixtures("demo_home")
def test_further_columns_are_shown_on_request(open_page: Open) -> None:
    at = open_page("leaderboard")

    def shown() -> list[str]:
        return list(at.dataframe[0].proto.column_order)

    assert shown()[:6] == ["place", "prompt", "mean", "interval", "worst site", "standing"]
    assert "best with" not in shown() and "kind" not in shown()
    at.pills(key="leaderboard_columns").set_value(["best with", "kind"]).run()
    assert shown()[6:8] == ["best with", "kind"]


@pytest.mark.usefixtures("demo_home")
def test_a_short_ranking_is_taken_away_at_a_click(open_page: Open) -> None:
    at = open_page("leaderboard")
    assert [one.key for one in at.get("download_button")] == ["leaderboard_csv"]
    assert "leaderboard_write" not in [one.key for one in at.button]


def test_a_long_ranking_is_written_by_a_job_and_then_taken_away_whole(open_page: Open, ws: Workspace) -> None:
    add_many(ws, 1_001)
    at = open_page("leaderboard")
    assert not at.get("download_button")
    at.button(key="leaderboard_write").click().run()
    assert not at.error
    (whole,) = [one.label for one in at.get("download_button")]
    assert "1,001" in whole
    (file,) = ws.home.exports.iterdir()
    assert len(file.read_text("utf-8").splitlines()) == 1_002
    at.text_input(key="leaderboard_text").set_value("way 1").run()  # another question, another file
    assert [one.label for one in at.get("download_button")] != [whole]
