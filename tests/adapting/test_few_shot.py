"""One's own cases shown before a question: which they are, and that calibration needs no label."""

import numpy as np
import pytest

from fedprompt.adapting.few_shot import can_show, few_shot, showing, shown_cases
from fedprompt.evaluation.cases import Case
from fedprompt.workspace.answers.adapted_answers import adapted_answer
from tests.scripted_sites import LABELS, MODEL, STUDY, cases

PLAIN = next(one for one in STUDY.candidates() if can_show(one))
READING = adapted_answer(LABELS)


@pytest.mark.parametrize(("among", "shown"), [(3, 0), (4, 2), (16, 8), (200, 8)])
def test_half_of_the_cases_are_shown_and_eight_at_most(among: int, shown: int) -> None:
    found = shown_cases(cases("a", 20), among)
    assert len(found) == shown
    assert abs(sum(1 if one.answer == LABELS[0] else -1 for one in found)) <= shown % 2


def test_long_cases_are_not_shown() -> None:
    assert not shown_cases([Case({"text": "long " * 200}, label) for label in LABELS * 4], 8)


def test_what_is_shown_stands_before_the_text_with_its_answer() -> None:
    made = showing(PLAIN, 2).with_words(LABELS)
    text = made.render({"text": "asked"}, [({"text": "one"}, LABELS[0]), ({"text": "two"}, LABELS[1])]).text()
    assert text.index("one") < text.index((made.words or {})[LABELS[0]]) < text.index("two") < text.index("asked")
    assert not can_show(made) and not can_show(STUDY.soft_template())


def test_calibrated_answers_are_those_of_the_studys_own_calibration() -> None:
    shown, asked = cases("a", 8), cases("b", 3)
    plain = few_shot(MODEL, PLAIN, shown, asked, READING)
    same = few_shot(MODEL, PLAIN, shown, asked, adapted_answer(LABELS, prior="contextual"))
    assert not same.bias.any() and plain.bias.any()
    np.testing.assert_allclose(plain.calibrated, same.calibrated, atol=1e-12)
    # A case that is shown may be asked about, as any text may.
    assert few_shot(MODEL, PLAIN, shown, shown[:1], READING).table.shape == (1, 2)
