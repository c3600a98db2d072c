"""Adapted prompts in the bank: kept with their members, found by name and id, private to the home."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from fedprompt.bank.adapted import EVERY
from fedprompt.bank.store import Bank
from fedprompt.errors import BankError
from fedprompt.prompts.adapted import Adapted
from fedprompt.prompts.prompt import Prompt
from fedprompt.study.schema import Study
from fedprompt.trust.signing import Signer
from tests.bank.old_bank import old_bank
from tests.coded import coded
from tests.new_bank import new_bank

MODEL = "sha256:" + "a" * 64
HOME = Signer(bytes(32))
LABELS = ("positive", "negative")
ABOUT = {"n": 16, "pack": "k1:0"}
NAME = "sentiment@home"


@pytest.fixture
def adapted(plain: Prompt, soft: Prompt) -> Adapted:
    return Adapted((plain, soft), (0.25, 0.75), LABELS, (0.5, -0.5))


@pytest.fixture
def filled(bank: Bank, study: Study, digest: str, plain: Prompt, adapted: Adapted) -> Bank:
    bank.record_study(study, digest, MODEL)
    bank.record_prompt(plain, study=digest, origin="study")
    bank.record_adapted(adapted, name=NAME, study=digest, about=ABOUT)
    return bank


def test_it_comes_back_whole_by_its_name_its_id_and_the_beginning_of_it(
    filled: Bank, adapted: Adapted, digest: str
) -> None:
    for reference in (NAME, f" {NAME} ", adapted.id, adapted.id[:9]):
        assert filled.adapted(reference) == adapted and filled.is_adapted(reference)
    row = filled.adapted_row(NAME)
    assert (row.id, row.name, row.study, row.about) == (adapted.id, NAME, digest, ABOUT)
    assert (row.members, row.weights) == (adapted.member_ids, (0.25, 0.75))
    assert filled.all_adapted() == (row,) and filled.verify() == ()


def test_its_members_are_prompts_and_those_that_were_new_came_with_a_pack(filled: Bank, soft: Prompt) -> None:
    assert {row.name: row.origin for row in filled.prompts()} == {"plain": "study", "tuned": "shared"}
    assert filled.prompt(soft.id) == soft


def test_a_name_stands_for_what_was_recorded_last(filled: Bank, adapted: Adapted) -> None:
    later = replace(adapted, weights=(0.5, 0.5))
    filled.record_adapted(later, name=NAME, study=None, about={"n": 32})
    filled.record_adapted(adapted, name="sentiment@first", study=None, about=ABOUT)
    assert filled.adapted(NAME) == later and filled.adapted_row(NAME).about == {"n": 32}
    assert [(row.name, row.id) for row in filled.all_adapted()] == [("sentiment@first", adapted.id), (NAME, later.id)]
    filled.record_adapted(adapted, name=NAME, study=None, about=ABOUT)
    assert filled.adapted(NAME) == adapted


@pytest.mark.parametrize(
    ("reference", "code"),
    [("sentiment@nowhere", "no-such-adapted"), ("a1:", "no-such-adapted"), ("a1:ffff", "no-such-adapted")],
)
def test_what_is_not_there_is_said(filled: Bank, reference: str, code: str) -> None:
    assert not filled.is_adapted(reference)
    with pytest.raises(BankError, check=coded(code)):
        filled.adapted(reference)


def test_where_one_prompt_is_wanted_an_adapted_one_is_refused(filled: Bank, adapted: Adapted) -> None:
    for reference in (NAME, adapted.id):
        with pytest.raises(BankError, check=coded("adapted-prompt")):
            filled.prompt(reference)


def test_one_name_stands_for_one_thing(filled: Bank, adapted: Adapted, plain: Prompt, digest: str) -> None:
    with pytest.raises(BankError, check=coded("name-taken")):
        filled.tag_prompt(plain.id, NAME, by="Ada", signer=HOME)
    filled.tag_prompt(plain.id, "sentiment@production", by="Ada", signer=HOME)
    with pytest.raises(BankError, check=coded("name-taken")):
        filled.record_adapted(adapted, name="sentiment@production", study=digest, about={})
    with pytest.raises(BankError, check=coded("not-a-tag")):
        filled.record_adapted(adapted, name="sentiment", study=digest, about={})
    with pytest.raises(BankError, check=coded("no-such-study")):
        filled.record_adapted(replace(adapted, weights=(1, 0)), name="a@b", study="s1:none", about={})
    assert [row.name for row in filled.all_adapted()] == [NAME]


def test_a_copy_of_the_bank_leaves_it_out_unless_it_is_named(filled: Bank, adapted: Adapted, tmp_path: Path) -> None:
    filled.record_adapted(replace(adapted, weights=(0.5, 0.5)), name="sentiment@second", study=None, about={})
    filled.backup(tmp_path / "none.db")
    filled.backup(tmp_path / "one.db", adapted=(NAME,))
    filled.backup(tmp_path / "all.db", adapted=(EVERY,))
    held = {}
    for name in ("none", "one", "all"):
        with Bank.open(tmp_path / f"{name}.db") as copy:
            held[name] = [row.name for row in copy.all_adapted()]
            assert copy.verify() == () and copy.count_prompts() == 2
    assert held == {"none": [], "one": [NAME], "all": [NAME, "sentiment@second"]}
    raw = (tmp_path / "none.db").read_bytes()
    assert adapted.id.encode() not in raw and b'"weights"' not in raw  # nor in what was freed
    with pytest.raises(BankError, check=coded("no-such-adapted")):
        filled.backup(tmp_path / "odd.db", adapted=("sentiment@nowhere",))


def test_a_copy_is_append_only_too(filled: Bank, tmp_path: Path) -> None:
    filled.backup(tmp_path / "copy.db", adapted=(NAME,))
    with closing(sqlite3.connect(tmp_path / "copy.db")) as raw:
        for statement in ("DELETE FROM adapted", "UPDATE adapted SET name = 'x@y'"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                raw.execute(statement)


def test_a_merge_takes_over_those_that_are_named_and_moves_no_name(
    filled: Bank, adapted: Adapted, tmp_path: Path, plain: Prompt
) -> None:
    filled.record_adapted(adapted, name="sentiment@tagged", study=None, about={})
    filled.record_adapted(adapted, name="sentiment@new", study=None, about={})
    filled.backup(tmp_path / "copy.db", adapted=(EVERY,))
    with new_bank(tmp_path / "other.db") as other:
        assert other.merge(tmp_path / "copy.db")["adapted"] == 0 and other.all_adapted() == ()
        mine = replace(adapted, weights=(1.0, 0.0))
        other.record_adapted(mine, name=NAME, study=None, about={})
        other.tag_prompt(plain.id, "sentiment@tagged", by="Bob", signer=HOME)
        assert other.merge(tmp_path / "copy.db", adapted=(EVERY,))["adapted"] == 1
        assert {row.name: row.id for row in other.all_adapted()} == {NAME: mine.id, "sentiment@new": adapted.id}
        assert other.adapted("sentiment@new") == adapted and other.verify() == ()
        assert other.merge(tmp_path / "copy.db", adapted=("sentiment@new",))["adapted"] == 0


def test_a_whole_copy_holds_what_a_name_stood_for_before(filled: Bank, adapted: Adapted, tmp_path: Path) -> None:
    later = replace(adapted, weights=(0.5, 0.5))
    filled.record_adapted(later, name=NAME, study=None, about={})
    filled.backup(tmp_path / "copy.db", adapted=(EVERY,))
    with Bank.open(tmp_path / "copy.db") as copy:
        assert copy.adapted(NAME) == later and copy.adapted(adapted.id) == adapted


def test_what_a_restore_replaces_is_kept_with_every_adapted_prompt(filled: Bank, tmp_path: Path) -> None:
    assert filled.backup(tmp_path / "copy.db") == (NAME,)
    aside = filled.restore(tmp_path / "copy.db")
    assert filled.all_adapted() == ()
    assert filled.merge(aside, adapted=(EVERY,))["adapted"] == 1
    assert filled.adapted_row(NAME).about == ABOUT


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE adapted SET body = replace(body, '0.25', '0.35')", "add up to 1"),
        ("UPDATE adapted SET body = replace(body, '[0.5,-0.5]', '[0.4,-0.4]')", "has the id a1:"),
        ("UPDATE adapted SET body = '{}'", "not an adapted prompt"),
        ("UPDATE adapted SET study = 's1:none'", "not in studies"),
        ("DELETE FROM prompts WHERE kind = 'soft'", "is not in prompts"),
    ],
)
def test_a_change_behind_the_banks_back_is_found(
    filled: Bank, tamper: Callable[[str], None], statement: str, what: str
) -> None:
    tamper(statement)
    assert any(problem.where.startswith("adapted row 1") and what in problem.what for problem in filled.verify())


def test_a_damaged_one_is_not_given_out(filled: Bank, tamper: Callable[[str], None]) -> None:
    tamper("UPDATE adapted SET body = replace(body, '0.75', '0.65')")
    for ask in (filled.adapted, filled.adapted_row):
        with pytest.raises(BankError, check=coded("damaged")):
            ask(NAME)


def test_what_is_kept_of_it_changes_the_stamp(filled: Bank, adapted: Adapted) -> None:
    before = filled.stamp(of_jobs=False)
    filled.record_adapted(adapted, name="sentiment@again", study=None, about={})
    assert filled.stamp(of_jobs=False) != before


def test_a_bank_of_the_third_version_takes_one(tmp_path: Path, adapted: Adapted) -> None:
    with Bank.open(old_bank(tmp_path / "bank.db", "0003")) as bank:
        bank.record_adapted(adapted, name=NAME, study=None, about=ABOUT)
        assert bank.adapted(NAME) == adapted and bank.verify() == ()
