"""An adapter: pairs of finite factors of one rank, named by the digest of its file, and its values back and forth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fedprompt.errors import ModelMismatch, PromptError
from fedprompt.prompts.adapter import A, Adapter, B
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from tests.coded import coded

MODEL = "sha256:" + "a" * 64
GOOD = {
    "layers.0.mix" + A: np.arange(6, dtype=np.float32).reshape(2, 3),
    "layers.0.mix" + B: np.arange(8, dtype=np.float32).reshape(4, 2),
}


def adapter(frozen: str = "") -> Adapter:
    return Adapter(GOOD, MODEL, 8.0, ("mix",), frozen)


@given(values=arrays(np.float32, 14, elements=st.floats(-1e6, 1e6, width=32)))
def test_values_go_in_and_out_to_the_bit(values: np.ndarray) -> None:
    made = adapter().with_values(values)
    assert made.values.tobytes() == values.tobytes()
    assert made.with_values(made.values) == made and made.rank == 2


def test_only_what_is_not_frozen_moves() -> None:
    made = adapter(A).with_values(np.zeros(8, np.float32))
    assert np.array_equal(made.arrays["layers.0.mix" + A], GOOD["layers.0.mix" + A])
    assert not made.arrays["layers.0.mix" + B].any() and made.values.shape == (8,)


def test_it_is_rebuilt_of_its_json_and_arrays_alone_and_its_id_follows_them() -> None:
    template = Template("plain", text="{text}:")
    prompt = Prompt(template, adapter(A))
    again = Prompt.from_canonical("plain", prompt.canonical(), None, dict(GOOD))
    assert again == prompt and again.id == prompt.id and prompt.kind == "adapter"
    assert prompt.id != Prompt(template).id != Prompt(template, adapter()).id
    with pytest.raises(PromptError, check=coded("not-well-formed")):
        Prompt.from_canonical("plain", prompt.canonical(), None, {n: a + 1 for n, a in GOOD.items()})


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"layers.0.mix" + A: np.full((2, 3), np.nan, np.float32)}, "not-finite"),
        ({"layers.0.mix" + B: np.full((4, 2), np.inf, np.float32)}, "not-finite"),
        ({"layers.0.mix" + B: np.zeros((4, 3), np.float32)}, "wrong-shape"),
        ({"layers.0.mix" + A: np.zeros(6, np.float32)}, "wrong-shape"),
        ({"layers.1.mix" + A: np.zeros((2, 3), np.float32)}, "not-well-formed"),
        (
            {"layers.1.other" + A: np.zeros((2, 3), "f4"), "layers.1.other" + B: np.zeros((4, 2), "f4")},
            "not-well-formed",
        ),
    ],
)
def test_what_is_no_adapter_is_refused(changes: dict[str, np.ndarray], code: str) -> None:
    with pytest.raises(PromptError, check=coded(code)):
        Adapter({**GOOD, **changes}, MODEL, 8.0, ("mix",))


@pytest.mark.parametrize("shape", [(13,), (15,), (0,), (14, 1)])
def test_values_of_another_size_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(PromptError, check=coded("wrong-shape")):
        adapter().with_values(np.zeros(shape, np.float32))


def test_another_model_is_refused() -> None:
    with pytest.raises(ModelMismatch, check=coded("another-revision")):
        adapter().check_model("sha256:" + "b" * 64, "other", 3)


@pytest.mark.parametrize(
    "changes",
    [{"alpha": 10**400}, {"alpha": "16"}, {"alpha": None}, {"alpha": True}, {"targets": 3}, {"targets": None}],
)
def test_a_description_of_other_types_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(PromptError, check=coded("not-well-formed")):
        Adapter.from_canonical({**adapter().canonical(), **changes}, GOOD)
