"""Each form that a Prompty file may take is read as Prompty reads it, refused by its name, or told as left out.

Forms: ``spec/spec.md`` (version 2) and the branch ``v1`` of github.com/microsoft/prompty.
"""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedprompt.errors import ExportError
from fedprompt.exports.documents import NO_WORDS
from fedprompt.exports.protocol import ImportContext, Imported
from fedprompt.exports.texts.prompty import Prompty

FRONT = "---\nname: mood\n---\n"
SECOND = "---\nname: mood\ntemplate: {format: {kind: jinja2}, parser: {kind: prompty}}\n---\n"
BODY = "system:\nSort.\nOne word.\n\nuser:\nTicket: {{text}}\nMood:\n"
READ = [("system", "Sort.\nOne word."), ("user", "Ticket: {text}\nMood:")]


def imported(tmp_path: Path, content: str | bytes) -> Imported:
    path = tmp_path / "ticket.prompty"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (found,) = Prompty().read(path, ImportContext())
    return found


def turns(found: Imported) -> list[tuple[str, str]]:
    return [(one.role, one.content) for one in found.prompt.template.messages or ()]


@pytest.mark.parametrize(
    "front", [FRONT, SECOND, "", "# Copyright\n\n" + FRONT, "+++\nname: mood\n+++\n", "---\n---\n"]
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("last", ["", "\n", "\n\n"])
def test_marks_and_line_ends_of_a_system_change_no_prompt(
    tmp_path: Path, front: str, mark: bytes, end: bytes, last: str
) -> None:
    content = mark + (front + BODY.rstrip() + last).encode().replace(b"\n", end)
    assert turns(imported(tmp_path, content)) == READ


@pytest.mark.parametrize(
    ("body", "read"),
    [
        ("Sort.\nuser:\n{{text}}", [("system", "Sort."), ("user", "{text}")]),  # text before a role is the system's
        ("  # USER :\n{{ text }}", [("user", "{text}")]),
        ("user:\nuser: is quoted\n{{text}}", [("user", "user: is quoted\n{text}")]),
        ("user:\n---\n{{text}}\n---", [("user", "---\n{text}\n---")]),
        ("user:\n{% raw %}{{x}} {%{% endraw %} {{text}}", [("user", "{{{{x}}}} {{% {text}")]),
        ("user:\n{{ '{{' }}a{{ \"}}\" }} {{text}}", [("user", "{{{{a}}}} {text}")]),
        ("user:\na {{- text -}} b", [("user", "a{text}b")]),
        ('user:\n{"mood": {{text}}}', [("user", '{{"mood": {text}}}')]),
        ("user:\nA\nassistant:\nB\nuser:\n{{text}}", [("user", "A"), ("assistant", "B"), ("user", "{text}")]),
        ("user:\n\n\n{{text}}\n\n\nassistant:\n", [("user", "{text}")]),  # a message without text is none
        ("user:\na\u2028{{text}}", [("user", "a\n{text}")]),  # as Prompty's splitlines
        ("user:\nGr\u00f6\u00dfe: {{gr\u00f6\u00dfe}}", [("user", "Gr\u00f6\u00dfe: {gr\u00f6\u00dfe}")]),
        ("user:\n$9 ${env:HOME} {{text}}", [("user", "$9 ${{env:HOME}} {text}")]),  # a text is no reference
    ],
)
def test_a_text_is_read_as_prompty_reads_it(tmp_path: Path, body: str, read: list[tuple[str, str]]) -> None:
    for front in (FRONT, SECOND):
        assert turns(imported(tmp_path, front + body)) == read


@pytest.mark.parametrize("model", ["{api: completion}", "{apiType: completion}"])
def test_a_completion_is_one_text_and_no_messages(tmp_path: Path, model: str) -> None:
    found = imported(tmp_path, f"---\nmodel: {model}\n---\n\nuser:\n{{{{text}}}}\nMood:\n")
    assert found.prompt.template.text == "user:\n{text}\nMood:"
    assert found.prompt.template.messages is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (FRONT + "user:\n{{text|upper}}", r"line 5: the tag '{{text\|upper}}' uses the filter 'upper'"),
        (FRONT + "user:\n\n{{ user.name }}", "line 6: .*write {{user_name}} and call the field 'user_name'"),
        (FRONT + "user:\n{{ ticket-text }}", "line 5: .*write {{ticket_text}}"),
        (FRONT + "user:\n{{ my text }}", "line 5: .*write {{my_text}}"),
        (FRONT + "user:\n{{ text[0] }}", "line 5: .*write {{text_0}}"),
        (FRONT + "user:\n{{ text() }}", "is more than a variable"),
        (FRONT + "user:\n{{ 7 }}", "is more than a variable"),
        (FRONT + "user:\n{{ text", "line 5: a tag is none that Jinja can read"),
        (FRONT + "user:\n{% if text %}{{text}}{% endif %}", "line 5: its template runs '{% if %}'"),
        (FRONT + "user:\n{% set a = 1 %}{{text}}", "runs '{% set %}'"),
        (FRONT + "{% extends 'base.prompty' %}", "line 4: its template runs '{% extends %}'"),
        (FRONT + "{% include 'other' %}", "runs '{% include %}'"),
        (FRONT + "user:\n{{soft}}", "variable named 'soft'"),
        (FRONT + "user:\n{{demonstrations}}", "variable named 'demonstrations'"),
        (FRONT + "user:\n![thread]\n{{text}}", r"'!\[thread\]' stands for earlier messages"),
        (FRONT + "user:\n![a cat](cat.png)\n{{text}}", "shows an image"),
        (FRONT + "function:\n{{text}}", "this one has the role 'function'"),
        (FRONT + "tools:\n- a\nuser:\n{{text}}", "this one has the role 'tools'"),
        ("---\nbase: other.prompty\n---\n" + BODY, "based on another file"),
        ("---\ntemplate: mustache\n---\n" + BODY, "written in 'mustache'"),
        ("---\ntemplate: {format: {kind: handlebars}}\n---\n" + BODY, "written in 'handlebars'"),
        ("---\ntemplate: {parser: markdown}\n---\n" + BODY, "its parser is 'markdown'"),
        ("---\nmodel: {apiType: embedding}\n---\n" + BODY, "asked for 'embedding'"),
        ("---\nmodel: {api: image}\n---\n" + BODY, "asked for 'image'"),
        ("---\nname: ${env:HOME}\n---\n" + BODY, r"'name' refers to \${env:"),
        ("---\ninputs: ${file:in.json}\n---\n" + BODY, r"'inputs' refers to \${file:"),
        ("---\ninputs:\n - {name: text, kind: thread}\n---\n" + BODY, "'text' is of the kind 'thread'"),
        ("---\ninputs:\n  text: {kind: image}\n---\n" + BODY, "'text' is of the kind 'image'"),
        ("---\nname: Ticket: mood\n---\n" + BODY, "line 2: "),
        ("# Copyright\n\n---\nmodel:\n  a: [\n---\n" + BODY, "line 5: "),
        ("---\n- a\n---\n" + BODY, "line 2: its front matter is not a mapping"),
        ("---\nname: x\n", "line 1: its front matter has no end"),
        ("instructions: |\n  user:\n  {{text}}\n", "YAML without lines '---'"),
        (FRONT + "{{ 'system:' }}\n{{text}}", "a tag makes or takes away a line that names a role"),
        (FRONT + "user:\n{{- text }}", "a tag makes or takes away a line that names a role"),
        (FRONT, "has no message; write its text under a line 'user:'"),
        (b"---\nname: \xff\n---\n", "is not UTF-8 text; save it as UTF-8"),
        (FRONT.encode("utf-16"), "is not UTF-8 text"),
    ],
)
def test_what_is_more_than_text_from_fields_is_refused_by_its_name(
    tmp_path: Path, content: str | bytes, said: str
) -> None:
    with pytest.raises(ExportError, match=f"ticket.prompty.*{said}"):
        imported(tmp_path, content)


def test_version_2_sends_images_and_version_1s_roles_as_text(tmp_path: Path) -> None:
    found = imported(tmp_path, SECOND + "user:\n![a cat](cat.png)\ntools:\n![thread]\n{{text}}")
    assert turns(found) == [("user", "![a cat](cat.png)\ntools:\n![thread]\n{text}")]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (FRONT + BODY, []),
        ("---\nmodel: {api: chat}\nsample: {text: Hi}\n---\n" + BODY, ["its model and sample were left out"]),
        ("---\nsample: in.json\n---\n" + BODY, ["its sample was left out"]),
        (
            "---\ntools: [{name: a}]\noutputs: {a: {type: string}}\nauthors: [A]\n---\n" + BODY,
            ["its authors, outputs and tools were left out"],
        ),
        ("---\ninputs: {text: Hi}\n---\n" + BODY, ["the default or sample of its input 'text' was left out"]),
        (
            "---\ninputs: {text: {type: string, sample: Hi}, b: {type: number, default: 1}}\n---\n" + BODY,
            ["the default or sample of its inputs 'text', 'b' was left out"],
        ),
        (
            "---\ninputs: [{name: text, kind: array}]\n---\n" + BODY,
            ["its input 'text' is declared as something else than text"],
        ),
        (
            "---\nmodel: {configuration: {endpoint: '${env:ENDPOINT}'}}\n---\n" + BODY,
            ["its model was left out", "what its front matter refers to with '${...}' was not looked up"],
        ),
        (FRONT + BODY + "{# a note #}", ["the comments in its template were left out"]),
        (FRONT + 'user[name="A", n=1]:\n{{text}}', ["the attributes of its role 'user' were left out"]),
        (FRONT + "developer:\n{{text}}", ["the role 'developer' became 'system'"]),
        (FRONT + "user:\nHi", ["its text shows no field"]),
    ],
)
def test_what_is_left_out_is_told(tmp_path: Path, content: str, told: list[str]) -> None:
    found = imported(tmp_path, content)
    assert found.dropped[-1] == NO_WORDS
    assert len(found.dropped) - 1 == len(told)
    for sentence, wanted in zip(found.dropped, told, strict=False):
        assert wanted in sentence


@pytest.mark.parametrize(
    ("said", "name"), [("Mood", "Mood"), ("123", "123"), ("'a\tb  c'", "a b c"), ("yes", "ticket"), ("[a]", "ticket")]
)
def test_a_name_is_one_line_of_what_the_file_says_or_the_files_own(tmp_path: Path, said: str, name: str) -> None:
    assert imported(tmp_path, f"---\nname: {said}\n---\n{BODY}").prompt.name == name


PIECES = (
    *("{{text}}", "{{ text }}", "{{- text -}}", "{{+ text }}", "{# c #}", "{#- c -#}", "{{ 'q' }}", "{{ '{{' }}"),
    *("{{'\\n'}}", "{% raw %}{{x}}{% endraw %}", "{", "}", "{{'system:'}}", "a", " ", "  b", "\n", "\n\n", "\t"),
    *("user:\n", "\nsystem:\n", "\n# assistant:\n", "\n user[a=1]:\n", "#", "é", "\u2028", ":"),
)


@pytest.mark.whole
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=12))
def test_whatever_is_read_prompty_fills_in_alike(tmp_path_factory: Any, pieces: list[str]) -> None:
    import prompty

    path = tmp_path_factory.mktemp("p") / "p.prompty"
    path.write_text(SECOND + "user:\n" + "".join(pieces), "utf-8")
    try:
        (found,) = Prompty().read(path, ImportContext())
    except ExportError:
        return
    rendered = found.prompt.template.render({"text": "A <b> & 'c'"})
    ours = [(str(turn.role), "".join(map(str, turn.pieces))) for turn in rendered.turns]
    theirs = prompty.prepare(prompty.load(path), {"text": "A <b> & 'c'"})
    read = [(str(one.role), "".join(part.value for part in one.parts)) for one in theirs]
    assert ours == [turn for turn in read if turn[1]]
