"""Formats of plain text: what is written comes back as the same prompt, and their own libraries fill it in alike."""

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from fedprompt.errors import ExportError
from fedprompt.exports.protocol import ExportContext, Exported, Format, ImportContext
from fedprompt.exports.registry import format_of
from fedprompt.exports.texts.dotprompt import Dotprompt
from fedprompt.exports.texts.hf_templates import HFTemplates
from fedprompt.exports.texts.langchain import LangChain
from fedprompt.exports.texts.langfuse import Langfuse
from fedprompt.exports.texts.prompty import Prompty
from fedprompt.prompts.template import Demonstrations, Message
from tests.coded import coded

pytestmark = pytest.mark.whole

HERE = ImportContext()
Make = Callable[..., Exported]
Filled = list[tuple[str, str]]
CHAT = (Message("system", "Be {{brief}}."), Message("user", "Say: {text}"), Message("assistant", "So:"))
FORMATS: dict[str, Format] = {
    "langchain": LangChain(),
    "langfuse": Langfuse(),
    "prompty": Prompty(),
    "dotprompt": Dotprompt(),
    "hf-templates": HFTemplates(),
}
SINGLE = {"langchain": "p.json", "langfuse": "p.json", "prompty": "p.prompty", "dotprompt": "p.prompt"}
SINGLE["hf-templates"] = "p.yaml"
CASE = "{fine} <b> & {{text}} 'q' \"q\" \\"

# Braces, tags, quotes, backslashes and white space of every kind are drawn often.
awkward = st.text(
    st.sampled_from("{}%#'\"\\ \n\tab:-$é🙂") | st.characters(exclude_categories=["Cs", "Cc"]), max_size=12
)
literals = st.lists(awkward, min_size=2, max_size=3)


def _template(pieces: Sequence[str]) -> str:
    return "{text}".join(piece.replace("{", "{{").replace("}", "}}") for piece in pieces)


def filled_by_langchain(path: Path, fields: dict[str, str]) -> Filled:
    import warnings

    from langchain_core import prompts as lc
    from langchain_core.load import load

    kinds: list[Any] = [lc.PromptTemplate, lc.ChatPromptTemplate, lc.SystemMessagePromptTemplate]
    kinds += [lc.HumanMessagePromptTemplate, lc.AIMessagePromptTemplate]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        prompt = load(json.loads(path.read_text("utf-8")), allowed_objects=kinds)
    roles = {"human": "user", "system": "system", "ai": "assistant"}
    if isinstance(prompt, lc.PromptTemplate):
        return [("", prompt.format(**fields))]
    return [(roles[one.type], str(one.content)) for one in prompt.format_messages(**fields)]


def filled_by_langfuse(path: Path, fields: dict[str, str]) -> Filled:
    from langfuse.api import Prompt_Chat, Prompt_Text
    from langfuse.model import ChatPromptClient, TextPromptClient

    (entry,) = json.loads(path.read_text("utf-8"))
    if entry["type"] == "text":
        return [("", TextPromptClient(Prompt_Text(**entry, version=1)).compile(**fields))]
    made: Any = ChatPromptClient(Prompt_Chat(**entry, version=1)).compile(**fields)
    return [(one["role"], one["content"]) for one in made]


def filled_by_prompty(path: Path, fields: dict[str, str]) -> Filled:
    import prompty

    messages = prompty.prepare(prompty.load(path), fields)
    return [(str(one.role), "".join(part.value for part in one.parts)) for one in messages]


def filled_by_dotprompt(path: Path, fields: dict[str, str]) -> Filled:
    from dotpromptz import Dotprompt as Library
    from dotpromptz.typing import DataArgument

    made = asyncio.run(Library().render(path.read_text("utf-8"), DataArgument(input=fields)))
    roles = {"user": "user", "system": "system", "model": "assistant"}
    return [(roles[one.role.value], "".join(part.text for part in one.content)) for one in made.messages]


def filled_by_jinja(path: Path, fields: dict[str, str]) -> Filled:
    """As prompt-templates 0.0.16 does by default; that library itself needs numpy 1."""
    from jinja2 import StrictUndefined, meta
    from jinja2.sandbox import SandboxedEnvironment

    env = SandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)
    prompt = yaml.safe_load(path.read_text("utf-8"))["prompt"]
    body = prompt["template"]
    turns = [("", body)] if isinstance(body, str) else [(one["role"], one["content"]) for one in body]
    names = {name for _, text in turns for name in meta.find_undeclared_variables(env.parse(text))}
    assert names == set(prompt["template_variables"])
    return [(role, env.from_string(text).render(**fields)) for role, text in turns]


FILLED: dict[str, Callable[[Path, dict[str, str]], Filled]] = {
    "langchain": filled_by_langchain,
    "langfuse": filled_by_langfuse,
    "prompty": filled_by_prompty,
    "dotprompt": filled_by_dotprompt,
    "hf-templates": filled_by_jinja,
}
only_chat = ("prompty", "dotprompt")


def _wanted(item: Exported, fields: dict[str, str], name: str) -> Filled:
    rendered = item.prompt.template.render(fields)
    texts = ["".join(map(str, turn.pieces)) for turn in rendered.turns]
    if item.prompt.template.messages is None:
        return [("user" if name in only_chat else "", texts[0])]
    return [(str(turn.role), text) for turn, text in zip(rendered.turns, texts, strict=True)]


@pytest.mark.parametrize("name", FORMATS)
def test_their_own_library_fills_it_in_as_fedprompt_does(
    exported: Make, nowhere: ExportContext, tmp_path: Path, name: str
) -> None:
    for item in (exported("Review {{x}}: {text}\nSo:"), exported(None, messages=CHAT)):
        path = FORMATS[name].write([item], tmp_path / SINGLE[name], nowhere)
        assert FILLED[name](path, {"text": CASE}) == _wanted(item, {"text": CASE}, name)


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(pieces=literals)
def test_any_text_that_is_not_refused_comes_back_and_is_filled_in_alike(
    exported: Make, nowhere: ExportContext, tmp_path: Path, name: str, pieces: list[str]
) -> None:
    item = exported(_template(pieces))
    assume(FORMATS[name].refuses(item) is None)
    path = FORMATS[name].write([item], tmp_path / SINGLE[name], nowhere)
    (found,) = FORMATS[name].read(path, HERE)
    assert found.prompt == item.prompt
    assert FILLED[name](path, {"text": "a case"}) == _wanted(item, {"text": "a case"}, name)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("many", ["p.zip", "p"])
def test_a_folder_or_zip_brings_back_the_same_prompts_names_and_reading(
    exported: Make, nowhere: ExportContext, tmp_path: Path, name: str, many: str
) -> None:
    items = [
        exported(name="one"),
        exported(None, messages=CHAT, name="two"),
        exported("{demonstrations}{text}:", demonstrations=Demonstrations(2), name="three"),
        exported("Sum up: {text}", words=None, name="four"),
    ]
    path = FORMATS[name].write(items, tmp_path / many, nowhere)
    assert format_of(path).name == name
    found = FORMATS[name].read(path, HERE)
    assert {one.prompt.id: (one.prompt.name, one.prompt) for one in found} == {
        item.prompt.id: (item.name, item.prompt) for item in items
    }
    assert all(not one.dropped for one in found)


@pytest.mark.parametrize("name", FORMATS)
def test_a_single_file_is_known_by_its_looks_and_the_same_prompt_gives_the_same_bytes(
    exported: Make, nowhere: ExportContext, tmp_path: Path, name: str
) -> None:
    for item in (exported(), exported(None, messages=CHAT)):
        path = FORMATS[name].write([item], tmp_path / SINGLE[name], nowhere)
        assert format_of(path).name == name
        first = path.read_bytes()
        again = FORMATS[name].write([item], tmp_path / f"again{path.suffix}", nowhere)
        assert again.read_bytes() == first
        for wanted in (" rather bad", "likeliest-label", "accuracy 0.850", "log-likelihood of each label word"):
            assert wanted.encode() in first
        assert str(tmp_path).encode() not in first


@pytest.mark.parametrize("name", FORMATS)
def test_soft_prompts_are_refused_with_the_format_to_take(
    exported: Make, nowhere: ExportContext, tmp_path: Path, name: str
) -> None:
    with pytest.raises(ExportError, match="any-slot", check=coded("cannot-hold")):
        FORMATS[name].write([exported(), exported("{text}{soft}", "m")], tmp_path / "p.zip", nowhere)
    assert list(tmp_path.iterdir()) == []


def test_what_a_format_cannot_hold_is_told_as_it_is_written(exported: Make) -> None:
    shown = exported("{demonstrations}{text}:", demonstrations=Demonstrations(2))
    for held in FORMATS.values():
        assert any("demonstrations" in sentence for sentence in held.drops(shown))
    for name in only_chat:
        assert "one user message" in FORMATS[name].drops(exported())[0]
        assert FORMATS[name].drops(exported(None, messages=CHAT)) == ()


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("langfuse", "{{{{text}}}} {text}", "braces that Langfuse would take"),
        ("langfuse", "{{{text}}}", "braces that Langfuse would take"),
        ("langfuse", "@@@langfusePrompt:name=x|label=y@@@{text}", "follow to another prompt"),
        ("prompty", "{text}\n", "ends with a line break"),
        ("prompty", "a\nsystem:\n{text}", "looks like one of Prompty's roles"),
        ("prompty", "a\u2028{text}", "line breaks that Prompty would change"),
        ("dotprompt", "<<<dotprompt:role:user>>>{text}", "Dotprompt's own markers"),
        ("dotprompt", "{fp_7b}", "starts with fp_"),
        ("dotprompt", " \n", "is blank"),
    ],
)
def test_a_text_that_would_be_changed_is_refused(exported: Make, name: str, text: str, reason: str) -> None:
    refusal = FORMATS[name].refuses(exported(text))
    assert refusal is not None
    assert reason in refusal.reason
    assert refusal.instead == "langchain"


FOREIGN = {
    "langfuse": (
        "theirs.json",
        '[{"name": "mood", "type": "text", "prompt": "Mood of {{ text }}?", "config": {"a": 1}}]',
    ),
    "prompty": ("theirs.prompty", "---\nname: mood\nmodel:\n  api: chat\n---\nsystem:\nBe brief.\n\nuser:\n{{text}}\n"),
    "dotprompt": (
        "theirs.prompt",
        '---\nname: mood\nmodel: x/y\n---\n{{role "system"}}Be brief.{{role "user"}}{{text}}\n',
    ),
    "hf-templates": (
        "theirs.yaml",
        "prompt:\n  template: 'Mood of {{text}}?'\n  metadata: {name: mood}\n  custom_data: {a: 1}\n",
    ),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_another_tools_file_comes_in_and_what_is_left_out_is_told(tmp_path: Path, name: str) -> None:
    path = tmp_path / FOREIGN[name][0]
    path.write_text(FOREIGN[name][1])
    assert format_of(path).name == name
    (found,) = FORMATS[name].read(path, HERE)
    template = found.prompt.template
    if name in only_chat:
        assert [(one.role, one.content.strip()) for one in template.messages or ()] == [
            ("system", "Be brief."),
            ("user", "{text}"),
        ]
    else:
        assert template.text == "Mood of {text}?"
    assert found.prompt.name == "mood"
    assert "left out" in found.dropped[0]
    assert "no label words" in found.dropped[-1]


BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"


@pytest.mark.parametrize(
    ("file", "content", "code", "names"),
    [
        ("x.prompty", "---\nname: ${env:HOME}\n---\nuser:\nhi\n", "refers-elsewhere", "${env:"),
        ("x.prompty", "---\ninputs:\n  a: ['${file:/etc/passwd}']\n---\nuser:\nhi\n", "refers-elsewhere", "'inputs'"),
        (
            "x.prompty",
            "---\nname: x\n---\nuser:\n{% for a in b %}{{a}}{% endfor %}\n",
            "runs-code",
            "line 5",
        ),
        ("x.prompty", "---\nname: x\n---\nuser:\n{{ ''.__class__ }}\n", "not-plain-variable", ""),
        ("x.prompty", "---\nname: x\ntemplate: {format: {kind: mustache}}\n---\nuser:\nhi\n", "unread-syntax", ""),
        ("x.prompty", "---\nname: x\n", "front-matter", ""),
        ("x.prompty", "instructions: |\n  user:\n  hi\n", "front-matter", ""),
        ("x.prompty", "---\n- a\n---\nuser:\nhi\n", "front-matter", ""),
        ("x.prompty", "---\nname: x\n---\ntool:\nhi\n", "message-role", "'tool'"),
        ("x.prompty", "---\nname: x\n---\nuser:\n{{soft}}\n", "reserved-name", "'soft'"),
        ("x.prompt", "---\n" + BOMB + "---\nhi\n", "not-yaml", ""),
        ("x.prompt", "---\nname: !!python/object/apply:os.system ['true']\n---\nhi\n", "not-yaml", "line 2"),
        ("x.prompt", "---\nname: x\n---\n{{> partial}}\n", "not-plain-variable", "line 4"),
        ("x.prompt", "---\nname: x\n---\n{{#each a}}x{{/each}}\n", "not-plain-variable", ""),
        ("x.prompt", '---\nname: x\n---\n{{media url="file:///etc/passwd"}}\n', "not-plain-variable", ""),
        ("x.prompt", "---\nname: x\n---\n{{text\n", "tag-open", ""),
        ("x.prompt", "---\nname: x\n---\n", "no-message", ""),
        ("x.prompt", "---\nname: x\n---\n" + "a" * (4 * 1024 * 1024), "too-large", ""),
        ("x.yaml", "prompt:\n  template: '{{ cycler.__init__ }}'\n", "not-plain-variable", ""),
        ("x.yaml", "prompt:\n  template: [1]\n", "message-role", "message 1"),
        ("x.yaml", "prompt:\n  template: [{role: tool, content: x}]\n", "message-role", ""),
        ("x.yaml", "prompt:\n" + "".join(f" - {n}\n" for n in range(100_000)), "not-yaml", ""),
        ("x.yaml", "prompt:\n  template: {a: 1", "not-yaml", ""),
        (
            "x.json",
            '[{"name": "x", "prompt": [{"type": "placeholder", "name": "history"}]}]',
            "placeholder",
            "",
        ),
        ("x.json", '[{"name": "x", "prompt": "{{a | b}}"}]', "not-plain-variable", ""),
        ("x.json", '[{"name": "x", "prompt": 1}]', "not-well-formed", ""),
    ],
)
def test_a_hostile_or_damaged_file_is_one_clear_refusal(
    tmp_path: Path, file: str, content: str, code: str, names: str
) -> None:
    path = tmp_path / file
    path.write_text(content)
    with pytest.raises(ExportError, check=coded(code, names=names)):
        format_of(path).read(path, HERE)


@pytest.mark.parametrize("name", FORMATS)
def test_text_that_was_changed_does_not_pass_for_the_prompt_it_was(
    exported: Make, nowhere: ExportContext, tmp_path: Path, name: str
) -> None:
    path = FORMATS[name].write([exported("Wholly: {text}")], tmp_path / SINGLE[name], nowhere)
    text = path.read_text("utf-8")
    # Only the text that the tool itself would run; what fedprompt carries along says the old one.
    tag = {"langchain": "Wholly: {text}", "prompty": "Wholly: {{ text }}", "hf-templates": "Wholly: {{ text }}"}
    shown = tag.get(name, "Wholly: {{text}}")
    at = text.rindex(shown)
    path.write_text(text[:at] + shown.replace("Wholly", "Hardly") + text[at + len(shown) :])
    with pytest.raises(ExportError, check=coded("changed")):
        FORMATS[name].read(path, HERE)
