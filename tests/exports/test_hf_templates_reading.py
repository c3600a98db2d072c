"""Each form of a prompt-templates file is read as the library reads it, refused by its name, or told as left out.

Forms: ``docs/standard_prompt_format.md`` and ``prompt_templates`` 0.0.16 (github.com/MoritzLaurer/prompt_templates).
"""

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fedprompt.errors import ExportError
from fedprompt.exports.protocol import ImportContext, Imported
from fedprompt.exports.registry import format_of
from fedprompt.exports.syntax import Variable
from fedprompt.exports.texts.hf_templates import HFTemplates
from fedprompt.exports.texts.jinja_reading import read_jinja

HERE = ImportContext()
PICTURE = {"role": "user", "content": [{"type": "image_url"}, {"type": "text", "text": "a"}]}
CHAT = [{"role": "system", "content": "Sort."}, {"role": "user", "content": "Ticket: {{text}}"}]


def imported(tmp_path: Path, prompt: object, **beside: object) -> Imported:
    path = tmp_path / "ticket.yaml"
    path.write_text(yaml.safe_dump({"prompt": prompt, **beside}, allow_unicode=True), "utf-8")
    assert format_of(path).name == "hf-templates"
    (found,) = HFTemplates().read(path, HERE)
    return found


@pytest.mark.parametrize("key", ["template", "messages"])
def test_messages_are_read_under_either_key(tmp_path: Path, key: str) -> None:
    found = imported(tmp_path, {key: CHAT, "template_variables": ["text"]})
    assert [(one.role, one.content) for one in found.prompt.template.messages or ()] == [
        ("system", "Sort."),
        ("user", "Ticket: {text}"),
    ]


@pytest.mark.parametrize(
    ("template", "read"),
    [
        ("Mood of {{ text }}?\n", "Mood of {text}?"),  # Jinja takes a last line break away
        ("a\r\n{{text}}\rb", "a\n{text}\nb"),
        ("a\n  {# a note #}\n{{text}}", "a\n{text}"),  # trim_blocks and lstrip_blocks
        ("{{ '{{' }}x{% raw %}{%}{% endraw %}{{text}}", "{{{{x{{%}}{text}"),
        ('{"a": {{text}}}', '{{"a": {text}}}'),
        ("{text} {{text}}", "{{text}} {text}"),
    ],
)
def test_a_text_is_read_as_jinja_reads_it(tmp_path: Path, template: str, read: str) -> None:
    assert imported(tmp_path, {"template": template}).prompt.template.text == read


def test_single_braces_are_variables_where_the_file_declares_them(tmp_path: Path) -> None:
    found = imported(tmp_path, {"template": 'Sort {text} as {"a": 1}', "template_variables": ["text"]})
    assert found.prompt.template.text == 'Sort {text} as {{"a": 1}}'
    assert "was read as a variable" in found.dropped[0]
    renamed = imported(tmp_path, {"template": "Sort {my text}", "template_variables": ["my text"]})
    assert renamed.prompt.template.text == "Sort {my_text}"
    assert "'my text' became the field 'my_text'" in renamed.dropped[1]
    undeclared = imported(tmp_path, {"template": "Sort {text}"})
    assert undeclared.prompt.template.text == "Sort {{text}}"
    assert "its text shows no field" in undeclared.dropped[0]


def test_a_dictionary_of_templates_is_as_many_prompts(tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    several = {"one": {"template": "A {{text}}"}, "two": {"template": CHAT, "custom_data": {"a": 1}}}
    path.write_text(yaml.safe_dump({"prompt": {"template_dictionary": several, "metadata": {"a": 1}}}))
    found = HFTemplates().read(path, HERE)
    assert [one.prompt.name for one in found] == ["one", "two"]
    assert "its metadata was left out" in found[0].dropped[0]
    assert "its custom_data and metadata were left out" in found[1].dropped[0]


def test_json_is_read_like_yaml(tmp_path: Path) -> None:
    path = tmp_path / "ticket.json"
    path.write_text(json.dumps({"prompt": {"template": CHAT, "metadata": {"name": "mood"}}}))
    assert format_of(path).name == "hf-templates"
    (found,) = HFTemplates().read(path, HERE)
    assert found.prompt.id == imported(tmp_path, {"template": CHAT}).prompt.id
    assert found.prompt.name == "mood"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_marks_and_line_ends_of_a_system_change_no_prompt(tmp_path: Path, mark: bytes, end: bytes) -> None:
    path = tmp_path / "ticket.yaml"
    text = b"prompt: # a prompt\n  template: |\n    Sort.\n    Ticket: {{text}}\n  metadata:\n    name: mood\n"
    path.write_bytes(mark + text.replace(b"\n", end))
    assert format_of(path).name == "hf-templates"
    (found,) = HFTemplates().read(path, HERE)
    assert found.prompt.template.text == "Sort.\nTicket: {text}"


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ({"template": "a {{ text | upper }}"}, "line 1: the tag .* uses the filter 'upper'"),
        ({"template": "a\n{% for a in b %}{{a}}{% endfor %}"}, "template, line 2: its template runs '{% for %}'"),
        ({"template": "{{ ticket-text }}"}, "write {{ticket_text}} and call the field 'ticket_text'"),
        ({"template": "{text}", "template_variables": ["ticket"]}, "names 'ticket', which its template does not show"),
        ({"template": "{{text}}", "template_variables": "text"}, "template_variables is not a list of names"),
        ({"template": "{{text}}", "template_variables": [True]}, "template_variables is not a list of names"),
        ({"template": {"a": 1}}, "neither a text nor a list of messages"),
        ({"metadata": {}}, "neither a text nor a list of messages"),
        ({"template": []}, "its list of messages is empty"),
        ({"template": [{"role": "tool", "content": "a"}]}, "message 1: a message needs a role among"),
        ({"template": [{"role": "user", "content": 7}]}, "message 1: a message needs a role among"),
        (
            {
                "template": [
                    CHAT[0],
                    {"role": "user", "content": [{"type": "image_url"}, {"type": "text", "text": "a"}]},
                ]
            },
            "message 2: it holds a part of the type 'image_url'",
        ),
        ({"template_dictionary": {}}, "holds no templates by name"),
        ({"template_dictionary": {"a": "b"}}, "'a' of its template_dictionary is not a template"),
    ],
)
def test_what_is_more_than_text_from_fields_is_refused_by_its_name(tmp_path: Path, prompt: object, said: str) -> None:
    with pytest.raises(ExportError, match=rf"ticket\.yaml.*{said}"):
        imported(tmp_path, prompt)


def test_one_text_in_a_list_is_a_text_and_what_is_left_out_is_told(tmp_path: Path) -> None:
    content = [{"type": "text", "text": "{{text}}"}]
    found = imported(
        tmp_path,
        {
            "template": [{"role": "user", "content": content}],
            "template_variables": ["text"],
            "client_parameters": [{"temperature": 0}],
            "custom_data": {},
            "metadata": {"name": "mood", "author": "A"},
        },
        version=1,
    )
    assert found.prompt.template.messages is not None
    assert found.prompt.template.messages[0].content == "{text}"
    assert [sentence.split(": ", 1)[1] for sentence in found.dropped[:-1]] == [
        "its client_parameters, metadata and version were left out"
    ]


PIECES = (
    *("{{text}}", "{{- text }}", "{{ text -}}", "{# c #}", "  {#- c -#}", "{{ 'q' }}", '{{ "\\n" }}', "{", "}", "#}"),
    *("{% raw %}{{x}}{% endraw %}", "  {%- raw %}\ny{% endraw -%}\n", "a", " ", "\n", "\n\n", "\r\n", "\r", "\t", "é"),
)


@given(pieces=st.lists(st.sampled_from(PIECES), max_size=12), trimmed=st.booleans(), ends=st.booleans())
def test_whatever_is_read_jinja_fills_in_alike(pieces: list[str], trimmed: bool, ends: bool) -> None:
    from jinja2.sandbox import SandboxedEnvironment

    try:
        read = read_jinja("".join(pieces), "here", trimmed=trimmed, ends=ends)
    except ExportError:
        return
    env = SandboxedEnvironment(trim_blocks=trimmed, lstrip_blocks=trimmed, keep_trailing_newline=ends)
    ours = "".join("A <b>" if isinstance(part, Variable) else part for part in read.parts)
    assert ours == env.from_string("".join(pieces)).render(text="A <b>")
