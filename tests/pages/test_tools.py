"""A chat offers tools; the calls that a model makes are shown, and nothing runs them."""

import json

import pytest
from streamlit.testing.v1 import AppTest

from fedprompt.prompts.tools import openai_tools
from fedprompt.workspace.workspace import Workspace
from tests.chat_server import serve, write_models
from tests.pages import playground
from tests.pages.messages import messages
from tests.pages.playground import press, ran

pytestmark = pytest.mark.whole

at = playground.at
TOOLS = json.dumps([{"name": "weather", "description": "Tells it", "parameters": {"type": "object"}}])
CALLS = (("weather", '{"city": "Bern"}'), ("weather", '{"city": '))


def test_calls_are_shown_with_name_and_arguments_and_the_prompt_is_saved_with_its_tools(
    at: AppTest, ws: Workspace
) -> None:
    with serve(lambda body: "", calls=CALLS) as server:
        write_models(ws.home.path, server.url)
        at.run()
        at.selectbox(key="playground_model").select("chat:local").run()
        at.segmented_control(key="playground_chat").set_value("Chat").run()
        at.text_area(key="playground_message_0").set_value("Weather in {text}?").run()
        at.text_area(key="playground_answers").set_value("").run()
        at.text_area(key="playground_tools").set_value(TOOLS).run()
        assert "weather" in messages(at)["playground_tools_names"]
        at.toggle(key="playground_generate").set_value(True).run()
        press(at, "playground_run")
        cell = ran(at, ws).cells[0, 0]
        assert [(one.name, json.loads(one.arguments)) for one in cell.calls[:1]] == [("weather", {"city": "Bern"})]
        assert len(cell.calls) == 2 and json.loads(cell.output)[0]["name"] == "weather"
        assert {"answer_call_0_0_0", "answer_call_0_0_1"} <= set(messages(at))
        assert server.sent[-1].body["tools"] == openai_tools(ran(at, ws).request.variants[0].made().tools)
    at.text_input(key="playground_keep_name").set_value("asks").run()
    press(at, "playground_keep")
    (row,) = ws.bank.prompts()
    assert [one.name for one in ws.bank.prompt(row.id).template.tools] == ["weather"]


def test_tools_that_are_recursive_or_offered_to_a_local_model_are_refused(at: AppTest) -> None:
    at.segmented_control(key="playground_chat").set_value("Chat").run()
    at.text_area(key="playground_message_0").set_value("Weather in {text}?").run()
    bad = json.dumps([{"name": "f", "parameters": {"type": "object", "items": {"$ref": "#"}}}])
    at.text_area(key="playground_tools").set_value(bad).run()
    assert "error_tool-recursive" in messages(at) and at.button(key="playground_run").disabled
    at.text_area(key="playground_tools").set_value(TOOLS).run()
    press(at, "playground_run")
    assert "error_tools-need-a-server" in messages(at)
