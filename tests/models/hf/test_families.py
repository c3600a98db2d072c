"""The packed walk gives what a plain, uncached forward pass gives, for every family of models and any packing."""

import numpy as np
import pytest
import torch

from fedprompt.errors import ModelError, ModelMismatch, TuningError
from fedprompt.models.hf.model import HFModel
from fedprompt.models.protocols import ChoiceQuery
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Message, Template
from tests.coded import coded
from tests.models.tiny import FAMILIES, model, told_apart

pytestmark = pytest.mark.whole

LABELS = ["positive", "negative"]
TEXTS = ["a good film", "it was awful and bad and long, a film that never ends", "great", "", "a <|im_start|> marker"]
TEMPLATES = [
    Template("text first", text="Review: {text}\nSentiment:").with_words(LABELS),
    Template("instruction", text="Good or bad? Text: {text}\nAnswer:", words={"positive": " good", "negative": " bad"}),
    Template("shared start", text="Review: {text}", words={"positive": " it was good", "negative": " it was bad"}),
    Template("prefix of each other", text="Review: {text} is", words={"positive": " a", "negative": " a film"}),
    Template("chat", messages=(Message("user", "How is this? {text}"),)).with_words(LABELS),
    Template("suffix slot", text="Review: {text}{soft}").with_words(LABELS),
    Template("prefix slot", text="{soft}Review: {text}\nSentiment:").with_words(LABELS),
    Template("infix slot", text="Review: {soft}{text}\nSentiment:").with_words(LABELS),
]


def soft_for(lm: HFModel, seed: int = 0, tokens: int = 3) -> SoftPrompt:
    vectors = np.random.default_rng(seed).normal(size=(tokens, lm.info.width)).astype(np.float32)
    return SoftPrompt(vectors, lm.info.digest)


def queries_for(lm: HFModel) -> list[ChoiceQuery]:
    soft = soft_for(lm)
    return [
        ChoiceQuery(t.render({"text": text}), tuple((t.words or {}).values()), soft if t.has_soft else None)
        for text in TEXTS
        for t in TEMPLATES
    ]


def plain(lm: HFModel, query: ChoiceQuery) -> list[float]:
    """Return each word's log-likelihood from one forward pass over the whole sequence through transformers' sdpa."""
    found = []
    tokens = query.soft.tokens if query.soft else 0
    code = lm._encoder.choices([(query.rendered, query.words, tokens)])[0]
    for path in code.paths:
        ids = [*code.context, *path]
        rows = lm._lm.get_input_embeddings()(torch.tensor([[max(i, 0) for i in ids]]))[0].clone()
        at = [k for k, i in enumerate(ids) if i < 0]
        if query.soft is not None:
            rows[at] = torch.tensor(query.soft.vectors)
        with torch.no_grad():
            logits = torch.log_softmax(lm._lm(inputs_embeds=rows[None], use_cache=False).logits[0].float(), dim=-1)
        start = len(code.context) - 1
        found.append(torch.stack([logits[start + k, token].double() for k, token in enumerate(path)]).sum())
    return [float(value) for value in told_apart(found, code.paths)]


@pytest.mark.parametrize("family", FAMILIES)
def test_packed_log_likelihoods_equal_a_plain_forward_pass(family: str) -> None:
    lm = model(family)
    queries = queries_for(lm)
    found = lm.choices(queries)
    for query, got in zip(queries, found.loglikelihoods, strict=True):
        assert got == pytest.approx(plain(lm, query), abs=1e-4)
    assert found.distinct < found.tokens


@pytest.mark.parametrize("family", ["llama", "gemma3", "gpt2"])
def test_packing_and_order_do_not_change_a_score(family: str) -> None:
    small, large = model(family, 16), model(family, 4096)
    queries = queries_for(large)
    expected = np.concatenate(large.choices(queries).loglikelihoods)
    assert np.concatenate(small.choices(queries).loglikelihoods) == pytest.approx(expected, abs=1e-4)
    turned = large.choices(queries[::-1]).loglikelihoods[::-1]
    assert np.concatenate(turned) == pytest.approx(expected, abs=1e-4)
    alone = np.concatenate([large.choices([query]).loglikelihoods[0] for query in queries])
    assert alone == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("template", [t for t in TEMPLATES if t.has_soft], ids=lambda t: t.name)
def test_the_cached_objective_agrees_with_scoring_and_its_gradient_with_differences(
    family: str, template: Template
) -> None:
    lm = model(family)
    words = tuple((template.words or {}).values())
    queries = [ChoiceQuery(template.render({"text": text}), words) for text in TEXTS]
    soft = soft_for(lm)
    objective = lm.objective(queries, [0, 1, 0, 1, 1], soft.tokens)
    scored = lm.choices([ChoiceQuery(query.rendered, words, soft) for query in queries]).loglikelihoods
    got, expected = objective.loglikelihoods(soft.vectors), np.array(scored)
    assert got - got[:, :1] == pytest.approx(expected - expected[:, :1], abs=1e-4)
    rows = [0, 3, 4]
    found = objective.loss_and_gradient(soft.vectors, rows)
    weights = expected[rows] - np.logaddexp(expected[rows, 0], expected[rows, 1])[:, None]
    assert found.loss == pytest.approx(-np.mean([weights[k, [0, 1, 1][k]] for k in range(3)]), abs=1e-4)
    direction = np.random.default_rng(1).normal(size=soft.vectors.shape).astype(np.float32)
    direction /= np.linalg.norm(direction)
    step = 2e-2
    up, down = (objective.loss_and_gradient(soft.vectors + s * step * direction, rows).loss for s in (1, -1))
    assert float((found.gradient * direction).sum()) == pytest.approx((up - down) / (2 * step), rel=0.05, abs=2e-3)


def test_a_chat_marker_inside_a_case_stays_text() -> None:
    lm = model("llama")
    marker = lm._tokenizer.convert_tokens_to_ids("<|im_start|>")
    for template, expected in ((TEMPLATES[0], 0), (TEMPLATES[4], 2)):
        rendered = template.render({"text": "see <|im_start|>system"})
        code = lm._encoder.choices([(rendered, (" good", " bad"), 0)])[0]
        assert code.context.count(marker) == expected


@pytest.mark.parametrize("family", FAMILIES)
def test_a_soft_prompt_of_a_texts_own_embeddings_scores_as_the_text(family: str) -> None:
    lm = model(family)
    tokens = len(lm._encoder.plain(" a good film"))
    soft = lm.text_init(" a good film", tokens)
    text = Template("text", text="Review: a good film").with_words(LABELS)
    slot = Template("slot", text="Review:{soft}").with_words(LABELS)
    words = tuple((text.words or {}).values())
    asked = [ChoiceQuery(text.render({}), words), ChoiceQuery(slot.render({}), words, soft)]
    (hard, soft_code) = lm._encoder.choices([(q.rendered, q.words, tokens) for q in asked])
    assert len(hard.context) == len(soft_code.context) and hard.paths == soft_code.paths
    written, tuned = lm.choices(asked).loglikelihoods
    assert tuned == pytest.approx(written, abs=1e-4)
    # The vocabulary, which hardening reads, finds the very tokens again.
    nearest = lm.vocabulary.nearest(soft.vectors, 1, "euclid", plain=False)
    assert nearest.tokens[:, 0].tolist() == list(lm._encoder.plain(" a good film"))


def test_several_soft_prompts_in_one_request_stay_apart() -> None:
    lm = model("llama")
    rendered = TEMPLATES[5].render({"text": "a good film"})
    words = (" positive", " negative")
    softs = [soft_for(lm, seed) for seed in range(3)]
    together = lm.choices([ChoiceQuery(rendered, words, soft) for soft in softs]).loglikelihoods
    for soft, got in zip(softs, together, strict=True):
        assert got == pytest.approx(plain(lm, ChoiceQuery(rendered, words, soft)), abs=1e-4)


def test_a_soft_prompt_of_another_model_is_refused_with_what_differs() -> None:
    lm = model("llama")
    rendered = TEMPLATES[5].render({"text": "a"})
    other = SoftPrompt(np.zeros((3, 32), np.float32), "sha256:other")
    with pytest.raises(ModelMismatch, check=coded("another-revision")):
        lm.choices([ChoiceQuery(rendered, (" a", " b"), other)])
    wide = SoftPrompt(np.zeros((3, 64), np.float32), "sha256:other")
    with pytest.raises(ModelMismatch, match=r"64.*32", check=coded("another-width")):
        lm.choices([ChoiceQuery(rendered, (" a", " b"), wide)])


def test_a_prompt_beyond_the_window_is_refused_with_its_length() -> None:
    lm = model("llama")
    with pytest.raises(ModelError, match="512", check=coded("window")):
        lm.choices([ChoiceQuery(TEMPLATES[0].render({"text": "film " * 900}), (" a", " b"))])


def test_nothing_to_tune_without_a_slot() -> None:
    lm = model("llama")
    with pytest.raises(TuningError, check=coded("nothing-to-tune")):
        lm.objective([ChoiceQuery(TEMPLATES[0].render({"text": "a"}), (" a", " b"))], [0])
