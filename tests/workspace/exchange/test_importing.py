"""What comes in is checked whole before the bank changes, and comes in once."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fedprompt.errors import ExportError
from fedprompt.exports.bundle_schema import VERSION
from fedprompt.workspace.exchange.exporting import export_prompts, import_file
from fedprompt.workspace.workspace import Workspace
from tests.coded import coded
from tests.new_bank import new_workspace

pytestmark = pytest.mark.whole


def test_a_damaged_file_leaves_the_bank_as_it_was(ws: Workspace, ids: dict[str, str], tmp_path: Path) -> None:
    path = export_prompts(ws, list(ids.values()), "bundle", tmp_path / "b").path
    body = json.loads((path / "bank.json").read_text())
    body["prompts"][-1]["name"] = "changed"
    (path / "bank.json").write_text(json.dumps(body))
    with new_workspace(tmp_path / "other") as other:
        with pytest.raises(ExportError, match=r"bank\.json", check=coded("another-content")):
            import_file(other, path)
        assert other.bank.prompts() == ()


def _links(path: Path) -> None:
    (path / "README.md").unlink()
    (path / "README.md").symlink_to("/etc/hostname")


def _pickle(path: Path) -> None:
    (path / "soft" / "x.pkl").write_bytes(b"x")


def _truncate(path: Path) -> None:
    file = next((path / "soft").iterdir())
    file.write_bytes(file.read_bytes()[:-8])


def _newer(path: Path) -> None:
    import hashlib

    body = json.loads((path / "bank.json").read_text()) | {"version": VERSION + 1}
    (path / "bank.json").write_text(json.dumps(body))
    hashes = json.loads((path / "hashes.json").read_text())
    hashes["files"]["bank.json"] = hashlib.sha256((path / "bank.json").read_bytes()).hexdigest()
    (path / "hashes.json").write_text(json.dumps(hashes))
    (path / "signature.json").unlink()


@pytest.mark.parametrize(
    ("harm", "code"),
    [
        (_links, "link"),
        (_pickle, "pickle"),
        (_truncate, "another-content"),
        (_newer, "newer-version"),
        (lambda path: (path / "extra.sh").write_text("x"), "stray-file"),
        (lambda path: (path / "bank.json").unlink(), "nothing-to-import"),
    ],
)
def test_a_hostile_export_is_refused_and_changes_nothing(
    ws: Workspace, ids: dict[str, str], tmp_path: Path, harm: Callable[[Path], object], code: str
) -> None:
    path = export_prompts(ws, list(ids.values()), "bundle", tmp_path / "b").path
    harm(path)
    with new_workspace(tmp_path / "other") as other:
        with pytest.raises(ExportError, check=coded(code)):
            import_file(other, path)
        assert other.bank.prompts() == ()


def test_a_format_can_be_named_where_looks_do_not_tell(ws: Workspace, ids: dict[str, str], tmp_path: Path) -> None:
    path = export_prompts(ws, [ids["plain"]], "langfuse", tmp_path / "p.json").path
    assert import_file(ws, path, "langfuse").prompts == (ids["plain"],)
    with pytest.raises(ExportError, check=coded("not-this-format")):
        import_file(ws, path, "langchain")


@pytest.mark.parametrize("name", ["a" * 300, "a" * 300 + ".json", "a" * 300 + ".prompty", "a\0b.zip", "~nobody-here/x"])
@pytest.mark.parametrize("format", [None, "bundle", "langchain", "prompty", "promptfoo", "peft"])
def test_a_name_that_no_disk_can_hold_is_refused_in_a_sentence(ws: Workspace, name: str, format: str | None) -> None:
    with pytest.raises(ExportError):
        import_file(ws, Path(name), format)


def test_two_imports_at_once_bring_in_each_prompt_once(ws: Workspace, tmp_path: Path) -> None:
    for number in range(8):
        text = f"---\nname: n{number}\n---\nuser:\nAsk {number // 2}: {{{{text}}}}\n"  # each prompt stands in two files
        (tmp_path / f"{number}.prompty").write_text(text)
    before = len(ws.bank.prompts())
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: import_file(ws, tmp_path / f"{number}.prompty"), range(8)))
    assert len({one.prompts[0] for one in found}) == 4
    assert len(ws.bank.prompts()) == before + 4
