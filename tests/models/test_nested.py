"""A label word that begins another counts what does not go on to it, so that either can be the answer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedprompt.errors import ModelError
from fedprompt.models.nested import LEAST, Nested, apart, longer_words, may_nest
from fedprompt.models.protocols import ChoiceQuery
from fedprompt.models.scripted import ScriptedModel
from fedprompt.prompts.template import Template
from tests.coded import coded

PATHS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=4).map(tuple), min_size=2, max_size=8, unique=True)


def chances(paths: list[tuple[int, ...]], seed: int) -> np.ndarray:
    """Return each path's probability under a drawn model of three tokens: one distribution after each beginning."""
    rng = np.random.default_rng(seed)
    table: dict[tuple[int, ...], np.ndarray] = {}
    found = []
    for path in paths:
        chance = 1.0
        for k, token in enumerate(path):
            chance *= table.setdefault(path[:k], rng.dirichlet(np.full(3, 0.5)))[token]
        found.append(chance)
    return np.array(found)


def test_the_words_next_beyond_each_are_named() -> None:
    paths = [(1,), (1, 2), (1, 2, 3), (1, 4), (5,)]
    assert Nested.of(paths).pairs == ((0, 1), (0, 2), (0, 3), (1, 2))
    assert longer_words(paths) == ((1, 3), (2,), (), (), ())
    assert Nested.of([(1,), (2,), (1,)]) == Nested((), ((0, 2),))


def test_a_word_keeps_what_its_longer_words_leave() -> None:
    # "1" has 0.6, and of that "10" has 0.45 and "12" 0.05; "10 of 10" has 0.3 of the 0.45.
    values = np.log([0.6, 0.45, 0.05, 0.3, 0.2])
    found = np.exp(apart(values, ((1, 2), (3,), (), (), ())))
    assert found == pytest.approx([0.6 * (0.1 / 0.6 + LEAST), 0.45 * (0.15 / 0.45 + LEAST), 0.05, 0.3, 0.2])
    assert np.argmax(found) == 3 and np.argmax(values) == 0


@given(PATHS, st.integers(0, 2**16))
def test_words_stand_for_texts_of_which_none_counts_twice(paths: list[tuple[int, ...]], seed: int) -> None:
    whole = chances(paths, seed)
    found = np.exp(apart(np.log(whole), longer_words(paths)))
    begun = {place for own in Nested.of(paths).pairs for place in own[:1]}
    assert found.sum() <= 1 + 1e-5
    # Every text that begins with a word is counted for that word or a longer one.
    for place, path in enumerate(paths):
        under = [k for k, other in enumerate(paths) if other[: len(path)] == path]
        assert found[under].sum() == pytest.approx(whole[place], rel=1e-4, abs=1e-12)
        assert place in begun or found[place] == pytest.approx(whole[place], rel=1e-12)


@given(PATHS)
def test_either_of_two_words_that_begin_alike_can_win(paths: list[tuple[int, ...]]) -> None:
    for shorter, longer in Nested.of(paths).pairs:
        # A model that writes the longer word, whatever it has begun, and never anything else but by a hundredth.
        for wanted in (shorter, longer):
            written = (*paths[wanted], -1)

            def chance(path: tuple[int, ...], written: tuple[int, ...] = written) -> float:
                same = next((k for k, token in enumerate(path) if k >= len(written) or token != written[k]), len(path))
                return 0.99**same * (0.01 if same < len(path) else 1) * 0.001 ** max(0, len(path) - same - 1)

            values = np.log([chance(path) for path in paths])
            assert int(np.argmax(apart(values, longer_words(paths)))) == wanted


def test_words_that_begin_no_other_keep_their_likelihood_to_the_bit() -> None:
    values = np.array([-1.25, -3.0, -0.1])
    assert apart(values, ()).tobytes() == values.tobytes() == apart(values, ((), (), ())).tobytes()


@pytest.mark.parametrize(
    ("words", "may"),
    [
        ((" 1", " 10"), True),
        (("time off", "sick leave", "time off status"), True),
        (("Straße", "strasse 5"), True),  # a tokenizer may fold case and Unicode form
        ((" positive", " negative"), False),
        ((" a b", " a c"), False),
    ],
)
def test_text_tells_which_words_may_begin_one_another(words: tuple[str, ...], may: bool) -> None:
    assert may_nest(words) is may


LABELS = st.lists(st.sampled_from(["1", "10", "time off", "time off status", "no", "no idea", "10 of 10"]), min_size=2)


@given(LABELS.map(lambda found: tuple(dict.fromkeys(found))).filter(lambda found: len(found) > 1), st.integers(0, 99))
def test_the_shipped_fakes_shares_add_up_to_one(labels: tuple[str, ...], number: int) -> None:
    rendered = Template("t", text="Note {text}:").render({"text": str(number)})
    (found,) = ScriptedModel().choices([ChoiceQuery(rendered, labels)]).loglikelihoods
    assert np.exp(found).sum() == pytest.approx(1)


def test_the_longer_word_wins_with_the_shipped_fake_too() -> None:
    template = Template("t", text="Note {text}:")
    queries = [ChoiceQuery(template.render({"text": str(k)}), (" time off", " time off status")) for k in range(40)]
    won = [int(np.argmax(found)) for found in ScriptedModel().choices(queries).loglikelihoods]
    assert set(won) == {0, 1}


def test_words_of_the_same_tokens_are_refused_by_name() -> None:
    rendered = Template("t", text="Note {text}:").render({"text": "x"})
    with pytest.raises(ModelError, match=r"' Yes'.*' yes'", check=coded("same-tokens")):
        ScriptedModel().choices([ChoiceQuery(rendered, (" no", " Yes", " yes"))])
