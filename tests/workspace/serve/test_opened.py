"""Five lines run a prompt of the bank; what cannot be run is said in a sentence, and nothing is written."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import fedprompt
from fedprompt.errors import AssetError, BankError, PromptError
from fedprompt.workspace.answers.answering import local_prompt
from fedprompt.workspace.workspace import Workspace
from tests.coded import coded
from tests.new_bank import new_workspace
from tests.workspace.tagged_prompt import record

ROOT = Path(__file__).parents[3]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def ws(home: Path) -> Iterator[Workspace]:
    with new_workspace(home) as opened:
        yield opened


def test_a_prompt_that_was_got_answers_as_fedprompt_does_also_when_its_bank_is_closed(
    ws: Workspace, home: Path
) -> None:
    id = record(ws, "sentiment@production")
    wanted = local_prompt(ws, id).run({"text": "a good day"})
    with fedprompt.open(home) as bank:
        assert bank.tags() == {"sentiment@production": id}
        found = [bank.get(reference) for reference in ("sentiment@production", id, id[:12])]
    assert [one.run(text="a good day") for one in found] == [wanted] * 3
    assert (found[0].id, found[0].name, found[0].model) == (id, "plain", "scripted")
    assert (found[0].fields, found[0].labels) == (("text",), ("positive", "negative"))
    bank.close()
    with pytest.raises(BankError, check=coded("bank-closed")):
        bank.get(id)


def test_the_five_lines_of_the_page_run(ws: Workspace, home: Path, monkeypatch: Any, capsys: Any) -> None:
    record(ws, "sentiment@production")
    monkeypatch.setenv("FEDPROMPT_HOME", str(home))
    page = (ROOT / "docs" / "use-from-code.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"<!-- five-lines: begin -->\n```python\n(.*?)```", page, re.S)
    assert len(lines.splitlines()) == 5
    names: dict[str, Any] = {}
    exec(lines, names)
    names["bank"].close()
    text = "I would gladly see it again."
    wanted = local_prompt(ws, "sentiment@production").run({"text": text})
    assert capsys.readouterr().out == f"{wanted.text} {wanted.probabilities}\n"


def test_opening_and_running_changes_no_row(ws: Workspace, home: Path) -> None:
    record(ws, "sentiment@production")
    before = ws.bank.stamp()
    with fedprompt.open(home) as bank:
        bank.get("sentiment@production").run(text="a good day")
    assert ws.bank.stamp() == before


def test_where_there_is_no_bank_none_is_made(home: Path) -> None:
    with pytest.raises(BankError, check=coded("no-bank")):
        fedprompt.open(home)
    assert not home.exists()


def test_a_file_that_is_no_bank_is_refused(home: Path) -> None:
    home.mkdir(mode=0o700)
    (home / "bank.db").write_bytes(b"not a database, by far" * 100)
    with pytest.raises(BankError):
        fedprompt.open(str(home))


@pytest.mark.parametrize(
    ("reference", "code", "names"),
    [
        ("sentiment", "name-without-tag", "sentiment@candidate or sentiment@production"),
        ("sentimnt@production", "no-such-tag", "'sentiment@production'"),
        ("other", "no-such-tag", "'other'"),
        ("p1:" + "0" * 32, "no-such-prompt", ""),
    ],
)
def test_a_name_that_means_none_or_several_is_said(
    ws: Workspace, home: Path, reference: str, code: str, names: str
) -> None:
    record(ws, "sentiment@production")
    record(ws, "sentiment@candidate", "{text}:")
    with fedprompt.open(home) as bank, pytest.raises(BankError, check=coded(code, names=names)):
        bank.get(reference)


def test_a_model_that_was_not_fetched_is_named_with_the_command_that_fetches_it(ws: Workspace, home: Path) -> None:
    record(ws, "sentiment@production", model="smollm2-135m-instruct")
    with fedprompt.open(home) as bank, pytest.raises(AssetError, check=coded("assets-not-ready")):
        bank.get("sentiment@production")


def test_fields_are_checked_by_name_and_type(ws: Workspace, home: Path) -> None:
    record(ws, "sentiment@production")
    with fedprompt.open(home) as bank:
        prompt = bank.get("sentiment@production")
    with pytest.raises(PromptError, match=r"'txet'.*'text'", check=coded("unknown-field")):
        prompt.run(txet="a good day")
    with pytest.raises(PromptError, match="'text'", check=coded("field-missing")):
        prompt.run()
    with pytest.raises(PromptError, match="int", check=coded("not-text")):
        prompt.run(text=3)  # type: ignore[arg-type]


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, fedprompt; fedprompt.open; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {"torch", "pydantic", "sqlalchemy", "numpy", "typer"}
    assert (ROOT / "fedprompt" / "py.typed").exists()
