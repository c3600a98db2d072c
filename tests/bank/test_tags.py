"""What is said of a prompt is added, signed, and never lost; the newest word holds."""

from collections.abc import Callable

import pytest

from fedprompt.bank.filters import Filter
from fedprompt.bank.store import Bank
from fedprompt.bank.tags import SAID_OF_TAGS, tag_body
from fedprompt.errors import BankError
from fedprompt.prompts.prompt import Prompt
from fedprompt.trust.signing import Signer
from tests.coded import coded

HOME = Signer(bytes(32))
Tamper = Callable[[str], None]


@pytest.fixture
def filled(bank: Bank, plain: Prompt, soft: Prompt) -> Bank:
    bank.record_prompts([(plain, {}), (soft, {})], study=None, origin="import")
    return bank


def test_a_tag_stands_for_its_newest_prompt_and_the_log_keeps_both(filled: Bank, plain: Prompt, soft: Prompt) -> None:
    filled.tag_prompt(plain.id, "mood of text@production", by="Ada", signer=HOME)
    filled.tag_prompt(soft.id, "mood of text@production", by="Bob", signer=HOME)
    assert filled.prompt("mood of text@production") == soft
    assert filled.prompt_row("mood of text@production").id == soft.id
    (row,) = filled.tags()
    assert (row.tag, row.prompt, row.by, row.signer) == ("mood of text@production", soft.id, "Bob", HOME.fingerprint)
    assert [(event.kind, event.prompt, event.by) for event in filled.events()] == [
        ("tag", soft.id, "Bob"),
        ("tag", plain.id, "Ada"),
    ]
    assert [event.prompt for event in filled.events(plain.id)] == [plain.id]
    assert filled.verify() == ()


def test_a_tag_that_was_taken_away_stands_for_nothing(filled: Bank, plain: Prompt) -> None:
    filled.tag_prompt(plain.id, "a@b", by="", signer=HOME)
    filled.record_event("untag", plain.id, {"name": "a", "tag": "b"}, by="", signer=HOME)
    assert filled.tags() == ()
    with pytest.raises(BankError, match="a@b", check=coded("no-such-tag")):
        filled.prompt("a@b")
    filled.tag_prompt(plain.id, "a@b", by="", signer=HOME)
    assert filled.prompt("a@b") == plain


@pytest.mark.parametrize("tag", ["", "@", "a@", "@b", "a@B", "a@b c", "a@b@c", "a\n@b", "a@" + "b" * 41])
def test_what_is_no_tag_is_refused(filled: Bank, plain: Prompt, tag: str) -> None:
    with pytest.raises(BankError, check=coded("not-a-tag")):
        filled.tag_prompt(plain.id, tag, by="", signer=HOME)
    assert filled.events() == ()


def test_who_asked_and_who_approved_stand_in_the_event_and_the_newest_word_still_holds(
    filled: Bank, plain: Prompt, soft: Prompt
) -> None:
    tag, said = 'a "name":" b@production', {"asked_by": ',"name":"a","tag":"staging"}', "approved_by": "Bob"}
    filled.tag_prompt(plain.id, tag, by="Ada", signer=HOME)
    filled.tag_prompt(soft.id, tag, by="Bob", signer=HOME, said=said)
    assert filled.prompt(tag) == soft
    assert [(row.tag, row.prompt) for row in filled.tags()] == [(tag, soft.id)]
    assert filled.events()[0].body["asked_by"] == said["asked_by"]
    found = [filled.numbers(Filter(tag=wanted)) for wanted in (tag, "production", "staging")]
    assert [len(one) for one in found if one is not None] == [1, 1, 0]
    filled.record_event("untag", soft.id, tag_body(tag), by="", signer=HOME)
    assert filled.tags() == ()
    assert filled.verify() == ()


def test_what_else_is_said_of_a_tag_comes_from_a_closed_list(filled: Bank, plain: Prompt) -> None:
    with pytest.raises(BankError, match="'zeal'", check=coded("unknown-detail")):
        filled.tag_prompt(plain.id, "a@b", by="", signer=HOME, said={"zeal": 1})
    assert all(one < "name" for one in SAID_OF_TAGS)


def test_what_is_asked_for_waits_until_it_is_answered(filled: Bank, plain: Prompt, soft: Prompt) -> None:
    first = filled.record_event("ask", plain.id, tag_body("a@b", {"asked_by": "Ada"}), by="Ada", signer=HOME)
    second = filled.record_event("ask", soft.id, tag_body("a@b"), by="Bob", signer=HOME)
    assert filled.tags() == ()
    assert filled.asked() == (first, second)
    assert filled.asked(soft.id) == (second,)
    filled.record_event("decline", plain.id, tag_body("a@b", {"asked": first.id}), by="Bob", signer=HOME)
    filled.tag_prompt(soft.id, "a@b", by="Ada", signer=HOME, said={"asked": second.id})
    assert filled.asked() == ()


def test_a_prompt_is_retired_until_it_is_revived(filled: Bank, plain: Prompt) -> None:
    for kind, held in (("retire", True), ("revive", False), ("retire", True)):
        filled.record_event(kind, plain.id, {"note": ""}, by="", signer=HOME)
        assert filled.is_retired(plain.id) is held
    assert len(filled.events()) == 3


def test_unknown_events_and_prompts_and_long_notes_are_refused(filled: Bank, plain: Prompt) -> None:
    with pytest.raises(BankError, match="'retire'", check=coded("unknown-event")):
        filled.record_event("retired", plain.id, {}, by="", signer=HOME)
    with pytest.raises(BankError, check=coded("no-such-prompt")):
        filled.record_event("approve", "p1:" + "0" * 32, {}, by="", signer=HOME)
    with pytest.raises(BankError, check=coded("too-long")):
        filled.record_event("approve", plain.id, {"note": "x" * 20_000}, by="", signer=HOME)
    assert filled.events() == ()


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE events SET body = replace(body, 'production', 'trial')", "its content has the id e1:"),
        ("UPDATE events SET \"by\" = 'Eve'", "its content has the id e1:"),
        ("UPDATE events SET signature = replace(signature, '0', '1')", "its signature was not made with the key"),
        ("UPDATE events SET signature = 'x'", "its content or its signature is damaged"),
    ],
)
def test_a_changed_event_is_found(filled: Bank, plain: Prompt, tamper: Tamper, statement: str, what: str) -> None:
    filled.tag_prompt(plain.id, "sentiment@production", by="Ada", signer=HOME)
    tamper(statement)
    (problem,) = filled.verify()
    assert problem.where.startswith("event e1:") and what in problem.what
