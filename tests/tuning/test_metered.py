"""Cases are prepared once for whoever tunes or foretells: cut to the window, and what they take is counted."""

import numpy as np
import pytest

from fedprompt.errors import PromptError
from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.runner import true_labels
from fedprompt.models.scripted import WINDOW, ScriptedModel
from fedprompt.tuning.label_losses import prior_free_loss
from fedprompt.tuning.metered import prepare
from tests.coded import coded
from tests.scripted_sites import STUDY, cases

MODEL = ScriptedModel()


def test_steps_count_both_ways_and_looks_one() -> None:
    made = prepare(MODEL, STUDY, cases("a", 4))
    before = made.work
    assert before.tokens == 0 and before.distinct == before.passed > 0
    start = MODEL.text_init("Overall the feeling is", 3)
    made.loss_and_gradient(start.vectors, [0, 1])
    # "Review: quixotry-a-0 was great zymurgy" stands before the slot; behind it are 3 soft tokens, a line's end, a word
    # and a colon, and the words, of one token each, are predicted from there.
    stepped = made.work
    assert stepped.distinct - before.distinct == 2 * (3 + 2)
    assert stepped.passed - before.passed == 2 * (stepped.distinct - before.distinct)
    made.loglikelihoods(start.vectors)
    assert made.work.passed - stepped.passed == made.work.distinct - stepped.distinct == 4 * (3 + 2)
    assert made.work.share_ratio < 1 and made.work.seconds > 0


def test_a_case_that_is_too_long_is_cut_and_counted() -> None:
    long = Case({"text": "great " * WINDOW}, "positive")
    made = prepare(MODEL, STUDY, [long, *cases("a", 3)])
    assert (len(made), made.clipped) == (4, 1)


def test_a_study_without_a_slot_has_nothing_to_prepare() -> None:
    with pytest.raises(PromptError, check=coded("no-soft-slot")):
        prepare(MODEL, STUDY.model_copy(update={"soft": None}), cases("a", 3))


def test_the_classes_shares_are_taken_out_and_what_it_takes_is_counted_as_before() -> None:
    few = [*cases("a", 6), *(case for case in cases("b", 6) if case.answer == STUDY.answer.labels[0])]
    answers = true_labels(few, STUDY.answer)
    plain, free = (prepare(MODEL, STUDY, few, prior_free=chosen) for chosen in (False, True))
    vectors, rows = MODEL.text_init("Overall the feeling is", 3).vectors, range(len(few))
    assert free.work.distinct == plain.work.distinct
    other = plain.under(prior_free_loss(answers, len(STUDY.answer.labels)))
    assert other.work.distinct == 0
    found, expected = free.loss_and_gradient(vectors, rows), other.loss_and_gradient(vectors, rows)
    assert found.loss == expected.loss and np.array_equal(found.gradient, expected.gradient)
    assert not np.allclose(found.gradient, plain.loss_and_gradient(vectors, rows).gradient)
    # Only tuning is changed: what a case is answered is what it was.
    assert np.array_equal(free.loglikelihoods(vectors), plain.loglikelihoods(vectors))
