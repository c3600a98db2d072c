"""What a prompt comes from: one table, that whoever records a prompt writes from and whoever shows one reads."""

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.display.titles import title
from fedprompt.bank.rows import PromptRow
from fedprompt.exports.card import card
from fedprompt.exports.protocol import ExportContext, Exported, Reading, Snippet
from fedprompt.prompts import origins
from fedprompt.prompts.origins import ORIGINS, STUDY, Origin, origin_choices, origin_words
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template

ROOT = Path(__file__).parents[2] / "fedprompt"
# Where an origin stands among the arguments of those who record prompts, counted from 0.
WRITERS = {"record_prompt": None, "record_prompts": None, "BankWriter": 3, "rounds": 5}
PASSED_ON = {"origin", "self._origin"}  # what one of these took from another of these


def written() -> Iterator[tuple[str, ast.expr]]:
    calls = re.compile(rf"\b({'|'.join(WRITERS)})\(")
    for path in ROOT.rglob("*.py"):
        if not calls.search(text := path.read_text(encoding="utf-8")):
            continue
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called not in WRITERS:
                continue
            place = WRITERS[called]
            found = [one.value for one in node.keywords if one.arg == "origin"]
            found += node.args[place : place + 1] if place is not None else []
            for value in found:
                yield f"{path.relative_to(ROOT)}:{value.lineno}", value


def row_of(value: ast.expr) -> Origin | None:
    """Return the row that ``ROW.key`` or ``ROW.of(...)`` names."""
    held = value.func if isinstance(value, ast.Call) else value
    if not isinstance(held, ast.Attribute) or not isinstance(held.value, ast.Name):
        return None
    found = getattr(origins, held.value.id, None)
    named = isinstance(value, ast.Call) and held.attr == "of"
    if not isinstance(found, Origin) or found.named != named or (not named and held.attr != "key"):
        return None
    return found


def test_whoever_records_a_prompt_takes_its_origin_from_the_table() -> None:
    found = dict(written())
    local = {place for place, value in found.items() if ast.unparse(value) in PASSED_ON}
    strays = {place: ast.unparse(value) for place, value in found.items() if place not in local and not row_of(value)}
    assert strays == {}
    assert {row_of(value) for place, value in found.items() if place not in local} == set(ORIGINS)


def test_no_two_ways_share_a_key_or_words() -> None:
    assert len({one.key for one in ORIGINS}) == len({one.words for one in ORIGINS}) == len(ORIGINS)
    assert not any(":" in one.key for one in ORIGINS)


@pytest.mark.parametrize("origin", ORIGINS, ids=lambda one: one.key)
def test_a_card_and_a_title_tell_every_origin(origin: Origin) -> None:
    text = origin.of("court|a") if origin.named else origin.key
    prompt = Prompt(Template("mood", "Mood of {text}:"))
    item = Exported(prompt, "mood", None, Reading({}, "read it", "accuracy"), text)
    told = card("x", Snippet("x", "y"), [item], ExportContext(None, "m", ""))
    assert origin.sentence.replace("{name}", "court a") in told
    row = PromptRow(prompt.id, "mood", "soft", None, text, (), None, {"round": 2}, datetime(2026, 1, 1, tzinfo=UTC))
    assert title(row) == (f"{origin_words(text)}, {origin.part} 2" if origin.rounds else "mood")


def test_text_of_no_row_is_shown_as_it_stands() -> None:
    assert origin_words("grown:{name}") == "grown:{name}"
    assert origin_words("local:{name}") == "tuned alone at {name}"


def test_a_list_is_filtered_by_every_origin_without_a_name_and_by_its_sites() -> None:
    found = origin_choices(["court"])
    assert found.pop("local:court") == "tuned alone at court"
    assert set(found) == {one.key for one in ORIGINS if not one.named} and found[STUDY.key] == STUDY.words
