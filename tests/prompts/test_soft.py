"""A soft prompt is finite float32 in bounds that nobody can change, bound to one model."""

import numpy as np
import pytest

from fedprompt.errors import ModelMismatch, PromptError
from fedprompt.prompts.soft import MAX_TOKENS, MAX_WIDTH, SoftPrompt
from tests.coded import coded


def test_any_real_array_becomes_read_only_little_endian_float32() -> None:
    soft = SoftPrompt(np.arange(6, dtype=">f8").reshape(2, 3)[:, ::-1], "m")
    assert soft.vectors.dtype == np.dtype("<f4") and soft.vectors.flags.c_contiguous
    assert soft.vectors.tolist() == [[2.0, 1.0, 0.0], [5.0, 4.0, 3.0]]
    assert (soft.tokens, soft.width) == (2, 3)
    with pytest.raises(ValueError, match="read-only"):
        soft.vectors[0, 0] = 1.0


def test_it_does_not_change_with_the_array_it_was_made_of() -> None:
    array = np.zeros((2, 3), dtype=np.float32)
    soft, part = SoftPrompt(array, "m"), SoftPrompt(array[:1], "m")
    array += 1.0
    assert not soft.vectors.any() and not part.vectors.any()


@pytest.mark.parametrize("shape", [(3,), (1, 2, 3), (0, 4), (4, 0), (MAX_TOKENS + 1, 1), (1, MAX_WIDTH + 1)])
def test_shapes_out_of_bounds_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(PromptError, check=coded("wrong-shape")):
        SoftPrompt(np.zeros(shape, dtype=np.float32), "m")


def test_the_largest_shapes_are_taken() -> None:
    assert SoftPrompt(np.zeros((MAX_TOKENS, 1), np.float32), "m").tokens == MAX_TOKENS
    assert SoftPrompt(np.zeros((1, MAX_WIDTH), np.float32), "m").width == MAX_WIDTH


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_values_that_are_not_finite_in_float32_are_refused(value: float) -> None:
    with pytest.raises(PromptError, check=coded("not-finite")):
        SoftPrompt(np.array([[0.0, value]]), "m")


def test_equality_is_of_bytes_and_model() -> None:
    one = SoftPrompt(np.ones((2, 2)), "m")
    assert one == SoftPrompt(np.ones((2, 2), np.float32), "m") and hash(one) == hash(SoftPrompt(np.ones((2, 2)), "m"))
    assert one != SoftPrompt(np.ones((2, 2)), "n")
    assert one != SoftPrompt(np.ones((4, 1)), "m")
    assert one != "m"


def test_another_model_is_refused_with_the_reason() -> None:
    soft = SoftPrompt(np.ones((2, 4)), "sha256:a")
    soft.check_model("sha256:a", "same", 4)
    with pytest.raises(ModelMismatch, check=coded("another-width")):
        soft.check_model("sha256:b", "wide", 8)
    with pytest.raises(ModelMismatch, check=coded("another-revision")):
        soft.check_model("sha256:b", "twin", 4)
