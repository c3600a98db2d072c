"""LangChain itself loads what is written, and nothing but plain prompts is read."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fedprompt.errors import ExportError
from fedprompt.exports.protocol import ExportContext, Exported, ImportContext
from fedprompt.exports.registry import format_of
from fedprompt.exports.texts.langchain import LangChain
from fedprompt.prompts.template import Demonstrations, Message
from tests.coded import coded

HERE = ImportContext()
Make = Callable[..., Exported]
CHAT = (Message("system", "Be {{brief}}."), Message("user", "{text}"), Message("assistant", "So:"))


def _load(value: object) -> Any:
    from langchain_core.load import load
    from langchain_core.prompts import (
        AIMessagePromptTemplate,
        ChatPromptTemplate,
        HumanMessagePromptTemplate,
        PromptTemplate,
        SystemMessagePromptTemplate,
    )

    allowed: Any = [
        AIMessagePromptTemplate,
        ChatPromptTemplate,
        HumanMessagePromptTemplate,
        PromptTemplate,
        SystemMessagePromptTemplate,
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load(value, allowed_objects=allowed)


def test_langchain_fills_in_the_template_as_fedprompt_does(
    exported: Make, nowhere: ExportContext, tmp_path: Path
) -> None:
    item = exported("Review {{x}}: {text}\nSentiment:")
    path = LangChain().write([item], tmp_path / "p.json", nowhere)
    revived = _load(json.loads(path.read_text()))
    assert revived.format(text="{fine} <b>") == item.prompt.template.render({"text": "{fine} <b>"}).text()
    reading = revived.metadata["fedprompt"]["reading"]
    assert reading["words"] == {"positive": " good", "negative": " rather bad"}
    assert (reading["parser"], reading["decoding"]["normalise"]) == ("likeliest-label", "none")
    assert "accuracy 0.850" in reading["score"]


def test_langchain_fills_in_chat_messages(exported: Make, nowhere: ExportContext, tmp_path: Path) -> None:
    path = LangChain().write([exported(None, messages=CHAT)], tmp_path / "p.json", nowhere)
    body = json.loads(path.read_text())
    assert body["id"] == ["langchain", "prompts", "chat", "ChatPromptTemplate"]
    messages = _load(body).format_messages(text="fine")
    assert [(m.type, m.content) for m in messages] == [
        ("system", "Be {brief}."),
        ("human", "fine"),
        ("ai", "So:"),
    ]


@pytest.mark.parametrize("name", ["p.json", "p.zip", "p"])
def test_what_was_written_comes_back_as_the_same_prompts(
    exported: Make, nowhere: ExportContext, tmp_path: Path, name: str
) -> None:
    items = [
        exported(name="one"),
        exported(None, messages=CHAT, name="two"),
        exported("{demonstrations}{text}:", demonstrations=Demonstrations(2), name="three"),
    ]
    path = LangChain().write(items, tmp_path / name, nowhere)
    assert format_of(path).name == "langchain"
    found = LangChain().read(path, HERE)
    assert {one.prompt.id: one.prompt.name for one in found} == {i.prompt.id: i.name for i in items}
    assert {one.prompt.id: one.prompt for one in found} == {i.prompt.id: i.prompt for i in items}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(literal=st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_any_text_survives(exported: Make, nowhere: ExportContext, tmp_path: Path, literal: str) -> None:
    item = exported(literal.replace("{", "{{").replace("}", "}}") + "{text}")
    path = LangChain().write([item], tmp_path / "p.json", nowhere)
    (found,) = LangChain().read(path, HERE)
    assert found.prompt == item.prompt


def test_soft_prompts_are_refused_with_the_format_to_take(
    exported: Make, nowhere: ExportContext, tmp_path: Path
) -> None:
    item = exported("{text}{soft}", "m")
    refusal = LangChain().refuses(item)
    assert refusal is not None
    assert refusal.instead == "any-slot"
    with pytest.raises(ExportError, match="any-slot", check=coded("cannot-hold")):
        LangChain().write([exported(), item], tmp_path / "p.json", nowhere)
    assert not (tmp_path / "p.json").exists()
    chat = exported(None, "m", messages=(Message("user", "{soft}{text}"),))
    refusal = LangChain().refuses(chat)
    assert refusal is not None
    assert refusal.instead == "bundle"


def _prompt(**kwargs: object) -> dict[str, Any]:
    return {
        "lc": 1,
        "type": "constructor",
        "id": ["langchain", "prompts", "prompt", "PromptTemplate"],
        "kwargs": {
            "input_variables": ["text"],
            "template": "Text: {text}",
            "template_format": "f-string",
            **kwargs,
        },
    }


def _read(tmp_path: Path, value: object) -> Any:
    path = tmp_path / "theirs.json"
    path.write_text(json.dumps(value))
    return LangChain().read(path, HERE)


def test_another_tools_prompt_comes_in_without_label_words(tmp_path: Path) -> None:
    (found,) = _read(tmp_path, _prompt())
    assert (found.prompt.template.text, found.prompt.template.words) == ("Text: {text}", None)
    assert found.prompt.name == "theirs"
    assert "no label words" in found.dropped[0]


def test_fixed_messages_of_another_tool_come_in_with_their_braces_as_text(tmp_path: Path) -> None:
    from langchain_core.load import dumpd
    from langchain_core.messages import SystemMessage
    from langchain_core.prompts import ChatPromptTemplate

    theirs = ChatPromptTemplate.from_messages([SystemMessage("Answer in {json}."), ("human", "{text}")])
    (found,) = _read(tmp_path, dumpd(theirs))
    assert found.prompt.template.messages == (
        Message("system", "Answer in {{json}}."),
        Message("user", "{text}"),
    )


def _nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "code", "names"),
    [
        (_prompt(template="{{ text.__class__ }}", template_format="jinja2"), "not-plain-variable", ""),
        (_prompt(template="{{text.a}}", template_format="mustache"), "not-plain-variable", ""),
        (_prompt(template="{text.__class__}"), "not-plain-variable", ""),
        (_prompt(template="{soft}"), "reserved-name", "'soft'"),
        (_prompt(metadata={"x": {"lc": 1, "type": "secret", "id": ["HOME"]}}), "asks-for-a-secret", ""),
        (_prompt(metadata={"x": _nested(50)}), "nested-too-deep", ""),
        (
            {
                "lc": 1,
                "type": "constructor",
                "id": ["langchain", "llms", "openai", "OpenAI"],
                "kwargs": {"base_url": "http://example.org"},
            },
            "not-this-format",
            "",
        ),
        ({"lc": 1, "type": "constructor", "id": ["os", "system"], "kwargs": {}}, "not-this-format", ""),
        ({"a": 1}, "not-this-format", ""),
        ("text", "not-this-format", ""),
    ],
)
def test_whatever_is_no_plain_prompt_is_refused(tmp_path: Path, value: object, code: str, names: str) -> None:
    with pytest.raises(ExportError, check=coded(code, names=names)):
        _read(tmp_path, value)


def test_text_that_was_changed_does_not_pass_for_the_prompt_it_was(
    exported: Make, nowhere: ExportContext, tmp_path: Path
) -> None:
    path = LangChain().write([exported()], tmp_path / "p.json", nowhere)
    body = json.loads(path.read_text())
    body["kwargs"]["template"] = "Another: {text}"
    with pytest.raises(ExportError, check=coded("changed")):
        _read(tmp_path, body)


def test_what_is_not_json_or_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_bytes(b"{\n7")
    with pytest.raises(ExportError, match="line 2", check=coded("not-json")):
        LangChain().read(path, HERE)
    path.write_bytes(b" " * (4 * 1024 * 1024 + 1))
    with pytest.raises(ExportError, check=coded("too-large")):
        LangChain().read(path, HERE)
