"""Langfuse's prompts come in as its own client fills them in, or are refused by the name of what they hold."""

import json
from pathlib import Path
from typing import Any

import pytest

from fedprompt.errors import ExportError
from fedprompt.exports.protocol import ImportContext, Imported
from fedprompt.exports.registry import format_of
from fedprompt.exports.syntax import field_name_for
from fedprompt.exports.texts.langfuse import Langfuse
from fedprompt.prompts.template import Message

HERE = ImportContext()
CASE = {"text": "fine", "my-name": "Ann", "my tone": "kind", "user.name": "Bo", "é": "e"}


def _read(tmp_path: Path, value: object) -> tuple[Imported, ...]:
    path = tmp_path / "theirs.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    assert format_of(path).name == "langfuse"
    return Langfuse().read(path, HERE)


def _entry(prompt: object, **more: object) -> dict[str, Any]:
    return {"name": "mood", "type": "text" if isinstance(prompt, str) else "chat", "prompt": prompt, **more}


def _by_langfuse(entry: dict[str, Any]) -> list[tuple[str, str]]:
    from langfuse.api import Prompt_Chat, Prompt_Text
    from langfuse.model import ChatPromptClient, TextPromptClient

    whole = {"version": 1, "config": {}, "labels": [], "tags": [], **entry}
    if entry["type"] == "text":
        return [("", TextPromptClient(Prompt_Text(**whole)).compile(**CASE))]
    made: Any = ChatPromptClient(Prompt_Chat(**whole)).compile(**CASE)
    return [(one["role"], one["content"]) for one in made]


READ = {
    "text": "Mood of {{text}} {x} }}?\r\n",
    "spaces": "Mood of {{ text }}{{\ntext\n}}",
    "names": "{{my-name}} {{my tone}} {{user.name}} {{é}} {{text}}",
    "Jinja's marks are text": "{% if x %}{# y #}{{text}}",
    "chat": [
        {"role": "system", "content": "Be kind {x}"},
        {"type": "chatmessage", "role": "user", "content": "{{text}}"},
    ],
}


@pytest.mark.parametrize("name", READ)
def test_a_prompt_comes_in_as_langfuse_fills_it_in(tmp_path: Path, name: str) -> None:
    entry = _entry(READ[name])
    (found,) = _read(tmp_path, entry)
    fields = {field_name_for(key): value for key, value in CASE.items()}
    turns = found.prompt.template.render(fields).turns
    assert [(turn.role or "", "".join(map(str, turn.pieces))) for turn in turns] == _by_langfuse(entry)


def test_one_prompt_a_list_and_a_page_hold_the_same(tmp_path: Path) -> None:
    one = _entry("Mood of {{text}}?")
    found = [_read(tmp_path, value) for value in (one, [one], {"data": [one], "meta": {"page": 1}})]
    assert {each.prompt.id for (each,) in found} == {found[0][0].prompt.id}


def test_versions_of_one_prompt_keep_apart_by_name(tmp_path: Path) -> None:
    found = _read(
        tmp_path, [_entry("A {{text}}", version=1), _entry("B {{text}}", version=2), _entry("C") | {"name": "x"}]
    )
    assert [one.prompt.name for one in found] == ["mood (version 1)", "mood (version 2)", "x"]


TOLD = {
    "settings": (
        _entry("{{text}}", config={"a": 1}, labels=["x"], version=3),
        "its config, labels and version were left",
    ),
    "graph": (_entry("{{text}}", resolutionGraph={"a": 1}), "its resolutionGraph was left out"),
    "hyphen": (_entry("{{my-name}}"), "the variable 'my-name' became the field 'my_name'"),
    "space": (_entry("{{my tone}}"), "the variable 'my tone' became the field 'my_tone'"),
    "same field": (_entry("{{a-b}} {{a b}} {{a_b}}"), "the variable 'a b' became the field 'a_b_2_2'"),
    "digit": (_entry("{{1st}}"), "the variable '1st' became the field 'field_1st'"),
    "developer": (_entry([{"role": "developer", "content": "{{text}}"}]), "'developer' became 'system'"),
}


@pytest.mark.parametrize("name", TOLD)
def test_what_is_left_out_or_renamed_is_told(tmp_path: Path, name: str) -> None:
    entry, sentence = TOLD[name]
    (found,) = _read(tmp_path, entry)
    assert any(sentence in one for one in found.dropped)


def test_two_variables_that_would_become_one_field_stay_two(tmp_path: Path) -> None:
    (found,) = _read(tmp_path, _entry("{{a-b}} {{a b}} {{a_b}}"))
    assert found.prompt.template.text == "{a_b_2} {a_b_2_2} {a_b}"


REFUSED = {
    "placeholder": (
        _entry([{"type": "placeholder", "name": "history"}, {"role": "user", "content": "{{text}}"}]),
        "message 1: it is a placeholder 'history' for messages",
    ),
    "composed": (_entry("@@@langfusePrompt:name=a|version=1@@@ {{text}}"), "refers to another prompt"),
    "composed chat": (
        _entry([{"role": "user", "content": "@@@langfusePrompt:name=a|label=b@@@"}]),
        "refers to another prompt",
    ),
    "picture": (_entry("@@@langfuseMedia:type=image/png|id=1|source=x@@@"), "refers to a picture"),
    "listed": ({"data": [{"name": "mood", "versions": [1], "labels": [], "tags": []}]}, "is only listed"),
    "wrong type": (_entry("{{text}}") | {"type": "chat"}, "of the type 'chat', but its prompt is a text"),
    "wrong type of chat": (_entry([]) | {"type": "text"}, "but its prompt is a list"),
    "empty chat": (_entry([]), "its list of messages is empty"),
    "tool": (_entry([{"role": "tool", "content": "x"}]), "has the role 'tool'"),
    "tool calls": (_entry([{"role": "assistant", "content": "", "tool_calls": [1]}]), "it holds tool_calls"),
    "filter": (_entry("{{ text | upper }}"), "filter"),
    "block": (_entry("{{#if text}}a{{/if}}"), "more than a variable"),
    "JSON in braces": (_entry('{{"a": 1}} {{text}}'), "more than a variable"),
    "key twice": ('{"name": "a", "prompt": "b", "prompt": "c"}', "the key 'prompt' is given twice"),
    "no field's name": (_entry("{{__}} {{..}}"), "more than a variable"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_template_cannot_hold_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    value, message = REFUSED[name]
    with pytest.raises(ExportError, match=message):
        _read(tmp_path, value)


def test_the_name_of_a_prompt_is_one_readable_line(tmp_path: Path) -> None:
    (found,) = _read(tmp_path, _entry("{{text}}") | {"name": " a\nb\ud800\u202e " + "c" * 200})
    assert found.prompt.name == ("a b " + "c" * 200)[:80]
    assert found.prompt.template.messages is None
    assert Message("user", "x").role == "user"
