"""What is wrong with a study file is said in one sentence, with its line and field."""

from pathlib import Path

import pytest

from fedprompt.errors import StudyError
from fedprompt.study.files import MAX_STUDY_BYTES, parse_study, read_study
from tests.coded import coded

HEAD = "study: s\nfields: [text]\nanswer: {type: choice, labels: [good, bad]}\n"  # three lines
TALK = 'init: x, messages: [{role: system, content: Say.}, {role: user, content: "%s"}]'
ONE = 'templates:\n  - {name: one, text: "{text}:"}\n'


def refused(text: str) -> str:
    with pytest.raises(StudyError) as caught:
        parse_study(text, "s.yaml")
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_good_study_is_read(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(HEAD + ONE, encoding="utf-8")
    assert read_study(path) == parse_study(HEAD + ONE)
    path.write_bytes(b"\xef\xbb\xbf" + (HEAD + ONE).replace("\n", "\r\n").encode())
    assert read_study(path) == parse_study(HEAD + ONE)


@pytest.mark.parametrize("text", ["", "just words", "- a\n- b\n", "3"])
def test_what_is_not_a_mapping_is_no_study(text: str) -> None:
    assert "'key: value'" in refused(text)


def test_bad_yaml_is_told_with_its_line() -> None:
    assert refused("study: s\nfields: [text\nanswer: x\n").startswith("s.yaml line 3: not valid YAML")
    assert "not valid YAML" in refused("study: \x00")
    assert "not valid YAML" in refused("[" * 10_000)
    assert "at most 36 characters" in refused("study: " + "9" * 10_000)


def test_aliases_are_refused() -> None:
    assert "aliases" in refused("study: s\na: &x [1, 2]\nb: *x\n")


def test_objects_are_never_made() -> None:
    assert "not valid YAML" in refused("study: !!python/object/apply:os.getcwd []\n")


def test_a_key_given_twice_is_refused_with_its_second_line() -> None:
    assert refused(HEAD + ONE + "fields: [note]\n").startswith("s.yaml line 6, fields: is given twice")
    twice = 'templates:\n  - {name: one, text: "{text}:"}\n  - name: two\n    text: a\n    text: b\n'
    assert refused(HEAD + twice).startswith("s.yaml line 8, templates.1.text: is given twice")


def test_an_unknown_field_is_told_with_its_line() -> None:
    message = refused(HEAD + ONE + "tuning:\n  steps: 4\n  stepz: 8\n")
    assert message == "s.yaml line 8, tuning.stepz: is not a field of a study; check the spelling"


def test_a_missing_field_is_told() -> None:
    assert "templates: is missing" in refused(HEAD)


def test_a_wrong_value_is_told_with_its_line() -> None:
    assert refused(HEAD + ONE + "rounds:\n  count: 0\n").startswith("s.yaml line 7, rounds.count: ")
    assert refused(HEAD + 'templates:\n  - {name: "", text: "x"}\n').startswith("s.yaml line 5, templates.0.name: ")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('  - {name: two, text: "{note}:"}\n', "names the field 'note'"),
        ('  - {name: two, text: "{text"}\n', "braces that do not match"),
        ('  - {name: two, text: "{text}:", words: {good: " g", ugly: " u"}}\n', "'ugly', which is not a label"),
        ('  - {name: two, text: "{text}:", words: {good: " x", bad: " x"}}\n', "one word for two labels"),
        ('  - {name: two, text: "{text}{soft}"}\n', "belongs under 'soft:'"),
        ('  - {name: one, text: "{text}."}\n', "two templates are called 'one'"),
        ("  - {name: two}\n", "either text or messages"),
        ('  - {name: two, text: "{demonstrations}{text}"}\n', "needs both"),
    ],
)
def test_a_template_that_is_wrong_is_told_with_its_own_line(line: str, said: str) -> None:
    message = refused(HEAD + ONE + line)
    assert message.startswith("s.yaml line 6, templates.1: ") and said in message


@pytest.mark.parametrize(
    ("soft", "said"),
    [
        ('soft: {template: "{text}", init: x}\n', "no {soft} slot"),
        ('soft: {template: "{note}{soft}", init: x}\n', "names the field 'note'"),
        ('soft: {template: "{text}{soft}", init: x, words: {ugly: " u"}}\n', "'ugly', which is not a label"),
        ('soft: {template: "{soft}{text}{soft}", init: x}\n', "has 2 soft slots; one is the most"),
        ("soft: {init: x}\n", "'template' (one text) or 'messages' (a chat), and neither is given"),
        (f'soft: {{template: "{{text}}{{soft}}", {TALK % "{soft}{text}"}}}\n', "and both are given"),
        (f"soft: {{{TALK % '{text}'}}}\n", "none of soft.messages has a {soft} slot"),
        (f"soft: {{{TALK % '{text}{soft}{soft}'}}}\n", "has 2 soft slots; one is the most"),
        (f"soft: {{{TALK % '{text}{soft}'}, demonstrations: {{count: 2}}}}\n", "needs both a {demonstrations} slot"),
        ('soft: {template: "{demonstrations}{text}{soft}", init: x}\n', "needs both a {demonstrations} slot"),
    ],
)
def test_a_soft_part_that_is_wrong_is_told_with_its_own_line(soft: str, said: str) -> None:
    message = refused(HEAD + ONE + soft)
    assert message.startswith("s.yaml line 6, soft: ") and said in message


@pytest.mark.parametrize(
    ("fields", "said"), [("[soft]", "'soft' is reserved"), ("[text, text]", "'text' is listed twice")]
)
def test_fields_that_a_template_could_not_mean_are_refused(fields: str, said: str) -> None:
    message = refused(HEAD.replace("[text]", fields) + 'templates: [{name: t, text: "x:"}]\n')
    assert message.startswith("s.yaml line 2, fields: ") and said in message


def test_too_few_labels_are_refused() -> None:
    assert "at least two labels" in refused(HEAD.replace("good, bad", "good") + ONE)
    assert "at least one scorer" in refused(HEAD.replace("type: choice, labels: [good, bad]", "type: generate") + ONE)


def test_files_that_cannot_be_studies_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, check=coded("cannot-read")):
        read_study(tmp_path / "none.yaml")
    with pytest.raises(StudyError, check=coded("not-a-file")):
        read_study(tmp_path)
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("study: Müller".encode("latin-1"))
    with pytest.raises(StudyError, match="byte 8", check=coded("not-utf-8")):
        read_study(latin)
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (MAX_STUDY_BYTES + 1))
    with pytest.raises(StudyError, check=coded("too-large")):
        read_study(large)
    # A device says that it has no bytes, and gives them without end.
    with pytest.raises(StudyError, check=coded("not-a-file")):
        read_study(Path("/dev/zero"))
