"""What a home can do by itself: strong where it should be, and blind to the answers of what is asked."""

import numpy as np
import pytest

from fedprompt.adapting.alone import WAYS, alone_tables, strongest
from fedprompt.adapting.content_free import content_free_bias
from fedprompt.adapting.encoded import regression
from fedprompt.adapting.log_probabilities import normalised
from fedprompt.adapting.settings import AtN

RNG = np.random.default_rng(3)
ANSWERS = np.arange(12) % 3
TABLES = normalised(RNG.normal(size=(4, 12, 3)) + np.eye(3)[ANSWERS])
KNOWN, ASKED = np.arange(8), np.arange(8, 12)


def test_every_way_answers_and_no_answer_of_an_asked_case_counts() -> None:
    both = [
        alone_tables(AtN(n=8), TABLES[:2], answers, KNOWN, ASKED, shown=TABLES[2], encoded=TABLES[3])
        for answers in (ANSWERS, np.where(np.arange(12) < 8, ANSWERS, 0))
    ]
    assert tuple(both[0]) == WAYS
    for way in WAYS:
        assert both[0][way].shape == (4, 3)
        np.testing.assert_array_equal(both[0][way], both[1][way])


def test_without_templates_or_tables_there_are_fewer_ways() -> None:
    none = TABLES[:0]
    assert not alone_tables(AtN(n=8), none, ANSWERS, KNOWN, ASKED)
    assert set(alone_tables(AtN(n=8), none, ANSWERS, KNOWN, ASKED, encoded=TABLES[3])) == {"encoder"}
    assert strongest({}) is None and strongest({"shown": 3, "template": 3}) == "template"


def test_calibration_answers_texts_that_say_nothing_evenly() -> None:
    # Means of (.6, .4) and (.8, .2): what is added makes .7 and .3 even.
    table = np.log([[0.6, 0.4], [0.8, 0.2]])
    bias = content_free_bias(table)
    assert bias.sum() == pytest.approx(0) and bias[1] - bias[0] == pytest.approx(np.log(0.7 / 0.3))
    with pytest.raises(ValueError, match="at least one"):
        content_free_bias(table[:0])


def test_a_regression_learns_what_vectors_tell_and_rules_no_label_out() -> None:
    vectors = np.eye(4, dtype=np.float32)[[0, 0, 1, 1]]
    found = regression(vectors, np.array([0, 0, 2, 2]), vectors[1:3], 3)
    assert found.argmax(axis=1).tolist() == [0, 2] and np.isfinite(found).all()
    assert regression(vectors, np.array([1, 1, 1, 1]), vectors, 3).argmax(axis=1).tolist() == [1] * 4
    with pytest.raises(ValueError, match="at least one"):
        regression(vectors[:0], np.zeros(0, dtype=np.int64), vectors, 3)
