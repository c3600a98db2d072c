"""A chat is written as turns, goes on turn by turn, and comes back with the draft."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from fedprompt.workspace.workspace import Workspace
from tests.chat_server import serve, write_models
from tests.pages import playground
from tests.pages.messages import messages
from tests.pages.playground import press, ran

pytestmark = pytest.mark.whole

Open = Callable[..., AppTest]
at = playground.at


def chat(at: AppTest) -> AppTest:
    at.segmented_control(key="playground_chat").set_value("Chat").run()
    return at.text_area(key="playground_message_0").set_value("About {text}?").run()


def test_messages_are_added_moved_and_removed(at: AppTest) -> None:
    chat(at)
    press(at, "playground_more")
    at.text_area(key="playground_message_1").set_value("Be brief.").run()
    at.segmented_control(key="playground_role_1").set_value("system").run()
    press(at, "playground_up_1")
    assert [at.text_area(key=f"playground_message_{n}").value for n in (0, 1)] == ["Be brief.", "About {text}?"]
    assert at.segmented_control(key="playground_role_0").value == "system"
    press(at, "playground_out_0")
    assert at.text_area(key="playground_message_0").value == "About {text}?"
    assert "playground_out_0" not in [one.key for one in at.button]


def test_a_conversation_goes_on_from_each_answer_and_is_kept_in_the_draft(
    at: AppTest, open_page: Open, ws: Workspace
) -> None:
    with serve(lambda body: f"{len(body['messages'])} {{so far}}") as server:
        write_models(ws.home.path, server.url)
        at.run()
        at.selectbox(key="playground_model").select("chat:local").run()
        chat(at)
        at.text_area(key="playground_answers").set_value("").run()
        at.toggle(key="playground_generate").set_value(True).run()
        at.text_area(key="playground_field_text").set_value("rain").run()
        press(at, "playground_run")
        assert at.button(key="playground_send_next").disabled
        at.text_area(key="playground_next").set_value("And {snow}?").run()
        press(at, "playground_send_next")
        assert ran(at, ws).cells[0, 0].generated == "3 {so far}"
        sent = [(one["role"], one["content"]) for one in server.sent[-1].body["messages"]]
        assert sent == [("user", "About rain?"), ("assistant", "1 {so far}"), ("user", "And {snow}?")]
        again = open_page("playground")
        assert "playground_turns" in messages(again)
        press(again, "playground_turns_keep")
        assert again.text_area(key="playground_message_2").value == "And {{snow}}?"
        assert "playground_turns" not in messages(again)


def test_after_a_change_the_conversation_waits_for_answers_to_what_is_written(at: AppTest, ws: Workspace) -> None:
    with serve(lambda body: "yes") as server:
        write_models(ws.home.path, server.url)
        at.run()
        at.selectbox(key="playground_model").select("chat:local").run()
        chat(at)
        at.text_area(key="playground_answers").set_value("").run()
        at.toggle(key="playground_generate").set_value(True).run()
        press(at, "playground_run")
        at.text_area(key="playground_next").set_value("And?").run()
        assert not at.button(key="playground_send_next").disabled
        at.text_area(key="playground_message_0").set_value("Of {text}?").run()
        assert at.button(key="playground_send_next").disabled
