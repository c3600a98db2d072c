"""What shared prompts weigh beforehand, by hand."""

import pytest

from fedprompt.adapting.given_weights import given_weights


def test_soft_prompts_weigh_alike_and_the_best_templates_a_little() -> None:
    # Three of four templates share a tenth, two soft prompts the rest.
    assert given_weights([0.5, 0.9, 0.7, 0.6], 2) == pytest.approx([0, 1 / 30, 1 / 30, 1 / 30, 0.45, 0.45])
    assert given_weights([0.5], 1) == pytest.approx([0.1, 0.9]) and given_weights([], 2) == pytest.approx([0.5, 0.5])


def test_templates_alone_have_all_the_weight_and_nothing_has_none() -> None:
    assert given_weights([0.5, 0.6], 0) == pytest.approx([0.5, 0.5])
    with pytest.raises(ValueError, match="nothing is shared"):
        given_weights([], 0)
