"""A name's and a tag's history: what stood for it, the newest first, and nothing where nothing changed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.workspace.keys import home_signer
from fedprompt.workspace.shelf.history import MOST_VERSIONS, histories
from fedprompt.workspace.workspace import Workspace
from tests.new_bank import new_workspace


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    with new_workspace(tmp_path / "home") as opened:
        yield opened


def put(ws: Workspace, text: str, name: str = "mood") -> str:
    return ws.bank.record_prompt(Prompt(Template(name, text=text)), study=None, origin="playground")


def tag(ws: Workspace, prompt: str, tag: str = "mood@staging", by: str = "Ada") -> None:
    ws.bank.tag_prompt(prompt, tag, by=by, signer=home_signer(ws.home))


def test_prompts_of_one_name_are_its_versions_the_newest_first(ws: Workspace) -> None:
    first, second = put(ws, "Good? {text}"), put(ws, "Good or bad? {text}")
    put(ws, "Good or bad: {text}", name="mood ring")
    (found,) = histories(ws, ws.bank.prompt_row(first))
    assert (found.name, found.tag, found.more) == ("mood", False, False)
    assert [one.prompt.id for one in found.versions] == [second, first]


def test_a_tags_history_tells_what_it_stood_for_and_who_gave_it(ws: Workspace) -> None:
    first, second = put(ws, "Good? {text}", name="a"), put(ws, "Bad? {text}", name="b")
    for prompt, by in ((first, "Ada"), (second, "Bob"), (second, "Eve"), (first, "Ada")):
        tag(ws, prompt, by=by)
    tag(ws, second, "mood@candidate")
    (found,) = histories(ws, ws.bank.prompt_row(second))
    assert (found.name, found.tag) == ("mood@staging", True)
    # Eve gave it to the prompt that Bob had given it to: one version, his.
    assert [(one.prompt.id, one.by) for one in found.versions] == [(first, "Ada"), (second, "Bob"), (first, "Ada")]


def test_a_prompt_that_is_alone_under_its_name_has_no_history(ws: Workspace) -> None:
    only = put(ws, "Good? {text}")
    tag(ws, only)
    assert histories(ws, ws.bank.prompt_row(only)) == ()


def test_a_long_history_keeps_its_newest_and_says_that_there_are_more(ws: Workspace) -> None:
    ids = [put(ws, f"Good {number}? {{text}}") for number in range(MOST_VERSIONS + 3)]
    (found,) = histories(ws, ws.bank.prompt_row(ids[0]))
    assert [one.prompt.id for one in found.versions] == ids[: -MOST_VERSIONS - 1 : -1]
    assert found.more
