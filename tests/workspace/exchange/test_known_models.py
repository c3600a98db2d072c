"""Vectors from elsewhere are bound to a model of this home by its name, its folder, or a folder of the same digest."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fedprompt.errors import ExportError
from fedprompt.models.hf.digest import model_digest
from fedprompt.workspace.exchange.exporting import import_file
from fedprompt.workspace.exchange.known_models import import_context
from fedprompt.workspace.workspace import Workspace
from tests.coded import coded
from tests.exports.conftest import WIDTH, save_tiny_model
from tests.new_bank import new_workspace

pytestmark = pytest.mark.whole


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    home = tmp_path_factory.mktemp("known") / "home"
    with new_workspace(home) as opened:
        save_tiny_model(home / "models" / "org--tiny")
        yield opened


def _adapter(folder: Path, base: str) -> Path:
    from safetensors.numpy import save_file

    folder.mkdir()
    config = {"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 2, "token_dim": WIDTH}
    (folder / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": base}))
    save_file({"prompt_embeddings": np.ones((2, WIDTH), np.float32)}, folder / "adapter_model.safetensors")
    return folder


def test_a_models_name_its_folder_and_a_copy_of_it_are_one_model(ws: Workspace, tmp_path: Path) -> None:
    own = ws.home.path / "models" / "org--tiny"
    copied = Path(shutil.copytree(own, tmp_path / "copied"))
    (tmp_path / "link").symlink_to(own)
    context = import_context(ws)
    assert context.models() == ("org/tiny",)
    for name in ("org/tiny", str(own), f"{own}/", str(copied), str(tmp_path / "link")):
        assert context.digest_of(name) == model_digest(own)
        assert context.width_of(name) == WIDTH


def test_a_folder_of_another_digest_and_what_is_no_model_are_none(ws: Workspace, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    other = Path(shutil.copytree(ws.home.path / "models" / "org--tiny", tmp_path / "org--tiny"))
    weights = load_file(other / "model.safetensors")
    save_file({name: value + 1 for name, value in weights.items()}, other / "model.safetensors")
    context = import_context(ws)
    for name in (
        str(other),
        str(tmp_path),
        "/dev/null",
        "/nowhere/at/all",
        "~nobody/x",
        "/" + "a" * 300,
        "/\0",
        "org/x",
    ):
        assert context.digest_of(name) is None


def test_an_adapter_that_was_trained_on_this_homes_folder_comes_in_under_its_digest(
    ws: Workspace, tmp_path: Path
) -> None:
    own = ws.home.path / "models" / "org--tiny"
    found = import_file(ws, _adapter(tmp_path / "adapter", str(own)))
    soft = ws.bank.prompt(found.prompts[0]).soft
    assert soft is not None
    assert soft.model == model_digest(own)
    with pytest.raises(ExportError, match="'org/tiny'", check=coded("model-not-here")):
        import_file(ws, _adapter(tmp_path / "other", str(tmp_path)))
