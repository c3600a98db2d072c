"""A model's digest tells apart what reads or is asked otherwise, and nothing else."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from fedprompt.errors import ModelError
from fedprompt.models.hf.digest import model_digest
from tests.coded import coded

WEIGHTS = {"a": torch.arange(6.0).view(2, 3), "b": torch.ones(4, dtype=torch.bfloat16)}


def folder(path: Path, **files: str) -> Path:
    path.mkdir()
    save_file(WEIGHTS, path / "model.safetensors")
    (path / "tokenizer.json").write_text("{}", encoding="utf-8")
    for name, text in files.items():
        (path / name.replace("__", ".")).write_text(text, encoding="utf-8")
    return path


def config(template: object, **more: object) -> str:
    return json.dumps({**more, "chat_template": template})


def test_the_same_weights_in_other_shards_are_the_same_model(tmp_path: Path) -> None:
    one, two = folder(tmp_path / "one"), folder(tmp_path / "two")
    (two / "model.safetensors").unlink()
    for name, tensor in WEIGHTS.items():
        save_file({name: tensor}, two / f"model-{name}.safetensors")
    assert model_digest(one) == model_digest(two)


def test_a_chat_format_counts_wherever_it_lies(tmp_path: Path) -> None:
    none = model_digest(folder(tmp_path / "none", tokenizer_config__json=json.dumps({"model_max_length": 8})))
    assert none == model_digest(folder(tmp_path / "bare"))  # what else the settings say does not
    own = {
        model_digest(folder(tmp_path / "file", chat_template__jinja="{{ x }}")),
        model_digest(folder(tmp_path / "older", tokenizer_config__json=config("{{ x }}"))),
        model_digest(folder(tmp_path / "other", tokenizer_config__json=config("{{ y }}"))),
        model_digest(folder(tmp_path / "named", tokenizer_config__json=config([{"name": "a", "template": "{{ x }}"}]))),
    }
    assert len(own) == 4 and none not in own


def test_a_file_of_its_own_goes_before_the_settings(tmp_path: Path) -> None:
    alone = folder(tmp_path / "alone", chat_template__jinja="{{ x }}")
    both = folder(tmp_path / "both", chat_template__jinja="{{ x }}", tokenizer_config__json=config("{{ y }}"))
    assert model_digest(alone) == model_digest(both)


@pytest.mark.parametrize("text", ["[]", "{", "chat"])
def test_settings_that_are_no_object_are_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(ModelError, match=r"tokenizer_config\.json", check=coded("no-tokenizer")):
        model_digest(folder(tmp_path / "m", tokenizer_config__json=text))
