"""An adapted prompt: members that answer alike, weights that are shares, and an id that is its content."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fedprompt.errors import PromptError
from fedprompt.prompts.adapted import LARGEST_BIAS, MOST_MEMBERS, Adapted
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Demonstrations, Template
from tests.coded import coded

LABELS = ("who", "where")


def plain(text: str = "{text}:") -> Prompt:
    return Prompt(Template("plain", text=text))


def soft(model: str = "m", number: float = 1.0) -> Prompt:
    return Prompt(Template("tuned", text="{text}{soft}:"), SoftPrompt(np.full((2, 3), number, np.float32), model))


TWO = Adapted((plain(), soft()), (0.25, 0.75), LABELS, (0.5, -0.5))


def test_its_id_is_its_content_whatever_the_order_of_its_members() -> None:
    turned = Adapted((soft(), plain()), (0.75, 0.25), LABELS, (0.5, -0.5))
    assert turned.id == TWO.id and TWO.id.startswith("a1:") and len(TWO.id) == 35
    others = [
        replace(TWO, weights=(0.26, 0.74)),
        replace(TWO, bias=(-0.5, 0.5)),
        replace(TWO, labels=("where", "who")),
        replace(TWO, members=(plain("{text}?"), soft())),
    ]
    assert len({TWO.id, *(one.id for one in others)}) == 5
    assert replace(TWO, bias=(0.0, -0.0)).id == replace(TWO, bias=(-0.0, 0.0)).id


def test_it_says_what_a_case_must_have_and_which_model_answers() -> None:
    two = replace(TWO, members=(plain("{title} {text}:"), soft("of this")))
    assert (two.fields, two.model) == (("title", "text"), "of this")
    assert Adapted((plain(),), (1.0,), LABELS, (0.0, 0.0)).model is None


def test_light_members_are_dropped_and_the_rest_is_weighed_anew() -> None:
    three = Adapted((plain(), soft(), soft(number=2)), (0.2, 0.796, 0.004), LABELS, (0.5, -0.5))
    pruned = three.pruned()
    assert pruned.members == three.members[:2] and pruned.bias == three.bias
    # By hand: 0.2 / 0.996 and 0.796 / 0.996.
    assert pruned.weights == pytest.approx((0.2008032128514056, 0.7991967871485944))
    assert TWO.pruned() is TWO
    assert three.pruned(0.9).weights == (1.0,)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"weights": (0.5, 0.6)}, "not-shares"),
        ({"weights": (1.5, -0.5)}, "not-shares"),
        ({"weights": (float("nan"), 1.0)}, "not-finite"),
        ({"weights": (float("inf"), 0.0)}, "not-finite"),
        ({"weights": (1.0,)}, "wrong-shape"),
        ({"members": (), "weights": ()}, "wrong-shape"),
        ({"bias": (0.0,)}, "wrong-shape"),
        ({"bias": (0.0, float("nan"))}, "not-finite"),
        ({"bias": (0.0, LARGEST_BIAS + 1)}, "out-of-range"),
        ({"labels": ("who", "who")}, "wrong-labels"),
        ({"labels": ("who", "")}, "wrong-labels"),
        ({"labels": ("who",), "bias": (0.0,)}, "wrong-labels"),
        ({"members": (plain(), plain())}, "named-twice"),
        ({"members": (soft("one"), soft("another"))}, "another-model"),
        ({"members": (plain(), Prompt(Template("t", text="{text}", words={"why": " why"})))}, "word-without-label"),
        (
            {
                "members": (
                    plain(),
                    Prompt(Template("t", text="{demonstrations}{text}", demonstrations=Demonstrations(1))),
                )
            },
            "sites-demonstrations",
        ),
    ],
)
def test_what_does_not_belong_together_is_refused(change: dict[str, Any], code: str) -> None:
    with pytest.raises(PromptError, check=coded(code)):
        replace(TWO, **change)


def test_it_has_a_bounded_number_of_members() -> None:
    many = [plain(f"{number} {{text}}:") for number in range(MOST_MEMBERS + 1)]
    Adapted(tuple(many[:-1]), (1 / MOST_MEMBERS,) * MOST_MEMBERS, LABELS, (0.0, 0.0))
    with pytest.raises(PromptError, check=coded("wrong-shape")):
        Adapted(tuple(many), (1 / len(many),) * len(many), LABELS, (0.0, 0.0))
