"""The benchmark of joining: what is drawn is what is said, and figures are worked out as they are told."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.joining import figures
from benchmarks.joins.asking import Asker
from benchmarks.joins.drawing import Plan, draw
from benchmarks.joins.figures import gain, holm, needed
from benchmarks.joins.making import Recipe, make
from benchmarks.joins.shelf import Shelf
from benchmarks.joins.sources import Text
from benchmarks.joins.tasks import study_of
from fedprompt.adapting.encoded import regression
from fedprompt.adapting.log_probabilities import normalised
from fedprompt.models.protocols import ChoiceQuery
from fedprompt.models.scripted import ScriptedModel
from fedprompt.models.scripted_words import NEGATIVE, POSITIVE

LABELS = ("a", "b", "c")
SMALL = Recipe(
    own=(2,), rounds=2, sizes=(16,), lengths=(4, 8), folded=(), finished=(), twice=(), pooled=0, batch=4, distilled=True
)


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
    x = np.eye(4, dtype=np.float32)
    answers = regression(x, np.array([0, 0, 2, 2]), x, 3).argmax(axis=1)
    assert answers.tolist() == [0, 0, 2, 2]
    assert set(regression(x, np.zeros(4, dtype=np.int64), x, 3).argmax(axis=1).tolist()) == {0}


def test_what_is_on_the_shelf_is_not_made_again(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "0")
    assert shelf.get("one", lambda: np.ones(2)).tolist() == [1, 1]
    assert shelf.get("one", lambda: np.zeros(2)).tolist() == [1, 1]


class Letters:
    """An encoder that counts letters."""

    width = 9

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        counts = np.array([[1 + text.count(letter) for letter in "abdegiost"] for text in texts], np.float32)
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


def reviews() -> list[Text]:
    words = {"positive": sorted(POSITIVE), "negative": sorted(NEGATIVE)}
    return [
        Text(f"{held[number % len(held)]} thing {number}", label, label)
        for label, held in words.items()
        for number in range(120)
    ]


def test_a_federation_becomes_tables_and_tables_become_figures(tmp_path: Path) -> None:
    asker, shelf = Asker(ScriptedModel(), study_of("sentiment")), Shelf(tmp_path / "sentiment" / "0")
    drawn = draw(Plan("sentiment", donors=2, tune=12, home=16, test=20), reviews(), asker.labels, 0)
    make(asker, Letters(), drawn, SMALL, shelf, 0)
    (newcomer,) = drawn.newcomers
    # A template's table is what the model says of its words, a member's what it says behind the vectors.
    template = asker.study.candidates()[1]
    asked = [ChoiceQuery(template.render(case.fields), (" positive", " negative")) for case in newcomer.test]
    assert shelf.read("n0-test-t1") == pytest.approx(normalised(np.array(asker.model.choices(asked).loglikelihoods)))
    behind = asker.objective(newcomer.test).loglikelihoods(shelf.read("v-d1-r2"))
    assert shelf.read("n0-test-d1-r2") == pytest.approx(normalised(behind))
    assert shelf.read("v-f2") == pytest.approx(np.mean([shelf.read("v-d0-r2"), shelf.read("v-d1-r2")], axis=0))
    told = figures(tmp_path, ["sentiment"])[1]["parts"]["sentiment"]
    right = told["accuracy"][16]
    gain = told["gains"][16]
    alone = ("best template, bias", "templates mixed, bias", "few-shot, calibrated", "tuned, 8 steps, bias")
    assert gain["home"] == max(right[way] for way in right if way in (*alone, gain["strongest"]))
    assert gain["mean"] == pytest.approx(100 * (right["with shared prompts"] - gain["home"])) and gain["low"] is None
    assert {"FedAvg", "federated logistic head on the encoder", "one prompt distilled from the mixture"} <= set(right)


def test_what_is_done_of_a_federation_is_not_done_again(tmp_path: Path) -> None:
    asker, shelf = Asker(ScriptedModel(), study_of("sentiment")), Shelf(tmp_path / "0")
    drawn = draw(Plan("sentiment", donors=2, tune=12, home=16, test=20), reviews(), asker.labels, 0)
    make(asker, Letters(), drawn, SMALL, shelf, 0)
    written = {path.name: path.stat().st_ino for path in shelf.folder.iterdir() if path.name != "done.npy"}
    (shelf.folder / "n0-done.npy").unlink()
    del written["n0-done.npy"]
    make(asker, Letters(), drawn, SMALL, shelf, 0)
    assert written.items() <= {path.name: path.stat().st_ino for path in shelf.folder.iterdir()}.items()
