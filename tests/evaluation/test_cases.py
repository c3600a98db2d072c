"""Cases and their normalised inputs."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedprompt.evaluation.cases import Case, input_key, normalise


def test_normalise_ignores_case_white_space_and_composition() -> None:
    assert normalise("  Caf\u00e9\t\nSTRASSE ") == normalise("cafe\u0301 stra\u00dfe") == "caf\u00e9 strasse"


@settings(deadline=None)
@given(st.text())
def test_normalise_twice_is_normalise_once(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@settings(deadline=None)
@given(st.text())
def test_a_decomposed_text_has_the_same_normal_form(text: str) -> None:
    assert normalise(unicodedata.normalize("NFD", text)) == normalise(unicodedata.normalize("NFC", text))


def test_the_answer_is_no_part_of_the_input() -> None:
    assert input_key(Case({"text": "Fine"}, "a")) == input_key(Case({"text": " fine"}, "b"))


def test_two_fields_do_not_run_together() -> None:
    assert input_key(Case({"q": "a b", "r": "c"}, "x")) != input_key(Case({"q": "a", "r": "b c"}, "x"))


def test_the_order_of_the_fields_does_not_matter() -> None:
    assert input_key(Case({"q": "1", "r": "2"}, "x")) == input_key(Case({"r": "2", "q": "1"}, "x"), ["r", "q"])


def test_a_missing_field_is_an_error() -> None:
    with pytest.raises(KeyError):
        input_key(Case({"q": "1"}, "x"), ["r"])


def test_a_case_does_not_show_its_text() -> None:
    shown = repr(Case({"text": "the patient's note"}, "ill", "patient 7", 12))
    assert shown == "Case(line=12)"
