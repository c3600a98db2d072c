"""New study: prompts drafted for a file, edited as a form or as YAML, ranked by a job on this machine."""

import os
import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from streamlit.testing.v1 import AppTest

from fedprompt.study.files import parse_study
from fedprompt.workspace.cases.evaluation_sets import keep_file
from fedprompt.workspace.cases.study_draft import body_of, draft_of, kept_studies, study_yaml, with_changes
from fedprompt.workspace.workspace import Workspace
from tests.chat_server import serve, write_models
from tests.pages.evaluation import add_set, add_study
from tests.pages.messages import messages
from tests.scripted_sites import STUDY, TEXT

pytestmark = pytest.mark.whole

Open = Callable[..., AppTest]


def field(at: AppTest, end: str) -> Any:
    """Return the first box whose key ends so."""
    kinds = (at.text_input, at.text_area, at.number_input)
    return next(one for kind in kinds for one in kind if str(one.key).endswith(end))


def button(at: AppTest, end: str) -> Any:
    return next(one for one in at.button if str(one.key).endswith(end))


def names(at: AppTest) -> list[str]:
    """Return what the prompts of the form are called."""
    return [str(one.value) for one in at.text_input if re.search(r"_template_\d+_name$", str(one.key))]


def test_without_a_file_it_leads_to_data(open_page: Open) -> None:
    at = open_page("new_study")
    assert "new_study_needs_file" in messages(at) and at.button(key="new_study_data")


def test_with_a_file_whose_columns_nobody_confirmed_it_asks_for_that(open_page: Open, ws: Workspace) -> None:
    keep_file(ws.home, "this-site", "clinic.csv", b"text,answer\ngood,yes\n")
    told = messages(open_page("new_study"))
    assert "new_study_needs_columns" in told and "new_study_needs_file" not in told


def test_a_draft_has_four_prompts_for_the_files_columns(open_page: Open, ws: Workspace) -> None:
    add_set(ws)
    at = open_page("new_study")
    assert names(at) == ["text-first", "instruction-first", "chat", "two-shot"]
    assert "Text: {text}\nAnswer:" in [one.value for one in at.text_area]


def test_the_prompts_are_ranked_by_a_job_and_the_sentence_comes_first(open_page: Open, ws: Workspace) -> None:
    add_set(ws)
    at = open_page("new_study")
    field(at, "_model").set_value("scripted").run()
    assert not any("fedprompt_run_new_study" in element.value for element in at.html), "Ctrl+Enter ranks nothing"
    at.button(key="new_study_rank").click().run()
    assert [(job.kind, job.state) for job in ws.bank.jobs()] == [("score", "done")]
    assert "first_ranking" in messages(at) and " 24 " in messages(at)["first_ranking_cases"]  # 0.3 of 80
    assert [one.name for one in kept_studies(ws.home)] == ["clinic"]


def test_a_mistake_in_the_form_names_its_field_and_nothing_can_be_ranked(open_page: Open, ws: Workspace) -> None:
    add_set(ws)
    at = open_page("new_study")
    next(one for one in at.text_area if one.value == "Text: {text}\nAnswer:").set_value("Text: {note}\nAnswer:").run()
    assert "templates.0" in at.error[0].value and "'note'" in at.error[0].value.replace("\\", "")
    assert at.button(key="new_study_rank").disabled


def test_a_prompt_that_never_shows_the_case_is_refused_and_the_text_that_does_is_one_click_away(
    open_page: Open, ws: Workspace
) -> None:
    add_set(ws)
    at = open_page("new_study")
    box = next(one for one in at.text_area if one.value == "Text: {text}\nAnswer:")
    box.set_value("Text: {{ text|upper }}\nAnswer:").run()
    assert "error_case-not-shown" in messages(at) and at.button(key="new_study_rank").disabled
    assert "Text: {text}\nAnswer:" in [element.value for element in at.code]
    button(at, "_convert").click().run()
    assert not at.error and not at.button(key="new_study_rank").disabled
    assert "Text: {text}\nAnswer:" in [one.value for one in at.text_area]


def test_a_study_whose_labels_are_not_the_file_s_is_told_before_anything_runs(open_page: Open, ws: Workspace) -> None:
    add_set(ws)
    at = open_page("new_study")
    field(at, "_labels").set_value("positive\nneutral").run()
    assert "'negative'" in messages(at)["new_study_unfit"]
    assert at.button(key="new_study_rank").disabled


def test_what_is_odd_about_a_study_is_a_note(open_page: Open, ws: Workspace) -> None:
    add_set(ws)
    at = open_page("new_study")
    box = next(one for one in at.text_area if one.value == "Text: {text}\nAnswer:")
    box.set_value("Text: ${text}\nAnswer:").run()
    assert "new_study_note_0" in messages(at) and not at.button(key="new_study_rank").disabled


def test_yaml_is_checked_as_it_is_typed_and_the_form_follows_it(open_page: Open, ws: Workspace) -> None:
    add_set(ws)
    at = open_page("new_study")
    at.segmented_control(key="new_study_way").set_value("YAML").run()
    box = at.text_area(key="new_study_yaml")
    box.set_value(str(box.value).replace("min_cases: 30", "min_cases: thirty")).run()
    assert "privacy.min_cases" in at.error[0].value.replace("\\", "") and at.button(key="new_study_rank").disabled
    box.set_value(TEXT).run()
    assert not at.error and "new_study_well_formed" in messages(at)
    at.segmented_control(key="new_study_way").set_value("Form").run()
    assert names(at) == ["plain", "verdict", "two-shot"]


def prompts(at: AppTest) -> list[str]:
    return [str(one.value) for one in at.text_area if re.search(r"_template_\d+_text$", str(one.key))]


def edit(at: AppTest, old: str, new: str) -> None:
    next(one for one in at.text_area if one.value == old).set_value(new).run()


def as_(at: AppTest, way: str) -> None:
    at.segmented_control(key="new_study_way").set_value(way).run()


def test_an_edited_prompt_survives_yaml_a_reload_and_another_study_and_is_the_one_that_is_ranked(
    open_page: Open, ws: Workspace
) -> None:
    add_set(ws)
    add_study(ws)
    at = open_page("new_study")
    field(at, "_model").set_value("scripted").run()
    edit(at, "Text: {text}\nAnswer:", "Mine: {text}\nAnswer:")
    as_(at, "YAML")
    assert "Mine: {text}" in at.text_area(key="new_study_yaml").value
    as_(at, "Form")
    assert "Mine: {text}\nAnswer:" in prompts(at)
    at = open_page("new_study")
    assert "Mine: {text}\nAnswer:" in prompts(at) and field(at, "_model").value == "scripted"
    at.selectbox(key="new_study_source").set_value("small").run()
    assert "Mine: {text}\nAnswer:" not in prompts(at)
    at.selectbox(key="new_study_source").set_value("a new draft").run()
    assert "Mine: {text}\nAnswer:" in prompts(at)
    at.button(key="new_study_rank").click().run()
    kept = next(one.study for one in kept_studies(ws.home) if one.name == "clinic")
    assert kept is not None and kept.templates[0].text == "Mine: {text}\nAnswer:"


def test_what_is_no_study_yet_is_kept_as_it_was_typed_in_both_shapes(open_page: Open, ws: Workspace) -> None:
    add_set(ws)
    at = open_page("new_study")
    edit(at, "Text: {text}\nAnswer:", "Half {note")
    as_(at, "YAML")
    assert "Half {note" in at.text_area(key="new_study_yaml").value and at.error
    as_(at, "Form")
    assert "Half {note" in prompts(at) and at.error
    button(at, "_add").click().run()
    assert "Half {note" in prompts(at) and "{text}\nAnswer:" in prompts(at)
    at = open_page("new_study")
    assert "Half {note" in prompts(at) and at.button(key="new_study_rank").disabled
    edit(at, "Half {note", "Whole {text}")
    assert not at.error and len(parse_study(at.session_state["new_study_study"]).templates) == 5
    as_(at, "YAML")
    at.text_area(key="new_study_yaml").set_value("study: [half").run()
    as_(at, "Form")
    assert at.error and not prompts(at)
    at = open_page("new_study")
    as_(at, "YAML")
    assert at.text_area(key="new_study_yaml").value == "study: [half"
    at.button(key="new_study_undo").click().run()
    as_(at, "Form")
    assert "Text: {text}\nAnswer:" in prompts(at) and not at.error


def test_a_ranking_that_runs_leaves_the_one_before_in_place(open_page: Open, ws: Workspace) -> None:
    add_set(ws)
    at = open_page("new_study")
    field(at, "_model").set_value("scripted").run()
    at.button(key="new_study_rank").click().run()
    said = at.success[0].value
    ws.bank.add_job("j-2", "score", {"study": "s.yaml"})
    ws.bank.claim_job("j-2", os.getpid())
    at.run()
    assert at.success[0].value == said and at.button(key="new_study_stop")


def test_a_prompt_can_be_added_and_taken_out(open_page: Open, ws: Workspace) -> None:
    add_set(ws)
    at = open_page("new_study")
    button(at, "_out").click().run()
    button(at, "_add").click().run()
    assert names(at) == ["instruction-first", "chat", "two-shot", "mine 1"]


def test_a_ranking_that_runs_shows_its_progress_and_can_be_stopped(open_page: Open, ws: Workspace) -> None:
    add_set(ws)
    ws.bank.add_job("j-1", "score", {"study": "s.yaml"})
    ws.bank.claim_job("j-1", os.getpid())
    told = {"message": "4 templates on 60 cases", "done": 1.0, "total": 4.0, "seconds_left": 40.0}
    ws.bank.update_job("j-1", told)
    at = open_page("new_study")
    assert (at.progress[0].value, at.progress[0].text) == (25, "4 templates on 60 cases")  # as the job told
    assert "40 s" in messages(at)["new_study_stage_j-1"] and at.button(key="new_study_rank").disabled
    at.button(key="new_study_stop").click().run()
    assert ws.bank.is_cancelled("j-1")


def test_a_ranking_that_failed_says_why_and_can_be_tried_again(open_page: Open, ws: Workspace) -> None:
    found = add_set(ws)
    path = add_study(ws)
    ws.bank.add_job("j-1", "score", {"study": path, **found.arguments})
    ws.bank.end_job("j-1", "failed", None, "the model is [odd]")
    at = open_page("new_study")
    assert "[odd]" in messages(at)["new_study_failed"] and r"\[odd\]" in at.error[0].value
    at.button(key="new_study_again").click().run()
    assert ws.bank.jobs()[0].state == "done" and at.success


PRICE = 'price = {input = 2.0, output = 8.0, currency = "EUR"}'


def on_a_server(model: str = "chat:local") -> str:
    body = yaml.safe_load(TEXT)
    return yaml.safe_dump({**{k: v for k, v in body.items() if k != "soft"}, "model": model})


def open_chat(open_page: Open, ws: Workspace, model: str = "chat:local") -> AppTest:
    add_set(ws)
    add_study(ws, on_a_server(model))
    at = open_page("new_study")
    return at.selectbox(key="new_study_source").set_value("small").run()


def test_what_a_paid_model_costs_is_said_before_it_is_asked(open_page: Open, ws: Workspace) -> None:
    with serve() as server:
        write_models(ws.home.path, server.url, PRICE)
        at = open_chat(open_page, ws)
        at.button(key="new_study_cost").click().run()
        assert [job.kind for job in ws.bank.jobs()] == ["dry-run"] and not server.sent
        # 3 templates on 20 validation cases, of which a few more calls ask what the server can do.
        told = messages(at)["bill_priced"]
        assert "3 " in told and " 20 " in told and " EUR" in told and at.button(key="new_study_rank")
        next(one for one in at.text_area if "Sentiment" in str(one.value)).set_value("Text: {text}\nMood:").run()
        at.button(key="new_study_cost").click().run()  # what was counted was of another study
        at.button(key="new_study_rank").click().run()
        # What is known now costs nothing, which is counted anew.
        assert at.button(key="new_study_cost")
        assert ws.bank.jobs()[0].kind == "score" and ws.bank.jobs()[0].state == "done" and server.sent


def test_a_server_of_this_machine_that_costs_nothing_is_asked_at_once(open_page: Open, ws: Workspace) -> None:
    with serve() as server:
        write_models(ws.home.path, server.url)
        at = open_chat(open_page, ws)
        assert at.button(key="new_study_rank")
        assert "127.0.0.1" in messages(at)["new_study_goes_server_here"]


def test_a_server_elsewhere_is_named_before_a_case_goes_there(open_page: Open, ws: Workspace) -> None:
    far = '[chat.far]\nmodel = "openai:big"\nbase_url = "https://far.example/v1"'
    write_models(ws.home.path, "http://127.0.0.1:9", far, 'allow = ["far.example"]')
    at = open_chat(open_page, ws, "chat:far")
    assert "far.example" in messages(at)["new_study_goes_elsewhere"]
    at.button(key="new_study_cost").click().run()
    assert "bill_unpriced" in messages(at)


def test_a_server_that_the_machine_does_not_know_is_a_sentence(open_page: Open, ws: Workspace) -> None:
    at = open_chat(open_page, ws, "chat:nowhere")
    assert "error_unknown-model" in messages(at) and at.button(key="new_study_rank").disabled


def test_a_model_of_this_machine_says_so(open_page: Open, ws: Workspace) -> None:
    add_set(ws)
    assert "new_study_goes_here" in messages(open_page("new_study"))


def test_a_hub_writes_a_study_without_cases(open_page: Open, ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDPROMPT_ROLE", "hub")
    at = open_page("new_study")
    assert not at.file_uploader
    at.button(key="new_study_keep").click().run()
    assert [one.name for one in kept_studies(ws.home)] == ["sentiment"]


def test_the_form_asks_whether_updates_are_kept_and_sites_also_tune_alone(open_page: Open, ws: Workspace) -> None:
    add_set(ws)
    add_study(ws)
    at = open_page("new_study")
    at.selectbox(key="new_study_source").set_value("small").run()

    def said(name: str) -> object:
        return body_of(at.session_state["new_study_study"])["rounds"].get(name, False)

    for name in ("keep_updates", "alone"):
        assert not said(name)
        toggle = next(one for one in at.toggle if str(one.key).endswith(f"_{name}"))
        toggle.set_value(True).run()
        assert said(name) is True
    assert "keep_updates: true" in at.session_state["new_study_study"]
    toggle = next(one for one in at.toggle if str(one.key).endswith("_secure_sums"))
    toggle.set_value(True).run()
    assert said("secure_sums") is not False and not at.error
    assert not said("keep_updates") and not said("alone")  # there would be no single updates
    next(one for one in at.toggle if str(one.key).endswith("_soft")).set_value(False).run()
    assert not at.error and not said("keep_updates") and not said("alone")


def test_form_and_yaml_are_one_study() -> None:
    text = study_yaml(STUDY)
    assert parse_study(text) == STUDY and study_yaml(parse_study(text)) == text
    assert with_changes(text, {"rounds": {**body_of(text)["rounds"], "count": 7}}).count("count: 7") == 1
    assert "soft" not in yaml.safe_load(with_changes(text, {"soft": None}))


def test_a_draft_for_two_columns_of_text_names_both(ws: Workspace) -> None:
    reading = add_set(ws).reading
    assert reading is not None
    body = yaml.safe_load(draft_of(reading.model_copy(update={"fields": {"text": "a", "title": "b"}}), "mine"))
    assert body["fields"] == ["text", "title"]
    assert body["templates"][0]["text"] == "Title: {title}\nText: {text}\nAnswer:"


def test_the_slot_is_put_into_a_chat_with_examples_and_back_in_the_form(open_page: Open, ws: Workspace) -> None:
    add_set(ws)
    at = open_page("new_study")

    def soft() -> dict[str, Any]:
        found: dict[str, Any] = parse_study(at.session_state["new_study_study"]).model_dump(mode="json")["soft"]
        return found

    first = soft()
    sent = next(one for one in at.segmented_control if str(one.key).endswith("_sent"))
    sent.set_value("Chat").run()
    assert soft()["messages"] == [{"role": "user", "content": first["template"]}] and "template" not in soft()
    field(at, "_system").set_value("Say which.").run()
    assert [one["role"] for one in soft()["messages"]] == ["system", "user"]
    field(at, "_soft_shots").set_value(2).run()
    assert "error_does-not-fit" in messages(at)
    user = field(at, "_user")
    user.set_value("{demonstrations}" + first["template"]).run()
    assert not at.error and soft()["demonstrations"] == {"count": 2, "separator": "\n\n"}
    field(at, "_soft_shots").set_value(0).run()
    assert "error_does-not-fit" in messages(at)
    next(one for one in at.segmented_control if str(one.key).endswith("_sent")).set_value("Text").run()
    assert not at.error and soft() == first


def test_a_study_of_free_text_is_judged_by_the_model_that_is_chosen_here(open_page: Open, ws: Workspace) -> None:
    body = yaml.safe_load(TEXT)
    body |= {"answer": {"type": "generate", "scorers": ["exact"], "max_tokens": 8}, "metric": "score", "soft": None}
    body["templates"] = [{"name": "t", "text": "{text}:"}]
    add_set(ws)
    add_study(
        ws, yaml.safe_dump({key: value for key, value in body.items() if key not in ("soft", "rounds", "tuning")})
    )
    at = open_page("new_study")
    at.selectbox(key="new_study_source").select(at.selectbox(key="new_study_source").options[1]).run()
    next(one for one in at.toggle if str(one.key).endswith("_judged")).set_value(True).run()
    assert "error_no-judge" in messages(at)
    at.session_state["models_folders"] = ["scripted"]
    at.run()
    at.selectbox(key="new_study_judge").select("scripted").run()
    at.button(key="new_study_rank").click().run()
    (job,) = (one for one in ws.bank.jobs() if one.kind == "score")
    assert job.state == "done" and job.arguments["judge"] == "scripted" and job.result
    assert job.result["judge"]["model"] == "scripted"
