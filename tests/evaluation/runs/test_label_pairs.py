"""Labels that begin one another are named with the model's tokenizer; their scores are told from those of before."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fedprompt.errors import ModelError
from fedprompt.evaluation.runs.label_pairs import LabelPair, label_pairs
from fedprompt.evaluation.runs.score_cache import ScoreCache
from fedprompt.evaluation.scorers import judged_by
from fedprompt.models.protocols import ChoiceQuery, RunSettings
from fedprompt.models.registry import load, word_reader
from fedprompt.models.scripted import ScriptedModel
from fedprompt.prompts.template import Template
from fedprompt.study.labels import KEPT
from fedprompt.study.schema import Answer, DemonstrationsSpec, Soft, Study, TemplateSpec
from tests.coded import coded

LEAVE = ("time off", "sick leave", "time off status")
PLAIN = TemplateSpec(name="plain", text="{text}\nIntent:")
WORDS = TemplateSpec(name="words", text="{text}?", words=dict(zip(LEAVE, (" No", " Ill", " Yes"), strict=True)))


def study(
    labels: tuple[str, ...] = LEAVE, templates: tuple[TemplateSpec, ...] = (PLAIN, WORDS), **more: object
) -> Study:
    answer = {"type": "choice", "labels": labels}
    body = {"study": "s", "fields": ("text",), "answer": answer, "templates": templates, **more}
    return Study.model_validate(body, context=KEPT)


def test_pairs_are_named_for_the_templates_that_have_them() -> None:
    shown = TemplateSpec(name="shown", text="{demonstrations}{text}:", demonstrations=DemonstrationsSpec(count=2))
    soft = Soft(template="{text}{soft}", init="x")
    found = label_pairs(ScriptedModel(), study(templates=(PLAIN, WORDS, shown), soft=soft))
    names = ("plain", "shown", "soft prompt")
    assert found == tuple(LabelPair(name, "time off", "time off status") for name in names)
    assert label_pairs(ScriptedModel(), study(("positive", "negative"), (PLAIN,))) == ()


def test_labels_of_the_same_tokens_are_refused_before_anything_is_run() -> None:
    with pytest.raises(ModelError, match=r"'plain'.*'Yes'.*'yes'", check=coded("same-tokens")):
        label_pairs(ScriptedModel(), study(("Yes", "yes"), (PLAIN,)))


def test_scores_of_such_labels_are_told_from_those_of_before_and_others_keep_theirs() -> None:
    plain, divided = Answer(type="choice", labels=LEAVE), Answer(type="choice", labels=LEAVE, normalise="tokens")
    assert judged_by(plain) is None
    assert len({judged_by(one, nested=nested) for one in (plain, divided) for nested in (False, True)}) == 4


def test_what_was_kept_of_such_words_is_computed_anew_and_of_others_is_known(tmp_path: Path) -> None:
    cache, info = ScoreCache(tmp_path / "scores.db", b"k" * 32), ScriptedModel().info
    rendered = Template("t", text="{text}:").render({"text": "x"})

    def names(*words: str) -> tuple[bytes, bytes]:
        query = ChoiceQuery(rendered, words)
        return cache.names(info, [query])[0], cache._name(info, query, list(words), {})

    now, before = names(" 1", " 10")
    assert now != before
    now, before = names(" good", " bad")
    assert now == before


@pytest.fixture(scope="module")
def home(home_with_assets: Path) -> Path:
    return home_with_assets


STEMS = ("time off", "refund", "New York", "1", "not sure", "A")
TAILS = (" status", " City", "0", " at all", " request now", "b")


@pytest.mark.model
@settings(max_examples=6, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(STEMS), st.lists(st.sampled_from(TAILS), min_size=1, max_size=2, unique=True))
def test_with_the_real_model_each_of_two_labels_that_begin_alike_can_win(
    home: Path, stem: str, tails: list[str]
) -> None:
    model = load("smollm2-135m-instruct", home, RunSettings("float32", 2))
    labels = (stem, *(stem + "".join(tails[: k + 1]) for k in range(len(tails))))
    template = Template("t", text="{text}Answer:").with_words(labels)
    words = tuple((template.words or {})[label] for label in labels)
    # Whatever was answered five times is what the model goes on with.
    queries = [ChoiceQuery(template.render({"text": f"Answer: {label}\n\n" * 5}), words) for label in labels]
    found = model.choices(queries).loglikelihoods
    if model.nested(queries[0].rendered, words).pairs:
        assert [int(np.argmax(row)) for row in found] == list(range(len(labels)))
    assert all(np.exp(row).sum() <= 1 + 1e-4 for row in found)


@pytest.mark.model
def test_the_real_tokenizer_names_pairs_without_its_model(home: Path) -> None:
    reader = word_reader("smollm2-135m-instruct", home)
    assert reader is not None
    pairs = label_pairs(reader, study(("1", "10", "7"), (PLAIN,)))
    assert pairs == (LabelPair("plain", "1", "10"),)
    # One token each, so that neither is the other's beginning.
    assert label_pairs(reader, study(("pos", "positive"), (PLAIN,))) == ()
