"""``fedprompt pretrain`` refuses wrong use with one sentence, before anything is loaded."""

import json
from pathlib import Path

import pytest

from fedprompt.cli.main import main


@pytest.mark.parametrize(
    "words",
    [
        ["--data", "texts"],
        ["--data", "north="],
        ["--data", "../up=texts"],
        ["--data", "north=texts", "--transport", "pigeon"],
        ["--data", "north=texts", "--transport", "flare"],
        ["--column", "body", "--transport", "flare"],
    ],
)
def test_wrong_use_is_refused(words: list[str], tmp_path: Path) -> None:
    assert main(["pretrain", "--study", str(tmp_path / "s.yaml"), *words, "--home", str(tmp_path / "home")]) == 2


def test_what_is_missing_is_said_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = tmp_path / "study.yaml"
    study.write_text("study: s\npretraining: {steps: 2}\n")
    home = ["--home", str(tmp_path / "home"), "--json"]
    assert main(["pretrain", "--study", str(tmp_path / "none.yaml"), "--data", f"a={tmp_path}", *home]) == 1
    assert json.loads(capsys.readouterr().out)["code"] == "cannot-read"
    assert main(["pretrain", "--study", str(study), *home]) == 1
    assert json.loads(capsys.readouterr().out)["code"] == "no-site"
