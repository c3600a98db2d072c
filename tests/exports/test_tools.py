"""Formats that hold tools give them back with the same id. The others refuse or say what is lost."""

import json
from pathlib import Path
from typing import Any

import pytest

from fedprompt.errors import ExportError
from fedprompt.exports.protocol import ExportContext, Exported, ImportContext, Reading
from fedprompt.exports.registry import format_named, format_of, formats
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Message, Template
from fedprompt.prompts.tools import Tool, openai_tools
from tests.coded import coded

WEATHER = Tool("weather", "Tells it", {"type": "object", "properties": {"city": {"type": "string"}}})
PROMPT = Prompt(Template("talk", messages=(Message("user", "Weather in {text}?"),), tools=(WEATHER,)))
ITEM = Exported(PROMPT, "talk", None, Reading({}, "Read the text.", "score"))
NOWHERE = ExportContext(None, "m", "sha256:" + "0" * 64)
HOLD = {"bundle": "talk.zip", "langchain": "talk.json", "langfuse": "talk.json"}


@pytest.mark.parametrize("name", HOLD)
def test_tools_come_back_with_the_same_id(name: str, tmp_path: Path) -> None:
    path = format_named(name).write([ITEM], tmp_path / HOLD[name], NOWHERE)
    (found,) = format_of(path).read(path, ImportContext())
    assert found.prompt.id == PROMPT.id and found.prompt.template.tools == (WEATHER,)


def test_every_format_of_prompts_holds_tools_refuses_them_or_says_that_they_are_lost() -> None:
    for one in formats():
        told = one.refuses(ITEM) is not None or bool(one.drops(ITEM))
        assert told is (one.name not in HOLD), one.name


def test_tools_that_were_changed_in_the_file_are_refused(tmp_path: Path) -> None:
    path = format_named("langfuse").write([ITEM], tmp_path / "talk.json", NOWHERE)
    body = json.loads(path.read_text(encoding="utf-8"))
    body[0]["config"]["tools"][0]["function"]["description"] = "Deletes it"
    path.write_text(json.dumps(body), encoding="utf-8")
    with pytest.raises(ExportError, check=coded("changed")):
        format_of(path).read(path, ImportContext())


def test_tools_of_other_tools_files_are_read(tmp_path: Path) -> None:
    chat = [{"role": "user", "content": "Weather in {{city}}?"}]
    body: dict[str, Any] = {"name": "w", "type": "chat", "prompt": chat, "config": {"tools": openai_tools([WEATHER])}}
    path = tmp_path / "w.json"
    path.write_text(json.dumps(body), encoding="utf-8")
    (found,) = format_of(path).read(path, ImportContext())
    assert found.prompt.template.tools == (WEATHER,) and not any("config" in one for one in found.dropped)
    body["config"]["tools"][0]["function"]["parameters"] = {"type": "object", "items": {"$ref": "#"}}
    path.write_text(json.dumps(body), encoding="utf-8")
    with pytest.raises(ExportError, check=coded("tool-recursive")):
        format_of(path).read(path, ImportContext())
