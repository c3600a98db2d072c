"""A file's own names of a pack's classes: equal ones by themselves, others as they were said to be meant."""

from pathlib import Path

import pytest

from fedprompt.errors import DataError
from fedprompt.evaluation.class_names import ClassNames, read_words
from fedprompt.evaluation.readers import CaseFile, read_cases
from tests.coded import coded

LABELS = ("positive", "negative")


def read(folder: Path, rows: str, *said: str, labels: tuple[str, ...] = LABELS) -> CaseFile:
    path = folder / "mine.csv"
    path.write_text("text,answer\n" + rows, encoding="utf-8")
    return read_cases(path, fields=["text"], labels=labels, names=ClassNames(labels, read_words(said)))


@pytest.mark.parametrize("name", ["positive", "Positive", "POSITIVE", " positive "])
def test_a_class_that_differs_in_case_alone_is_the_packs(tmp_path: Path, name: str) -> None:
    assert [case.answer for case in read(tmp_path, f"fine,{name}\nbad,negative\n").cases] == list(LABELS)


def test_other_names_are_read_as_they_were_said_to_be_meant(tmp_path: Path) -> None:
    found = read(tmp_path, "fine,good\nsplendid,Great\nbad,poor\n", "good=positive", "great=Positive", "poor=negative")
    assert [case.answer for case in found.cases] == ["positive", "positive", "negative"]
    assert dict(found.by_answer) == {"positive": 2, "negative": 1}


def test_what_was_said_goes_before_an_equal_name(tmp_path: Path) -> None:
    # A file whose "positive" means that a test was positive, say, which is the pack's "negative".
    found = read(tmp_path, "fine,negative\nbad,positive\n", "positive=negative", "negative=positive")
    assert [case.answer for case in found.cases] == ["positive", "negative"]


def test_a_class_that_the_pack_lacks_is_refused_with_the_names_of_both_sides(tmp_path: Path) -> None:
    with pytest.raises(DataError, check=coded("unknown-class")) as caught:
        read(tmp_path, "a,refund\nb,refund\nc,delivery\nd,delivery\ne,positive\n")
    for name in ("refund", "delivery", *LABELS, "--words"):
        assert name in str(caught.value)


def test_texts_in_the_place_of_classes_are_not_shown(tmp_path: Path) -> None:
    with pytest.raises(DataError, check=coded("unknown-class")) as caught:
        read(tmp_path, "positive,Mrs Miller is ill\nnegative,Mr Smith is well\n")
    assert "Miller" not in str(caught.value) and "Smith" not in str(caught.value) and "2, 3" in str(caught.value)


def test_one_case_and_cases_all_alike_are_read(tmp_path: Path) -> None:
    assert len(read(tmp_path, "fine,positive\n").cases) == 1
    assert dict(read(tmp_path, "fine,positive\ngood,positive\n").by_answer) == {"positive": 2, "negative": 0}


def test_two_names_of_one_class_are_one_answer(tmp_path: Path) -> None:
    found = read(tmp_path, "fine,good\nfine,positive\nbad,negative\n", "good=positive")
    assert (len(found.cases), len(found.duplicates), found.contradictions) == (2, 1, ())


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("good", "not-a-pair"),
        ("=positive", "not-a-pair"),
        ("good=", "not-a-pair"),
        ("good=happy", "unknown-class"),
        ("positive=good", "unknown-class"),
    ],
)
def test_what_says_nothing_of_a_class_is_refused(tmp_path: Path, said: str, code: str) -> None:
    with pytest.raises(DataError, check=coded(code)):
        read(tmp_path, "fine,good\n", said)


def test_one_class_cannot_mean_two(tmp_path: Path) -> None:
    for said in (("good=positive", "good=negative"), ("good=positive", "Good=negative")):
        with pytest.raises(DataError, check=coded("named-twice")):
            read(tmp_path, "fine,good\n", *said)


def test_classes_that_differ_in_case_alone_stay_apart(tmp_path: Path) -> None:
    labels = ("us", "US")
    found = read(tmp_path, "we,us\nAmerica,US\n", labels=labels)
    assert [case.answer for case in found.cases] == ["us", "US"]
    with pytest.raises(DataError, check=coded("unknown-class")):
        read(tmp_path, "we,Us\n", labels=labels)


def test_the_column_of_repeating_values_is_offered_as_the_answers(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("message,team\nwhere is it,post\nhow much,money\nwho did it,post\nwhat now,money\n")
    with pytest.raises(DataError, match="text=message,answer=team", check=coded("no-such-column")):
        read_cases(path, fields=["text"], labels=LABELS, names=ClassNames(LABELS))
