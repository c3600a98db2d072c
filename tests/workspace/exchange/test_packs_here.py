"""Which packs a home has: public, pulled and dropped ones; what is dropped is checked before it is kept."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedprompt.errors import ExportError
from fedprompt.workspace.exchange.kept_packs import keep_pack
from fedprompt.workspace.exchange.pack import public_packs
from fedprompt.workspace.exchange.packs_here import keep_dropped, pack_files, packs_here, remove_dropped
from fedprompt.workspace.workspace import Workspace
from tests.coded import coded
from tests.new_bank import new_workspace
from tests.workspace.exchange.packs import pack_made, rewritten, write


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    with new_workspace(tmp_path / "home") as opened:
        yield opened


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write(tmp_path_factory.mktemp("pack") / "pack.zip").read_bytes()


def own(ws: Workspace) -> list[tuple[str, str]]:
    """Return kind and title of the packs that did not come with the package."""
    return [(one.kind, one.title) for one in packs_here(ws) if one.kind != "public"]


def test_packs_of_the_package_are_always_there(ws: Workspace) -> None:
    found = [one for one in packs_here(ws) if one.kind == "public"]
    assert [one.reference for one in found] == [f"public:{name}" for name in public_packs()]
    assert all(one.pack is not None and one.problem is None for one in found)


def test_a_dropped_pack_is_kept_listed_and_removed(ws: Workspace, content: bytes) -> None:
    before = pack_files(ws.home)
    found = keep_dropped(ws, "../from a friend.zip", content)
    assert (found.kind, found.signed, found.model) == ("dropped", "nobody", "scripted")
    assert found.pack is not None and found.pack.id == pack_made().id
    (path,) = (ws.home.path / "packs" / "dropped").iterdir()
    assert str(path) == found.reference and path.stat().st_mode & 0o777 == 0o600
    assert own(ws) == [("dropped", "sentiment")] and pack_files(ws.home) != before
    remove_dropped(ws, found.reference)
    assert own(ws) == [] and not path.exists()


def test_nothing_but_a_dropped_file_is_removed(ws: Workspace, tmp_path: Path) -> None:
    other = tmp_path / "other.zip"
    other.write_bytes(b"")
    remove_dropped(ws, str(other))
    assert other.exists()


def test_the_one_that_was_dropped_last_comes_first_and_then_what_was_pulled(ws: Workspace, content: bytes) -> None:
    import os

    keep_pack(ws.home, content, study="sentiment", federation="meadow")
    for place, name in enumerate(("b.zip", "a.zip", "c.zip")):
        os.utime(keep_dropped(ws, name, content).reference, ns=(place, place))
    found = [one.reference for one in packs_here(ws) if one.kind != "public"]
    assert [Path(one).name for one in found] == ["c.zip", "a.zip", "b.zip", "sentiment@meadow"]


def test_what_is_no_pack_is_refused_under_the_name_that_it_came_with_and_not_kept(ws: Workspace) -> None:
    with pytest.raises(ExportError, match=r"^mine\.zip") as refused:
        keep_dropped(ws, "mine.zip", b"PK no archive")
    assert str(ws.home.path) not in str(refused.value)
    with pytest.raises(ExportError, check=coded("too-large")):
        keep_dropped(ws, "mine.zip", bytes(64 * 1024 * 1024 + 1))
    assert not list((ws.home.path / "packs").rglob("*.zip")) and own(ws) == []


def test_a_pack_that_was_damaged_on_the_disk_is_listed_with_what_is_wrong(ws: Workspace, content: bytes) -> None:
    found = keep_dropped(ws, "a.zip", content)
    rewritten(Path(found.reference), {"pack.json": json.dumps({"fedprompt": "pack 1"}).encode()})
    (seen,) = [one for one in packs_here(ws) if one.kind == "dropped"]
    assert seen.pack is None and seen.title == "a.zip"
    assert seen.problem is not None and seen.problem.startswith("pack.json, ")
