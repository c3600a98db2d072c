"""A score on ten validation cases, each a group of its own."""

from typing import Any

from fedprompt.study.score import Score

__all__ = ["score_of"]


def score_of(prompt: str, right: int, **more: Any) -> Score:
    """Return the score of a prompt that has ``right`` of ten cases right."""
    return Score(
        prompt=prompt,
        split="validation",
        metric="accuracy",
        n=10,
        total=right,
        squares=right,
        groups=10,
        group_squares=1.0,
        **more,
    )
