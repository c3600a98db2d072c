"""Small updates lose little, what they lose comes later, and none is longer than the bound."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fedprompt.errors import EgressRefused
from fedprompt.privacy.quantise import ARRAYS, quantise, restore, with_feedback
from fedprompt.study.schema import Precision
from fedprompt.verbs.tune import TuneReply
from fedprompt.verbs.wire import pack_reply, unpack_reply

VALUES = arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 6)), elements=st.floats(-1e4, 1e4, width=32))
SMALL: tuple[Precision, ...] = ("float16", "int8")
TASK = "t1:" + "a" * 32


def norm(array: np.ndarray) -> float:
    return float(np.linalg.norm(array.astype(np.float64)))


@given(VALUES)
def test_int8_is_off_by_half_a_step_of_its_row_at_most(values: np.ndarray) -> None:
    found = restore(quantise(values, "int8"))
    step = np.abs(values).max(axis=1, keepdims=True) / 127
    assert found.dtype == np.float32
    assert (np.abs(found - values) <= step * 0.5001 + 1e-30).all()


@pytest.mark.parametrize("precision", ["float32", *SMALL])
@given(values=arrays(np.float32, st.integers(1, 1100), elements=st.floats(-1e3, 1e3, width=32)))
def test_a_flat_update_travels_in_blocks_with_a_scale_each(precision: Precision, values: np.ndarray) -> None:
    sent = quantise(values, precision)
    parcel = unpack_reply(pack_reply(TuneReply(task=TASK, round=1, cases=9, precision=precision), sent))
    found = restore(parcel.arrays)
    assert found.shape == values.shape and found.dtype == np.float32
    steps = np.repeat([np.abs(values[at : at + 512]).max() / 127 for at in range(0, len(values), 512)], 512)
    assert (np.abs(found - values) <= steps[: len(values)] * 0.5001 + np.abs(values) * 2**-11 + 1e-7).all()


def test_int8_by_hand() -> None:
    # The scale is 2.54 / 127 = 0.02; 1.0 is 50 steps and 0.011 is 0.55, so one. A row of zeros has a scale of 0.
    found = quantise(np.array([[2.54, 1.0, 0.011], [0, 0, 0]], np.float32), "int8")
    assert found["codes"].tolist() == [[127, 50, 1], [0, 0, 0]]
    assert found["scales"] == pytest.approx(np.array([[0.02], [0.0]]))


@given(VALUES)
def test_float16_is_off_by_its_own_rounding(values: np.ndarray) -> None:
    assert np.allclose(restore(quantise(values, "float16")), values, rtol=2**-11, atol=1e-7)


def test_what_float16_cannot_hold_is_its_largest() -> None:
    assert restore(quantise(np.array([[1e9, -1e9]], np.float32), "float16")).tolist() == [[65504.0, -65504.0]]


def test_float32_is_bit_by_bit() -> None:
    values = np.array([[0.1, -3e38]], np.float32)
    assert restore(quantise(values, "float32")).tobytes() == values.tobytes()


@pytest.mark.parametrize("precision", SMALL)
@given(rounds=st.lists(arrays(np.float32, (2, 3), elements=st.floats(-5, 5, width=32)), min_size=1, max_size=12))
def test_what_was_sent_sums_to_what_was_meant_but_for_one_residual(precision: Precision, rounds: list) -> None:
    residual = None
    sent = np.zeros((2, 3))
    for delta in rounds:
        found = with_feedback(delta, residual, precision, 1e9)
        residual = found.residual
        sent += restore(found.arrays)
    meant = np.sum(rounds, axis=0, dtype=np.float64)
    assert np.allclose(sent + residual, meant, atol=1e-4)
    # And the residual is one round's rounding, however many rounds there were.
    assert np.abs(residual).max() <= (5 + 0.05) / 127


@pytest.mark.parametrize("precision", ["float32", *SMALL])
@given(values=VALUES, most=st.floats(1e-3, 1e3))
def test_what_arrives_is_never_longer_than_the_bound(precision: Precision, values: np.ndarray, most: float) -> None:
    found = with_feedback(values, values, precision, most)
    assert norm(restore(found.arrays)) <= most


def test_what_clipping_cuts_does_not_pile_up() -> None:
    residual = None
    for _ in range(20):
        residual = with_feedback(np.full((1, 4), 100.0, np.float32), residual, "int8", 1.0).residual
    assert norm(residual) < 0.05


@pytest.mark.parametrize("precision", ["float32", *SMALL])
def test_an_update_passes_the_gate_and_comes_back(precision: Precision) -> None:
    values = np.random.default_rng(0).normal(0, 0.05, (8, 576)).astype(np.float32)
    sent = quantise(values, precision)
    reply = TuneReply(task=TASK, round=1, cases=48, loss=0.5, precision=precision)
    parcel = unpack_reply(pack_reply(reply, sent))
    assert parcel.message == reply
    assert restore(parcel.arrays).tobytes() == restore(sent).tobytes()


def test_an_int8_update_of_8_x_576_is_under_6_kb() -> None:
    values = np.random.default_rng(0).normal(0, 0.05, (8, 576)).astype(np.float32)
    reply = TuneReply(task=TASK, round=1, cases=48, loss=0.123456789012345, precision="int8")
    assert len(pack_reply(reply, quantise(values, "int8"))) < 6000


@pytest.mark.parametrize("precision", ["float32", *SMALL])
def test_arrays_of_another_precision_do_not_go_out(precision: Precision) -> None:
    values = np.ones((2, 3), np.float32)
    reply = TuneReply(task=TASK, round=1, cases=48, loss=0.5, precision=precision)
    for other in ARRAYS:
        if other != precision:
            with pytest.raises(EgressRefused):
                pack_reply(reply, quantise(values, other))


@pytest.mark.parametrize(
    "scales",
    [
        np.ones((1, 1), np.float32),
        np.ones((2, 2), np.float32),
        np.array([[1.0], [-1.0]], np.float32),
        np.array([[1.0], [np.nan]], np.float32),
        np.array([[1.0], [np.inf]], np.float32),
        np.ones((2, 1), np.float64),
    ],
)
def test_scales_that_are_no_scales_do_not_go_out(scales: np.ndarray) -> None:
    reply = TuneReply(task=TASK, round=1, cases=48, loss=0.5, precision="int8")
    with pytest.raises(EgressRefused):
        pack_reply(reply, {"codes": np.ones((2, 3), np.int8), "scales": scales})
