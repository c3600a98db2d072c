"""Production needs two people where people sign in, and what was said stays in the log."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fedprompt.errors import BankError, FedPromptError
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.workspace.people import Person
from fedprompt.workspace.shelf.approving import approve_tag, ask_for, decline_tag, drop_tag, give_tag, waiting
from fedprompt.workspace.workspace import Workspace
from tests.coded import coded
from tests.new_bank import new_workspace

EVE = Person("Eve", "", "id\n1", "engineer")
ADA = Person("Ada", "ada@a.org", "id\n2", "operator")
BOB = Person("Bob", "bob@a.org", "id\n3", "operator")
VIC = Person("Vic", "", "id\n4", "viewer")
USER = Person("root", "", "", "operator")
TAG = "mood@production"


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    with new_workspace(tmp_path) as opened:
        yield opened


@pytest.fixture
def prompt(ws: Workspace) -> str:
    return ws.bank.record_prompt(Prompt(Template("kind", text="Is {text} kind?")), study=None, origin="import")


def tags(ws: Workspace) -> dict[str, str]:
    return {row.tag: row.prompt for row in ws.bank.tags()}


def test_an_operator_approves_what_another_asked_for_and_the_event_names_both(ws: Workspace, prompt: str) -> None:
    asked = give_tag(ws, prompt, TAG, EVE)
    assert (asked.kind, tags(ws), waiting(ws, prompt)) == ("ask", {}, (asked,))
    event = approve_tag(ws, asked.id, ADA)
    assert tags(ws) == {TAG: prompt}
    assert ws.bank.prompt(TAG).id == prompt
    assert event.by == event.body["approved_by"] == "Ada <ada@a.org>"
    assert (event.body["asked_by"], event.body["asked"]) == (EVE.label, asked.id)
    assert event.body["asked_as"] != event.body["approved_as"]
    assert waiting(ws) == ()
    assert [one.kind for one in ws.bank.events()] == ["tag", "ask"]
    assert ws.bank.verify() == ()


def test_nobody_approves_what_they_asked_for_themselves(ws: Workspace, prompt: str) -> None:
    asked = give_tag(ws, prompt, TAG, ADA)
    renamed = Person("Somebody else", "new@a.org", ADA.subject, "operator")
    for one in (ADA, renamed, USER):
        with pytest.raises(BankError, check=coded("not-allowed")):
            approve_tag(ws, asked.id, one)
    assert tags(ws) == {}
    approve_tag(ws, asked.id, BOB)
    assert tags(ws) == {TAG: prompt}


@pytest.mark.parametrize("one", [EVE, VIC])
def test_whoever_is_no_operator_approves_nothing(ws: Workspace, prompt: str, one: Person) -> None:
    asked = give_tag(ws, prompt, TAG, BOB)
    with pytest.raises(BankError, match="operator", check=coded("not-allowed")):
        approve_tag(ws, asked.id, one)
    with pytest.raises(FedPromptError, match="operator", check=coded("not-allowed")):
        decline_tag(ws, asked.id, one)
    assert tags(ws) == {}


def test_what_was_answered_is_not_answered_again(ws: Workspace, prompt: str) -> None:
    asked = give_tag(ws, prompt, TAG, EVE)
    with pytest.raises(BankError, check=coded("asked-already")):
        ask_for(ws, prompt, TAG, BOB)
    decline_tag(ws, asked.id, ADA)
    assert (tags(ws), waiting(ws)) == ({}, ())
    with pytest.raises(BankError, check=coded("answered-meanwhile")):
        approve_tag(ws, asked.id, BOB)
    again = give_tag(ws, prompt, TAG, EVE)
    decline_tag(ws, again.id, EVE)  # taken back by whoever asked
    third = give_tag(ws, prompt, TAG, EVE)
    approve_tag(ws, third.id, ADA)
    drop_tag(ws, TAG, BOB)
    assert tags(ws) == {}
    assert [one.kind for one in ws.bank.events()] == ["untag", "tag", "ask", "decline", "ask", "decline", "ask"]


def test_without_sign_in_the_confirmation_is_recorded(ws: Workspace, prompt: str) -> None:
    event = give_tag(ws, prompt, TAG, USER)
    assert tags(ws) == {TAG: prompt}
    assert event.body == {"asked_by": "root", "confirmed": True, "name": "mood", "tag": "production"}


def test_other_tags_are_given_at_once_by_engineers_and_never_by_viewers(ws: Workspace, prompt: str) -> None:
    event = give_tag(ws, prompt, "mood@staging", EVE)
    assert (tags(ws), event.by) == ({"mood@staging": prompt}, EVE.label)
    for act in (lambda: give_tag(ws, prompt, "mood@staging", VIC), lambda: drop_tag(ws, "mood@staging", VIC)):
        with pytest.raises(FedPromptError, match="engineer", check=coded("not-allowed")):
            act()
    drop_tag(ws, "mood@staging", EVE)
    assert tags(ws) == {}


def test_a_production_tag_is_taken_away_by_operators_alone(ws: Workspace, prompt: str) -> None:
    give_tag(ws, prompt, TAG, USER)
    with pytest.raises(FedPromptError, match="operator", check=coded("not-allowed")):
        drop_tag(ws, TAG, EVE)
    assert tags(ws) == {TAG: prompt}
