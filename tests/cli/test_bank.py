"""The bank on the command line."""

import json
from pathlib import Path

import pytest

from fedprompt.cli.main import main
from fedprompt.models.scripted import ScriptedModel
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.workspace.workspace import open_workspace

TEMPLATE = Template("mood", text="{text}{soft}\nMood:", words={"positive": " good", "negative": " bad"})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with open_workspace(tmp_path / "home") as ws:
        prompt = Prompt(TEMPLATE, ScriptedModel().text_init("Overall, the feeling is", 4))
        ws.bank.record_prompt(prompt, study=None, origin="import")
    return tmp_path / "home"


def test_a_prompt_is_listed_and_shown_by_the_beginning_of_its_id(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bank", "list", "--json", "--home", str(home)]) == 0
    (row,) = json.loads(capsys.readouterr().out)["prompts"]
    assert (row["name"], row["kind"], row["origin"]) == ("mood", "soft", "import")
    assert main(["bank", "show", row["id"][:12], "--json", "--home", str(home)]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["id"] == row["id"]
    assert shown["text"] == TEMPLATE.text
    assert shown["words"] == TEMPLATE.words
    assert shown["tokens"] == 4 and shown["scores"] == []


def test_people_read_the_text_and_the_label_words(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bank", "list", "--home", str(home)]) == 0
    identity = next(word for word in capsys.readouterr().out.split() if word.startswith("p1:"))
    assert main(["bank", "show", identity, "--home", str(home)]) == 0
    out = capsys.readouterr().out
    assert "{text}{soft}\nMood:" in out
    assert "negative = ' bad', positive = ' good'" in out


def test_kind_filters_and_refuses_what_is_no_kind(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bank", "list", "--kind", "template", "--json", "--home", str(home)]) == 0
    assert json.loads(capsys.readouterr().out) == {"prompts": []}
    assert main(["bank", "list", "--kind", "hard", "--home", str(home)]) == 2


def test_verify_says_how_many_agree(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bank", "verify", "--home", str(home)]) == 0
    assert "every id of 1 prompts agrees" in capsys.readouterr().out
