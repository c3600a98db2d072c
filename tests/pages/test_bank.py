"""The Bank page: its table, what is shown of a prompt, and what a prompt is made by: tagged, approved, retired."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from fedprompt.prompts.origins import origin_words
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.workspace.keys import home_signer
from fedprompt.workspace.workspace import Workspace
from tests.pages.many import add_many
from tests.pages.messages import messages
from tests.pages.titled import together
from tests.pages.visitors import let_in, write_people

pytestmark = pytest.mark.whole

Open = Callable[..., AppTest]


def test_an_empty_bank_says_what_to_do(open_page: Open) -> None:
    assert "bank_empty" in messages(open_page("bank"))


def test_the_table_holds_every_prompt_with_its_origin_and_mean(open_page: Open, ws: Workspace, tuned: str) -> None:
    table = open_page("bank").dataframe[0].value
    assert len(table) == len(ws.bank.prompts())
    one = table[table["prompt"] == together(3)].iloc[0]
    assert one["mean"] > 85
    assert set(table["from"]) >= {origin_words("study"), origin_words("local:tweets")}


def test_a_link_shows_the_prompt_in_full_with_what_it_was_made_from(open_page: Open, tuned: str) -> None:
    at = open_page("bank", tuned)
    facts = at.table[0].value
    shown = " ".join(str(value) for value in facts.to_numpy().ravel())
    assert together(2) in shown
    assert tuned in shown
    assert "8 " in at.html[0].value


def test_versions_of_a_name_stand_by_time_each_beside_the_one_before(
    open_page: Open, ws: Workspace, tuned: str
) -> None:
    for text in ("Is {text} good?", "Is {text} bad?"):
        last = ws.bank.record_prompt(Prompt(Template("mood", text=text)), study=None, origin="playground")
    at = open_page("bank", last)
    assert f"bank_version_{last}" in messages(at)
    shown = [one.value for one in at.html[-2:]]
    assert ["good</mark>" in shown[0], "bad</mark>" in shown[1]] == [True, True]
    # The rounds of what was tuned together are its versions; their words are the same, their vectors are not.
    at = open_page("bank", tuned)
    told = messages(at)
    assert "beside_same_words" in told and any("%" in told[name] for name in told if name.startswith("beside_vectors_"))
    terse = open_page("bank", next(row.id for row in ws.bank.prompts() if row.name == "terse"))
    assert not [name for name in messages(terse) if name.startswith("bank_version_")]


def test_two_chosen_prompts_stand_side_by_side_with_their_words_marked(
    open_page: Open, ws: Workspace, tuned: str
) -> None:
    terse = next(row.id for row in ws.bank.prompts() if row.name == "terse")
    assert not any("<mark" in one.value for one in open_page("bank", terse).html)
    at = open_page("bank", terse, tuned)
    assert any("<mark" in one.value for one in at.html)


def test_a_tag_is_given_only_after_it_is_confirmed_and_can_be_taken_away(
    open_page: Open, ws: Workspace, tuned: str
) -> None:
    at = open_page("bank", tuned)
    key = f"bank_tag_{tuned}"
    assert at.button(key=f"{key}_go").disabled
    at.segmented_control(key=f"{key}_word").set_value("production").run()
    at.text_input(key=f"{key}_name").set_value("sentiment").run()
    at.checkbox(key=f"{key}_sure").check().run()
    at.button(key=f"{key}_go").click().run()
    assert not at.error
    assert [(row.tag, row.prompt) for row in ws.bank.tags()] == [("sentiment@production", tuned)]
    assert any("green-badge[sentiment@production]" in one.value for one in at.markdown)
    assert at.button(key=f"{key}_go").disabled
    at.button(key=f"{key}_drop_sentiment@production").click().run()
    assert ws.bank.tags() == ()


def test_a_name_that_is_no_tag_is_told_in_a_sentence(open_page: Open, ws: Workspace, tuned: str) -> None:
    at = open_page("bank", tuned)
    key = f"bank_tag_{tuned}"
    at.text_input(key=f"{key}_name").set_value("a@b").run()
    at.checkbox(key=f"{key}_sure").check().run()
    at.button(key=f"{key}_go").click().run()
    assert "error_not-a-tag" in messages(at)
    assert ws.bank.tags() == ()


def test_a_prompt_is_retired_with_a_reason_and_taken_back(open_page: Open, ws: Workspace, tuned: str) -> None:
    at = open_page("bank", tuned)
    key = f"bank_retire_{tuned}"
    at.text_input(key=f"{key}_note").set_value("too slow").run()
    at.checkbox(key=f"{key}_sure").check().run()
    at.button(key=f"{key}_go").click().run()
    assert ws.bank.is_retired(tuned)
    assert ws.bank.events(tuned)[0].body["note"] == "too slow"
    assert any("too slow" in words for name, words in messages(at).items() if name.startswith("bank_event_retire_"))
    at.checkbox(key=f"{key}_sure").check().run()
    at.button(key=f"{key}_go").click().run()
    assert not ws.bank.is_retired(tuned)


def test_the_lineage_goes_back_to_the_first_round(open_page: Open, tuned: str) -> None:
    back = messages(open_page("bank", tuned))[f"bank_lineage_{tuned}"].splitlines()
    assert "1" in back[0] and together(2) in back[0]
    assert "2" in back[1] and together(1) in back[1]


@pytest.mark.usefixtures("demo_home")
def test_without_the_encoder_there_is_no_box_for_meaning_and_a_sentence_why(open_page: Open) -> None:
    at = open_page("bank")
    assert "bank_meaning" not in [box.key for box in at.text_input]
    assert "bank_no_encoder" in messages(at)


def test_production_is_asked_for_and_an_operator_who_is_another_approves(
    open_page: Open, ws: Workspace, home: Path, tuned: str
) -> None:
    write_people(home)
    at = let_in(open_page("bank", tuned), "Ada", "ops")
    key = f"bank_tag_{tuned}"
    at.segmented_control(key=f"{key}_word").set_value("production").run()
    at.text_input(key=f"{key}_name").set_value("sentiment").run()
    at.checkbox(key=f"{key}_sure").check().run()
    at.button(key=f"{key}_go").click().run()
    assert not at.error
    assert ws.bank.tags() == ()
    (asked,) = ws.bank.asked(tuned)
    yes, no = f"bank_asked_{asked.id}_yes", f"bank_asked_{asked.id}_no"
    assert at.button(key=yes).disabled and not at.button(key=no).disabled
    assert f"bank_asked_{asked.id}_why_not" in messages(at)
    let_in(at, "Eve", "eng")
    assert at.button(key=yes).disabled and at.button(key=no).disabled
    let_in(at, "Bob", "ops")
    assert "1 " in messages(at)["bank_waiting"]
    at.button(key=yes).click().run()
    assert not at.error
    assert [(row.tag, row.prompt) for row in ws.bank.tags()] == [("sentiment@production", tuned)]
    body = ws.bank.events(tuned)[0].body
    assert body["asked_by"].startswith("Ada (") and body["approved_by"].startswith("Bob (")
    assert "bank_waiting" not in messages(at)
    assert any("Ada" in words for name, words in messages(at).items() if name.startswith("bank_event_tag_"))


def test_a_viewer_reads_everything_and_changes_nothing(open_page: Open, ws: Workspace, home: Path, tuned: str) -> None:
    write_people(home)
    at = let_in(open_page("bank", tuned), "Vic")
    at.button(key="bank_look_bundle").click().run()
    assert "8 " in at.html[0].value
    acts = [one for one in at.button if str(one.key).startswith(("bank_write", "bank_tag_", "bank_retire_"))]
    assert len(acts) > 2 and all(one.disabled for one in acts)
    assert at.file_uploader(key="bank_file").disabled
    assert {"barred_tag", "barred_retire", "barred_exchange"} <= set(messages(at))


def test_what_was_drawn_before_a_role_was_taken_away_writes_nothing(
    open_page: Open, ws: Workspace, home: Path, tuned: str
) -> None:
    write_people(home)
    at = let_in(open_page("bank", tuned), "Ada", "ops")
    at.button(key="bank_look_bundle").click().run()
    at.checkbox(key=f"bank_retire_{tuned}_sure").check()
    at.checkbox(key=f"bank_tag_{tuned}_sure").check().run()
    write_people(home, "")
    for key in ("bank_write", f"bank_tag_{tuned}_go", f"bank_retire_{tuned}_go"):
        at.button(key=key).click()
    at.run()
    assert len(at.error) == 3 and "error_not-allowed" in messages(at)
    assert not (home / "exports").exists()
    assert ws.bank.events() == ()


def test_an_engineer_tags_and_exports_and_retires_nothing(
    open_page: Open, ws: Workspace, home: Path, tuned: str
) -> None:
    write_people(home)
    at = let_in(open_page("bank", tuned), "Eve", "eng")
    at.button(key="bank_look_bundle").click().run()
    assert not at.button(key="bank_write").disabled
    assert at.checkbox(key=f"bank_retire_{tuned}_sure").disabled
    at.checkbox(key=f"bank_tag_{tuned}_sure").check().run()
    at.button(key=f"bank_tag_{tuned}_go").click().run()
    (row,) = ws.bank.tags()
    assert row.tag.endswith("@candidate") and row.by.startswith("Eve (")


def test_without_sign_in_a_production_tag_records_that_it_was_confirmed(
    open_page: Open, ws: Workspace, tuned: str
) -> None:
    at = open_page("bank", tuned)
    at.segmented_control(key=f"bank_tag_{tuned}_word").set_value("production").run()
    at.checkbox(key=f"bank_tag_{tuned}_sure").check().run()
    at.button(key=f"bank_tag_{tuned}_go").click().run()
    assert ws.bank.events(tuned)[0].body["confirmed"] is True


def test_means_are_of_the_study_that_was_worked_on_last_until_another_is_chosen(
    open_page: Open, ws: Workspace, tuned: str
) -> None:
    demo = ws.bank.studies()[0].digest
    add_many(ws, 3)
    at = open_page("bank", tuned)
    table = at.dataframe[0].value.set_index("prompt")["mean"]
    assert table.notna().sum() == 3 and pd.isna(table[together(3)])
    at.selectbox(key="bank_study").set_value(demo).run()
    table = at.dataframe[0].value.set_index("prompt")["mean"]
    assert table[together(3)] > 85 and pd.isna(table["try 1"])


def table(at: AppTest) -> pd.DataFrame:
    found: pd.DataFrame = at.dataframe[0].value
    return found


def test_every_prompt_is_on_some_page_the_newest_first_and_old_ones_are_found(open_page: Open, ws: Workspace) -> None:
    _, ids = add_many(ws, 230)
    at = open_page("bank")
    assert list(table(at)["prompt"])[:2] == ["try 229", "try 228"] and len(table(at)) == 100
    at.number_input(key="bank_page").set_value(3).run()
    assert list(table(at)["prompt"]) == [f"try {number}" for number in range(29, -1, -1)]
    at.text_input(key="bank_find").set_value("try 7").run()  # words that begin so, of the name and of the text
    assert list(table(at)["prompt"]) == [f"try {number}" for number in range(79, 69, -1)] + ["try 7"]
    at.text_input(key="bank_find").set_value(ids[3][:14]).run()
    assert list(table(at)["prompt"]) == ["try 3"]
    at.text_input(key="bank_find").set_value("nobody says this").run()
    assert not at.dataframe and "bank_none_passes" in messages(at)


def test_prompts_are_found_by_their_tag_kind_and_origin(open_page: Open, ws: Workspace, tuned: str) -> None:
    ws.bank.tag_prompt(tuned, "mood@staging", by="", signer=home_signer(ws.home))
    at = open_page("bank")
    for typed in ("@staging", "mood@staging"):
        at.text_input(key="bank_find").set_value(typed).run()
        assert list(table(at)["prompt"]) == [together(3)]
    at.text_input(key="bank_find").set_value("mood@").run()  # while it is typed, it is words
    assert not at.dataframe and not at.error
    at.text_input(key="bank_find").set_value("").run()
    at.selectbox(key="bank_kind").set_value("soft").run()
    at.selectbox(key="bank_origin").set_value("federated").run()
    assert list(table(at)["prompt"]) == [together(number) for number in (4, 3, 2, 1)]


def test_what_a_link_names_stands_first_whatever_is_searched(open_page: Open, ws: Workspace, demo_home: object) -> None:
    _, ids = add_many(ws, 130)
    at = open_page("bank", ids[0])
    at.number_input(key="bank_page").set_value(2).run()
    assert table(at)["prompt"].iloc[0] == "try 0" and (table(at)["prompt"] == "try 0").sum() == 1


@pytest.mark.parametrize(("count", "offered"), [(2, True), (6, True), (7, False)])
def test_two_to_six_prompts_can_be_sent_to_compare(open_page: Open, ws: Workspace, count: int, offered: bool) -> None:
    _, ids = add_many(ws, 8)
    at = open_page("bank", *ids[:count])
    assert at.button(key="bank_compare").disabled is not offered
