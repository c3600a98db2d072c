"""Tokens asked for, tokens computed, and the part of the matrix product that this comes to."""

import numpy as np
import pytest

from fedprompt.models.hf.model import layer_products
from fedprompt.models.matrix_product import matrix_product
from fedprompt.models.protocols import ChoiceQuery, Decoding, GenerateQuery, ModelInfo, RunSettings
from fedprompt.models.scripted import ScriptedModel
from fedprompt.models.work import Work, unshared
from fedprompt.prompts.template import Template
from tests.models.tiny import model

INFO = ModelInfo("m", "sha256:0", 2, 8, RunSettings("float32", 1))


def test_what_sequences_share_counts_once() -> None:
    # The tree of abc, abd, b, abc and ab: a, b, c, d and another b.
    found = unshared(["abc", "abd", "b", "abc", "ab"])  # type: ignore[list-item]
    assert sum(found) == 5 and found[2] == 1
    assert unshared([]) == [] and unshared([()]) == [0]


def test_work_adds_up() -> None:
    both = Work(10, 4, 2.0, 4) + Work(30, 6, 3.0, 12)
    assert both == Work(40, 10, 5.0, 16)
    assert (both.share_ratio, both.tokens_per_second) == (0.25, 2.0)
    assert (Work().share_ratio, Work().tokens_per_second) == (1.0, None)


def test_the_part_of_the_product_is_what_was_multiplied_over_what_the_machine_can() -> None:
    # 500 passes of a token through 1,000 weights are a million operations; in a second, of what the machine can.
    info = ModelInfo("m", "sha256:0", 2, 8, RunSettings("float32", 1), products=1000)
    part = Work(9, 9, 1.0, 500).part_of_product(info)
    assert part == pytest.approx(1e6 / (1e9 * matrix_product("float32")))
    assert Work(9, 9, 1.0, 500).part_of_product(INFO) is None
    assert Work().part_of_product(info) is None


def test_only_the_layers_products_are_counted() -> None:
    lm = model("llama")
    layers = sum(weight.numel() for weight in lm._lm.model.layers.parameters() if weight.dim() == 2)
    assert layer_products(lm._lm) == layers > 0


def test_a_written_text_knows_what_its_prompt_shared() -> None:
    prompts = [Template("t", text=text).render({}) for text in ("one two three", "one two four", "five")]
    made = model("llama").generate([GenerateQuery(one) for one in prompts], Decoding(3))
    assert all(one.read > 0 for one in made)
    assert sum(one.computed for one in made) < sum(one.read + one.tokens for one in made)
    # Of nine tokens of text the fake reads "one" and " two" once: 3 + 3 + 1 less 2.
    said = ScriptedModel().generate([GenerateQuery(one) for one in prompts], Decoding(2))
    assert [one.read for one in said] == [3, 3, 1]
    assert sum(one.computed - one.tokens for one in said) == 5


def test_an_objective_knows_what_a_pass_over_its_cases_takes() -> None:
    template = Template("t", text="a b {soft} c").with_words(("yes", "no"))
    asked = ChoiceQuery(template.render({}), ("yes", "no"))
    made = ScriptedModel().objective([asked, asked], [0, 1], 3)
    # Before the slot "a", " b" and a space, behind it 3 soft tokens and " c"; each prompt goes with each of two words.
    assert made.prepared == 6
    assert made.tokens([0]) == (2 * (3 + 4), 4) and made.tokens([0, 1]) == (28, 8)
    lm = model("llama")
    real = lm.objective([asked], [0], 3)
    whole = lm.length(asked.rendered, (), 3)
    looked = real.tokens([0], looking=True)
    assert real.prepared + looked.computed <= looked.asked and looked.asked >= 2 * whole
    assert np.isfinite(real.loglikelihoods(lm.text_init("x", 3).vectors)).all()
