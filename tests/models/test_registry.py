"""A model is found by name, with settings that follow from the processor alone."""

import json
from pathlib import Path

import pytest

from fedprompt.errors import AssetError, ModelError
from fedprompt.models.protocols import RunSettings
from fedprompt.models.registry import (
    DEFAULT_MODEL,
    chosen_settings,
    find_model_folder,
    load,
    physical_cores,
    settings_for,
)
from tests.coded import coded


def test_the_fake_needs_nothing_on_the_disk(tmp_path: Path) -> None:
    settings = RunSettings("float32", 1)
    assert load("scripted", tmp_path / "nowhere", settings).info.settings == settings


def test_an_unknown_name_gives_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"'smollm2-135m'.*'smollm2-135m-instruct'", check=coded("unknown-model")):
        load("smollm2-135m", tmp_path)


def test_an_asset_that_is_not_there_says_how_to_fetch_it(tmp_path: Path) -> None:
    with pytest.raises(AssetError, check=coded("assets-not-ready")):
        load(DEFAULT_MODEL, tmp_path)


def test_an_existing_folder_is_a_model(tmp_path: Path) -> None:
    assert find_model_folder(str(tmp_path), tmp_path / "home") == tmp_path.resolve()


def test_a_folder_without_a_model_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=str(tmp_path)):
        load(str(tmp_path), tmp_path / "home")


def test_settings_are_kept_as_they_were_first_measured(tmp_path: Path) -> None:
    (tmp_path / "machine.json").write_text('{"dtype": "float32", "threads": 7}')
    assert settings_for(tmp_path) == RunSettings("float32", 7)


def test_what_a_run_chooses_stands_in_the_machines_settings_for_that_run_alone(tmp_path: Path) -> None:
    (tmp_path / "machine.json").write_text('{"dtype": "float32", "threads": 7}')
    assert chosen_settings(tmp_path) is None
    found = chosen_settings(tmp_path, cache_dtype="bfloat16")
    assert found == RunSettings("float32", 7, cache_dtype="bfloat16")
    assert chosen_settings(tmp_path, 0) == RunSettings("float32", 7, cache_bytes=0)
    assert settings_for(tmp_path) == RunSettings("float32", 7)


def test_settings_that_cannot_be_read_are_measured_anew(tmp_path: Path) -> None:
    path = tmp_path / "machine.json"
    path.write_text('{"dtype": "int4", "threads": 7}')
    chosen = settings_for(tmp_path)
    assert chosen.threads == physical_cores() >= 1
    kept = {"dtype": chosen.dtype, "threads": chosen.threads, "device": chosen.device}
    assert json.loads(path.read_text()) == kept
    assert [entry.name for entry in tmp_path.iterdir()] == ["machine.json"]
