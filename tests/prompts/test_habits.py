"""Another tool's variable is seen, and only it is changed in the text that is offered."""

import pytest

from fedprompt.prompts.habits import double_braces, field_name_for, offered, plain_name
from fedprompt.prompts.template import Template

HABITS = (
    "{{text}}",
    "{{ text }}",
    "{{-text-}}",
    "{{~text~}}",
    "{{&text}}",
    "{{text|upper}}",
    "{{ text | trim | default('x') }}",
    "{{ text.strip() }}",
    "{{inputs.text}}",
    "{{ $json.text }}",
    '{{ case["text"] }}',
    "${{ inputs.text }}",
    "{{TEXT}}",
    "{{review}}",  # the only variable of a study with one field
    "<text>",
    "<TEXT>",
    "<text/>",
    "<<text>>",
    "<insert text here>",
    "<% text %>",
    "<%= text %>",
    "[text]",
    "[TEXT]",
    "[[text]]",
    "[Insert your text here]",
    "((text))",
    "__text__",
    "%s",
    "%(text)s",
    "%text%",
    "#text#",
    "$text",
    "$(text)",
    "$[text]",
    "@text",
    ":text",
    "\uff5btext\uff5d",
    "\u00abtext\u00bb",
)


@pytest.mark.parametrize("habit", HABITS)
def test_a_habit_is_offered_as_a_field(habit: str) -> None:
    other = "" if habit == "{{review}}" else " (as {{JSON}})"
    found = offered(f"Review{other}: {habit}\nMood:", ["text"])
    assert found is not None
    assert (found.found, found.field) == (habit, "text")
    assert found.text.endswith(": {text}\nMood:")
    assert Template("t", text=found.text).variables == ("text",)


def test_an_empty_element_is_filled() -> None:
    found = offered("Read:\n<review></review>\n<note> </note>", ["review", "note"])
    assert found is not None and found.text == "Read:\n<review>{review}</review>\n<note>{note}</note>"


def test_every_variable_of_a_text_is_changed_and_nothing_else() -> None:
    found = offered('{{title}}: {{ body|trim }} {{"a": 1}} [title]', ["title", "body"])
    assert found is not None and found.text == '{title}: {body} {{"a": 1}} [title]'


@pytest.mark.parametrize("text", ["Review: text", "a [b] <c> 100%", "{{a}} and {{b}}", "%s and %s", "{{'text'}}", ""])
def test_where_nothing_is_meant_nothing_is_offered(text: str) -> None:
    assert offered(text, ["text"]) is None


def test_double_braces_are_those_around_a_field_alone() -> None:
    assert double_braces("{{review}}", ["text"]) is None
    assert double_braces("{{{text}}}", ["text"]) is None
    assert double_braces('{{"text": 1}}', ["text"]) is None


def test_two_fields_make_no_guess() -> None:
    assert offered("{{review}}", ["text", "title"]) is None
    assert offered("%s", ["text", "title"]) is None


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        (" text ", "text"),
        ("patient-note", "patient_note"),
        ("patient note", "patient_note"),
        ("text!r", "text"),
        ("text:>10", "text"),
        ("text.strip()", "text"),
        ("row[text]", "row"),
        ("text|upper", "text"),
        ('"a": 1', None),
        ("1", None),
        ("", None),
    ],
)
def test_a_variable_that_is_more_than_a_name_is_told_its_name(variable: str, name: str | None) -> None:
    assert plain_name(variable) == name


def test_a_name_of_another_tool_becomes_a_fields_name() -> None:
    assert [field_name_for(name) for name in ("patient-note", " a b ", "1st", "?")] == [
        "patient_note",
        "a_b",
        "field_1st",
        "",
    ]


@pytest.mark.parametrize(
    "text", ["{{" * 50_000, "{{" + "a." * 50_000, "<" + " " * 99_000, "{{a" + "|" * 90_000, "[" * 9**5]
)
def test_a_hostile_text_is_looked_through_once(text: str) -> None:
    assert offered(text, ["text", *(f"f{n}" for n in range(60))]) is None
