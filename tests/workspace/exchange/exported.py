"""Prompts and scores of which exports and imports are made."""

import numpy as np

from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Template
from fedprompt.study.score import Score

MODEL = "sha256:" + "c" * 64
WORDS = {"positive": " good", "negative": " bad"}


def soft_prompt(text: str) -> Prompt:
    vectors = np.arange(8, dtype=np.float32).reshape(2, 4)
    return Prompt(Template("tuned", text=text, words=WORDS), SoftPrompt(vectors, MODEL))


def score_of(prompt: Prompt, n: int, right: int, split: str = "test", metric: str = "accuracy") -> Score:
    spread = right - right * right / n
    return Score.model_validate(
        {
            "prompt": prompt.id,
            "split": split,
            "metric": metric,
            "n": n,
            "total": right,
            "squares": right,
            "groups": n,
            "group_squares": spread,
        }
    )
