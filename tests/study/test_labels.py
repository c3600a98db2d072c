"""A label is text that files hold as it stands and that no reader takes for another label."""

import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from fedprompt.errors import StudyError
from fedprompt.study.files import parse_study
from fedprompt.study.labels import KEPT, alike, label_trouble, likeness
from fedprompt.study.schema import Answer, Study
from tests.coded import coded

TAIL = 'templates: [{name: t, text: "{text}:"}]\n'


def written(labels: str, tail: str = TAIL) -> str:
    return f"study: s\nfields: [text]\nanswer:\n  type: choice\n  labels:\n{labels}{tail}"


@pytest.mark.parametrize(
    ("label", "instead"),
    [
        ("time off ", "time off"),
        (" time off", "time off"),
        ("\u00a0yes", "yes"),
        ("yes\u200b", "yes"),
        ("\ufeffyes", "yes"),
        ("yes\u3000", "yes"),
        ("a\tb", "a b"),
        ("a\nb", "a b"),
        ("a\r\nb", "a b"),
        ("a\x00b", "a b"),
        ("a\x85b", "a b"),
        ("a\u2028b", "a b"),
    ],
)
def test_what_files_do_not_hold_is_refused_with_what_to_write(label: str, instead: str) -> None:
    trouble = label_trouble(label)
    assert trouble is not None and f"write {instead!r}, here and in the cases" in trouble
    assert label_trouble(instead) is None


@pytest.mark.parametrize("label", [" ", "\u200b", "\u00a0\u2003"])
def test_a_label_that_shows_nothing_is_refused(label: str) -> None:
    assert repr(label) in str(label_trouble(label))


@pytest.mark.parametrize(
    "label",
    [
        "time off",
        "caf\u00e9",
        "cafe\u0301",
        "\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian, with the joiner that its spelling needs
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",  # the flag of England
        "1",
        "a/b: c, d",
        'say "no"',
    ],
)
def test_names_of_all_scripts_are_labels(label: str) -> None:
    assert label_trouble(label) is None


@pytest.mark.parametrize(
    ("one", "other", "difference"),
    [
        ("Yes", "yes", "case"),
        ("STRASSE", "stra\u00dfe", "case"),
        ("caf\u00e9", "cafe\u0301", "Unicode form"),
        ("\uff59es", "yes", "Unicode form"),
        ("x\u00b2", "x2", "Unicode form"),
        ("Caf\u00c9", "cafe\u0301", "case and Unicode form"),
        ("time off", "time  off", "white space"),
        ("time\u00a0off", "time off", "Unicode form"),
    ],
)
def test_labels_that_look_alike_are_refused_where_they_are_written(one: str, other: str, difference: str) -> None:
    assert alike(("no", one, other)) == (one, other, difference)
    with pytest.raises(
        StudyError, match=rf"s\.yaml line 5, answer\.labels: .* {difference},", check=coded("does-not-fit")
    ):
        parse_study(written(f'    - "no"\n    - "{one}"\n    - "{other}"\n'), "s.yaml")


def test_the_line_of_a_label_is_named() -> None:
    with pytest.raises(StudyError, match=r"s\.yaml line 7, answer\.labels\.1.*'no '", check=coded("does-not-fit")):
        parse_study(written('    - "yes"\n    - "no "\n'), "s.yaml")


def test_words_that_look_alike_are_refused_with_their_template() -> None:
    words = 'templates: [{name: t, text: "{text}:", words: {a: " Yes"}}]\n'
    with pytest.raises(StudyError, match=r"' Yes'.*' yes'.*'t'.*case", check=coded("does-not-fit")):
        parse_study(written('    - "a"\n    - "yes"\n', words))
    # A line break in a word is how some templates are answered, and a label of its own.
    words = 'templates: [{name: t, text: "{text}:", words: {a: "\\n1", "yes": "\\n2"}}]\n'
    assert parse_study(written('    - "a"\n    - "yes"\n', words)).candidates()[0].words == {"a": "\n1", "yes": "\n2"}


def test_a_study_that_was_kept_before_stays_readable() -> None:
    body = parse_study(written('    - "yes"\n    - "no"\n')).model_dump(mode="json")
    body["answer"]["labels"] = ["Yes ", "yes "]
    with pytest.raises(ValidationError):
        Study.model_validate(body)
    assert Study.model_validate(body, context=KEPT).answer.labels == ("Yes ", "yes ")


@given(st.text(max_size=6), st.text(max_size=6))
def test_labels_are_refused_or_stay_apart_in_every_form(one: str, other: str) -> None:
    assume(one and other and one != other)
    try:
        labels = Answer(type="choice", labels=(one, other)).labels
    except ValidationError:
        return
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        first, second = (unicodedata.normalize(form, label).strip() for label in labels)
        assert first.casefold() != second.casefold()
    assert all(label == label.strip() and len(label.splitlines()) == 1 for label in labels)


@given(st.text(max_size=8))
def test_a_likeness_is_its_own(text: str) -> None:
    assert likeness(likeness(text)) == likeness(text)
