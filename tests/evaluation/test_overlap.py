"""Token F1, ROUGE-L, chrF and BLEU are what their papers say, by hand."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedprompt.errors import ModelError
from fedprompt.evaluation.scorers import Bleu, ChrF, RougeL, Scorer, TokenF1
from fedprompt.evaluation.scorers.package import package
from fedprompt.extras import pip_command
from tests.coded import coded

pytestmark = pytest.mark.whole

ALL: tuple[Scorer, ...] = (TokenF1(), RougeL(), ChrF(), Bleu())
words = st.lists(st.sampled_from(["red", "green", "blue", "film", "the", "house"]), max_size=8).map(" ".join)


@pytest.mark.parametrize(
    ("output", "answer", "value"),
    [
        ("The Eiffel Tower!", "eiffel tower", 1.0),
        # Two of three words, and two of two: 2 * (2/3) / (2/3 + 1).
        ("the big Eiffel Tower", "eiffel tower", 0.8),
        # "a" is an article and does not count, so nothing is left in common.
        ("a b", "a c", 0.0),
        # Counted as often as it occurs: 2 shared of 3 and of 2.
        ("no no no", "no no", 0.8),
        ("", "paris", 0.0),
        ("the", "an", 1.0),
        ("paris", " ", None),
    ],
)
def test_token_f1_as_in_squad(output: str, answer: str, value: float | None) -> None:
    assert TokenF1().score(output, answer).value == pytest.approx(value)


def test_rouge_l_by_hand() -> None:
    # "the cat ... on the mat" is common: 5 words of 6 and of 7.
    output, answer = "the cat sat on the mat", "the big cat lay on the mat"
    assert RougeL(measure="precision").score(output, answer).value == pytest.approx(5 / 6)
    assert RougeL(measure="recall").score(output, answer).value == pytest.approx(5 / 7)
    assert RougeL().score(output, answer).value == pytest.approx(2 * 5 / 13)
    assert RougeL().score("cats running", "cat run").value == 0.0
    # By their stems: cat, run, quickli against cat, run, slow.
    assert RougeL(stem=True).score("cats running quickly", "cat runs slow").value == pytest.approx(2 / 3)


def test_rouge_does_not_judge_what_it_cannot_read_or_finish() -> None:
    assert RougeL().score("\u6771\u4eac", "\u6771\u4eac").value is None
    assert RougeL().score("\u6771\u4eac", "tokyo").value == 0.0
    assert RougeL().score("a " * 2001, "a " * 2000).value is None


def test_chrf_by_hand() -> None:
    # "ab" against "abc": characters 2 of 2 and 2 of 3, pairs 1 of 1 and 1 of 2, longer ones do not occur.
    # Precision 1, recall (2/3 + 1/2) / 2 = 7/12, F2 = 5 * (7/12) / (4 + 7/12) = 7/11.
    assert ChrF().score("ab", "abc").value == pytest.approx(7 / 11)
    assert ChrF().score("same words", "same words").value == pytest.approx(1)
    assert ChrF().score("AB", "ab").value == 0.0
    assert ChrF(lowercase=True).score("AB", "ab").value == pytest.approx(1)
    assert ChrF().score("\u6771\u4eac", "\u6771\u4eac\u90fd").value == pytest.approx(7 / 11)


def test_bleu_by_hand() -> None:
    # Of "the cat sat on the mat" against "the cat sat on a mat": 5/6, 3/5, 2/4, 1/3 n-grams, lengths equal.
    found = Bleu().score("the cat sat on the mat", "the cat sat on a mat").value
    assert found == pytest.approx((5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25)
    # Two words have no longer n-grams: effective order 2.
    assert Bleu().score("good film", "good film").value == pytest.approx(1)


@settings(max_examples=60)
@given(words, words)
def test_a_value_is_between_0_and_1_and_1_for_the_answer_itself(output: str, answer: str) -> None:
    for scorer in ALL:
        found = scorer.score(output, answer).value
        assert (found is None) == (not answer)
        assert found is None or 0 <= found <= 1
        own = scorer.score(answer, answer).value
        assert own is None or own == pytest.approx(1)


@settings(max_examples=60)
@given(words.filter(bool), words.filter(bool))
def test_f1_and_rouge_do_not_care_which_text_is_which(output: str, answer: str) -> None:
    for scorer in (TokenF1(), RougeL()):
        assert scorer.score(output, answer).value == pytest.approx(scorer.score(answer, output).value)


def test_a_missing_package_names_the_pip_command() -> None:
    with pytest.raises(ModelError, match="'x'.*" + re.escape(pip_command("metrics")), check=coded("package-missing")):
        package("fedprompt_no_such_package", scorer="x")


@pytest.mark.parametrize("scorer", ALL, ids=lambda scorer: scorer.name)
def test_a_reason_quotes_nothing(scorer: Scorer) -> None:
    for output, answer in (("secret", "secret"), ("secret", "private"), ("", "private"), ("secret", "")):
        reason = scorer.score(output, answer).reason
        assert reason and "secret" not in reason and "private" not in reason
