"""The shipped fake is deterministic, differs by template, and can be tuned by an exact gradient."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fedprompt.errors import ModelError, ModelMismatch
from fedprompt.models.protocols import ChoiceQuery, Decoding, GenerateQuery, LabelSlopes
from fedprompt.models.scripted import WIDTH, ScriptedModel
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Template
from tests.coded import coded

WORDS = (" positive", " negative")
CASES = (
    ("I loved it, a wonderful and funny film", 0),
    ("A boring mess, the worst film of the year", 1),
    ("The battery is great and it works well", 0),
    ("It broke after a week, useless and cheap", 1),
    ("not good, I hated the sound", 1),
    ("an excellent, helpful answer", 0),
)


def query(text: str, template: str = "Review: {text}\nSentiment:", soft: SoftPrompt | None = None) -> ChoiceQuery:
    return ChoiceQuery(Template("t", text=template).render({"text": text}), WORDS, soft)


def soft_queries() -> list[ChoiceQuery]:
    return [query(text, "Review: {text}{soft}\nSentiment:") for text, _ in CASES]


def test_the_same_query_gives_the_same_numbers_in_any_company() -> None:
    model = ScriptedModel()
    alone = model.choices([query(CASES[0][0])]).loglikelihoods[0]
    together = model.choices([query(text) for text, _ in CASES]).loglikelihoods[0]
    assert np.array_equal(alone, together)
    assert np.exp(alone).sum() == pytest.approx(1.0)


def test_it_tells_praise_from_blame() -> None:
    result = ScriptedModel().choices([query(text, "{text}\nOverall this film was") for text, _ in CASES])
    praise = [logs[0] - logs[1] for logs in result.loglikelihoods]
    good = [value for value, (_, answer) in zip(praise, CASES, strict=True) if answer == 0]
    bad = [value for value, (_, answer) in zip(praise, CASES, strict=True) if answer == 1]
    assert min(good) > max(bad)


def test_templates_get_different_scores() -> None:
    model = ScriptedModel()
    ends = ["Sentiment:", "Answer:", "This was", "Overall:", "Verdict ="]
    biases = {
        round(float(model.choices([query("the film", "{text}\n" + end)]).loglikelihoods[0][0]), 6) for end in ends
    }
    assert len(biases) == len(ends)


def test_shared_prefixes_are_counted_once() -> None:
    same = query("a b c")
    result = ScriptedModel().choices([same, same])
    assert result.distinct * 2 == result.tokens


def test_gradient_agrees_with_finite_differences() -> None:
    model = ScriptedModel()
    objective = model.objective(soft_queries(), [answer for _, answer in CASES])
    vectors = np.random.default_rng(3).normal(size=(4, WIDTH)).astype(np.float32)
    rows = [0, 1, 4, 5]
    found = objective.loss_and_gradient(vectors, rows)
    step = 3e-3
    for place in [(0, 0), (1, 5), (3, 15)]:
        up, down = vectors.copy(), vectors.copy()
        up[place] += step
        down[place] -= step
        slope = (objective.loss_and_gradient(up, rows).loss - objective.loss_and_gradient(down, rows).loss) / (
            float(up[place]) - float(down[place])
        )
        assert float(found.gradient[place]) == pytest.approx(slope, rel=1e-3, abs=1e-7)


def test_the_gradient_of_a_loss_over_labels_agrees_with_finite_differences() -> None:
    def loss(scores: NDArray[np.float64], rows: Sequence[int]) -> LabelSlopes:
        # Half the square of each score, times one more than the case's place: its slope is the score, times that.
        factors = np.array(rows)[:, None] + 1.0
        return LabelSlopes((factors * scores**2 / 2).sum(axis=1), factors * scores)

    objective = ScriptedModel().objective(soft_queries(), [answer for _, answer in CASES]).under(loss)
    vectors = np.random.default_rng(3).normal(size=(4, WIDTH)).astype(np.float32)
    rows, step = [0, 1, 4, 5], 3e-3
    found = objective.loss_and_gradient(vectors, rows)
    values = objective.loglikelihoods(vectors)[rows]
    assert found.loss == pytest.approx(float(((np.array(rows)[:, None] + 1) * values**2 / 2).sum() / 4))
    for place in [(0, 0), (3, 15)]:
        up, down = vectors.copy(), vectors.copy()
        up[place] += step
        down[place] -= step
        slope = (objective.loss_and_gradient(up, rows).loss - objective.loss_and_gradient(down, rows).loss) / (
            float(up[place]) - float(down[place])
        )
        assert float(found.gradient[place]) == pytest.approx(slope, rel=1e-3, abs=1e-6)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_small_step_down_the_gradient_lowers_the_loss(seed: int) -> None:
    objective = ScriptedModel().objective(soft_queries(), [answer for _, answer in CASES])
    vectors = np.random.default_rng(seed).normal(scale=0.1, size=(2, WIDTH)).astype(np.float32)
    before = objective.loss_and_gradient(vectors, range(len(CASES)))
    after = objective.loss_and_gradient(vectors - np.float32(1e-3) * before.gradient, range(len(CASES)))
    assert after.loss < before.loss


def test_tuning_makes_every_case_right() -> None:
    model = ScriptedModel()
    objective = model.objective(soft_queries(), [answer for _, answer in CASES])
    vectors = np.array(model.text_init("Overall the feeling is", 4).vectors)
    for _ in range(300):
        vectors = vectors - np.float32(0.2) * objective.loss_and_gradient(vectors, range(len(CASES))).gradient
    found = objective.loglikelihoods(vectors).argmax(axis=1)
    assert found.tolist() == [answer for _, answer in CASES]


def test_tuned_vectors_score_the_same_through_choices() -> None:
    model = ScriptedModel()
    soft = model.text_init("Overall the feeling is", 4)
    through = model.choices([query(text, "Review: {text}{soft}\nSentiment:", soft) for text, _ in CASES])
    objective = model.objective(soft_queries(), [answer for _, answer in CASES])
    assert np.allclose(np.stack(through.loglikelihoods), objective.loglikelihoods(soft.vectors), atol=1e-12)


def test_text_init_repeats_a_short_text() -> None:
    soft = ScriptedModel().text_init("good film", 4)
    assert np.array_equal(soft.vectors[:2], soft.vectors[2:])
    assert not np.array_equal(soft.vectors[0], soft.vectors[1])


def test_generation_obeys_the_limit_and_the_stop_string() -> None:
    model = ScriptedModel()
    ask = GenerateQuery(query(CASES[0][0]).rendered)
    (free,) = model.generate([ask], Decoding(20))
    (short,) = model.generate([ask], Decoding(1))
    (stopped,) = model.generate([ask], Decoding(20, stop=(free.text[-1],)))
    assert free.text.startswith(short.text) and short.tokens == 1
    assert free.text[-1] not in stopped.text


def test_drawn_text_depends_on_the_seed_and_the_query_alone() -> None:
    model = ScriptedModel()
    asks = [GenerateQuery(query(text).rendered) for text, _ in CASES]
    drawn = [model.generate(asks, Decoding(20, temperature=2.0, seed=seed)) for seed in range(8)]
    assert len({texts[0].text for texts in drawn}) > 1
    alone = model.generate([asks[3]], Decoding(20, temperature=2.0, seed=5))
    assert alone == drawn[5][3:4]
    assert model.generate(asks[::-1], Decoding(20, temperature=2.0, seed=5)) == drawn[5][::-1]


def test_near_zero_temperature_and_a_tiny_nucleus_are_greedy() -> None:
    model = ScriptedModel()
    ask = GenerateQuery(query(CASES[0][0]).rendered)
    (greedy,) = model.generate([ask], Decoding(1))
    assert model.generate([ask], Decoding(1, temperature=1e-9, seed=3)) == (greedy,)
    assert model.generate([ask], Decoding(1, temperature=5e-324, seed=3)) == (greedy,)
    assert model.generate([ask], Decoding(1, temperature=1.0, top_p=1e-9, seed=3)) == (greedy,)


@pytest.mark.parametrize(
    "wrong", [{"max_tokens": 0}, {"stop": ("",)}, {"temperature": -1.0}, {"top_p": 0.0}, {"top_p": 1.1}, {"seed": -1}]
)
def test_decoding_refuses_what_cannot_be_by_its_field(wrong: dict[str, object]) -> None:
    with pytest.raises(ModelError, match=next(iter(wrong))):
        Decoding(**wrong)  # type: ignore[arg-type]


def test_a_soft_prompt_for_another_model_is_refused() -> None:
    other = SoftPrompt(np.zeros((2, WIDTH), dtype=np.float32), "sha256:" + "0" * 64)
    with pytest.raises(ModelMismatch, check=coded("another-revision")):
        ScriptedModel().choices([query("x", "{text}{soft}:", other)])


def test_a_slot_without_a_soft_prompt_is_refused() -> None:
    with pytest.raises(ModelError, check=coded("no-soft-prompt")):
        ScriptedModel().choices([query("x", "{text}{soft}:")])


def test_a_template_without_a_slot_cannot_be_tuned() -> None:
    with pytest.raises(ModelError, check=coded("no-soft-slot")):
        ScriptedModel().objective([query("x")], [0])
