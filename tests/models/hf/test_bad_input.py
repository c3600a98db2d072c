"""What is odd about labels, texts and tokenizers is either exact or refused in a sentence."""

from typing import Any

import pytest

from fedprompt.errors import ModelError
from fedprompt.models.hf.model import HFModel
from fedprompt.models.protocols import ChoiceQuery
from fedprompt.prompts.template import Template
from tests.coded import coded
from tests.models.hf.test_families import plain
from tests.models.tiny import model, tokenizer

TEXT = "Review: {text}\nSentiment:"


@pytest.mark.parametrize(
    "words",
    [
        (" a", " a film", " a film that"),  # each begins the next
        (" it was good", " it was bad"),  # the first tokens are shared
        (" positive", "positive"),  # a space makes another token
        (" good", " good\n"),  # they differ by a line's end
        ("!", "?"),  # no space at all
        (" \u00e9t\u00e9", " \U0001f600"),  # several bytes a character
    ],
)
@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma3"])
def test_odd_words_are_told_apart_token_by_token(family: str, words: tuple[str, ...]) -> None:
    lm = model(family)
    query = ChoiceQuery(Template("t", text=TEXT).render({"text": "a film"}), words)
    (got,) = lm.choices([query]).loglikelihoods
    assert got == pytest.approx(plain(lm, query), abs=1e-4) and len(set(got.round(6))) == len(words)


def test_a_word_is_scored_as_the_tokens_it_has_where_it_stands() -> None:
    lm = model("llama")
    joined, apart = (
        lm._encoder.choices([(Template("t", text=text).render({}), words, 0)])[0]
        for text, words in (("Sentiment:", (" positive", " bad")), ("Sentiment: ", ("positive", "bad")))
    )
    for word, path in zip(("positive", "bad"), joined.paths, strict=True):
        whole = tokenizer()(f"Sentiment: {word}", add_special_tokens=False)["input_ids"]
        assert [*joined.context, *path] == whole
    # The same text in the end, cut at another place: the same tokens.
    for one, other in zip(joined.paths, apart.paths, strict=True):
        assert (*joined.context, *one) == (*apart.context, *other)


@pytest.mark.parametrize("family", ["llama", "opt", "gemma2"])
def test_an_empty_text_is_a_case_like_any_other(family: str) -> None:
    lm = model(family)
    query = ChoiceQuery(Template("t", text=TEXT).render({"text": ""}), (" good", " bad"))
    assert lm.choices([query]).loglikelihoods[0] == pytest.approx(plain(lm, query), abs=1e-4)


def test_a_prompt_without_any_token_is_refused() -> None:
    lm = model("llama")  # its tokenizer begins no text with a token of its own
    with pytest.raises(ModelError, check=coded("empty-prompt")):
        lm.choices([ChoiceQuery(Template("t", text="{text}").render({"text": ""}), ("good", "bad"))])


class Padless:
    """The tokenizer, but for a token to pad with."""

    pad_token = pad_token_id = None

    def __getattr__(self, name: str) -> Any:
        return getattr(tokenizer(), name)

    def __len__(self) -> int:
        return len(tokenizer())

    def __call__(self, *given: Any, **more: Any) -> Any:
        assert not more.get("padding")
        return tokenizer()(*given, **more)


def test_a_model_without_a_token_to_pad_with_scores_alike() -> None:
    lm = model("gpt2")
    bare = HFModel(lm._lm, Padless(), lm.info)
    asked = [ChoiceQuery(Template("t", text=TEXT).render({"text": x}), (" good", " bad")) for x in ("a", "a long film")]
    for one, other in zip(bare.choices(asked).loglikelihoods, lm.choices(asked).loglikelihoods, strict=True):
        assert one.tolist() == other.tolist()
