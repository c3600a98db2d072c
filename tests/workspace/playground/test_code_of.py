"""Code of a variant says the same as the variant, whatever stands in it."""

import contextlib
import io
import json
import shlex
from pathlib import Path

import pytest

from fedprompt.prompts.template import Message, Template
from fedprompt.workspace.answers.variants import Variant
from fedprompt.workspace.bills.session_servers import SessionServer
from fedprompt.workspace.playground.code_of import code_of, reference_of
from fedprompt.workspace.playground.taken_further import keep_variant
from fedprompt.workspace.workspace import open_workspace

NASTY = 'It\'s "{text}" `$(rm)` {{braces}} \\n é\nEnd:'

CASE = {name: f"the {name} of a case" for name in ("text", "more")}


def variant(template: Template, **more: object) -> Variant:
    return Variant(template=template.canonical(), **more)  # type: ignore[arg-type]


def said(code: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(code, {})
    return out.getvalue()


@pytest.mark.parametrize("text", [NASTY, "'''{text}''' {other}"])
def test_langchain_fills_in_what_the_template_does(tmp_path: Path, text: str) -> None:
    template = Template("a", text)
    case = {name: f"the {name} of a case" for name in template.variables}
    with open_workspace(tmp_path) as ws:
        code = code_of(ws, variant(template))["LangChain"]
    assert said(code) == template.render(case).text() + "\n"


def test_langchain_has_the_messages_of_a_chat(tmp_path: Path) -> None:
    template = Template("a", None, (Message("system", "Be 'kind'"), Message("user", NASTY)))
    with open_workspace(tmp_path) as ws:
        code = code_of(ws, variant(template))["LangChain"]
    assert "SystemMessage" in said(code) and "{braces}" in said(code)


def test_constants_and_examples_are_in_the_code_and_the_typed_text_is_not(tmp_path: Path) -> None:
    example = {"fields": {"text": "{seen}"}, "answer": "good"}
    given = variant(Template("a", "{tone}: {text}"), constants={"tone": "dry {x}"}, examples=(example,))
    with open_workspace(tmp_path) as ws:
        code = code_of(ws, given)["LangChain"]
    assert said(code) == "dry {x}: {seen} good\n\ndry {x}: the text of a case\n"  # wording


def test_a_request_to_a_server_is_one_shell_word_that_holds_the_settings_and_no_key(tmp_path: Path) -> None:
    server = SessionServer(model="openai:tiny", base_url="http://127.0.0.1:9/v1/")
    given = variant(Template("a", NASTY), server=server, generate=True, max_tokens=7, stop=("\n",))
    with open_workspace(tmp_path) as ws:
        words = shlex.split(code_of(ws, given)["curl"].replace("\\\n", " "))
    assert words[:2] == ["curl", "http://127.0.0.1:9/v1/chat/completions"]
    body = json.loads(words[words.index("-d") + 1])
    assert body["model"] == "tiny" and (body["max_tokens"], body["stop"]) == (7, ["\n"])
    assert body["messages"] == [{"role": "user", "content": NASTY.format(text=CASE["text"])}]
    assert "Authorization: Bearer $API_KEY" in words


def test_the_id_in_the_code_is_the_one_that_saving_gives(tmp_path: Path) -> None:
    given = variant(Template("a", "{text} {more}:"), labels=("yes", "no"))
    with open_workspace(tmp_path) as ws:
        codes = code_of(ws, given)
        reference = reference_of(ws, given)
        assert keep_variant(ws, given, "another name").startswith(reference)
        assert ws.bank.prompt_row(reference).name == "another name"
    assert reference in codes["Python"] and f"serve {reference}" in codes["curl"]
    body = json.loads(shlex.split(codes["curl"].replace("\\\n", " "), comments=True)[-1])
    assert json.loads(body["messages"][0]["content"]) == CASE
