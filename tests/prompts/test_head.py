"""A head is read back as it was written, and one whose numbers cannot be is refused."""

from typing import Any

import numpy as np
import pytest

from fedprompt.errors import PromptError
from fedprompt.prompts.adapted import Adapted
from fedprompt.prompts.head import Head, HeadBody, text_of
from tests.coded import coded
from tests.small_pack import MEMBERS, small_head


def test_a_head_comes_back_as_it_was() -> None:
    head = small_head()
    again = HeadBody.model_validate_json(head.body().model_dump_json()).head()
    assert again == head and again.id == head.id and np.array_equal(again.weights, head.weights)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"weights": np.full((2, 3), np.nan, np.float32)}, "not-finite"),
        ({"weights": np.zeros((3, 3), np.float32)}, "wrong-shape"),
        ({"weights": np.zeros((2, 2), np.float32)}, "wrong-shape"),
        ({"weights": np.zeros(6, np.float32)}, "wrong-shape"),
        ({"weights": np.full((2, 3), 1e5, np.float32)}, "out-of-range"),
        ({"directions": np.zeros((4, 5), np.float32)}, "out-of-range"),
    ],
)
def test_numbers_that_cannot_be_a_heads_are_refused(change: dict[str, Any], code: str) -> None:
    head = small_head()
    known = {"weights": head.weights, "directions": head.directions, **change}
    with pytest.raises(PromptError, check=coded(code)):
        Head(head.fields, head.labels, head.encoder, **known)


@pytest.mark.parametrize(
    ("change", "code"),
    [({"weights": "%%%%"}, "not-well-formed"), ({"weights": "AAAA"}, "wrong-shape"), ({"many": 7}, "wrong-shape")],
)
def test_bytes_that_are_none_of_a_head_are_refused(change: dict[str, Any], code: str) -> None:
    body = small_head().body().model_copy(update=change)
    with pytest.raises(PromptError, check=coded(code)):
        body.head()


def test_a_head_reads_its_fields_below_each_other() -> None:
    assert text_of({"b": "two", "a": "one"}, ("a", "b")) == "one\ntwo"
    with pytest.raises(PromptError, check=coded("field-missing")):
        text_of({"a": "one"}, ("a", "b"))


def test_a_head_has_its_part_of_the_whole_and_is_part_of_the_id() -> None:
    head, labels = small_head(), small_head().labels
    plain = Adapted(MEMBERS[:2], (0.25, 0.75), labels, (0.0, 0.0))
    mixed = Adapted(MEMBERS[:2], (0.25, 0.75), labels, (0.0, 0.0), head=head, part=0.5)
    assert mixed.all_weights == pytest.approx((0.125, 0.375, 0.5)) and plain.all_weights == plain.weights
    assert mixed.id != plain.id and "head" not in plain.canonical()
    with pytest.raises(PromptError, check=coded("wrong-labels")):
        Adapted(MEMBERS[:2], (0.25, 0.75), labels[::-1], (0.0, 0.0), head=head, part=0.5)
    with pytest.raises(PromptError, check=coded("not-shares")):
        Adapted(MEMBERS[:2], (0.25, 0.75), labels, (0.0, 0.0), part=0.5)
