"""The bank on the command line."""

import json
from pathlib import Path
from typing import Any

import pytest

from fedprompt.cli.main import main
from fedprompt.models.scripted import ScriptedModel
from fedprompt.prompts.adapted import Adapted
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Template
from fedprompt.workspace.workspace import open_workspace
from tests.new_bank import new_workspace

pytestmark = pytest.mark.whole

TEMPLATE = Template("mood", text="{text}{soft}\nMood:", words={"positive": " good", "negative": " bad"})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with new_workspace(tmp_path / "home") as ws:
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
    assert "1 prompts" in capsys.readouterr().out


def _json(capsys: pytest.CaptureFixture[str], home: Path, *words: str) -> dict[str, Any]:
    assert main(["bank", *words, "--json", "--home", str(home)]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_tag_is_set_followed_listed_and_taken_away(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    identity = _json(capsys, home, "list")["prompts"][0]["id"]
    event = _json(capsys, home, "tag", identity[:12], "mood@production", "--by", "Ada")
    assert (event["prompt"], event["by"], event["body"]) == (identity, "Ada", {"name": "mood", "tag": "production"})
    assert _json(capsys, home, "show", "mood@production")["tags"] == ["mood@production"]
    (row,) = _json(capsys, home, "tags")["tags"]
    assert (row["tag"], row["prompt"], row["signer"]) == ("mood@production", identity, event["signer"])
    _json(capsys, home, "tag", identity, "mood@production", "--remove")
    assert _json(capsys, home, "tags") == {"tags": []}
    assert [one["kind"] for one in _json(capsys, home, "log")["events"]] == ["untag", "tag"]
    assert main(["bank", "show", "mood@production", "--home", str(home)]) == 1
    assert "no prompt is tagged mood@production" in capsys.readouterr().err


def test_every_event_of_a_home_has_its_one_key(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    identity = _json(capsys, home, "list")["prompts"][0]["id"]
    _json(capsys, home, "approve", identity, "--note", "read by two")
    _json(capsys, home, "retire", identity)
    assert main(["bank", "retire", identity, "--home", str(home)]) == 1
    assert "retired already" in capsys.readouterr().err
    _json(capsys, home, "retire", identity, "--undo")
    events = _json(capsys, home, "log", "--prompt", identity)["events"]
    assert [one["kind"] for one in events] == ["revive", "retire", "approve"]
    assert len({one["signer"] for one in events}) == 1
    assert (home / "home.key").stat().st_mode & 0o777 == 0o600
    assert main(["bank", "verify", "--home", str(home)]) == 0


def test_a_key_that_others_can_read_or_that_is_cut_off_signs_nothing(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    identity = _json(capsys, home, "list")["prompts"][0]["id"]
    key = home / "home.key"
    key.write_bytes(bytes(32))
    key.chmod(0o644)
    assert main(["bank", "approve", identity, "--home", str(home)]) == 1
    assert "chmod 600" in capsys.readouterr().err
    key.chmod(0o600)
    key.write_bytes(bytes(31))
    assert main(["bank", "approve", identity, "--home", str(home)]) == 1
    assert "32 bytes, but this one has 31" in capsys.readouterr().err
    assert _json(capsys, home, "log") == {"events": []}


def test_lineage_goes_back_generation_by_generation(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_workspace(home) as ws:
        last = ws.bank.prompts()[0].id
        for number in range(2):
            child = Prompt(Template(f"child {number}", text=f"{number} {{text}}"))
            last = ws.bank.record_prompt(child, study=None, origin="federated", parents=[last])
    found = _json(capsys, home, "lineage", last)
    assert [[row["name"] for row in one] for one in found["parents"]] == [["child 0"], ["mood"]]
    first = _json(capsys, home, "lineage", found["parents"][1][0]["id"])
    assert [row["name"] for row in first["children"]] == ["child 0"] and first["parents"] == []
    assert main(["bank", "lineage", last, "--home", str(home)]) == 0
    assert "2 back" in capsys.readouterr().out


def test_near_duplicates_are_shown_and_stay_two(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_workspace(home) as ws:
        given = ws.bank.prompt(ws.bank.prompts()[0].id)
        assert given.soft is not None
        turned = Prompt(TEMPLATE, SoftPrompt(given.soft.vectors[::-1].copy(), given.soft.model))
        one, two = (Prompt(Template("t", text=text)) for text in ("Rate it: {text}", "{text} RATE it!"))
        for prompt in (turned, one, two):
            ws.bank.record_prompt(prompt, study=None, origin="import")
    assert _json(capsys, home, "show", turned.id)["near_duplicates"] == [{"prompt": given.id, "same": "vectors"}]
    assert _json(capsys, home, "show", one.id)["near_duplicates"] == [{"prompt": two.id, "same": "words"}]
    assert main(["bank", "show", one.id, "--home", str(home)]) == 0
    assert f"the same words in another order: {two.id}" in capsys.readouterr().out


def test_a_bank_is_backed_up_restored_and_merged(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy.db"
    assert _json(capsys, home, "backup", str(copy))["prompts"] == 1
    assert main(["bank", "backup", str(copy), "--home", str(home)]) == 1
    assert str(copy) in capsys.readouterr().err
    found = _json(capsys, home, "restore", str(copy))
    assert found["prompts"] == 1 and Path(found["replaced"]).parent == home
    other = tmp_path / "other"
    assert _json(capsys, other, "merge", str(copy))["added"]["prompts"] == 1
    assert main(["bank", "merge", str(copy), "--home", str(other)]) == 0
    assert "nothing" in capsys.readouterr().out


def test_adapted_prompts_are_listed_and_go_with_a_copy_only_where_they_are_named(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _json(capsys, home, "adapted") == {"adapted": []}
    with open_workspace(home) as ws:
        plain = Prompt(Template("plain", text="{text}:"))
        made = Adapted((plain,), (1.0,), ("good", "bad"), (0.5, -0.5))
        ws.bank.record_adapted(made, name="mood@home", study=None, about={"n": 16})
    (row,) = _json(capsys, home, "adapted")["adapted"]
    assert (row["id"], row["name"], row["members"], row["about"]) == (made.id, "mood@home", [plain.id], {"n": 16})
    assert main(["bank", "adapted", "--home", str(home)]) == 0
    assert "mood@home" in capsys.readouterr().out
    assert _json(capsys, home, "backup", str(tmp_path / "without.db"))["left_out"] == ["mood@home"]
    assert main(["bank", "backup", str(tmp_path / "told.db"), "--home", str(home)]) == 0
    assert "mood@home" in capsys.readouterr().out
    found = _json(capsys, home, "backup", str(tmp_path / "with.db"), "--adapted", "mood@home")
    assert found["left_out"] == []
    assert _json(capsys, home, "backup", str(tmp_path / "by-id.db"), "--adapted", made.id[:9])["left_out"] == []
    other = tmp_path / "other"
    assert _json(capsys, other, "merge", str(tmp_path / "with.db"))["added"]["adapted"] == 0
    assert _json(capsys, other, "merge", str(tmp_path / "with.db"), "--adapted", "all")["added"]["adapted"] == 1


def test_a_bank_in_postgres_needs_a_url_of_postgres(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for url, told in (
        ("mysql://user:secret@host/db", "'mysql'"),
        ("no url: secret", "is not a URL"),
        ("postgresql://user:secret@127.0.0.1:9/db", "does not answer"),
    ):
        monkeypatch.setenv("FEDPROMPT_BANK_URL", url)
        assert main(["bank", "list", "--home", str(home)]) == 1
        error = capsys.readouterr().err
        assert told in error and "secret" not in error


def test_search_takes_a_text_or_a_prompt_and_says_when_the_encoder_is_missing(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bank", "search", "--home", str(home)]) == 2
    assert main(["bank", "search", "good mood", "--home", str(home)]) == 1
    assert "fedprompt assets pull" in capsys.readouterr().err
    identity = _json(capsys, home, "list")["prompts"][0]["id"]
    assert _json(capsys, home, "search", "--like", identity) == {"found": []}  # no other soft prompt is there
