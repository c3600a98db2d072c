"""Some cases of an objective are asked by their places in it."""

import numpy as np
import pytest

from fedprompt.tuning.metered import prepare
from fedprompt.tuning.some import SomeCases
from tests.scripted_sites import MODEL, STUDY, cases

VECTORS = MODEL.text_init("Overall the feeling is", 3).vectors


def test_some_cases_are_those_cases_prepared_by_themselves() -> None:
    held = cases("a", 8)
    places = [5, 0, 6]
    some, alone = SomeCases(prepare(MODEL, STUDY, held), places), prepare(MODEL, STUDY, [held[at] for at in places])
    assert len(some) == 3
    assert np.allclose(some.loglikelihoods(VECTORS), alone.loglikelihoods(VECTORS))
    found, expected = (one.loss_and_gradient(VECTORS, [2, 0]) for one in (some, alone))
    assert found.loss == pytest.approx(expected.loss)
    assert np.allclose(found.gradient, expected.gradient)


def test_a_row_that_is_not_among_them_is_refused() -> None:
    with pytest.raises(IndexError):
        SomeCases(prepare(MODEL, STUDY, cases("a", 8)), [5, 0]).loss_and_gradient(VECTORS, [2])
