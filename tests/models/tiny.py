"""Small, randomly initialised models of several families, and a byte-level tokenizer, made on the spot."""

from functools import cache
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3TextConfig,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    OPTConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

from fedprompt.models.attention import IMPLEMENTATION
from fedprompt.models.hf import HFModel
from fedprompt.models.protocols import ModelInfo, RunSettings

FAMILIES = ("llama", "llama-untied", "qwen2", "gpt2", "opt", "gemma2", "gemma3", "mistral-window")
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
    made: dict[str, Any] = {
        "llama": lambda: LlamaConfig(**shape, tie_word_embeddings=True),
        "llama-untied": lambda: LlamaConfig(**shape, tie_word_embeddings=False),
        "qwen2": lambda: Qwen2Config(**shape),
        "gpt2": lambda: GPT2Config(vocab_size=vocab, n_embd=32, n_layer=2, n_head=4, n_positions=512),
        "opt": lambda: OPTConfig(
            vocab_size=vocab,
            hidden_size=32,
            ffn_dim=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=512,
            word_embed_proj_dim=32,
        ),
        "gemma2": lambda: Gemma2Config(**shape, head_dim=8, sliding_window=8, query_pre_attn_scalar=8),
        "gemma3": lambda: Gemma3TextConfig(**shape, head_dim=8, sliding_window=8, query_pre_attn_scalar=8),
        "mistral-window": lambda: MistralConfig(**shape, sliding_window=8),
    }
    return made[family]()


@cache
def model(family: str = "llama", pack: int = 64) -> HFModel:
    """Return a model of a family with weights large enough for answers to differ."""
    torch.manual_seed(0)
    lm = AutoModelForCausalLM.from_config(config(family), attn_implementation=IMPLEMENTATION)
    with torch.no_grad():
        for parameter in lm.parameters():
            if parameter.dim() > 1:
                parameter.mul_(4)
    lm.eval().requires_grad_(False)
    settings = RunSettings("float32", 1, pack=pack)
    return HFModel(lm, tokenizer(), ModelInfo(family, f"tiny:{family}", 32, 512, settings))
