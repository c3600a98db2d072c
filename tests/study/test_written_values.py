"""A value that YAML reads as something else than text is told as it stands in the file, with the quotes to put."""

import pytest

from fedprompt.errors import StudyError
from fedprompt.evaluation.scorers import complete_scorers
from fedprompt.study.files import parse_study

STUDY = """\
study: s
fields: [text]
answer: {type: choice, labels: [good, bad]}
templates:
  - name: one
    text: "{text}:"
"""
JUDGED = STUDY.replace(
    "answer: {type: choice, labels: [good, bad]}", "answer:\n  type: generate\n  scorers:\n    - {name: regex, %s}"
)


def refused(text: str) -> str:
    with pytest.raises(StudyError) as caught:
        parse_study(text, "s.yaml", complete_scorers)
    message = str(caught.value)
    assert "\n" not in message and "pydantic" not in message
    return message


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("yes", "true"),
        ("NO", "false"),
        ("On", "true"),
        ("off", "false"),
        ("True", "true"),
        ("1", "a number"),
        ("-3.5", "a number"),
        ("010", "the number 8"),
        ("0x1F", "the number 31"),
        ("1_000", "the number 1000"),
        ("12:30", "the number 750"),
        ("1.0e+3", "the number 1000.0"),
        (".inf", "the number inf"),
        (".nan", "the number nan"),
        ("2026-01-01", "a date"),
        ("2026-01-01 12:00:00", "a date"),
        ("null", "nothing"),
        ("~", "nothing"),
        ("NULL", "nothing"),
    ],
)
def test_a_label_is_told_as_it_is_written(written: str, read: str) -> None:
    found = refused(STUDY.replace("[good, bad]", f"[good, {written}]"))
    told = f's.yaml line 3, answer.labels.1: YAML reads {written} as {read}, not as text; put it in quotes: "{written}"'
    assert found == told
    parse_study(STUDY.replace("[good, bad]", f'[good, "{written}"]'))


@pytest.mark.parametrize("written", ["y", "n", "1e3", "0o10", "08", "1.2.3", "NA", "none", "=", "R&D", "C#", "12:3x"])
def test_what_only_looks_so_is_a_label(written: str) -> None:
    assert parse_study(STUDY.replace("[good, bad]", f"[good, {written}]")).answer.labels == ("good", written)


def test_all_labels_of_a_list_are_named_at_once() -> None:
    found = refused(STUDY.replace("[good, bad]", "[1, 2, three, yes]"))
    assert found.endswith('put it in quotes: "1"; the same applies to 2 and yes')


@pytest.mark.parametrize(
    ("line", "wrong", "place"),
    [
        ("study: s", "study: 2026", "line 1, study"),
        ("fields: [text]", "fields: [text, on]", "line 2, fields.1"),
        ("  - name: one", "  - name: no", "line 5, templates.0.name"),
        ('    text: "{text}:"', "    text: 12", "line 6, templates.0.text"),
        (
            '    text: "{text}:"',
            '    text: "{text}:"\n    words: {good: Yes, bad: No}',
            "line 7, templates.0.words.good",
        ),
    ],
)
def test_any_text_of_a_study_is_told_so(line: str, wrong: str, place: str) -> None:
    found = refused(STUDY.replace(line, wrong))
    assert found.startswith(f"s.yaml {place}: YAML reads ") and "put it in quotes" in found


@pytest.mark.parametrize(
    ("key", "read"), [("yes", "true"), ("on", "true"), ("1", "a number"), ("~", "nothing"), ("2026-01-01", "a date")]
)
def test_a_key_is_told_as_it_is_written(key: str, read: str) -> None:
    words = STUDY.replace("[good, bad]", f'[good, "{key}"]') + f"    words: {{good: x, {key}: z}}\n"
    told = f'YAML reads the key {key} as {read}, not as text; put it in quotes: "{key}"'
    assert refused(words) == f"s.yaml line 7, templates.0.words: {told}"
    assert refused(f"{key}: 1\n{STUDY}").startswith("s.yaml line 1")


@pytest.mark.parametrize("written", ["{text}", "[text]", '{"a": {text}}'])
def test_a_text_that_begins_with_a_bracket_is_told_to_be_quoted(written: str) -> None:
    found = refused(STUDY.replace('"{text}:"', written))
    assert found.startswith("s.yaml line 6, templates.0.text: YAML reads ") and "put the whole text in quotes" in found


@pytest.mark.parametrize(
    ("part", "place", "said"),
    [
        ("rounds: {count: 010}", "rounds.count", "YAML reads 010 as the number 8; write 8"),
        ("tuning: {steps: 1:30}", "tuning.steps", "YAML reads 1:30 as the number 90"),
        ("rounds: {count: yes}", "rounds.count", "YAML reads yes as true"),
        ("privacy: {min_cases: on}", "privacy.min_cases", "YAML reads on as true"),
        ("rounds: {alone: 0}", "rounds.alone", "true or false"),
        ("tuning: {steps: 1e3}", "tuning.steps", "1e3"),
        ("tuning: {lr: fast}", "tuning.lr", "fast"),
        ("rounds: {count: 2026-01-01}", "rounds.count", "2026-01-01"),
        ("rounds: {deadline: ten}", "rounds.deadline", "ten"),
        ("rounds: 3", "rounds", "'key: value' lines"),
        ("soft: {template: '{text}{soft}', init: yes}", "soft.init", "put it in quotes"),
    ],
)
def test_a_number_is_never_taken_for_another(part: str, place: str, said: str) -> None:
    found = refused(f"{STUDY}{part}\n")
    assert found.startswith(f"s.yaml line 7, {place}: ") and said in found


@pytest.mark.parametrize("count", ["0", "-1", ".nan", ".inf", "1001", "9" * 35, "2.5", "null", "''", "[1]"])
def test_rounds_have_bounds(count: str) -> None:
    assert refused(f"{STUDY}rounds: {{count: {count}}}\n").startswith("s.yaml line 7, rounds.count: ")


@pytest.mark.parametrize(
    "part",
    [
        "privacy: {min_cases: N}",
        "privacy: {replies: N}",
        "privacy: {max_norm: N}",
        "splits: {tune: N}",
        "rounds: {deadline: N}",
        "rounds: {quorum: N}",
        "rounds: {patience: N}",
        "tuning: {lr: N}",
    ],
)
def test_no_number_is_without_a_bound(part: str) -> None:
    for number in ("1" + "0" * 34, ".inf", ".nan", "-1", "0"):
        assert "s.yaml line 7, " in refused(f"{STUDY}{part.replace('N', number)}\n")


def test_a_scorers_option_is_told_so_too() -> None:
    found = refused(JUDGED % "pattern: 2026-01-01")
    assert "answer.scorers.0" in found and 'put it in quotes: "2026-01-01"' in found
    assert "010" in refused(JUDGED % 'pattern: "[0-9]", weight: 010')


@pytest.mark.parametrize(
    ("name", "plain"), [("patient-note", "patient_note"), ("patient note", "patient_note"), ("text?", "text")]
)
def test_a_field_of_another_spelling_is_offered_as_it_may_be_written(name: str, plain: str) -> None:
    found = refused(STUDY.replace("[text]", f'["{name}"]'))
    assert f"write {plain} here" in found and f"--map '{plain}={name}'" in found


def test_a_message_of_each_kind_is_of_bounded_length() -> None:
    long = "x" * 10_000
    for text in (
        STUDY.replace("[good, bad]", f"[good, {{{long}: 1}}]"),
        STUDY.replace("[text]", f"['{long} ']"),
        STUDY + f"{long}: 1\n",
        STUDY.replace("{text}:", f"{{{long}}}"),
        STUDY.replace('"{text}:"', f"!{long} x"),
    ):
        assert len(refused(text)) < 600
