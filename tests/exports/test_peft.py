"""PEFT itself loads the folder and computes the same; whatever does not stand in front is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fedprompt.errors import ExportError
from fedprompt.exports.protocol import ExportContext, Exported, ImportContext
from fedprompt.exports.registry import format_of
from fedprompt.exports.vectors.peft import Peft
from fedprompt.prompts.template import Demonstrations, Message
from tests.coded import coded

HERE = ImportContext()
Make = Callable[..., Exported]


# peft 0.21 asks transformers 5.23 for an attribute under its old name.
@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")
def test_peft_loads_the_folder_and_gives_the_same_logits(
    exported: Make, tiny: Path, tiny_context: ExportContext, tmp_path: Path
) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    item = exported("{soft}Review: {text}\nSentiment:", tiny_context.model_digest)
    path = Peft().write([item], tmp_path / "adapter", tiny_context)
    plain = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32).eval()
    ids = torch.tensor([[3, 1, 4, 1, 5, 9, 2, 6]])
    assert item.prompt.soft is not None
    with torch.no_grad():
        front = torch.from_numpy(item.prompt.soft.vectors.copy())[None]
        wanted = plain(inputs_embeds=torch.cat([front, plain.get_input_embeddings()(ids)], 1)).logits
        adapted = PeftModel.from_pretrained(plain, str(path)).eval()
        found = adapted(input_ids=ids).logits
    assert torch.allclose(found, wanted, atol=1e-4)
    assert not torch.allclose(found[:, -8:], plain(ids).logits, atol=1e-2)


def test_the_configuration_is_peft_s_and_names_no_path(
    exported: Make, tiny_context: ExportContext, tmp_path: Path
) -> None:
    item = exported("{soft}{text}", tiny_context.model_digest)
    path = Peft().write([item], tmp_path / "adapter", tiny_context)
    config = json.loads((path / "adapter_config.json").read_text())
    assert config == {
        "base_model_name_or_path": "tiny",
        "inference_mode": True,
        "num_attention_heads": 2,
        "num_layers": 2,
        "num_transformer_submodules": 1,
        "num_virtual_tokens": 3,
        "peft_type": "PROMPT_TUNING",
        "revision": None,
        "task_type": "CAUSAL_LM",
        "token_dim": 16,
    }
    assert all(b"private-place" not in file.read_bytes() for file in path.iterdir())
    assert "accuracy 0.850" in (path / "README.md").read_text()


@pytest.mark.parametrize("name", ["adapter", "adapter.zip"])
def test_our_own_folder_brings_back_the_same_prompt(
    exported: Make, tiny_context: ExportContext, tmp_path: Path, name: str
) -> None:
    item = exported("{soft}{text}\nSo:", tiny_context.model_digest, name="front")
    path = Peft().write([item], tmp_path / name, tiny_context)
    assert format_of(path).name == "peft"
    (found,) = Peft().read(path, HERE)
    assert found.prompt == item.prompt
    assert found.prompt.name == "front"


@pytest.mark.parametrize(
    ("arguments", "reason", "instead"),
    [
        ({"text": "{text}{soft}"}, "inside the text", "any-slot"),
        ({"text": " {soft}{text}"}, "inside the text", "any-slot"),
        ({"text": "{text}", "model": None}, "no soft prompt", "langchain"),
        ({"text": None, "messages": (Message("user", "{soft}{text}"),)}, "chat message", "bundle"),
        ({"text": "{soft}{demonstrations}", "demonstrations": Demonstrations(1)}, "demonstrations", "bundle"),
    ],
)
def test_what_peft_cannot_hold_is_refused_with_the_format_to_take(
    exported: Make,
    nowhere: ExportContext,
    tmp_path: Path,
    arguments: dict[str, object],
    reason: str,
    instead: str,
) -> None:
    item = exported(**{"model": "sha256:x", **arguments})
    refusal = Peft().refuses(item)
    assert refusal is not None
    assert reason in refusal.reason
    assert refusal.instead == instead
    with pytest.raises(ExportError, match=instead, check=coded("cannot-hold")):
        Peft().write([item], tmp_path / "adapter", nowhere)
    assert not (tmp_path / "adapter").exists()


def test_one_folder_holds_one_prompt(exported: Make, nowhere: ExportContext, tmp_path: Path) -> None:
    items = [exported("{soft}{text}", "m", seed=seed) for seed in (1, 2)]
    with pytest.raises(ExportError, check=coded("one-prompt-only")):
        Peft().write(items, tmp_path / "adapter", nowhere)


def _foreign(folder: Path, tensors: dict[str, np.ndarray] | None = None, **changes: object) -> Path:
    from safetensors.numpy import save_file

    folder.mkdir()
    config = {
        "peft_type": "PROMPT_TUNING",
        "task_type": "CAUSAL_LM",
        "num_virtual_tokens": 2,
        "token_dim": 16,
        "base_model_name_or_path": "org/model",
    }
    (folder / "adapter_config.json").write_text(json.dumps({**config, **changes}))
    tensors = {"prompt_embeddings": np.ones((2, 16), np.float32)} if tensors is None else tensors
    save_file(tensors, folder / "adapter_model.safetensors")
    return folder


def test_another_tools_folder_is_bound_to_its_model_and_its_instructions_are_not_followed(
    tmp_path: Path,
) -> None:
    folder = _foreign(
        tmp_path / "theirs",
        prompt_tuning_init="TEXT",
        prompt_tuning_init_text="classify",
    )
    (found,) = Peft().read(folder, ImportContext({"org/model": "sha256:known"}.get))
    assert found.prompt.soft is not None
    assert found.prompt.soft.model == "sha256:known"
    assert found.prompt.template.text == "{soft}{text}"
    assert np.array_equal(found.prompt.soft.vectors, np.ones((2, 16), np.float32))
    assert [sentence.split()[0] for sentence in found.dropped[1:]] == [
        "prompt_tuning_init",
        "prompt_tuning_init_text",
    ]


@pytest.mark.parametrize(
    ("asked", "code", "names"),
    [
        ({"tokenizer_kwargs": {"trust_remote_code": True}}, "runs-code", ""),
        ({"auto_mapping": {"parent_library": "theirs"}}, "runs-code", "auto_mapping"),
        ({"extra": {"trust_remote_code": True}}, "runs-code", ""),
    ],
)
def test_a_configuration_that_asks_to_load_something_is_refused(
    tmp_path: Path, asked: dict[str, object], code: str, names: str
) -> None:
    with pytest.raises(ExportError, check=coded(code, names=names)):
        Peft().read(_foreign(tmp_path / "x", **asked), ImportContext(lambda name: "sha256:known"))


@pytest.mark.parametrize(
    ("base", "looked"),
    [
        ("org/model", ".*'org/model'.*'tiny'"),
        ("/home/someone/model", "'model'.* /home/someone/model "),
        ("C:\\\\Users\\\\someone\\\\model", "'model'.*C:"),
        ("~/model", "'model'.* ~/model "),
    ],
)
def test_vectors_for_an_unknown_model_are_refused_with_what_was_looked_for(
    tmp_path: Path, base: str, looked: str
) -> None:
    context = ImportContext(models=lambda: ("tiny",))
    with pytest.raises(ExportError, match=looked, check=coded("model-not-here")):
        Peft().read(_foreign(tmp_path / "a", base_model_name_or_path=base), context)


@pytest.mark.parametrize("base", [None, "", " ", 7, ["tiny"]])
def test_vectors_that_name_no_model_are_refused(tmp_path: Path, base: object) -> None:
    with pytest.raises(ExportError, check=coded("no-base-model")):
        Peft().read(_foreign(tmp_path / "a", base_model_name_or_path=base), HERE)


@pytest.mark.parametrize("base", ["/home/someone/tiny", "/home/someone/tiny/", "..\\models\\tiny", "~/models/tiny"])
def test_a_folder_that_was_moved_is_taken_for_the_model_of_its_name_and_width_and_told(
    tmp_path: Path, base: str
) -> None:
    known = ImportContext({"tiny": "sha256:tiny"}.get, {"tiny": 16}.get)
    (found,) = Peft().read(_foreign(tmp_path / "a", base_model_name_or_path=base), known)
    assert found.prompt.soft is not None
    assert found.prompt.soft.model == "sha256:tiny"
    assert "was taken for the model 'tiny'" in found.dropped[1]
    assert "make sure that it is the same model" in found.dropped[1]


def test_a_folder_that_is_here_is_never_taken_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "models" / "tiny").mkdir(parents=True)  # another model than the home's, under the same name
    known = ImportContext({"tiny": "sha256:tiny"}.get, {"tiny": 16}.get)
    with pytest.raises(ExportError, check=coded("model-not-here")):
        Peft().read(_foreign(tmp_path / "a", base_model_name_or_path=str(tmp_path / "models" / "tiny")), known)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"peft_type": "LORA"}, "LORA"),
        ({"peft_type": "PREFIX_TUNING"}, "prefix tuning"),
        ({"peft_type": "P_TUNING"}, "p-tuning"),
        ({"peft_type": None}, "None"),
        ({"task_type": "SEQ_CLS"}, "SEQ_CLS"),
        ({"task_type": "SEQ_2_SEQ_LM", "num_transformer_submodules": 2}, "SEQ_2_SEQ_LM"),
        ({"modules_to_save": ["score"]}, "score"),
    ],
)
def test_what_is_no_prompt_tuning_of_a_causal_model_is_refused_by_its_name(
    tmp_path: Path, changes: dict[str, object], kind: str
) -> None:
    with pytest.raises(ExportError, match=kind):
        Peft().read(_foreign(tmp_path / "x", **changes), ImportContext(lambda name: "sha256:known"))


def test_an_adapter_as_peft_itself_writes_it_from_a_text_comes_in(tmp_path: Path) -> None:
    from peft import PromptTuningConfig

    PromptTuningConfig(
        task_type="CAUSAL_LM",
        num_virtual_tokens=2,
        token_dim=16,
        prompt_tuning_init="TEXT",
        prompt_tuning_init_text="classify",
        tokenizer_name_or_path="/home/someone/tiny",
        tokenizer_kwargs={"trust_remote_code": False},
        base_model_name_or_path="tiny",
    ).save_pretrained(str(tmp_path / "config"))
    folder = _foreign(tmp_path / "x")
    (tmp_path / "config" / "adapter_config.json").replace(folder / "adapter_config.json")
    (found,) = Peft().read(folder, ImportContext({"tiny": "sha256:tiny"}.get))
    assert {sentence.split()[0] for sentence in found.dropped[1:]} == {
        "prompt_tuning_init",
        "prompt_tuning_init_text",
        "tokenizer_kwargs",
        "tokenizer_name_or_path",
    }


def _raw(dtype: str, shape: tuple[int, ...], data: bytes) -> bytes:
    header = json.dumps(
        {"prompt_embeddings": {"dtype": dtype, "shape": shape, "data_offsets": [0, len(data)]}}
    ).encode()
    return len(header).to_bytes(8, "little") + header + data


def test_half_precision_is_widened_without_a_change(tmp_path: Path) -> None:
    # bfloat16 1.0 is 0x3F80, -2.5 is 0xC020; float16 1.0 is 0x3C00, -2.5 is 0xC100
    for dtype, one, other in (("BF16", b"\x80\x3f", b"\x20\xc0"), ("F16", b"\x00\x3c", b"\x00\xc1")):
        folder = _foreign(tmp_path / dtype)
        (folder / "adapter_model.safetensors").write_bytes(_raw(dtype, (2, 16), (one + other) * 16))
        (found,) = Peft().read(folder, ImportContext(lambda name: "sha256:known"))
        assert found.prompt.soft is not None
        assert np.array_equal(found.prompt.soft.vectors, np.array([[1.0, -2.5] * 8] * 2, np.float32))


def test_vectors_of_another_precision_or_beside_other_weights_are_refused_by_name(tmp_path: Path) -> None:
    folder = _foreign(tmp_path / "double")
    (folder / "adapter_model.safetensors").write_bytes(_raw("F64", (2, 16), bytes(256)))
    with pytest.raises(ExportError, match=r"\(2, 16\)", check=coded("wrong-shape")):
        Peft().read(folder, HERE)
    beside = {"prompt_embeddings": np.ones((2, 16), np.float32), "score.weight": np.ones((2, 2), np.float32)}
    with pytest.raises(ExportError, match=r"'score\.weight'", check=coded("other-tensors")):
        Peft().read(_foreign(tmp_path / "beside", beside), HERE)


@pytest.mark.parametrize(
    ("tensors", "changes", "code", "names"),
    [
        (None, {"peft_type": "LORA"}, "other-method", ""),
        (None, {"num_virtual_tokens": 3}, "wrong-shape", ""),
        ({"other": np.ones((2, 16), np.float32)}, {}, "other-tensors", "prompt_embeddings"),
        ({"prompt_embeddings": np.ones(32, np.float32)}, {}, "wrong-shape", ""),
        ({"prompt_embeddings": np.ones((2, 16), np.int64)}, {}, "wrong-shape", ""),
        ({"prompt_embeddings": np.full((2, 16), np.nan, np.float32)}, {}, "not-finite", ""),
    ],
)
def test_a_folder_that_is_no_prompt_tuning_is_refused(
    tmp_path: Path, tensors: dict[str, np.ndarray] | None, changes: dict[str, object], code: str, names: str
) -> None:
    with pytest.raises(ExportError, check=coded(code, names=names)):
        Peft().read(_foreign(tmp_path / "x", tensors, **changes), ImportContext(lambda name: "sha256:known"))


def test_pickled_weights_are_never_opened(tmp_path: Path) -> None:
    folder = _foreign(tmp_path / "x")
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")
    with pytest.raises(ExportError, check=coded("pickle")):
        Peft().read(folder, HERE)


def test_changed_vectors_do_not_pass_for_the_prompt_they_were(
    exported: Make, tiny_context: ExportContext, tmp_path: Path
) -> None:
    from safetensors.numpy import save_file

    path = Peft().write([exported("{soft}{text}", "m")], tmp_path / "adapter", tiny_context)
    save_file({"prompt_embeddings": np.ones((3, 16), np.float32)}, path / "adapter_model.safetensors")
    with pytest.raises(ExportError, check=coded("another-content")):
        Peft().read(path, HERE)


def test_vectors_of_another_width_than_the_models_are_refused(tmp_path: Path) -> None:
    context = ImportContext(lambda name: "sha256:known", {"org/model": 576}.get)
    with pytest.raises(ExportError, match=r"16.*576", check=coded("wrong-shape")):
        Peft().read(_foreign(tmp_path / "x"), context)
