"""Only what is on the list gets through, out or in; whatever else the bytes are, it is refused in one way."""

import json
import pickle
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from fedprompt.errors import EgressRefused
from fedprompt.study.score import Comparison, Score
from fedprompt.verbs.describe import DescribeReply, DescribeTask
from fedprompt.verbs.evaluate import EvaluateTask
from fedprompt.verbs.forms import Reply
from fedprompt.verbs.refusals import Refusal
from fedprompt.verbs.score import ScoreReply
from fedprompt.verbs.tune import TuneReply, TuneTask
from fedprompt.verbs.wire import MAX_REPLY_BYTES, pack_reply, pack_task, unpack_reply, unpack_task
from tests.coded import coded

TASK = "t1:" + "a" * 32
STUDY = "s1:" + "b" * 32
PROMPT = "p1:" + "c" * 32
OTHER = "h1:" + "d" * 32
DELTA = np.arange(6, dtype=np.float32).reshape(2, 3)
SCORE = Score(
    prompt=PROMPT,
    split="test",
    metric="accuracy",
    n=3,
    total=2.0,
    squares=2.0,
    groups=3,
    group_squares=2 / 3,
    confusion=((1, 1), (0, 1)),
)
PAIR = Comparison(
    first=PROMPT,
    second=OTHER,
    split="test",
    n=3,
    total=-1.0,
    squares=1.0,
    better=0,
    worse=1,
    groups=3,
    group_squares=0.0,
)
TUNE = TuneReply(task=TASK, round=1, cases=30, loss=0.5)
DESCRIBE = DescribeReply(task=TASK, tune=30, validation=20, test=20, labels=(35, 35))
REPLIES: list[Reply] = [
    DESCRIBE,
    ScoreReply(verb="evaluate", task=TASK, scores=(SCORE,), comparisons=(PAIR,), looks=1),
    Refusal(task=TASK, code="budget-spent"),
]


def raw(body: object, **arrays: np.ndarray) -> bytes:
    return save({"reply": np.frombuffer(json.dumps(body).encode(), np.uint8), **arrays})


@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: str(reply.verb))
def test_a_reply_comes_back_as_it_was(reply: Reply) -> None:
    parcel = unpack_reply(pack_reply(reply, {}))
    assert parcel.message == reply and not parcel.arrays


def test_an_update_comes_back_bit_by_bit() -> None:
    parcel = unpack_reply(pack_reply(TUNE, {"delta": DELTA}))
    assert parcel.message == TUNE
    assert parcel.arrays["delta"].tobytes() == DELTA.tobytes()


def test_a_task_comes_back_as_it_was() -> None:
    task = EvaluateTask(task=TASK, study=STUDY, split="test", templates=(PROMPT,), soft=(OTHER, PROMPT))
    parcel = unpack_task(pack_task(task, {"soft-0": DELTA, "soft-1": -DELTA}))
    assert parcel.message == task
    assert parcel.arrays["soft-1"].tolist() == (-DELTA).tolist()


def test_the_same_reply_is_the_same_bytes() -> None:
    assert pack_reply(TUNE, {"delta": DELTA}) == pack_reply(TUNE, {"delta": np.asfortranarray(DELTA)})


class Leaky(DescribeReply):
    """A reply with one field more than the list has."""

    note: str


def test_a_field_that_is_not_on_the_list_does_not_go_out() -> None:
    with pytest.raises(EgressRefused, check=coded("not-well-formed")):
        pack_reply(Leaky(**DESCRIBE.model_dump(), note="Mrs Smith"), {})


@pytest.mark.parametrize(
    "change",
    [
        {"tune": "Mrs Smith"},
        {"tune": -1},
        {"task": "Mrs Smith"},
        {"labels": ("a", "b")},
        {"tune": float("nan")},
        {"verb": "chat"},
        {"tune": object()},
    ],
)
def test_a_reply_built_around_its_checks_does_not_go_out(change: dict[str, object]) -> None:
    with pytest.raises(EgressRefused) as caught:
        pack_reply(DescribeReply.model_construct(**{**DESCRIBE.model_dump(), **change}), {})  # type: ignore[arg-type]
    assert "Smith" not in str(caught.value)


def test_digits_in_a_string_go_out_as_the_number_that_they_are() -> None:
    odd = DescribeReply.model_construct(**{**DESCRIBE.model_dump(), "tune": "0000030"})  # type: ignore[arg-type]
    assert pack_reply(odd, {}) == pack_reply(DESCRIBE, {})


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), -float("inf")])
def test_a_loss_that_is_not_finite_does_not_go_out(loss: float) -> None:
    with pytest.raises(EgressRefused):
        pack_reply(TuneReply.model_construct(verb="tune", task=TASK, round=1, cases=3, loss=loss), {"delta": DELTA})


BAD_ARRAYS = [
    ({}, "other-arrays"),
    ({"delta": DELTA, "more": DELTA}, "other-arrays"),
    ({"gradient": DELTA}, "other-arrays"),
    ({"delta": DELTA.astype(np.float64)}, "wrong-shape"),
    ({"delta": DELTA.astype(np.int32)}, "wrong-shape"),
    ({"delta": np.zeros(0, np.float32)}, "wrong-shape"),
    ({"delta": DELTA[None]}, "wrong-shape"),
    ({"delta": np.zeros((513, 1), np.float32)}, "wrong-shape"),
    ({"delta": np.zeros((1, 32_769), np.float32)}, "wrong-shape"),
    ({"delta": np.zeros((0, 3), np.float32)}, "wrong-shape"),
    ({"delta": np.array([[np.nan]], np.float32)}, "not-finite"),
    ({"delta": np.array([[-np.inf]], np.float32)}, "not-finite"),
]


@pytest.mark.parametrize(("arrays", "code"), BAD_ARRAYS)
def test_arrays_that_are_not_on_the_list_pass_neither_way(arrays: dict[str, np.ndarray], code: str) -> None:
    with pytest.raises(EgressRefused, check=coded(code)):
        pack_reply(TUNE, arrays)
    with pytest.raises(EgressRefused, check=coded(code)):
        unpack_reply(raw(TUNE.model_dump(mode="json"), **arrays))


def test_an_objects_array_does_not_go_out() -> None:
    with pytest.raises(EgressRefused, check=coded("wrong-shape")):
        pack_reply(TUNE, {"delta": np.array([["Mrs Smith"]], dtype=object)})


def test_a_reply_of_numbers_takes_no_array_along() -> None:
    with pytest.raises(EgressRefused, check=coded("other-arrays")):
        pack_reply(DESCRIBE, {"delta": DELTA})


def test_too_much_passes_neither_way() -> None:
    large = np.zeros((512, 32_768), np.float32)  # 64 MiB, and the JSON comes on top
    with pytest.raises(EgressRefused, check=coded("too-large")):
        pack_reply(TUNE, {"delta": large})
    with pytest.raises(EgressRefused, check=coded("too-large")):
        unpack_reply(b"\0" * (MAX_REPLY_BYTES + 1))


@pytest.mark.parametrize(
    "body",
    [
        {**DESCRIBE.model_dump(), "note": "x"},
        {k: v for k, v in DESCRIBE.model_dump().items() if k != "tune"},
        {**DESCRIBE.model_dump(), "verb": "run"},
        [],
        None,
        "describe",
        {"verb": "describe"},
    ],
)
def test_json_that_is_not_on_the_list_does_not_come_in(body: object) -> None:
    with pytest.raises(EgressRefused):
        unpack_reply(raw(body))


def test_bytes_of_other_formats_do_not_come_in() -> None:
    good = pack_reply(TUNE, {"delta": DELTA})
    half = json.dumps({"reply": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}).encode()
    hostile = [
        b"",
        b"\x80",
        pickle.dumps({"reply": DESCRIBE.model_dump()}),
        good[:-1],
        good[: len(good) // 2],
        good[:8],
        good + b"\0",
        struct.pack("<Q", 2**63) + good[8:],
        struct.pack("<Q", len(half)) + half + b"\0\0",
        save({"task": np.zeros(3, np.uint8)}),
        save({"reply": np.zeros(3, np.float32)}),
        save({"reply": np.zeros((1, 3), np.uint8)}),
        raw(DESCRIBE.model_dump())[:-1] + b"\xff",
        b"[" * 100_000,
    ]
    for data in hostile:
        with pytest.raises(EgressRefused):
            unpack_reply(data)
        with pytest.raises(EgressRefused):
            unpack_task(data)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_in_one_way(data: bytes) -> None:
    with pytest.raises(EgressRefused):
        unpack_reply(data)


@given(st.integers(0, 400), st.integers(1, 255))
def test_a_flipped_byte_is_refused_or_gives_another_value_on_the_list(place: int, flip: int) -> None:
    good = bytearray(pack_reply(TUNE, {"delta": DELTA}))
    good[place % len(good)] ^= flip
    try:
        parcel = unpack_reply(bytes(good))
    except EgressRefused:
        return
    assert isinstance(parcel.message, TuneReply) and np.isfinite(parcel.arrays["delta"]).all()


def test_a_reply_is_no_task_and_a_task_no_reply() -> None:
    task = pack_task(DescribeTask(task=TASK, study=STUDY), {})
    with pytest.raises(EgressRefused):
        unpack_reply(task)
    with pytest.raises(EgressRefused):
        unpack_task(pack_reply(DESCRIBE, {}))
    with pytest.raises(EgressRefused, check=coded("other-arrays")):
        pack_task(TuneTask(task=TASK, study=STUDY, round=1, steps=1, seed=0), {})
