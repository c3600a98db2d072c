"""A model from elsewhere that asks for gigabytes, or for ever, is refused before anything of it is built."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fedprompt.errors import ModelError
from fedprompt.models.assets.folder_check import check_files
from fedprompt.models.hf.chat_format import ChatFormatError, filled_format
from fedprompt.models.hf.model import HFModel
from fedprompt.models.protocols import RunSettings
from fedprompt.tuning.pretraining.building import built, weights_in
from tests.coded import coded
from tests.models import tiny
from tests.peak_memory import megabytes_beyond

SETTINGS = RunSettings("float32", 1)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("llama")
    tiny.network(tiny.config("llama")).save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture
def model(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "model"))


def _changed(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_whole_model_passes(model: Path) -> None:
    check_files(model)
    assert HFModel.load(model, name="tiny", settings=SETTINGS).info.width == 32


@pytest.mark.parametrize(
    ("changes", "code", "names"),
    [
        ({"num_hidden_layers": 10**9}, "size-out-of-bounds", "num_hidden_layers"),
        ({"num_hidden_layers": 1_000}, "sizes-unlike-weights", "1,000"),
        ({"num_hidden_layers": -1}, "size-out-of-bounds", "num_hidden_layers"),
        ({"num_hidden_layers": "2"}, "size-out-of-bounds", "num_hidden_layers"),
        ({"num_hidden_layers": 2.5}, "size-out-of-bounds", "num_hidden_layers"),
        ({"num_hidden_layers": [2, 10**9]}, "size-out-of-bounds", "num_hidden_layers"),
        ({"vocab_size": 2**31}, "size-out-of-bounds", "vocab_size"),
        ({"vocab_size": 16_000_000}, "sizes-unlike-weights", "16,000,000"),
        ({"vocab_size": True}, "size-out-of-bounds", "vocab_size"),
        ({"hidden_size": 2**40}, "size-out-of-bounds", "hidden_size"),
        ({"intermediate_size": 4_000_000}, "sizes-unlike-weights", ""),
        ({"num_attention_heads": 10**6}, "size-out-of-bounds", "num_attention_heads"),
        ({"text_config": {"num_hidden_layers": 10**9}}, "size-out-of-bounds", "text_config.num_hidden_layers"),
        ({"some_new_size": 2**60}, "size-out-of-bounds", "some_new_size"),
        ({"seed": 10**50}, "not-well-formed", ""),
        ({"model_type": "no-such-family"}, "not-a-language-model", ""),
        ({"model_type": {"a": 1}}, "not-a-language-model", ""),
        ({"hidden_act": "no-such-act"}, "not-a-language-model", ""),
        ({"rope_parameters": "long"}, "not-a-language-model", ""),
    ],
)
def test_a_configuration_is_read_before_it_is_built(
    model: Path, changes: dict[str, Any], code: str, names: str
) -> None:
    _changed(model, **changes)
    before = time.process_time()

    def load() -> None:
        with pytest.raises(ModelError, check=coded(code, names=names)):
            HFModel.load(model, name="tiny", settings=SETTINGS)

    assert megabytes_beyond(load) < 300 and time.process_time() - before < 20


def test_a_table_of_positions_is_bounded_by_the_weights(model: Path) -> None:
    made = tiny.config("gpt2").to_dict() | {"n_positions": 10**8, "architectures": ["GPT2LMHeadModel"]}
    (model / "config.json").write_text(json.dumps(made))
    with pytest.raises(ModelError, check=coded("sizes-unlike-weights")):
        HFModel.load(model, name="tiny", settings=SETTINGS)


def test_weights_that_a_model_needs_are_never_drawn_at_random(model: Path) -> None:
    made = tiny.config("gpt2").to_dict() | {"architectures": ["GPT2LMHeadModel"]}
    (model / "config.json").write_text(json.dumps(made))
    with pytest.raises(ModelError, check=coded("weights-missing")):
        HFModel.load(model, name="tiny", settings=SETTINGS)
    with pytest.raises(ModelError, check=coded("weights-missing")):
        built(model)


@pytest.mark.parametrize("read", [weights_in, built])
def test_what_is_trained_is_read_before_it_is_built_too(model: Path, read: Callable[[Path], object]) -> None:
    _changed(model, num_hidden_layers=10**9)
    with pytest.raises(ModelError, check=coded("size-out-of-bounds")):
        read(model)
    _changed(model, num_hidden_layers=1_000)
    with pytest.raises(ModelError, check=coded("sizes-unlike-weights")):
        read(model)


@pytest.mark.parametrize(
    ("file", "write", "code"),
    [
        ("config.json", lambda path: path.write_bytes(b"[" * 100_000), "not-well-formed"),
        ("config.json", lambda path: path.write_bytes(b"[]"), "not-well-formed"),
        ("config.json", lambda path: path.write_bytes(b'{"a":"\\ud800"}'), "not-well-formed"),
        ("config.json", lambda path: path.write_bytes(b" " * 5_000_000), "not-well-formed"),
        ("config.json", lambda path: path.unlink(), "cannot-read"),
        ("tokenizer_config.json", lambda path: path.write_bytes(b'{"a":' * 100_000), "not-well-formed"),
        ("chat_template.jinja", lambda path: path.write_bytes(b"x" * 2_000_000), "too-large"),
        ("model.safetensors", lambda path: path.write_bytes((2**62).to_bytes(8, "little")), "damaged"),
        ("model.safetensors", lambda path: path.write_bytes((9).to_bytes(8, "little") + b"{}"), "damaged"),
        ("model.safetensors", lambda path: path.write_bytes(b""), "damaged"),
        (
            "model.safetensors",
            lambda path: _header(path, {"a": {"dtype": "F32", "shape": [10**9, 10**9], "data_offsets": [0, 4]}}),
            "damaged",
        ),
        (
            "model.safetensors",
            lambda path: _header(path, {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 10**12]}}),
            "damaged",
        ),
        ("model.safetensors", lambda path: _header(path, {"a": 1}), "damaged"),
        ("tokenizer.json", lambda path: path.write_bytes(b'{"model": ' * 1000), "not-a-language-model"),
    ],
)
def test_other_files_of_a_model_are_measured_too(
    model: Path, file: str, write: Callable[[Path], object], code: str
) -> None:
    write(model / file)
    with pytest.raises(ModelError, check=coded(code)):
        HFModel.load(model, name="tiny", settings=SETTINGS)


def _header(path: Path, header: dict[str, Any]) -> None:
    body = json.dumps(header).encode()
    path.write_bytes(len(body).to_bytes(8, "little") + body + b"\0" * 4)


MESSAGES = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]


@pytest.mark.model
def test_the_shipped_chat_format_is_filled_as_transformers_fills_it(home_with_assets: Path) -> None:
    from transformers import AutoTokenizer

    found = (home_with_assets / "assets").rglob("tokenizer_config.json")
    (folder,) = {path.parent for path in found if "smollm2" in str(path)}
    own: Any = AutoTokenizer.from_pretrained(folder)
    expected = own.apply_chat_template(MESSAGES, tokenize=False, add_generation_prompt=True)
    assert filled_format(own.get_chat_template(), MESSAGES, own.special_tokens_map) == expected


@pytest.mark.whole  # two processes that import transformers
def test_a_format_is_filled_as_transformers_fills_it() -> None:
    own = tiny.tokenizer()
    for source in (
        tiny.CHAT,
        "{{ eos_token }}{% for m in messages %}{{ m | tojson }}{% endfor %}{{ add_generation_prompt }}",
    ):
        expected = own.apply_chat_template(MESSAGES, chat_template=source, tokenize=False, add_generation_prompt=True)
        assert filled_format(source, MESSAGES, own.special_tokens_map) == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    "source",
    [
        "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}"
        "{% endfor %}",
        "{{ 'x' * 10**10 }}",
        "{% set ns = namespace(x='xx') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}",
        "{{ 'x' | center(10**10) }}",
        "{{ '%10000000000d' % 1 }}",
        "{{ 'x' * 5_000_000 }}",
        "{% macro m(n) %}{{ m(n) }}{% endmacro %}{{ m(1) }}",
    ],
)
def test_a_format_without_an_end_is_ended(source: str) -> None:
    def fill() -> None:
        with pytest.raises(ModelError, check=coded("chat-format-costs")):
            filled_format(source, MESSAGES, {})

    assert megabytes_beyond(fill) < 100


@pytest.mark.slow
@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ namespace(__init__=1) }}",
        "{% include '/etc/passwd' %}",
        "{{ 1 / 0 }}",
        "{% if %}",
    ],
)
def test_a_format_reaches_nothing_but_the_messages(source: str) -> None:
    try:
        assert "class" not in filled_format(source, MESSAGES, {})
    except ChatFormatError as error:
        assert len(str(error)) <= 200


def test_a_format_as_long_as_a_book_is_not_filled() -> None:
    with pytest.raises(ModelError, check=coded("chat-format-costs")):
        filled_format("x" * 2_000_000, MESSAGES, {})
