"""What shared prompts weigh beforehand, by hand."""

import pytest

from fedprompt.adapting.given_weights import given_weights


def test_the_prompt_of_all_weighs_half_of_the_soft_ones_and_the_best_templates_a_little() -> None:
    # Three of four templates share a tenth; the first soft prompt has half of the rest, the others the other half.
    assert given_weights([0.5], 4) == pytest.approx([0.1, 0.45, 0.15, 0.15, 0.15])
    assert given_weights([0.5, 0.9, 0.7, 0.6], 2) == pytest.approx([0, 1 / 30, 1 / 30, 1 / 30, 0.45, 0.45])
    assert given_weights([0.5], 1) == pytest.approx([0.1, 0.9]) and given_weights([], 2) == pytest.approx([0.5, 0.5])


def test_templates_alone_have_all_the_weight_and_nothing_has_none() -> None:
    assert given_weights([0.5, 0.6], 0) == pytest.approx([0.5, 0.5])
    with pytest.raises(ValueError, match="nothing is shared"):
        given_weights([], 0)
