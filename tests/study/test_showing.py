"""A prompt that never shows the case is refused where a study is read, with the text that would show it."""

from pathlib import Path

import pytest

from fedprompt.errors import StudyError
from fedprompt.study.files import parse_study, read_study
from fedprompt.study.showing import notes
from fedprompt.workspace.cases.study_draft import body_of, keep_study, written_notes
from fedprompt.workspace.home import find_home
from tests.coded import coded

HEAD = "study: s\nfields: [text, title]\nanswer: {type: choice, labels: [good, bad]}\ntemplates:\n"
ONE = '  - {name: one, text: "{title}: {text}"}\n'


def refused(text: str) -> str:
    with pytest.raises(StudyError) as caught:
        parse_study(text, "s.yaml")
    return str(caught.value)


def test_double_braces_are_refused_with_the_text_to_write() -> None:
    found = refused(HEAD + ONE + '  - {name: two, text: "Review: {{text}}\\nMood:"}\n')
    assert found.startswith("s.yaml line 6, templates.1.text: ") and found.endswith('"Review: {text}\\nMood:"')


@pytest.mark.parametrize(
    "habit", ["{{ text }}", "{{text|upper}}", "<text>", "[text]", "$text", "%(text)s", "<text></text>"]
)
def test_every_habit_is_refused_at_its_message(habit: str) -> None:
    chat = (
        f'  - {{name: two, messages: [{{role: system, content: Hi}}, {{role: user, content: "Is {habit} good?"}}]}}\n'
    )
    found = refused(HEAD + ONE + chat)
    assert found.startswith("s.yaml line 6, templates.1.messages.1.content: ") and "{text}" in found


def test_the_soft_template_is_looked_at_too() -> None:
    soft = 'soft: {template: "Review: {{text}}{soft}", init: Well}\n'
    found = refused(HEAD + ONE + soft)
    assert found.startswith("s.yaml line 6, soft.template: ") and found.endswith('"Review: {text}{soft}"')


def test_a_prompt_without_any_field_is_refused_where_nothing_can_be_offered() -> None:
    found = refused(HEAD + ONE + '  - {name: two, text: "Good or bad?"}\n')
    assert found.startswith("s.yaml line 6, templates.1: ") and "write {text} where" in found
    shots = '  - {name: two, text: "{demonstrations}Mood:", demonstrations: {count: 2}}\n'
    assert "never shows the case" in refused(HEAD + ONE + shots)


def test_a_field_in_double_braces_beside_another_is_refused() -> None:
    found = refused(HEAD + '  - {name: one, text: "{{title}}: {text}"}\n')
    assert "{{title}}" in found and '"{title}: {text}"' in found


@pytest.mark.parametrize(
    "text", ["<text>{text}</text>", "[text] {text}", '{{\\"text\\": \\"{text}\\"}}', "Price: $ {text}"]
)
def test_marks_around_a_field_are_the_authors_own(text: str) -> None:
    study = parse_study(f'{HEAD}  - {{name: one, text: "{text} {{title}}"}}\n')
    assert notes(study) == ()


def test_what_is_odd_is_a_note() -> None:
    text = HEAD + '  - {name: one, text: "${text} {{{text}}}\\n"}\n'
    told = notes(parse_study(text))
    marks = ("'title'", "'$'", "{text}", "'|-'")
    assert all(mark in note for mark, note in zip(marks, told, strict=True))
    assert written_notes(text) == told


def test_a_field_that_the_judge_sees_is_used() -> None:
    answer = "answer: {type: generate, scorers: [{name: judge, rubric: r, show: [title]}]}\n"
    text = HEAD.replace("answer: {type: choice, labels: [good, bad]}\n", answer) + '  - {name: one, text: "{text}"}\n'
    assert notes(parse_study(text)) == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{ text }", "write {text}"),
        ("{text!r}", "write {text}"),
        ("{text:>10}", "write {text}"),
        ("{patient-note}", "write {patient_note}"),
        ("{}", "write the field's name in the braces"),
        ("{0}", "write the field's name in the braces"),
        ("{% if text %}x{% endif %}", "a template runs no program"),
        ("{# note #}{text}", "a template runs no program"),
        ("{TEXT}", "did you mean 'text'?"),
        ("{texts}", "did you mean 'text'?"),
    ],
)
def test_a_variable_of_another_form_is_told_what_to_write(text: str, said: str) -> None:
    assert said in refused(f'{HEAD}  - {{name: one, text: "{text}"}}\n')


def test_forms_and_kept_studies_refuse_it_too(tmp_path: Path) -> None:
    text = HEAD + '  - {name: one, text: "{{text}}"}\n'
    for use in (body_of, lambda given: keep_study(find_home(tmp_path), given)):
        with pytest.raises(StudyError, check=coded("case-not-shown")):
            use(text)
    path = tmp_path / "s.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StudyError, check=coded("case-not-shown")):
        read_study(path)
