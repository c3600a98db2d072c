"""Tools of a chat prompt: bounded, never recursive, part of the id; a template without tools keeps its id."""

import json
from typing import Any

import pytest

from fedprompt.errors import PromptError
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Message, Template
from fedprompt.prompts.tools import LONGEST_TOOLS, Tool, openai_tools, read_tools, tools_of
from tests.coded import coded

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TALK = (Message("user", "{text}"),)


def tool(**schema: Any) -> dict[str, Any]:
    return {"name": "f", "parameters": {"type": "object", **schema}}


def test_the_forms_of_other_tools_are_one_tool() -> None:
    ours = {"name": "weather", "description": "Tells it", "parameters": CITY}
    forms = [
        ours,
        {"type": "function", "function": {**ours, "strict": True}},
        {"name": "weather", "description": "Tells it", "input_schema": CITY},
    ]
    found = [tools_of([one])[0] for one in forms]
    assert found == [Tool("weather", "Tells it", CITY)] * 3
    assert tools_of(openai_tools(found[:1])) == tuple(found[:1])
    assert read_tools("  ") == () and read_tools(json.dumps(ours)) == tuple(found[:1])


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({"a": 1}, "not-tools"),
        ([1], "not-tools"),
        ([{"name": "a b"}], "tool-name"),
        ([{"parameters": {}}], "tool-name"),
        ([{"name": "a", "run": "rm"}], "not-tools"),
        ([tool(), tool()], "tool-twice"),
        ([{"name": "f"}] * 65, "too-many-tools"),
        ([{"name": "f", "description": "x" * 5000}], "tool-description"),
        ([{"name": "f", "description": False}], "tool-name"),
        ([{"name": "f", "description": []}], "tool-name"),
        ([{"name": "f", "description": "\ud800"}], "tool-description"),
        ([tool(description="\ud800")], "tool-schema"),
        ([{"name": "f", "parameters": {"type": "array"}}], "tool-schema"),
        ([tool(x=float("nan"))], "tool-schema"),
        ([tool(description="x" * 40_000)], "tools-too-large"),
        ([tool(properties={"a": {"$ref": "#"}})], "tool-recursive"),
        ([tool(**{"$defs": {"n": {"items": {"$ref": "#/$defs/n"}}}})], "tool-recursive"),
        ([tool(**{"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}})], "tool-recursive"),
        ([tool(properties={"a": {"$dynamicRef": "#x"}})], "tool-recursive"),
        ([tool(properties={"a": {"$ref": "https://example.org/x"}})], "tool-reference"),
        ([tool(properties={"a": {"$ref": "#/$defs/no"}})], "tool-reference"),
    ],
)
def test_what_is_no_tool_or_recursive_is_refused(value: Any, code: str) -> None:
    with pytest.raises(PromptError, check=coded(code)):
        tools_of(value)


def test_a_schema_that_is_nested_too_deep_or_text_that_is_too_long_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(40):
        deep = {"properties": {"a": deep}}
    with pytest.raises(PromptError, check=coded("tool-schema-deep")):
        tools_of([tool(**deep)])
    with pytest.raises(PromptError, check=coded("tools-too-large")):
        read_tools(" " * LONGEST_TOOLS + "[]")
    for text in ("[" * 100_000, "{", "[NaN]"):
        with pytest.raises(PromptError, check=coded("not-json", "not-tools")):
            read_tools(text)


def test_a_schema_that_is_used_twice_is_not_recursive() -> None:
    shared = tool(properties={"a": {"$ref": "#/$defs/n"}, "b": {"$ref": "#/$defs/n"}}, **{"$defs": {"n": {}}})
    assert tools_of([shared])[0].name == "f"


def test_tools_are_part_of_the_id_and_a_template_without_keeps_its_bytes() -> None:
    without, offers = Template("t", messages=TALK), Template("t", messages=TALK, tools=(Tool("f", "", CITY),))
    assert set(without.canonical()) == {"demonstrations", "messages", "text", "words"}
    # The id that this template had before there were tools.
    assert Prompt(without).id == "p1:9d79ac325652ed4754572f2c761a1ef0"
    assert Prompt(offers).id != Prompt(without).id
    again = Template.from_canonical("t", json.loads(json.dumps(offers.canonical())))
    assert again == offers and Prompt(again).id == Prompt(offers).id
    assert offers.render({"text": "x"}).tools == offers.tools


def test_tools_need_a_chat_and_an_empty_list_is_no_canonical_form() -> None:
    with pytest.raises(PromptError, check=coded("tools-need-a-chat")):
        Template("t", text="{text}", tools=(Tool("f"),))
    with pytest.raises(PromptError, check=coded("not-well-formed")):
        Template.from_canonical("t", {**Template("t", messages=TALK).canonical(), "tools": []})
