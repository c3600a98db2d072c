"""A model is served only if packs and cached prefixes give its own numbers; every other architecture is named."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as t
from transformers import AutoModelForCausalLM

from fedprompt.errors import ModelError
from fedprompt.models.hf import self_check
from fedprompt.models.hf.attention import IMPLEMENTATION
from fedprompt.models.hf.checked import check_once
from fedprompt.models.hf.model import HFModel
from fedprompt.models.hf.runner import Body, Head
from fedprompt.models.hf.self_check import check_model
from fedprompt.models.protocols import RunSettings
from fedprompt.models.registry import load
from tests.coded import coded
from tests.models.tiny import FAMILIES, config, model, more, network, tokenizer

SHAPE = {
    "vocab_size": 320,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "pad_token_id": None,
    "bos_token_id": None,
    "eos_token_id": 0,
}
FEW = {**SHAPE, "num_key_value_heads": 2}
SMALL = {"vocab_size": 320, "n_embd": 32, "n_layer": 2, "n_head": 4, "bos_token_id": 0, "eos_token_id": 0}
DEEPSEEK = {
    "moe_intermediate_size": 16,
    "kv_lora_rank": 16,
    "q_lora_rank": None,
    "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 4,
    "v_head_dim": 8,
    "n_routed_experts": 2,
    "num_experts_per_tok": 1,
    "first_k_dense_replace": 2,
}
NO_INTERFACE = "does not (use|attend through) (transformers' attention|the attention) interface"
REFUSED: dict[str, tuple[Any, str]] = {
    "GPTJForCausalLM": (lambda: t.GPTJConfig(**SMALL, rotary_dim=4), NO_INTERFACE),
    "CodeGenForCausalLM": (lambda: t.CodeGenConfig(**SMALL, rotary_dim=4), "interface|cannot run on packed"),
    "GPTNeoForCausalLM": (
        lambda: t.GPTNeoConfig(
            vocab_size=320, hidden_size=32, num_layers=2, num_heads=4, attention_types=[[["global", "local"], 1]]
        ),
        NO_INTERFACE,
    ),
    "FalconForCausalLM": (lambda: t.FalconConfig(**SHAPE), NO_INTERFACE),
    "BloomForCausalLM": (
        lambda: t.BloomConfig(vocab_size=320, hidden_size=32, n_layer=2, n_head=4),
        "cannot run on packed prompts",
    ),
    "MptForCausalLM": (
        lambda: t.MptConfig(vocab_size=320, d_model=32, n_layers=2, n_heads=4),
        "interface|cannot run on packed",
    ),
    "MambaForCausalLM": (
        lambda: t.MambaConfig(vocab_size=320, hidden_size=32, num_hidden_layers=2, state_size=4),
        "cannot run on packed prompts",
    ),
    "RwkvForCausalLM": (
        lambda: t.RwkvConfig(vocab_size=320, hidden_size=32, num_hidden_layers=2),
        "cannot run on packed prompts",
    ),
    "JambaForCausalLM": (
        lambda: t.JambaConfig(
            **FEW, attn_layer_period=2, attn_layer_offset=1, num_experts=2, mamba_d_state=4, mamba_dt_rank=2
        ),
        "layers of the kind linear_attention",
    ),
    "Lfm2ForCausalLM": (lambda: t.Lfm2Config(**FEW, layer_types=["conv", "full_attention"]), "layers of the kind conv"),
    "GptOssForCausalLM": (
        lambda: t.GptOssConfig(**FEW, head_dim=8, num_local_experts=2, num_experts_per_tok=1),
        "comes with s_aux",
    ),
    "DeepseekV2ForCausalLM": (
        lambda: t.DeepseekV2Config(**SHAPE, num_key_value_heads=4, n_group=1, topk_group=1, **DEEPSEEK),
        "values of another width than its keys",
    ),
    "DiffLlamaForCausalLM": (lambda: t.DiffLlamaConfig(**FEW), "numbers than alone"),
}


def saved(made: Any, folder: Path) -> Path:
    """Write a network as it leaves transformers, with a tokenizer."""
    AutoModelForCausalLM.from_config(made, attn_implementation="eager").save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
def test_an_architecture_that_would_give_wrong_numbers_is_refused_by_name(name: str, tmp_path: Path) -> None:
    make, reason = REFUSED[name]
    folder = saved(make(), tmp_path / "model")
    with pytest.raises(ModelError, match=f"^{name} .*({reason})", check=coded("not-served")):
        HFModel.load(folder, name="tiny", settings=RunSettings("float32", 1))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("family", [*FAMILIES[:1], *more(*FAMILIES[1:])])
def test_every_proved_family_passes(family: str, dtype: str) -> None:
    lm = model(family, dtype=dtype)
    check_model(lm._lm, lm._body, lm._head)
    # It goes on with the attention that packs need.
    assert lm._lm.config._attn_implementation == IMPLEMENTATION


def test_the_check_gives_the_same_distances_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    lm = model("qwen3")
    found: list[float] = []
    measure = self_check._apart

    def kept(*rows: Any) -> float:
        found.append(measure(*rows))
        return found[-1]

    monkeypatch.setattr(self_check, "_apart", kept)
    for _ in range(2):
        check_model(lm._lm, lm._body, lm._head)
    assert len(found) == 8 and found[:4] == found[4:]


def test_a_layer_whose_window_is_not_the_configurations_is_refused() -> None:
    lm = network(config("mistral-window"))
    body, head = Body(lm), Head(lm)
    lm.config.sliding_window = 9  # as if the layers told the interface another window than the masks are made of
    with pytest.raises(ModelError, match=r"MistralForCausalLM .*layer 0 .*\b8\b.*\b9\b", check=coded("not-served")):
        check_model(lm, body, head)


def test_weights_that_are_no_numbers_are_refused_for_what_they_are() -> None:
    lm = network(config("llama"))
    lm.model.norm.weight.fill_(torch.nan)
    with pytest.raises(ModelError, check=coded("not-finite")):
        check_model(lm, Body(lm), Head(lm))


def test_a_saved_family_loads_and_its_pass_is_kept_by_weights_and_dtype(tmp_path: Path) -> None:
    folder = saved(config("gemma3"), tmp_path / "model")
    names = []
    for dtype in ("float32", "bfloat16"):
        settings = RunSettings(dtype, 1)
        assert load(str(folder), tmp_path / "home", settings).info.width == 32
        names.append({path.name for path in (tmp_path / "home" / "checked").iterdir()})
    assert len(names[0]) == 1 and len(names[1]) == 2 and names[0] < names[1]


def test_a_check_is_made_once_and_a_failure_each_time(tmp_path: Path) -> None:
    info, made = model("llama").info, []
    for folder in (tmp_path / "kept", tmp_path / "kept", None, None):
        check_once(info, folder, lambda: made.append("passed"))
    assert made == ["passed"] * 3
    other = replace(info, digest="sha256:other")

    def fail() -> None:
        made.append("failed")
        raise ModelError("no")

    for _ in range(2):
        with pytest.raises(ModelError, match="no"):
            check_once(other, tmp_path / "kept", fail)
    assert made[3:] == ["failed"] * 2


def test_a_home_that_cannot_be_written_to_is_checked_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    made: list[int] = []
    for _ in range(2):
        check_once(model("llama").info, tmp_path / "file" / "checked", lambda: made.append(1))
    assert made == [1, 1]
