"""The Playground's runs: what is asked of the model, how answers are judged, and what is kept of them."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from fedprompt.models.chat.config import FILE
from fedprompt.workspace.playground.trial_files import owner_folder
from fedprompt.workspace.workspace import Workspace
from tests.chat_server import serve, write_models
from tests.pages import playground
from tests.pages.messages import messages
from tests.pages.playground import press, ran, shown_run

pytestmark = pytest.mark.whole

Open = Callable[..., AppTest]
at = playground.at


def test_the_model_answers_one_text_and_the_answer_is_the_likelier_label(at: AppTest) -> None:
    at.text_area(key="playground_field_text").set_value("wonderful, lovely, great").run()
    at.button(key="playground_run").click().run()
    assert not at.error
    assert "**positive**" in messages(at)["answer_0_0"]
    assert len(at.get("vega_lite_chart")) == 1


def test_without_answers_it_writes_text(at: AppTest) -> None:
    at.text_area(key="playground_answers").set_value("").run()
    at.button(key="playground_run").click().run()
    assert "error_prompt" in messages(at)
    at.toggle(key="playground_generate").set_value(True).run()
    at.button(key="playground_run").click().run()
    assert at.code[0].value.strip()


def test_a_model_that_is_not_here_says_so_with_a_button_that_fetches_it(open_page: Open) -> None:
    opened = open_page("playground")
    opened.button(key="playground_run").click().run()
    assert "smollm2" in opened.error[0].value
    assert [button for button in opened.button if str(button.key).startswith("error_")]


def test_what_was_typed_reaches_neither_the_bank_nor_the_address(at: AppTest, ws: Workspace) -> None:
    at.text_area(key="playground_field_text").set_value("my innermost thoughts").run()
    press(at, "playground_run")
    assert not at.error
    assert [job.kind for job in ws.bank.jobs()] == ["trial"]
    assert "innermost" not in str(ws.bank.jobs())
    assert "innermost" not in str(at.query_params)
    assert not any(b"innermost" in path.read_bytes() for path in ws.home.path.glob("*.db*"))
    kept = list(ws.home.path.rglob("playground/**/*.json*"))
    assert kept and all(path.stat().st_mode & 0o077 == 0 for path in kept)


@pytest.mark.slow
def test_variants_run_side_by_side_each_with_its_own_text(at: AppTest, ws: Workspace) -> None:
    press(at, "playground_add")
    assert at.text_area(key="playground_template_v2").value == "Review: {text}\nSentiment:"
    at.text_area(key="playground_template_v2").set_value("{text} I feel").run()
    press(at, "playground_run")
    trial = ran(at, ws)
    assert [cell.text[-6:] for cell in trial.cells.values()] == ["iment:", "I feel"]
    assert {"answer_0_0", "answer_1_0"} <= set(messages(at))
    press(at, "playground_remove_1")
    assert [box.key for box in at.text_area if "template" in (box.key or "")] == ["playground_template_v2"]


@pytest.mark.slow
def test_a_chat_of_several_messages_is_sent_as_it_stands(at: AppTest, ws: Workspace) -> None:
    at.segmented_control(key="playground_chat").set_value("Chat").run()
    press(at, "playground_more")
    at.segmented_control(key="playground_role_0").set_value("system")
    at.text_area(key="playground_message_0").set_value("You label.")
    at.segmented_control(key="playground_role_1").set_value("user")
    at.text_area(key="playground_message_1").set_value("{text}?").run()
    at.text_area(key="playground_field_text").set_value("a good day").run()
    press(at, "playground_run")
    assert ran(at, ws).cells[0, 0].text == "[system] You label.\n[user] a good day?"


@pytest.mark.slow
def test_words_that_counted_are_coloured_and_markup_in_them_stays_text(at: AppTest) -> None:
    at.text_area(key="playground_field_text").set_value("<b>wonderful</b> film").run()
    at.toggle(key="playground_explain").set_value(True).run()
    press(at, "playground_run")
    drawn = next(text for one in at.get("html") if "speaks for" in (text := str(getattr(one, "value", ""))))
    assert "&lt;b&gt;wonderful&lt;/b&gt;" in drawn and "<b>" not in drawn


@pytest.mark.slow
def test_scorers_pass_or_fail_each_answer_with_a_reason(at: AppTest) -> None:
    at.text_input(key="playground_right").set_value("negative").run()
    press(at, "playground_run")
    assert "answer_fails_0_0_exact" in messages(at)
    at.multiselect(key="playground_scorers").set_value(["regex"]).run()
    assert "error_option-missing" in messages(at)
    at.text_input(key="playground_check_regex_pattern").set_value("posit").run()
    press(at, "playground_run")
    assert "answer_passes_0_0_regex" in messages(at)


@pytest.mark.slow
def test_what_a_judge_took_stands_below_the_answer_and_below_the_table(
    at: AppTest, ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEDPROMPT_JUDGE", "chat:local")
    with serve(lambda body: "Fine.\nScore: 4") as server:
        write_models(ws.home.path, server.url, "price = {input = 100.0, output = 1000.0, currency = 'EUR'}")
        at.multiselect(key="playground_scorers").set_value(["judge"]).run()
        at.text_area(key="playground_check_judge_rubric").set_value("Is it civil?").run()
        press(at, "playground_run")
        took = ran(at, ws).judging["chat:local"]
        assert took.cost is not None and (took.calls, took.output_tokens) == (1, 3)
        told = messages(at)["answer_judging_0_0_chat:local"]
        assert "1 call" in told and f"{took.tokens} " in told and f"{took.cost.amount:.2g} EUR" in told
        at.segmented_control(key="playground_how").set_value("From a table").run()
        at.text_area(key="playground_paste").set_value("text\ngood\nbad").run()
        press(at, "playground_run")
        both = ran(at, ws).judging["chat:local"]
        told = messages(at)["matrix_judging_chat:local"]
        assert "2 calls" in told and f"{both.tokens} " in told


def test_a_judge_is_chosen_and_its_cost_told_before_anything_runs(at: AppTest, ws: Workspace) -> None:
    with serve(lambda body: "Fine.\nScore: 4") as server:
        write_models(ws.home.path, server.url, "price = {input = 100.0, output = 1000.0, currency = 'EUR'}")
        at.multiselect(key="playground_scorers").set_value(["judge"]).run()
        at.text_area(key="playground_check_judge_rubric").set_value("Is it civil?").run()
        assert "error_no-judge" in messages(at) and at.button(key="playground_run").disabled
        at.selectbox(key="playground_check_judge_model").select("chat:local").run()
        assert "1 call" in (told := messages(at)["playground_judge_cost"]) and " EUR" in told
        assert not server.sent and "127.0.0.1" in messages(at)["playground_check_judge_model_reads"]
        press(at, "playground_run")
    trial = ran(at, ws)
    assert trial.request.checks[0].judge == "chat:local"
    assert (trial.cells[0, 0].judged[0].value, trial.judging["chat:local"].calls) == (0.8, 1)


@pytest.mark.slow
def test_failures_alone_are_tried_again(at: AppTest, ws: Workspace) -> None:
    at.segmented_control(key="playground_how").set_value("From a table").run()
    long = "good " * 9000
    at.text_area(key="playground_paste").set_value(f"text\ngood\n{long}").run()
    press(at, "playground_run")
    before = ran(at, ws)
    assert (before.failures, len(before.cells)) == (1, 2)
    press(at, "playground_go_on")
    folder = owner_folder(ws.home, "")
    lines = folder.cells(before.run)
    assert [line["row"] for line in lines] == [0, 1, 1]


@pytest.mark.slow
def test_a_sweep_runs_a_grid_of_settings_and_greedy_once(at: AppTest, ws: Workspace) -> None:
    at.toggle(key="playground_sweep").set_value(True).run()
    press(at, "playground_run")
    trial = ran(at, ws)
    assert len(trial.request.variants) == 1 + 2 * 2 * 2  # greedy, and two temperatures by two top-p by two seeds
    assert all(cell.generated for cell in trial.cells.values())
    at.text_input(key="playground_sweep_t").set_value("warm").run()
    assert "error_not-numbers" in messages(at)


@pytest.mark.slow
def test_a_sweep_over_words_asks_for_each_set(at: AppTest, ws: Workspace) -> None:
    at.toggle(key="playground_sweep").set_value(True).run()
    at.segmented_control(key="playground_sweep_over").set_value("Words of the answers").run()
    at.text_area(key="playground_sweep_words").set_value("positive = good, negative = bad").run()
    press(at, "playground_run")
    words = [variant.template["words"] for variant in ran(at, ws).request.variants]
    assert words == [
        {"positive": " positive", "negative": " negative"},
        {"positive": " good", "negative": " bad"},
    ]


@pytest.mark.slow
def test_an_earlier_run_is_opened_with_its_boxes_and_deleted(at: AppTest, ws: Workspace) -> None:
    at.text_area(key="playground_template").set_value("Mood of {text}:").run()
    press(at, "playground_run")
    first = shown_run(at)
    at.text_area(key="playground_template").set_value("{text}:").run()
    press(at, "playground_run")
    press(at, f"playground_open_{first[:12]}")
    assert at.text_area(key="playground_template").value == "Mood of {text}:"
    assert shown_run(at) == first
    press(at, f"playground_forget_{first[:12]}")
    assert "playground_run_gone" in messages(at)
    press(at, "playground_forget_all")
    assert owner_folder(ws.home, "").runs() == ()


@pytest.mark.slow
def test_an_earlier_run_of_many_rows_brings_its_rows_and_their_answers_back(at: AppTest, ws: Workspace) -> None:
    at.segmented_control(key="playground_how").set_value("From a table").run()
    at.text_area(key="playground_paste").set_value("text,answer\ngood,positive\nbad,negative").run()
    press(at, "playground_run")
    first = shown_run(at)
    at.segmented_control(key="playground_how").set_value("Type").run()
    press(at, "playground_run")
    press(at, f"playground_open_{first[:12]}")
    assert at.segmented_control(key="playground_how").value == "Earlier run"
    press(at, "playground_run")
    request = ran(at, ws).request
    assert request.rows == [{"text": "good"}, {"text": "bad"}] and request.expected == ("positive", "negative")
    press(at, f"playground_forget_{first[:12]}")
    assert "error_run-gone" in messages(at) and at.button(key="playground_run").disabled


def test_a_run_button_that_is_disabled_says_why(at: AppTest) -> None:
    at.text_area(key="playground_field_text").set_value("  ").run()
    assert at.button(key="playground_run").disabled
    assert "playground_lacking" in messages(at)


@pytest.mark.slow
def test_a_run_that_is_not_to_be_kept_is_not_in_the_history(at: AppTest) -> None:
    at.toggle(key="playground_keep_run").set_value(False).run()
    press(at, "playground_run")
    assert not [button.key for button in at.button if (button.key or "").startswith("playground_open_")]


@pytest.mark.slow
def test_a_chat_server_of_this_session_is_asked_and_its_key_stays_in_memory(at: AppTest, ws: Workspace) -> None:
    from pydantic import SecretStr

    from app.panels.models.session_models import Added
    from fedprompt.workspace.bills.session_servers import SessionServer, ring

    with serve() as server:
        held = ring().hold(SecretStr("sk-only-in-memory"))
        one = SessionServer(model="openai:tiny", base_url=server.url, ring=held.ring, handle=held.handle)
        at.session_state["models_added"] = {"session:tiny@here": Added("tiny here", one, "127.0.0.1", False, held)}
        at.run()
        at.selectbox(key="playground_model").select("session:tiny@here").run()
        press(at, "playground_run")
        assert not at.error
        assert "Bearer sk-only-in-memory" in server.sent[-1].headers.values()
        held.release()
        press(at, "playground_run")
        assert "error_key-gone" in messages(at)
    assert not (ws.home.path / FILE).exists()
    files = [path for path in ws.home.path.rglob("*") if path.is_file()]
    assert not any(b"sk-only-in-memory" in path.read_bytes() for path in files)
    assert "sk-only" not in str(at.query_params)
