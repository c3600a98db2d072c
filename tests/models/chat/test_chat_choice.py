"""A label is told by its first token or by the word itself, and never guessed."""

import math

import numpy as np
import pytest

from fedprompt.models.chat.choice import answer_by_likelihood, constrain, digest_with, distinct, parse
from fedprompt.models.chat.protocol import ChatInfo, ChatReply, ChatTurn

WORDS = (" positive", " negative")


def reply(**tokens: float) -> ChatReply:
    return ChatReply("", first=tuple((token, math.log(share)) for token, share in tokens.items()))


def test_tokens_that_begin_one_word_are_summed() -> None:
    # positive: 0.3 + 0.2 = 0.5; negative: 0.4; the rest begins no word. 0.5 / 0.9 and 0.4 / 0.9.
    first = (("Pos", math.log(0.3)), (" positive", math.log(0.2)), ("neg", math.log(0.4)), ("The", math.log(0.1)))
    found = answer_by_likelihood(ChatReply("", first=first), WORDS)
    assert found.label == 0 and found.shares is not None
    np.testing.assert_allclose(found.shares, [5 / 9, 4 / 9])


def test_a_word_that_is_not_listed_has_what_is_left_at_most() -> None:
    # Left: 1 - 0.9 - 0.02 = 0.08, and less likely than the last that is listed: 0.02. Shares 0.9 and 0.02.
    found = answer_by_likelihood(reply(pos=0.9, The=0.02), WORDS)
    assert found.label == 0 and found.shares is not None
    np.testing.assert_allclose(found.shares, [0.9 / 0.92, 0.02 / 0.92])


def test_a_token_that_begins_two_words_decides_nothing() -> None:
    words = ("possible", "positive")
    assert answer_by_likelihood(reply(pos=0.5, positive=0.3), words).label is None
    assert answer_by_likelihood(reply(pos=0.1, positive=0.6), words).label == 1
    assert answer_by_likelihood(reply(pos=1.0), words).label is None


@pytest.mark.parametrize("tokens", [{"The": 0.9}, {"": 0.5, " ": 0.5}, {"nothing": 0.9}])
def test_tokens_that_begin_no_word_are_no_answer(tokens: dict[str, float]) -> None:
    assert answer_by_likelihood(reply(**tokens), ("no", "yes")).label is None


def test_a_token_may_run_past_its_word() -> None:
    assert answer_by_likelihood(reply(**{"Yes.": 0.6, "no": 0.3}), ("no", "yes")).label == 1


def test_no_likelihoods_are_no_answer() -> None:
    assert answer_by_likelihood(ChatReply("positive"), WORDS).label is None
    assert answer_by_likelihood(ChatReply("", failure="timeout"), WORDS).label is None


@pytest.mark.parametrize(
    ("words", "apart"),
    [
        (("yes", "no"), True),
        ((" Yes", "yes"), False),
        (("1", "10"), False),
        (("new", "New York"), False),
        (("\u00df", "ss"), False),  # one word once case is folded
        ((" ", "x"), False),
    ],
)
def test_words_that_begin_each_other_are_not_told_apart(words: tuple[str, ...], apart: bool) -> None:
    assert distinct(words) is apart


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("positive", 0),
        (" Positive.\n", 0),
        ('"NEGATIVE"', 1),
        ('{"answer": "negative"}', 1),
        ("**positive**", 0),
        ("It is positive", None),
        ("positive or negative", None),
        ('{"answer": 1}', None),
        ('{"answer": "positive", "why": "x"}', None),
        ("{" * 5000, None),
        ("", None),
    ],
)
def test_an_answer_is_a_word_or_it_is_unparsed(text: str, label: int | None) -> None:
    assert parse(text, WORDS) == label


def test_words_that_differ_by_case_alone_are_told_by_case() -> None:
    assert parse("May", ("may", "May")) == 1
    assert parse("MAY", ("may", "May")) is None
    assert parse("C++", ("C", "C++")) == 1


def test_the_instruction_joins_the_last_message_of_the_user() -> None:
    system, user = ChatTurn("system", "s"), ChatTurn("user", "u")
    found = constrain((system, user, ChatTurn("assistant", "a")), WORDS)
    assert [turn.role for turn in found] == ["system", "user", "assistant"]
    assert found[1].text.startswith("u\n") and '"positive", "negative"' in found[1].text
    assert constrain((system,), WORDS)[1].role == "user"


def test_another_method_is_another_model_to_a_study() -> None:
    info = ChatInfo("chat:a", "sha256:0", "h", False, True, False)
    assert len({digest_with(info, "likelihood"), digest_with(info, "constrained"), digest_with(info, None)}) == 3
