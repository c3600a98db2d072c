"""A workbench is opened by its id, by its owner, and by others once it is shared."""

import stat
from pathlib import Path

import pytest

from fedprompt.errors import FedPromptError
from fedprompt.workspace.home import Home
from fedprompt.workspace.workbenches import MOST_WORKBENCHES, WorkbenchFolder
from tests.coded import coded


def test_a_workbench_is_saved_under_a_name_and_opened_by_its_id(tmp_path: Path) -> None:
    folder = WorkbenchFolder(Home(tmp_path), "")
    made = folder.save("<b>mine</b>", {"playground_template": "{text}"})
    assert folder.open(made.id) == made and folder.saved() == (made,)
    path = tmp_path / "drafts" / "local" / "workbenches" / f"{made.id}.json"
    assert [stat.S_IMODE(one.stat().st_mode) for one in (path, path.parent, path.parent.parent)] == [
        0o600,
        0o700,
        0o700,
    ]
    again = folder.save("renamed", {"playground_template": "{text}!"}, over=made.id)
    assert folder.saved() == (again,) and again.id == made.id
    folder.forget(made.id)
    assert folder.saved() == ()


def test_another_persons_is_opened_only_once_it_is_shared_and_gone_and_not_shared_read_alike(tmp_path: Path) -> None:
    mine, other = (WorkbenchFolder(Home(tmp_path), mark * 32) for mark in "ab")
    made = mine.save("mine", {"x": 1})
    told = []
    for bench in (made.id, "0" * 32, "../" + made.id, ""):
        with pytest.raises(FedPromptError, check=coded("no-such-workbench")) as caught:
            other.open(bench)
        told.append(str(caught.value))
    assert len(set(told)) == 1
    mine.share(made.id, True)
    assert other.open(made.id).values == {"x": 1} and other.saved() == ()
    mine.share(made.id, False)
    with pytest.raises(FedPromptError, check=coded("no-such-workbench")):
        other.open(made.id)


def test_a_workbench_needs_a_name_and_there_is_a_bound(tmp_path: Path) -> None:
    folder = WorkbenchFolder(Home(tmp_path), "")
    for name in (" ", "x" * 81):
        with pytest.raises(FedPromptError, check=coded("name-missing")):
            folder.save(name, {})
    for number in range(MOST_WORKBENCHES):
        folder.save(str(number), {})
    with pytest.raises(FedPromptError, check=coded("too-many")):
        folder.save("one more", {})
