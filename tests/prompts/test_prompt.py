"""A prompt's id is a digest of all that the model sees of it, and of nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fedprompt.errors import PromptError
from fedprompt.prompts.ids import canonical_json, content_id
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Demonstrations, Message, Template
from tests.coded import coded

TEMPLATE = Template(
    "plain", text="Review: {text}\nSentiment:", words={"positive": " positive", "negative": " negative"}
)
SLOT = Template("slot", text="Review: {text}{soft}\nSentiment:")
VECTORS = np.arange(6, dtype=np.float32).reshape(2, 3)


def test_ids_are_what_they_have_always_been() -> None:
    # Banks and bundles name prompts by these. The JSON is written out here as it was specified, and the digests were
    # computed with hashlib.blake2b(digest_size=16, person=b"p1").
    assert canonical_json(Prompt(TEMPLATE).canonical()) == (
        b'{"soft":null,"template":{"demonstrations":null,"messages":null,"text":"Review: {text}\\nSentiment:",'
        b'"words":{"negative":" negative","positive":" positive"}}}'
    )
    assert Prompt(TEMPLATE).id == "p1:c6bbd55689347aed1a635d234f683d87"
    assert Prompt(SLOT, SoftPrompt(VECTORS, "sha256:0")).id == "p1:7a6e75155e26811971dd5ff9f3743969"


def test_the_name_and_the_order_of_words_are_no_part_of_it() -> None:
    turned = dict(reversed(list((TEMPLATE.words or {}).items())))
    assert Prompt(replace(TEMPLATE, name="another")).id == Prompt(TEMPLATE).id
    assert Prompt(replace(TEMPLATE, words=turned)).id == Prompt(TEMPLATE).id


def test_whatever_the_model_sees_is_part_of_it() -> None:
    shown = Template("d", text="{demonstrations}{text}", demonstrations=Demonstrations(2))
    one = Prompt(SLOT, SoftPrompt(VECTORS, "sha256:0"))
    bit = VECTORS.copy()
    bit.view(np.uint8)[0, 0] ^= 1
    others = [
        one,
        Prompt(SLOT, SoftPrompt(bit, "sha256:0")),
        Prompt(SLOT, SoftPrompt(VECTORS.reshape(3, 2), "sha256:0")),
        Prompt(SLOT, SoftPrompt(VECTORS, "sha256:1")),
        Prompt(replace(SLOT, text="Review: {text}{soft}\nSentiment: "), one.soft),
        Prompt(TEMPLATE),
        Prompt(replace(TEMPLATE, words={"positive": " positive", "negative": " bad"})),
        Prompt(replace(TEMPLATE, words=None)),
        Prompt(shown),
        Prompt(replace(shown, demonstrations=Demonstrations(3))),
        Prompt(replace(shown, demonstrations=Demonstrations(2, "\n"))),
        Prompt(Template("c", messages=(Message("user", "{text}"),))),
        Prompt(Template("c", messages=(Message("system", "{text}"),))),
        Prompt(Template("c", text="{text}")),
    ]
    assert len({prompt.id for prompt in others}) == len(others)


def test_a_slot_and_a_soft_prompt_go_together() -> None:
    with pytest.raises(PromptError, check=coded("no-soft-prompt")):
        Prompt(SLOT)
    with pytest.raises(PromptError, check=coded("no-soft-slot")):
        Prompt(TEMPLATE, SoftPrompt(VECTORS, "m"))
    assert Prompt(TEMPLATE).kind == "template"
    assert Prompt(SLOT, SoftPrompt(VECTORS, "m")).kind == "soft"


@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 4), st.integers(1, 4)),
        elements=st.floats(width=32, allow_nan=False).filter(np.isfinite),
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)
def test_a_prompt_comes_back_from_its_canonical_form(vectors: np.ndarray, model: str) -> None:
    prompt = Prompt(SLOT, SoftPrompt(vectors, model))
    assert prompt.soft is not None
    again = Prompt.from_canonical("slot", prompt.canonical(), prompt.soft.vectors)
    assert again == prompt and again.id == prompt.id


@pytest.mark.parametrize(
    ("change", "vectors"),
    [
        ({"more": 1}, VECTORS),
        ({"soft": None}, VECTORS),
        ({}, None),
        ({"soft": {"model": "m", "tokens": 3, "width": 2}}, VECTORS),
        ({"soft": {"tokens": 2, "width": 3}}, VECTORS),
        ({"soft": {"model": "m", "tokens": 2, "width": 3, "more": 1}}, VECTORS),
        ({"soft": "m"}, VECTORS),
        ({"soft": {"model": 3, "tokens": 2, "width": 3}}, VECTORS),
        ({"template": None}, VECTORS),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(change: dict[str, object], vectors: np.ndarray | None) -> None:
    body = Prompt(SLOT, SoftPrompt(VECTORS, "m")).canonical()
    with pytest.raises(PromptError, match="'odd'", check=coded("not-well-formed")):
        Prompt.from_canonical("odd", {**body, **change}, vectors)


def test_canonical_json_has_one_form_and_no_nan() -> None:
    assert canonical_json({"b": [1, 2.5], "a": "ü"}) == '{"a":"ü","b":[1,2.5]}'.encode()
    for bad in (float("nan"), float("inf"), object()):
        with pytest.raises((ValueError, TypeError)):
            canonical_json({"x": bad})


def test_the_same_bytes_under_another_tag_are_another_id() -> None:
    assert content_id("p1", b"x")[3:] != content_id("s1", b"x")[3:]
