"""The packs that come with fedprompt: small, whole, without a text, and of the default model."""

import json
import zipfile
from pathlib import Path

import pytest

from fedprompt.cli.main import main
from fedprompt.evaluation.cases import Case
from fedprompt.models.registry import DEFAULT_MODEL
from fedprompt.workspace.exchange.pack import public_packs, read_pack
from fedprompt.workspace.exchange.pack_files import PUBLIC
from fedprompt.workspace.exchange.pack_text import read_digests, text_digest
from tests.new_bank import new_workspace

QUESTIONS = """\
question,category
How many legs does a spider have ?,number
Who looks after the lighthouse of Cordouan ?,person
Where is the Prado ?,place
What does a barometer measure ?,Thing
What is a fjord ?,description
"""


def test_all_of_them_take_less_than_a_megabyte() -> None:
    assert "questions" in public_packs()
    assert sum(path.stat().st_size for path in PUBLIC.iterdir()) < 1_000_000


@pytest.mark.parametrize("name", public_packs())
def test_each_says_where_it_came_from_and_knows_its_texts(tmp_path: Path, name: str) -> None:
    with new_workspace(tmp_path / "home") as ws:
        found = read_pack(ws, f"public:{name}")
    pack = found.pack
    assert (pack.study, found.model_name, found.study) == (name, DEFAULT_MODEL, None)
    assert pack.source and pack.donors >= 3 and len(found.texts) > 100
    assert {one.kind for one in pack.members} == {"federated", "donor", "template"}
    # What a site does alone needs templates; the mixture is of what was tuned.
    assert sum(one.weight for one in pack.members if one.kind != "template") == pytest.approx(1)


@pytest.mark.parametrize("name", public_packs())
def test_none_holds_a_text(name: str) -> None:
    with zipfile.ZipFile(PUBLIC / f"{name}.zip") as opened:
        names = opened.namelist()
        told = "".join(opened.read(one).decode() for one in names if one.endswith((".json", ".md")))
    assert all(one.endswith((".json", ".md", ".safetensors")) for one in names)
    assert not any(
        text_digest(Case({"text": line}, "")) in read_digests(PUBLIC / f"{name}.texts") for line in told.splitlines()
    )


@pytest.mark.model
def test_a_newcomer_uses_one_within_a_few_commands(
    fresh_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import fedprompt

    mine = tmp_path / "mine.csv"
    mine.write_text(QUESTIONS, encoding="utf-8")
    asked = ["adapt", "--pack", "public:questions", "--data", str(mine), "--home", str(fresh_home), "--json"]
    assert main(asked) == 1
    assert json.loads(capsys.readouterr().out)["code"] == "no-such-column"
    assert main([*asked, "--map", "text=question,answer=category"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["n"], found["name"], found["unlabelled"]) == (5, "questions@home", 0)
    with fedprompt.open(fresh_home) as bank:
        answer = bank.get("questions@home").run(text="Who wrote Hamlet ?")
    assert answer.text in found["bias"] and sum((answer.probabilities or {}).values()) == pytest.approx(1)
