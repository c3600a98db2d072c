"""Small, randomly initialised models of several families, and a byte-level tokenizer, made on the spot."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3TextConfig,
    GemmaConfig,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    OPTConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)

from fedprompt.models.hf.attention import IMPLEMENTATION
from fedprompt.models.hf.model import HFModel
from fedprompt.models.protocols import ModelInfo, RunSettings

FAMILIES = (
    "llama",
    "llama-untied",
    "llama-vocabulary",
    "qwen2",
    "qwen2-window",
    "qwen3",
    "gpt2",
    "opt",
    "opt-projected",
    "gemma",
    "gemma2",
    "gemma3",
    "mistral-window",
)
CHAT = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
TEXT = ["a good film, positive", "a bad film, negative", "Review: it was awful\nSentiment:", "wonderful and great"]


@cache
def tokenizer() -> Any:
    """Return a byte-level BPE tokenizer of about 300 tokens with chat markers."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<|end|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(TEXT * 4, trainer)
    made = PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<|end|>", pad_token="<|end|>")
    made.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    made.chat_template = CHAT
    return made


def config(family: str) -> Any:
    """Return a small configuration of a family."""
    vocab = len(tokenizer())
    shape = {
        "vocab_size": vocab,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "pad_token_id": None,
        "bos_token_id": None,
        "eos_token_id": 0,
    }
    opt = {
        "vocab_size": vocab,
        "hidden_size": 32,
        "ffn_dim": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 512,
    }
    made: dict[str, Any] = {
        "llama": lambda: LlamaConfig(**shape, tie_word_embeddings=True),
        "llama-untied": lambda: LlamaConfig(**shape, tie_word_embeddings=False),
        "llama-vocabulary": lambda: LlamaConfig(**shape | {"vocab_size": 200_000}, tie_word_embeddings=True),
        "qwen2": lambda: Qwen2Config(**shape),
        "qwen2-window": lambda: Qwen2Config(
            **shape, use_sliding_window=True, sliding_window=8, layer_types=["full_attention", "sliding_attention"]
        ),
        "qwen3": lambda: Qwen3Config(**shape, head_dim=8),
        "gpt2": lambda: GPT2Config(vocab_size=vocab, n_embd=32, n_layer=2, n_head=4, n_positions=512),
        "opt": lambda: OPTConfig(**opt, word_embed_proj_dim=32),
        "opt-projected": lambda: OPTConfig(**opt, word_embed_proj_dim=16),
        "gemma": lambda: GemmaConfig(**shape, head_dim=8),
        "gemma2": lambda: Gemma2Config(**shape, head_dim=8, sliding_window=8, query_pre_attn_scalar=8),
        "gemma3": lambda: Gemma3TextConfig(
            **shape,
            head_dim=8,
            sliding_window=8,
            query_pre_attn_scalar=8,
            layer_types=["sliding_attention", "full_attention"],
        ),
        "mistral-window": lambda: MistralConfig(**shape, sliding_window=8),
    }
    return made[family]()


@cache
def model(family: str = "llama", pack: int = 64, dtype: str = "float32", device: str = "cpu") -> HFModel:
    """Return a model of a family with weights large enough for answers to differ."""
    lm = network(config(family)).to(dtype=getattr(torch, dtype), device=device)
    settings = RunSettings(dtype, 1, pack=pack, device=device)
    width = int(lm.get_input_embeddings().weight.shape[1])
    return HFModel(lm, tokenizer(), ModelInfo(family, f"tiny:{family}", width, 512, settings))


def network(made: Any) -> Any:
    """Return a configuration's network with weights drawn from a fixed seed, frozen."""
    torch.manual_seed(0)
    lm = AutoModelForCausalLM.from_config(made, attn_implementation=IMPLEMENTATION)
    with torch.no_grad():
        for parameter in lm.parameters():
            if parameter.dim() > 1:
                parameter.mul_(4)
    return lm.eval().requires_grad_(False)


def told_apart(logs: list[torch.Tensor], paths: Sequence[tuple[int, ...]]) -> torch.Tensor:
    """Return [words] log-likelihoods, each word's probability less those of the words right beyond it."""
    found = []
    for one, own in zip(logs, paths, strict=True):
        longer = [k for k, path in enumerate(paths) if len(path) > len(own) and path[: len(own)] == own]
        right = [k for k in longer if not any(k != j and paths[k][: len(paths[j])] == paths[j] for j in longer)]
        left = 1 - sum((torch.exp(logs[k] - one) for k in right), torch.tensor(0.0))
        found.append(one + torch.log(left.clamp(min=0) + 1e-6) if right else one)
    return torch.stack(found)


def more(*families: str) -> list[Any]:
    """Return parameters for families that a claim is tried on besides another, which alone is tried in a hurry."""
    return [pytest.param(family, marks=pytest.mark.whole) for family in families]
