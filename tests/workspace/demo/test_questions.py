"""Each question is dealt to one desk, once, under its own class; what runs out ends a draw."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from fedprompt.errors import AssetError
from fedprompt.evaluation.cases import Case
from fedprompt.models.assets.catalogue import asset_folder
from fedprompt.workspace.demo.questions import CLASSES, QUESTIONS, deal, read_questions
from tests.coded import coded


def written(folder: Path, text: str) -> Path:
    (folder / QUESTIONS).write_text(text, encoding="utf-8")
    return folder


def many(each: int) -> tuple[Case, ...]:
    return tuple(Case({"text": f"{label} {n}"}, label, line=n) for label in CLASSES.values() for n in range(each))


ALL_FIVE = "DESC:def What is a pylon ?\nENTY:food What do pandas eat ?\nHUM:ind Who was she ?\nLOC:city Where ?\n"


def test_each_distinct_question_is_a_case_once(tmp_path: Path) -> None:
    repeated = (
        "HUM:ind  WHO was  she ?\r\nNUM:date When , caf\u00e9 ?\nABBR:exp What is SAP ?\n\nNUM:date When , cafe\u0301 ?"
    )
    found = read_questions(written(tmp_path, ALL_FIVE + repeated))
    assert [(case.fields["text"], case.answer, case.line) for case in found] == [
        ("What is a pylon ?", "description", 1),
        ("What do pandas eat ?", "thing", 2),
        ("Who was she ?", "person", 3),
        ("Where ?", "place", 4),
        ("When , caf\u00e9 ?", "number", 6),
    ]


@pytest.mark.parametrize(
    "lines",
    [
        "NUM:count How far ?\nLOC:other how far ?",
        "NUM:count How far ?\nABBR:exp HOW far ?",
        "LOC:city Which sister\ufffdcity ?",
    ],
    ids=["two classes", "one of them is not dealt", "a lost character"],
)
def test_a_question_of_no_one_class_is_left_out(tmp_path: Path, lines: str) -> None:
    found = read_questions(written(tmp_path, ALL_FIVE + "NUM:date When ?\n" + lines))
    assert [case.line for case in found] == [1, 2, 3, 4, 5]


def test_another_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssetError, check=coded("assets-not-ready")):
        read_questions(tmp_path)
    with pytest.raises(AssetError, check=coded("asset-damaged")):
        read_questions(written(tmp_path, ALL_FIVE))
    (tmp_path / QUESTIONS).write_bytes(b"NUM:date caf\xe9")
    with pytest.raises(AssetError, check=coded("asset-damaged")):
        read_questions(tmp_path)


def test_no_question_is_dealt_twice_or_under_another_class() -> None:
    questions = many(60)
    dealt = deal(questions, {"a": 40, "b": 40, "c": 40}, np.random.SeedSequence(3))
    every = [case for cases in dealt.values() for case in cases]
    assert len({case.fields["text"] for case in every}) == len(every) == 120
    assert all(case.fields["text"].startswith(case.answer) for case in every)
    again = deal(questions, {"a": 40, "b": 40, "c": 40}, np.random.SeedSequence(3))
    other = deal(questions, {"a": 40, "b": 40, "c": 40}, np.random.SeedSequence(4))
    assert dealt == again != other


def test_a_class_that_runs_out_ends_the_draw_of_its_desk() -> None:
    dealt = deal(many(10), {"a": 51, "b": 51}, np.random.SeedSequence(1))
    assert len(dealt["a"]) + len(dealt["b"]) <= 50
    for cases in dealt.values():
        assert max(Counter(case.answer for case in cases).values(), default=0) <= 10
    # At the question that ended the draw of the first desk, one class was empty.
    assert max(Counter(case.answer for case in dealt["a"]).values()) == 10


def test_desks_differ_more_the_smaller_alpha_is() -> None:
    def largest(alpha: float) -> float:
        dealt = deal(many(400), dict.fromkeys("abcdefgh", 50), np.random.SeedSequence(5), alpha=alpha)
        return float(np.mean([max(Counter(c.answer for c in cases).values()) / len(cases) for cases in dealt.values()]))

    assert largest(0.1) > largest(1.0) > largest(100.0)


@pytest.mark.model
def test_the_real_file_holds_what_the_catalogue_says(home_with_assets: Path) -> None:
    found = read_questions(asset_folder(home_with_assets, "trec-questions"))
    # 5,380 distinct questions, without 86 abbreviations and the one that lost a character.
    assert Counter(case.answer for case in found) == {
        "thing": 1245,
        "person": 1215,
        "description": 1152,
        "number": 858,
        "place": 823,
    }
