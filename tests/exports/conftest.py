"""Prompts to export, and a tiny random language model with a tokenizer of its own."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fedprompt.exports.protocol import ExportContext, Exported, Reading
from fedprompt.exports.reading import HOW_CHOICE, HOW_GENERATE
from fedprompt.models.hf.digest import model_digest
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Demonstrations, Message, Template
from fedprompt.study.schema import Answer, Study, TemplateSpec

WIDTH = 16
WORDS = {"positive": " good", "negative": " rather bad"}


def save_tiny_model(folder: Path, *, tied: bool = True, bos: bool = False, padded: int = 0) -> Path:
    """Save a random two-layer Llama with the tiny models' tokenizer; ``bos`` begins every text with a token."""
    import torch
    from tokenizers import Tokenizer, processors
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from tests.models import tiny as models

    tokenizer = models.tokenizer()
    if bos:
        inner = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        inner.post_processor = processors.TemplateProcessing(single="<|end|> $A", special_tokens=[("<|end|>", 0)])
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<|end|>", eos_token="<|end|>")
    config = LlamaConfig(
        vocab_size=len(tokenizer) + padded,
        hidden_size=WIDTH,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=256,
        tie_word_embeddings=tied,
        bos_token_id=0,
        eos_token_id=0,
        initializer_range=0.5,
    )
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with tied embeddings, as a folder."""
    return save_tiny_model(tmp_path_factory.mktemp("private-place") / "tiny")


@pytest.fixture(scope="session")
def tiny_context(tiny: Path) -> ExportContext:
    return ExportContext(tiny, "tiny", model_digest(tiny))


@pytest.fixture(scope="session")
def tiny_model() -> Callable[..., Path]:
    return save_tiny_model


@pytest.fixture
def study() -> Study:
    return Study(
        study="sentiment",
        model="tiny",
        fields=("text",),
        answer=Answer(type="choice", labels=("positive", "negative")),
        templates=(TemplateSpec(name="plain", text="Review: {text}\nSentiment:", words=WORDS),),
    )


Make = Callable[..., Exported]


@pytest.fixture
def exported(study: Study) -> Make:
    """Make one exported prompt out of a template's text (or messages) and the digest of its soft prompt's
    model.
    """

    def make(
        text: str | None = "Review: {text}\nSentiment:",
        model: str | None = None,
        *,
        messages: tuple[Message, ...] | None = None,
        demonstrations: Demonstrations | None = None,
        words: dict[str, str] | None = WORDS,
        tokens: int = 3,
        seed: int = 0,
        name: str = "a prompt",
        scored: bool = True,
    ) -> Exported:
        template = Template(name, text=text, messages=messages, words=words, demonstrations=demonstrations)
        soft = None
        if model is not None:
            vectors = np.random.default_rng(seed).normal(size=(tokens, WIDTH)).astype(np.float32)
            soft = SoftPrompt(vectors, model)
        how = HOW_CHOICE if words else HOW_GENERATE
        reading = Reading(words or {}, how, "accuracy")
        if scored:
            scores = {"tweets": 0.9, "movies": 0.8}
            reading = Reading(words or {}, how, "accuracy", scores, 0.85, 0.81, 0.89, "test")
        return Exported(Prompt(template, soft), name, study, reading)

    return make


@pytest.fixture
def nowhere() -> ExportContext:
    """A context without a model."""
    return ExportContext(None, "tiny", "")
