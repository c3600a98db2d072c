"""A bank in a temporary folder, a study, and prompts to put into it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fedprompt.bank.store import Bank
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Template
from fedprompt.study.schema import Answer, Study, TemplateSpec

MODEL = "sha256:" + "a" * 64


@pytest.fixture
def study() -> Study:
    return Study(
        study="sentiment",
        fields=("text",),
        answer=Answer(type="choice", labels=("positive", "negative")),
        templates=(TemplateSpec(name="plain", text="Review: {text}\nSentiment:"),),
    )


@pytest.fixture
def digest(study: Study) -> str:
    return study.digest(MODEL)


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    with Bank.open(tmp_path / "bank.db") as opened:
        yield opened


@pytest.fixture
def plain(study: Study) -> Prompt:
    return Prompt(study.candidates()[0])


@pytest.fixture
def soft() -> Prompt:
    template = Template("tuned", text="Review: {text}{soft}\nSentiment:", words={"positive": " good"})
    vectors = np.arange(6, dtype=np.float32).reshape(2, 3)
    return Prompt(template, SoftPrompt(vectors, MODEL))
