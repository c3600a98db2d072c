"""What the rows of a result are called."""

from typing import get_args

from fedprompt.verbs.choosing import CHOICES, ChoiceKind, choice_words
from fedprompt.workspace.results.labels import TESTED, labelled
from fedprompt.workspace.rounds.alone import COMPARED


def test_every_row_that_is_compared_and_every_choice_of_a_site_has_its_words() -> None:
    assert {name for pair in COMPARED for name in pair} <= set(TESTED)
    assert set(CHOICES) == set(get_args(ChoiceKind))


def test_rows_come_in_one_order_and_what_is_not_known_comes_last_under_its_key() -> None:
    assert labelled(["later", "kept", "manual"]) == [
        ("manual", "best template"),
        ("kept", "prompt kept by each site"),  # wording
        ("later", "later"),
    ]


def test_a_mixture_says_its_share() -> None:
    assert choice_words("mixture-group", 0.25) == "a mixture of its own prompt (25 %) and its group's prompt"  # wording
    assert choice_words("own", None) == "the prompt it tuned alone"  # wording
    assert choice_words("of a later version", None) is None
