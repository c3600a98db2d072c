"""Writes a tiny Llama and its tokenizer as a GGUF file, as llama.cpp lays them out."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFWriter, TokenType
from numpy.typing import NDArray

from tests.models.tiny import tokenizer

# The tensors of a layer, by llama.cpp's names and transformers'.
PARTS = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def write_gguf(lm: Any, file: Path) -> None:
    """Write a Llama network in float32, untied, with the tests' tokenizer."""
    config, held = lm.config, {name: tensor.numpy() for name, tensor in lm.state_dict().items()}
    writer = GGUFWriter(file, "llama")
    writer.add_name("tiny")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_vocab_size(config.vocab_size)
    _add_tokenizer(writer)
    writer.add_tensor("token_embd.weight", held["model.embed_tokens.weight"])
    writer.add_tensor("output_norm.weight", held["model.norm.weight"])
    writer.add_tensor("output.weight", held["lm_head.weight"])
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    for layer in range(config.num_hidden_layers):
        for name, source in PARTS.items():
            weight = held[f"model.layers.{layer}.{source}.weight"]
            made = _interleaved(weight, heads[name]) if name in heads else weight
            writer.add_tensor(f"blk.{layer}.{name}.weight", np.ascontiguousarray(made))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _interleaved(weight: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Return rows in the order of llama.cpp, which turns neighbours where transformers turns halves."""
    rows, width = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, width).swapaxes(1, 2).reshape(rows, width)


def _add_tokenizer(writer: GGUFWriter) -> None:
    made = tokenizer()
    body = json.loads(made.backend_tokenizer.to_str())
    controls = set(made.all_special_tokens)
    tokens = [made.convert_ids_to_tokens(number) for number in range(len(made))]
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([TokenType.CONTROL if token in controls else TokenType.NORMAL for token in tokens])
    merges = [" ".join(pair) if isinstance(pair, list) else pair for pair in body["model"]["merges"]]
    writer.add_token_merges(merges)
    writer.add_eos_token_id(made.eos_token_id)
    writer.add_bos_token_id(made.eos_token_id)
    writer.add_add_bos_token(False)
