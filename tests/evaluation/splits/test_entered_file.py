"""The list of cases that were answered over comes back as it was written, and a damaged one is told in a sentence."""

import json
from pathlib import Path
from typing import Any

import pytest

from fedprompt.errors import DataError
from fedprompt.evaluation.splits.entered_file import FORMAT, Look, load_entered, save_entered
from fedprompt.evaluation.splits.entering import CaseSet

A, B, C = ("a" * 32, "b" * 32, "c" * 32)
SETS: tuple[CaseSet, ...] = (
    {"tune": {A: C}, "validation": {}, "test": {B: B}},
    {"tune": {A: C, B: C}, "validation": {}, "test": {}},
)
LOOK = Look("2026-01-01T00:00:00Z", 30, {"tune": 1, "validation": 0, "test": 2}, dict.fromkeys(
    ("tune", "validation", "test"), 0), stopped=False)  # fmt: skip


def test_sets_and_the_last_look_come_back_and_the_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "entered-small.json"
    assert load_entered(path) is None
    save_entered(path, SETS, LOOK)
    assert load_entered(path) == (SETS, LOOK)
    assert path.stat().st_mode & 0o777 == 0o600
    save_entered(path, (), None)
    assert load_entered(path) == ((), None)


def test_what_is_no_list_of_cases_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "entered-small.json"
    save_entered(path, SETS, LOOK)
    whole: dict[str, Any] = json.loads(path.read_text())
    splits = whole["splits"]
    damaged: list[Any] = [
        [],
        {},
        {**whole, "format": f"{FORMAT}0"},
        {**whole, "sets": -1},
        {**whole, "sets": 10**9},
        {**whole, "sets": True},
        {**whole, "sets": 1},
        {**whole, "look": 3},
        {**whole, "look": {}},
        {**whole, "splits": {}},
        {**whole, "splits": {**splits, "tune": []}},
        {**whole, "splits": {**splits, "tune": {A: [C]}}},
        {**whole, "splits": {**splits, "tune": {A: [C, "1"]}}},
        {**whole, "splits": {**splits, "tune": {A: [1, 1]}}},
        {**whole, "splits": {**splits, "tune": {"a case's text": [C, 1]}}},
    ]
    for body in damaged:
        path.write_text(json.dumps(body))
        with pytest.raises(DataError, match="--begin-anew"):
            load_entered(path)
    for text in ("", "{", "[" * 100_000):
        path.write_text(text)
        with pytest.raises(DataError, match="--begin-anew"):
            load_entered(path)
