"""The benchmark of joining: what is drawn is what is said, and figures are worked out as they are told."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchmarks.joins.drawing import Plan, draw
from benchmarks.joins.figures import gain, holm, needed
from benchmarks.joins.home import logistic
from benchmarks.joins.shelf import Shelf
from benchmarks.joins.sources import Text

LABELS = ("a", "b", "c")


def texts(each: int) -> list[Text]:
    return [Text(f"{label} text {number}", label, f"{label}{number % 4}") for label in LABELS for number in range(each)]


def test_no_text_is_drawn_twice_and_each_keeps_its_own_label() -> None:
    drawn = draw(Plan("made up", donors=4, tune=20, newcomers=2, home=10, test=15), texts(300), LABELS, 0)
    cases = [case for site in (*drawn.donors, *drawn.newcomers) for case in (*site.known, *site.test)]
    assert max(Counter(case.fields["text"] for case in cases).values()) == 1
    assert {case.fields["text"][0] == case.answer for case in cases} == {True}
    assert [len(site.known) for site in drawn.donors] == [20] * 4
    assert [(len(site.known), len(site.test)) for site in drawn.newcomers] == [(10, 15)] * 2


def test_an_empty_class_ends_a_draw() -> None:
    drawn = draw(Plan("made up", donors=3, tune=200, newcomers=0), texts(30), LABELS, 1)
    held = [len(site.known) for site in drawn.donors]
    assert max(held) < 200 and sum(held) <= 90
    counts = Counter(case.answer for site in drawn.donors for case in site.known)
    assert max(counts.values()) <= 30


def test_unlike_sites_hold_half_of_the_finer_classes() -> None:
    drawn = draw(Plan("made up", donors=2, tune=60, newcomers=0, unlike=True), texts(200), LABELS, 2)
    fine = {text.text: text.fine for text in texts(200)}
    for site in drawn.donors:
        found = Counter(label for label in {fine[case.fields["text"]] for case in site.known})
        assert all(len([one for one in found if one[0] == label]) <= 2 for label in LABELS)


def test_shuffled_labels_keep_their_counts() -> None:
    plain, mixed = (draw(Plan("made up", 2, 40, 0, shuffled=way), texts(200), LABELS, 3) for way in (False, True))
    for one, other in zip(plain.donors, mixed.donors, strict=True):
        assert [case.fields for case in one.known] == [case.fields for case in other.known]
        assert [case.answer for case in one.known] != [case.answer for case in other.known]
        assert Counter(case.answer for case in one.known) == Counter(case.answer for case in other.known)


def test_a_gain_is_over_the_strongest_way_and_federations_are_its_unit() -> None:
    home = {"weak": [0.5, 0.5, 0.5], "strong": [0.6, 0.7, 0.5]}
    found = gain(16, home, {"with shared prompts": [0.7, 0.8, 0.9]})
    # Gains of 10, 10 and 40 points: mean 20, standard error 10, t of 2 degrees of freedom 4.3027.
    assert found.strongest == "strong" and found.mean == pytest.approx(20)
    assert (found.low, found.high) == (pytest.approx(20 - 43.027, abs=1e-2), pytest.approx(20 + 43.027, abs=1e-2))


def test_cases_otherwise_needed_lie_between_two_n_on_a_logarithmic_scale() -> None:
    curve = [(4, 0.4), (16, 0.6), (64, 0.8)]
    assert needed(curve, 0.7) == pytest.approx(32)
    assert needed(curve, 0.3) == 4 and needed(curve, 0.81) is None


def test_p_values_over_variations_are_holms() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_a_label_that_no_case_has_is_never_the_answer() -> None:
    x = np.eye(4)
    answers = logistic(x, np.array([0, 0, 2, 2]), x, 3).argmax(axis=1)
    assert answers.tolist() == [0, 0, 2, 2]
    assert set(logistic(x, np.zeros(4, dtype=np.int64), x, 3).argmax(axis=1).tolist()) == {0}


def test_what_is_on_the_shelf_is_not_made_again(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "0")
    assert shelf.get("one", lambda: np.ones(2)).tolist() == [1, 1]
    assert shelf.get("one", lambda: np.zeros(2)).tolist() == [1, 1]
