"""Whatever a damaged or hostile file holds, an import refuses it in a sentence; no other exception comes out."""

import json
import struct
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedprompt.errors import FedPromptError
from fedprompt.exports.bundle import Bundle
from fedprompt.exports.protocol import ExportContext, Exported, ImportContext
from fedprompt.exports.registry import format_named, format_of
from fedprompt.exports.texts.dotprompt import Dotprompt
from fedprompt.exports.texts.hf_templates import HFTemplates
from fedprompt.exports.texts.prompty import Prompty
from fedprompt.exports.vectors.peft import Peft
from tests.exports.mutated import MANY, mutated

Make = Callable[..., Exported]
KNOWN = ImportContext(lambda name: "sha256:known", lambda name: None, lambda: ("known",))

PROMPTY = (
    b"---\nname: mood\ndescription: D\nmodel:\n  api: chat\n  configuration: {type: a}\ninputs:\n  text:\n"
    b'    type: string\n    sample: Hi\nsample:\n  text: Hi\n---\nsystem:\nSort.\n\nuser[a="A"]:\nSo: {{text}}\n',
    b"---\nname: mood\ninputs:\n  - name: text\n    kind: string\n    default: Hi\n"
    b"template:\n  format: {kind: jinja2}\n  parser: {kind: prompty}\nmetadata: {a: [A]}\n---\nuser:\n"
    b"{# c #}{{- text -}}{% raw %}{{x}}{% endraw %}",
    b"system:\nSort.\nuser:\n{{ text }}{{ '{{' }}\n",
)
DOTPROMPT = (
    b"---\nmodel: a/b\ninput:\n  default: {text: Hi, fp_7b: '{'}\n  schema:\n    text?: string, all\n"
    b'    a(array): {b: c}\noutput: {format: json}\n---\n{{role "system"}}\nSort.\n{{! c }}\n{{role "user"}}\n'
    b"{{~text~}} {{{text}}} {{fp_7b}}\n",
    b"# Copyright\n---\nname: mood\n---\n\\{{x}} {{&text}} {{!-- c --}}\n",
    b"{{text}}",
)
HF = (
    b"prompt:\n  template:\n    - role: system\n      content: |-\n        Sort {{text}}.\n    - role: user\n"
    b"      content: [{type: text, text: '{{text}}'}]\n  template_variables: [text]\n  metadata: {name: mood}\n"
    b"  client_parameters: [{temperature: 0}]\n",
    b"prompt:\n  template: 'Mood of {text}?'\n  template_variables:\n    - text\n",
    b"prompt:\n  template_dictionary:\n    one: {template: '{{text}}'}\n    two: {template: a}\n",
)
CONFIG = json.dumps(
    {
        "peft_type": "PROMPT_TUNING",
        "task_type": "CAUSAL_LM",
        "num_virtual_tokens": 2,
        "token_dim": 3,
        "base_model_name_or_path": "/home/a/model",
        "auto_mapping": None,
        "tokenizer_kwargs": {"use_fast": True},
    }
).encode()
HEADER = json.dumps({"prompt_embeddings": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}).encode()
WEIGHTS = struct.pack("<Q", len(HEADER)) + HEADER + np.ones(6, "<f4").tobytes()


def read(path: Path, name: str) -> None:
    """Read a file as one format, and as what it looks like; a refusal is what may come."""
    for take in (lambda: format_named(name), lambda: format_of(path)):
        try:
            for found in take().read(path, KNOWN):
                assert found.prompt.id.startswith("p1:")
        except FedPromptError as error:
            assert str(error).strip()
            assert "\n" not in str(error)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mutated")


@MANY
@given(content=mutated(PROMPTY))
def test_a_damaged_prompty_is_read_or_refused(folder: Path, content: bytes) -> None:
    (folder / "p.prompty").write_bytes(content)
    read(folder / "p.prompty", Prompty.name)


@MANY
@given(content=mutated(DOTPROMPT))
def test_a_damaged_dotprompt_is_read_or_refused(folder: Path, content: bytes) -> None:
    (folder / "p.prompt").write_bytes(content)
    read(folder / "p.prompt", Dotprompt.name)


@MANY
@given(content=mutated(HF), ending=st.sampled_from([".yaml", ".yml", ".json"]))
def test_a_damaged_prompt_templates_file_is_read_or_refused(folder: Path, content: bytes, ending: str) -> None:
    (folder / f"p{ending}").write_bytes(content)
    read(folder / f"p{ending}", HFTemplates.name)


@MANY
@given(config=mutated([CONFIG]), weights=mutated([WEIGHTS]), damaged=st.booleans())
def test_a_damaged_adapter_is_read_or_refused(folder: Path, config: bytes, weights: bytes, damaged: bool) -> None:
    adapter = folder / "adapter"
    adapter.mkdir(exist_ok=True)
    (adapter / "adapter_config.json").write_bytes(config if damaged else CONFIG)
    (adapter / "adapter_model.safetensors").write_bytes(WEIGHTS if damaged else weights)
    read(adapter, Peft.name)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    from fedprompt.exports.protocol import Reading
    from fedprompt.prompts.prompt import Prompt
    from fedprompt.prompts.soft import SoftPrompt
    from fedprompt.prompts.template import Template

    vectors = SoftPrompt(np.ones((2, 3), np.float32), "sha256:known")
    prompt = Prompt(Template("mood", text="{soft}{text}"), vectors)
    path = tmp_path_factory.mktemp("bundle") / "b.zip"
    Bundle().write([Exported(prompt, "mood", None, Reading({}, "how", "accuracy"))], path, ExportContext(None, "m", ""))
    return path.read_bytes()


@MANY
@given(data=st.data())
def test_a_damaged_bundle_is_read_or_refused(folder: Path, bundle: bytes, data: st.DataObject) -> None:
    (folder / "b.zip").write_bytes(data.draw(mutated([bundle])))
    read(folder / "b.zip", Bundle.name)


@MANY
@given(data=st.data())
def test_a_bundle_of_damaged_files_is_read_or_refused(folder: Path, bundle: bytes, data: st.DataObject) -> None:
    with zipfile.ZipFile(BytesIO(bundle)) as whole:
        files = {name: whole.read(name) for name in whole.namelist()}
    chosen = data.draw(st.sampled_from(sorted(files)))
    files[chosen] = data.draw(mutated([files[chosen]]))
    with zipfile.ZipFile(folder / "c.zip", "w") as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    read(folder / "c.zip", Bundle.name)
