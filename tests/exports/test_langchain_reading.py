"""Prompts that LangChain writes come in as LangChain fills them in, or are refused by the name of what they hold.

The oracle is LangChain: each prompt is made with its classes, written with ``dumpd`` (or ``save``), read here, and
both are filled in with the same case.
"""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from fedprompt.errors import ExportError
from fedprompt.exports.protocol import ImportContext, Imported
from fedprompt.exports.registry import format_of
from fedprompt.exports.syntax import Variable
from fedprompt.exports.texts.langchain import LangChain
from fedprompt.exports.texts.langchain_text import read_text

HERE = ImportContext()
CASE = {"text": "fine", "my-name": "Ann", "tone": "kind", "lang": "Danish"}
ROLES = {"human": "user", "system": "system", "ai": "assistant"}


def _written(tmp_path: Path, value: object, name: str = "theirs.json") -> Path:
    path = tmp_path / name
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def _read(tmp_path: Path, value: object, name: str = "theirs.json") -> Imported:
    path = _written(tmp_path, value, name)
    assert format_of(path).name == "langchain"
    (found,) = LangChain().read(path, HERE)
    return found


def _dumped(prompt: Any) -> Any:
    from langchain_core.load import dumpd

    return dumpd(prompt)


def _filled(found: Imported, case: dict[str, str]) -> list[tuple[str, str]]:
    """Return roles and texts; fields that were renamed get the value of the variable that they were."""
    named = {name.replace("-", "_").replace(" ", "_"): value for name, value in case.items()}
    turns = found.prompt.template.render(named).turns
    return [(turn.role or "", "".join(map(str, turn.pieces))) for turn in turns]


def _by_langchain(prompt: Any, case: dict[str, str]) -> list[tuple[str, str]]:
    from langchain_core.prompts import PromptTemplate

    given = {name: value for name, value in case.items() if name in prompt.input_variables}
    if isinstance(prompt, PromptTemplate):
        return [("", prompt.format(**given))]
    roles = {"chat": "", **ROLES}
    return [(roles[one.type] or one.role, str(one.text)) for one in prompt.format_messages(**given)]


def _text(template: str, **more: Any) -> Any:
    from langchain_core.prompts import PromptTemplate

    return PromptTemplate.from_template(template, **more)


def _chat(*messages: Any, **more: Any) -> Any:
    from langchain_core.prompts import ChatPromptTemplate

    return ChatPromptTemplate.from_messages(list(messages), **more)


def _bound_message(template: str, **bound: str) -> Any:
    from langchain_core.prompts import HumanMessagePromptTemplate

    return HumanMessagePromptTemplate.from_template(template, partial_variables=bound)


def _static(kind: str, content: Any, **more: Any) -> Any:
    from langchain_core import messages

    return getattr(messages, kind)(content=content, **more)


def _placeholder(name: str, **more: Any) -> Any:
    from langchain_core.prompts import MessagesPlaceholder

    return MessagesPlaceholder(name, **more)


READ: dict[str, Callable[[], Any]] = {
    "plain": lambda: _text("Say {text}: {{x}}"),
    "line ends": lambda: _text("a\r\nb\rc {text}\n\n"),
    "bound": lambda: _text("In {lang}: {text}", partial_variables={"lang": "Danish {x}"}),
    "bound number": lambda: _text("In {lang}: {text}", partial_variables={"lang": 3}),
    "hyphen": lambda: _text("Dear {my-name}: {text}"),
    "mustache": lambda: _text("A {{{text}}}\n{{! a note }}\nB {{&text}} {x}", template_format="mustache"),
    "mustache, bound": lambda: _text(
        "{{{text}}} {{lang}} {{{lang}}}", template_format="mustache", partial_variables={"lang": "<a> & 'b' \"c\""}
    ),
    "jinja": lambda: _text("a\r\nb {{ text }} {{ '{{' }}\n", template_format="jinja2"),
    "jinja, bound": lambda: _text("{{ lang }}: {{text}}", template_format="jinja2", partial_variables={"lang": "{x}"}),
    "chat": lambda: _chat(("system", "Be {tone}."), ("human", "{text}"), ("ai", "So {{x}}:")),
    "chat, bound": lambda: _chat(("system", "Be {tone}."), ("human", "{text}")).partial(tone="kind {y}"),
    "message, bound": lambda: _chat(_bound_message("In {lang}: {text}", lang="Danish")),
    "bound twice, the chat's wins": lambda: _chat(
        _bound_message("In {lang}: {text}", lang="Danish"), ("human", "{lang}")
    ).partial(lang="Dutch"),
    "bound in one message, open in another": lambda: _chat(
        _bound_message("In {lang}: {text}", lang="Frisian"), ("human", "{lang}")
    ),
    "static": lambda: _chat(_static("SystemMessage", 'As {"mood": "x"}'), ("human", "{text}")),
    "static parts": lambda: _chat(
        _static("HumanMessage", [{"type": "text", "text": "a {b}"}, "c"]), ("human", "{text}")
    ),
    "parts": lambda: _chat(
        ("human", [{"type": "text", "text": "Look {text}"}, {"type": "text", "text": " and {tone}"}])
    ),
    "part with settings": lambda: _chat(
        ("human", [{"type": "text", "text": "Look {text}", "cache_control": {"type": "ephemeral"}}])
    ),
    "nested": lambda: _chat(("system", "a"), _chat(("human", "{text} {tone}")).partial(tone="kind")),
    "optional placeholder": lambda: _chat(_placeholder("history", optional=True), ("human", "{text}")),
    "placeholder by name": lambda: _chat(("placeholder", "{history}"), ("human", "{text}")),
    "filled placeholder": lambda: _chat(_placeholder("history", n_messages=1), ("human", "{text}")).partial(
        history=[_static("HumanMessage", "hi"), _static("AIMessage", "yo {x}")]
    ),
}


@pytest.mark.parametrize("name", READ)
def test_a_prompt_comes_in_as_langchain_fills_it_in(tmp_path: Path, name: str) -> None:
    prompt = READ[name]()
    found = _read(tmp_path, _dumped(prompt))
    assert _filled(found, CASE) == _by_langchain(prompt, CASE)


TOLD: dict[str, tuple[Callable[[], Any], str]] = {
    "hyphen": (READ["hyphen"], "the variable 'my-name' became the field 'my_name'"),
    "mustache": (lambda: _text("{{text}}", template_format="mustache"), "mustache writes &, <, > and quotes"),
    "parts": (READ["parts"], "its 2 parts of text were joined"),
    "part with settings": (READ["part with settings"], "its cache_control was left out"),
    "optional placeholder": (READ["optional placeholder"], "the optional placeholder 'history'"),
    "tags": (lambda: _text("{text}", tags=["a"]), "its tags was left out"),
    "name": (lambda: _chat(_static("HumanMessage", "a", name="bo"), ("human", "{text}")), "its name was left out"),
}


@pytest.mark.parametrize("name", TOLD)
def test_what_is_left_out_is_told(tmp_path: Path, name: str) -> None:
    make, sentence = TOLD[name]
    assert any(sentence in one for one in _read(tmp_path, _dumped(make())).dropped)


def test_a_developers_message_is_the_systems_and_that_is_told(tmp_path: Path) -> None:
    from langchain_core.prompts import ChatMessagePromptTemplate, ChatPromptTemplate

    one = ChatMessagePromptTemplate.from_template("Be {text}", role="developer")
    found = _read(tmp_path, _dumped(ChatPromptTemplate(messages=[one])))
    assert _filled(found, CASE) == [("system", "Be fine")]
    assert "the role 'developer' became 'system'" in found.dropped[0]


def test_a_structured_prompt_and_a_chain_come_in_without_what_is_not_the_prompt(tmp_path: Path) -> None:
    chat = _dumped(_chat(("human", "{text}")))
    structured = {**chat, "id": ["langchain_core", "prompts", "structured", "StructuredPrompt"]}
    structured["kwargs"] = {**chat["kwargs"], "schema_": {"title": "mood"}}
    chain = {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "runnable", "RunnableSequence"]}
    model = {"lc": 1, "type": "constructor", "id": ["langchain", "chat_models", "openai", "ChatOpenAI"], "kwargs": {}}
    chain = {**chain, "kwargs": {"first": structured, "last": model}}
    commit = {"commit_hash": "abc", "manifest": chain, "examples": [{"a": 1}]}
    found = _read(tmp_path, commit)
    assert _filled(found, CASE) == [("user", "fine")]
    told = " ".join(found.dropped)
    assert "its schema was left out" in told
    assert "what follows the prompt in its sequence" in told
    assert "the examples of its commit" in told


def _few_shot() -> Any:
    from langchain_core.prompts import FewShotPromptTemplate

    return FewShotPromptTemplate(
        examples=[{"text": "a", "mood": "b"}, {"text": "c", "mood": "{{d}}"}],
        example_prompt=_text("{text} is {mood}"),
        prefix="Say it in {lang}.",
        suffix="{text} is",
        example_separator="\n--\n",
    )


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
@pytest.mark.parametrize("make", [lambda: _text("In {lang}: {text}\n{{x}}"), _few_shot])
def test_an_older_prompt_file_comes_in_as_langchain_fills_it_in(
    tmp_path: Path, make: Callable[[], Any], suffix: str
) -> None:
    prompt, path = make(), tmp_path / f"old{suffix}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        prompt.save(path)
    assert format_of(path).name == "langchain"
    (found,) = LangChain().read(path, HERE)
    given = {name: CASE[name] for name in prompt.input_variables}
    assert _filled(found, CASE) == [("", prompt.format(**given))]


def test_an_older_prompt_file_may_name_texts_and_examples_beside_it_and_no_others(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "text.txt").write_bytes(b"\xef\xbb\xbfSay {text}\r\n")
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "in" / "link.txt").symlink_to(tmp_path / "secret.txt")
    found = _read(tmp_path / "in", {"_type": "prompt", "template_path": "text.txt"})
    assert found.prompt.template.text == "Say {text}\n"
    for name, message in (
        ("../secret.txt", "outside its own folder"),
        (str(tmp_path / "secret.txt"), "outside its own folder"),
        ("link.txt", "links are not followed"),
        ("gone.txt", "is not there"),
        ("theirs.json", "only files that end in .txt"),
    ):
        with pytest.raises(ExportError, match=message):
            _read(tmp_path / "in", {"_type": "prompt", "template_path": name})


def _with_calls() -> Any:
    call = {"name": "f", "args": {}, "id": "1", "type": "tool_call"}
    return _chat(_static("AIMessage", "", tool_calls=[call]), ("human", "{text}"))


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "format": (lambda: _dumped(_text("{price:.2f} {text}")), r"'\{price:.2f\}' has a format"),
    "alignment": (lambda: _dumped(_text("{text:>10}")), r"'\{text:>10\}' has a format"),
    "conversion": (lambda: _dumped(_text("Say {text!r}")), r"'\{text!r\}' has a conversion"),
    "placeholder": (
        lambda: _dumped(_chat(_placeholder("history"), ("human", "{text}"))),
        "message 1 is a placeholder 'history' for messages",
    ),
    "image": (
        lambda: _dumped(_chat(("human", [{"type": "image_url", "image_url": "{text}"}]))),
        "a part of the kind 'ImagePromptTemplate'",
    ),
    "other part": (
        lambda: _dumped(_chat(("human", [{"type": "input_audio", "input_audio": {"data": "{text}"}}]))),
        "a part of the kind 'input_audio'",
    ),
    "static image": (
        lambda: _dumped(_chat(_static("HumanMessage", [{"type": "image_url", "image_url": {"url": "x"}}]))),
        "a part of the kind 'image_url'",
    ),
    "tool calls": (lambda: _dumped(_with_calls()), "holds tool_calls"),
    "tool message": (
        lambda: _dumped(_chat(_static("ToolMessage", "x", tool_call_id="1"))),
        "tool_call_id|ToolMessage",
    ),
    "few shot": (lambda: _dumped(_few_shot()), "holds a FewShotPromptTemplate"),
    "function": (
        lambda: _dumped(_text("{text} {day}", partial_variables={"day": lambda: "x"})),
        "'day' is bound to a function",
    ),
    "bound list": (
        lambda: _dumped(_text("{text} {day}", partial_variables={"day": ["x"]})),
        "'day' is bound to something that is not a text",
    ),
    "sections": (
        lambda: _dumped(_text("{{#text}}a{{/text}}", template_format="mustache")),
        "'text' is a section, which is more than a variable",
    ),
    "dotted": (lambda: _dumped(_text("{{text.a}}", template_format="mustache")), "looks inside a value"),
    "jinja filter": (lambda: _dumped(_text("{{ text | upper }}", template_format="jinja2")), "uses the filter 'upper'"),
    "jinja block": (
        lambda: _dumped(_text("{% if text %}a{% endif %}", template_format="jinja2")),
        "its template runs '{% if %}'",
    ),
    "attribute": (
        lambda: {"_type": "prompt", "template": "{text.x}", "input_variables": []},
        r"'\{text.x\}' looks inside a value",
    ),
    "index": (lambda: {"_type": "prompt", "template": "{text[0]}"}, "looks inside a value"),
    "position": (lambda: {"_type": "prompt", "template": "{} {0}"}, "a number or nothing for a name"),
    "braces": (lambda: {"_type": "prompt", "template": "{text"}, "its braces do not match"),
    "other syntax": (lambda: {"_type": "prompt", "template": "x", "template_format": "erb"}, "is written in 'erb'"),
    "selector": (lambda: {"_type": "few_shot", "example_selector": {"a": 1}, "suffix": "x"}, "with a program"),
    "other type": (lambda: {"_type": "few_shot_with_templates"}, "of the type 'few_shot_with_templates'"),
    "two texts": (lambda: {"_type": "prompt", "template": "a", "template_path": "a.txt"}, "both 'template' and"),
    "old chat": (lambda: {"_type": "chat", "messages": [{}, {}]}, "whose messages have no roles"),
    "demonstrations": (lambda: {"_type": "prompt", "template": "{demonstrations}"}, "named 'demonstrations'"),
    "twice": (lambda: '{"_type": "prompt", "template": "a", "template": "b"}', "the key 'template' is given twice"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_template_cannot_hold_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    make, message = REFUSED[name]
    path = _written(tmp_path, make())
    with pytest.raises(ExportError, match=message):
        LangChain().read(path, HERE)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    template=st.lists(
        st.sampled_from(
            ["{{{text}}}", "{{& text }}", "{{! note }}", "{{!x\ny}}", "\n", " ", "  \n", "a", "{", "}", "b\n"]
        ),
        max_size=12,
    ).map("".join)
)
def test_mustache_is_read_as_langchain_writes_it(template: str) -> None:
    from langchain_core.utils import mustache

    try:
        wanted = mustache.render(template, {"text": "V"})
    except mustache.ChevronError:
        return
    assume("{{{{" not in template)
    try:
        parts = read_text(template, "mustache", {}, "here", [])
    except ExportError:
        return
    assert "".join("V" if isinstance(part, Variable) else part for part in parts) == wanted


def test_a_small_file_that_would_grow_is_refused_at_once(tmp_path: Path) -> None:
    many = {"_type": "prompt", "template": "{a}" * 30_000, "partial_variables": {"a": "x" * 1_000_000}}
    shots = {
        "_type": "few_shot",
        "examples": [{"a": "b"}] * 900,
        "example_prompt": {"template": "{a}"},
        "example_separator": "-" * 1_000_000,
        "suffix": "{text}",
    }
    chat = _dumped(_chat(*[_placeholder("h", optional=True)] * 900).partial(h=[_static("HumanMessage", "x" * 90_000)]))
    for value, message in ((many, "with what is bound"), (shots, "with its examples"), (chat, "the messages so far")):
        with pytest.raises(ExportError, match=message):
            _read(tmp_path, value)
