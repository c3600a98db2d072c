"""``distil``: one soft prompt out of an adapted prompt of several, kept beside it, and how alike it answers."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import fedprompt
from fedprompt.cli.main import main
from fedprompt.errors import ExportError, PromptError, TuningError
from fedprompt.workspace.exchange.exporting import export_prompts
from fedprompt.workspace.local.adapting import adapt
from fedprompt.workspace.local.distilling import distil
from fedprompt.workspace.progress import Progress
from fedprompt.workspace.workspace import Workspace
from tests.coded import coded
from tests.new_bank import new_workspace
from tests.scripted_sites import cases, write_cases
from tests.small_pack import write_small_pack


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    with new_workspace(tmp_path / "home") as opened:
        pack = write_small_pack(tmp_path / "pack.zip")
        adapt(opened, pack=pack, data=write_cases(tmp_path / "few.csv", "a", 8), show=False)
        yield opened


def test_one_prompt_answers_as_the_several_do_and_is_exported_where_they_are_not(ws: Workspace, tmp_path: Path) -> None:
    heard: list[Progress] = []
    many = write_cases(tmp_path / "many.csv", "b", 40)
    found = distil(ws, adapted="small@home", data=many, report=heard.append)
    assert (found.name, found.source, found.members) == ("small@one", "small@home", 5)
    # A fifth of 40 texts is looked at; at least 7 of those 8 get the answer that they had.
    assert (found.texts, found.looked_at, found.steps) == (40, 8, 60) and found.alike >= 7
    assert found.divergence < 0.05 and [one for one in heard if one.seconds_left == 0]
    row = ws.bank.adapted_row("small@one")
    assert (row.id, row.members, row.weights) == (found.adapted, (found.prompt,), (1.0,))
    assert ws.bank.prompt_row(found.prompt).origin == "tuned"
    # What is kept of it says how it answers itself, not how the several did.
    assert (row.about["n"], row.about["bias"], row.about["alike"]) == (8, found.bias, found.alike)
    assert "shared" not in row.about
    again = distil(ws, adapted="small@home", data=many, name="again")
    assert again.adapted == found.adapted  # the same texts give the same prompt
    # A model folder holds one prompt. What is missing for this one is the model alone, which the fake has no folder of.
    for name, code in (("small@home", "adapted-prompt"), ("small@one", "model-not-here")):
        with pytest.raises(ExportError, check=coded(code)):
            export_prompts(ws, [name], "any-slot", tmp_path / "folder")
    with fedprompt.open(ws.home.path) as bank:
        both = [bank.get(name) for name in ("small@home", "small@one")]
        fields = [{"text": case.fields["text"]} for case in cases("c", 20)]
        answers = [[prompt.run(**one).text for one in fields] for prompt in both]
    assert sum(one == other for one, other in zip(*answers, strict=True)) >= 18


def test_what_cannot_be_distilled_says_why(ws: Workspace, tmp_path: Path) -> None:
    few = write_cases(tmp_path / "nine.csv", "b", 9)
    with pytest.raises(TuningError, check=coded("too-few-texts", names="9")):
        distil(ws, adapted="small@home", data=few)
    with pytest.raises(TuningError, check=coded("too-few-texts", names="0")):
        distil(ws, adapted="small@home")
    distil(ws, adapted="small@home", data=write_cases(tmp_path / "ten.csv", "b", 10), steps=1)
    with pytest.raises(PromptError, check=coded("nothing-to-distil")):
        distil(ws, adapted="small@one", data=few)


@pytest.mark.whole
def test_the_command_tells_how_alike_and_prints_its_json(
    ws: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = write_cases(tmp_path / "t.csv", "b", 20)
    words = ["distil", "small@home", "--data", str(texts), "--steps", "5", "--home", str(ws.home.path)]
    assert main(words) == 0
    assert "on 4 texts" in capsys.readouterr().out
    assert main([*words, "--name", "more", "--json"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert (body["name"], body["looked_at"], body["members"]) == ("small@more", 4, 5)
