"""Each form that a Dotprompt file may take is read as Dotprompt reads it, refused by its name, or told as left out.

Forms: the grammar, ``spec/`` and helpers of github.com/google/dotprompt.
"""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fedprompt.errors import ExportError
from fedprompt.exports.documents import NO_WORDS
from fedprompt.exports.protocol import ImportContext, Imported
from fedprompt.exports.texts.dotprompt import Dotprompt

FRONT = "---\nname: mood\n---\n"
BODY = '{{role "system"}}\nSort.\nOne word.\n{{role "user"}}\nTicket: {{text}}\nMood:\n'
READ = [("system", "\nSort.\nOne word.\n"), ("user", "\nTicket: {text}\nMood:")]


def imported(tmp_path: Path, content: str | bytes) -> Imported:
    path = tmp_path / "ticket.prompt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (found,) = Dotprompt().read(path, ImportContext())
    return found


def turns(found: Imported) -> list[tuple[str, str]]:
    return [(one.role, one.content) for one in found.prompt.template.messages or ()]


@pytest.mark.parametrize("front", [FRONT, "", "# Copyright\n# 2026\n\n" + FRONT, "\n" + FRONT, "---\n---\n"])
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
        ("{{text}}", "{text}"),
        ("{{{text}}}", "{text}"),
        ("{{& text}}", "{text}"),
        ("{{ text }}", "{text}"),
        ("a {{~text~}} b", "a{text}b"),
        ("a {{~{text}~}} b", "a{text}b"),
        ("a{{! a note }}b {{text}}", "ab {text}"),
        ("a{{!-- a }} note --}}b {{text}}", "ab {text}"),
        ("a\n  {{! a note }}  \nb {{text}}", "a\nb {text}"),  # a line of one comment goes whole
        ("a\n{{! one }}{{! two }}\nb {{text}}", "a\n\nb {text}"),  # of two it stays
        ("a {{~! a note ~}} b {{text}}", "ab {text}"),
        (r"\{{x}} {{text}}", "{{{{x}}}} {text}"),
        (r"a\\{{text}}", r"a\{text}"),
        (r"a\\\{{text}}", r"a\\{text}"),
        ('{"mood": "{{text}}"}', '{{"mood": "{text}"}}'),
        ("größe {{größe}}", "größe {größe}"),
        ("{{role 'user'}}{{text}}", "{text}"),
        ('{{role "user"}}{{role "user"}}{{text}}', "{text}"),
        ("{{true_mood}}{{history_of}}", "{true_mood}{history_of}"),
        ("a\rb {{text}}", "a\nb {text}"),
    ],
)
def test_a_text_is_read_as_handlebars_reads_it(tmp_path: Path, body: str, read: str) -> None:
    assert turns(imported(tmp_path, FRONT + body)) == [("user", read)]


def test_the_models_turns_are_the_assistants(tmp_path: Path) -> None:
    found = imported(tmp_path, FRONT + '{{text}}{{role "model"}}So:{{~role "user"~}} Why?')
    assert turns(found) == [("user", "{text}"), ("assistant", "So:"), ("user", "Why?")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (FRONT + "a\n{{history}}\n{{text}}", "line 5: the tag '{{history}}' stands for the earlier messages"),
        (FRONT + "{{ history }}{{text}}", "stands for the earlier messages"),
        (FRONT + '{{media url="https://a/b.png"}}', "shows a picture or another file"),
        (FRONT + "{{media url=photo}}", "shows a picture or another file"),
        (FRONT + '{{section "code"}}', "stands for text that a program puts in"),
        (FRONT + "{{json text}}", "writes a value as JSON"),
        (FRONT + "{{json text indent=2}}", "writes a value as JSON"),
        (FRONT + "{{role}}", "needs a role in quotes"),
        (FRONT + "{{role who}}", "needs a role in quotes"),
        (
            FRONT + '{{role "assistant"}}{{text}}',
            "role 'assistant' cannot be held; Dotprompt's roles are model",
        ),
        (FRONT + '{{role "tool"}}{{text}}', "role 'tool' cannot be held"),
        (FRONT + "{{#if text}}{{text}}{{/if}}", "'{{#if text}}' begins a block"),
        (FRONT + "{{#each a}}{{this}}{{/each}}", "begins a block"),
        (FRONT + "{{^text}}a{{/text}}", "begins a block"),
        (FRONT + '{{#ifEquals text "a"}}b{{/ifEquals}}', "begins a block"),
        (FRONT + "a{{/if}}", "ends a block"),
        (FRONT + "{{#> layout}}a{{/layout}}", "puts in another file's text"),
        (FRONT + "{{>style}}", "'{{>style}}' puts in another file's text"),
        (FRONT + "{{~> style}}", "puts in another file's text"),
        (FRONT + "{{* decorate}}", "is a decorator"),
        (FRONT + "{{@state.name}} {{text}}", "line 4: the tag '{{@state.name}}' is a value that the calling program"),
        (FRONT + "{{@root}}", "is a value that the calling program"),
        (FRONT + "{{this}}", "is the whole input"),
        (FRONT + "{{this.text}}", "is the whole input"),
        (FRONT + "{{lookup a b}}", "looks a value up"),
        (FRONT + "{{else}}", "is more than a variable"),
        (FRONT + "{{.}}", "is more than a variable"),
        (FRONT + "{{true}}", "is more than a variable"),
        (FRONT + "{{}}", "is more than a variable"),
        (FRONT + "a\n\n{{ticket.text}}", "line 6: .*write {{ticket_text}} and call the field 'ticket_text'"),
        (FRONT + "{{my text}}", "write {{my_text}}"),
        (FRONT + "{{user.name}}", "write {{user_name}}"),
        (FRONT + "{{../text}}", "write {{text}}"),
        (FRONT + "{{{{raw}}}}{{x}}{{{{/raw}}}}", "a raw block"),
        (FRONT + "a {{text", "line 4: a tag begins with '{{' and never ends"),
        (FRONT + "{{!-- a }}", "begins with '{{' and never ends|is more than|has no message"),
        (FRONT + "<<<dotprompt:role:model>>>a", "Dotprompt's own markers"),
        (FRONT + "{{soft}}", "variable named 'soft'"),
        (FRONT + "{{demonstrations}}", "variable named 'demonstrations'"),
        (FRONT + "{{! only a note }}", "has no message; write a text below its front matter"),
        (FRONT, "has no message"),
        ("", "has no message"),
        ("---\nname: x\n", "line 1: its front matter has no end"),
        ("# (c)\n---\nname: Ticket: mood\n---\n" + BODY, "line 3: "),
        ("---\n7: a\n---\n" + BODY, "line 2: its front matter is not a mapping of names"),
    ],
)
def test_what_is_more_than_text_from_fields_is_refused_by_its_name(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(ExportError, match=rf"ticket\.prompt.*{said}"):
        imported(tmp_path, content)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (FRONT + BODY, []),
        (
            "---\nmodel: a/b\nconfig: {temperature: 0}\ntools: [t]\noutput: {format: json}\next.a: 1\n---\n" + BODY,
            ["its config, ext.a, model, output and tools were left out"],
        ),
        (
            "---\ninput: {default: {text: Hi}}\n---\n" + BODY,
            ["the default values of its fields ('text') were"],
        ),
        ("---\ninput: {schema: {text: 'string, the ticket'}}\n---\n" + BODY, []),
        ("---\ninput: {schema: {text?: any}}\n---\n" + BODY, []),
        ("---\ninput: {schema: {text(enum): [a, b]}}\n---\n" + BODY, []),
        ("---\ninput: {schema: {text: integer}}\n---\n" + BODY, ["'text' is declared as something else than text"]),
        ("---\ninput: {schema: {'text?(array, all)': string}}\n---\n" + BODY, ["'text' is declared as something else"]),
        (
            "---\ninput: {schema: {type: object, properties: {text: {type: boolean}}}}\n---\n" + BODY,
            ["'text' is declared as something else"],
        ),
        (FRONT + "{{! a note }}" + BODY, ["the comments in its template were left out"]),
        (FRONT + "Hi", ["its text shows no field"]),
        (FRONT + "{{ticket-text}}", ["'ticket-text' became the field 'ticket_text'"]),
        (FRONT + "{{[my text]}}", ["'my text' became the field 'my_text'"]),
    ],
)
def test_what_is_left_out_is_told(tmp_path: Path, content: str, told: list[str]) -> None:
    found = imported(tmp_path, content)
    assert found.dropped[-1] == NO_WORDS
    assert len(found.dropped) - 1 == len(told)
    for sentence, wanted in zip(found.dropped, told, strict=False):
        assert wanted in sentence


PIECES = (
    *("{{text}}", "{{{text}}}", "{{&text}}", "{{~text}}", "{{text~}}", "{{! c }}", "{{!-- c --}}", "{{~! c ~}}"),
    *(r"\{{x}}", "\\", "{", "}", "a", " ", "  b", "\n", "\n\n", "\t", "é", '{{role "system"}}', "{{role 'user'}}"),
    *('{{~role "model"~}}', '\n{{role "user"}}\n'),
)


@pytest.mark.whole
@example(pieces=["{{! c }}", "\t", "{{text}}"])
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=12))
def test_whatever_is_read_dotprompt_fills_in_alike(tmp_path_factory: Any, pieces: list[str]) -> None:
    from dotpromptz import Dotprompt as Library
    from dotpromptz.typing import DataArgument

    source = FRONT + "".join(pieces)
    path = tmp_path_factory.mktemp("p") / "p.prompt"
    path.write_text(source, "utf-8")
    try:
        (found,) = Dotprompt().read(path, ImportContext())
    except ExportError:
        return
    if set(found.prompt.template.variables) - {"text", "x"}:  # pieces that make another name, such as {{a}}
        return
    rendered = found.prompt.template.render({"text": "A <b> & 'c'", "x": "y"})
    ours = [(str(turn.role), "".join(map(str, turn.pieces))) for turn in rendered.turns]
    theirs = asyncio.run(Library().render(source, DataArgument(input={"text": "A <b> & 'c'", "x": "y"})))
    roles = {"user": "user", "system": "system", "model": "assistant"}
    assert ours == [
        (roles[one.role.value], text) for one in theirs.messages if (text := "".join(part.text for part in one.content))
    ]
