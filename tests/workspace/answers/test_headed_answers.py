"""An adapted prompt with a head answers as its members and the head together, and keeps it in the bank and a bundle."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedprompt.adapting.combining import combined
from fedprompt.adapting.heads import directions_of, head_table
from fedprompt.bank.adapted import read_body
from fedprompt.errors import BankError, ModelError
from fedprompt.exports.registry import format_named
from fedprompt.prompts.adapted import Adapted
from fedprompt.prompts.head import Head
from fedprompt.verbs.head import ENCODER_DIGEST
from fedprompt.workspace.answers.adapted_answers import (
    adapted_answer,
    answer_adapted,
    encoder_for,
    head_tables,
    member_tables,
)
from fedprompt.workspace.exchange.exporting import context_of, gathered, import_file
from fedprompt.workspace.workspace import Workspace
from tests.coded import coded
from tests.hashed_encoder import EXAMPLES, HashedEncoder
from tests.new_bank import new_workspace
from tests.scripted_sites import LABELS, MODEL, cases
from tests.small_pack import MEMBERS

DIRECTIONS = directions_of(HashedEncoder().encode(EXAMPLES), 3)
HEAD = Head(("text",), LABELS, ENCODER_DIGEST, np.array([[2, 0, 1], [-2, 1, 0]], np.float32), DIRECTIONS)
MIXED = Adapted(MEMBERS[:2], (0.25, 0.75), LABELS, (0.1, -0.1), head=HEAD, part=0.5)
CASE = cases("a", 1)[0]


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    with new_workspace(tmp_path / "home") as opened:
        yield opened


def test_the_head_has_its_part_of_the_answer() -> None:
    reading = adapted_answer(LABELS)
    given = answer_adapted(MODEL, MIXED, CASE.fields, reading, HashedEncoder())
    tables, _ = member_tables(MODEL, MIXED.members, [CASE], reading)
    head = head_table(HEAD.weights, DIRECTIONS, HashedEncoder().encode([CASE.fields["text"]]))[None]
    wanted = np.exp(combined(np.concatenate([tables, head]), np.array([0.125, 0.375, 0.5]), np.array([0.1, -0.1]))[0])
    assert given.probabilities == pytest.approx(dict(zip(LABELS, wanted, strict=True)))
    plain = answer_adapted(MODEL, replace(MIXED, head=None, part=0.0), CASE.fields, reading)
    assert plain.probabilities != pytest.approx(given.probabilities)


def test_without_its_encoder_a_head_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, check=coded("assets-not-ready")):
        answer_adapted(MODEL, MIXED, CASE.fields, adapted_answer(LABELS))
    narrow = Head(("text",), LABELS, ENCODER_DIGEST, HEAD.weights, np.eye(4, 5, -1, dtype=np.float32))
    with pytest.raises(ModelError, check=coded("assets-not-ready")):
        head_tables(narrow, [CASE], HashedEncoder())
    with pytest.raises(ModelError, check=coded("another-encoder")):
        encoder_for(tmp_path, replace(HEAD, encoder="sha256:" + "0" * 64))
    assert encoder_for(tmp_path, None) is None


def test_bank_and_bundle_hold_the_head(ws: Workspace, tmp_path: Path) -> None:
    ws.bank.record_adapted(MIXED, name="small@home", study=None, about={"model": "scripted"})
    assert ws.bank.adapted("small@home") == MIXED and ws.bank.adapted("small@home").head == HEAD
    (item,) = gathered(ws, ["small@home"])
    assert item.is_mixture
    path = tmp_path / "out.zip"
    format_named("bundle").write([item], path, context_of(ws, format_named("bundle"), [item]))
    with new_workspace(tmp_path / "other") as other:
        found = import_file(other, path)
        (name,) = found.adapted
        assert found.adapted[name] == MIXED.id and other.bank.adapted(name) == MIXED


def test_a_head_that_counts_next_to_nothing_is_left_out_with_the_members_that_do() -> None:
    assert replace(MIXED, part=0.005).pruned() == replace(MIXED, head=None, part=0.0)
    assert replace(MIXED, weights=(0.001, 0.999)).pruned().members == MEMBERS[1:2]


@pytest.mark.parametrize("change", [{"part": 0.6}, {"part": 1.5}, {"head": None}])
def test_a_damaged_head_in_the_bank_is_told(change: dict[str, Any]) -> None:
    body = {**MIXED.canonical(), "about": {}}
    assert read_body(MIXED.id, json.dumps(body)).made_head() == HEAD
    with pytest.raises(BankError, check=coded("damaged")):
        read_body(MIXED.id, json.dumps({**body, **change}))
