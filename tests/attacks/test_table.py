"""The benchmark's attacks go through a real worker from end to end, and its table says what came of them."""

from pathlib import Path

import pytest

from benchmarks.attackers.scores import spread_prompts
from benchmarks.attackers.targets import OwnCopy
from benchmarks.attacks import Got, _attack, _figures, _table
from tests.attacks.attacked import CASES, START, attacked

pytestmark = pytest.mark.whole


def test_every_attack_has_a_line_with_what_it_got_and_what_chance_gets(tmp_path: Path) -> None:
    (target,) = attacked(tmp_path, 1, privacy={"questions": None, "min_cell": 5, "details": "templates"})
    got = Got()
    copy = OwnCopy(target.model, target.study, target.candidates("tune"))
    _attack(target, copy, START, spread_prompts(START, 10), got)
    figures = {one.attack: one for one in _figures(got)}
    assert len(figures) == 8
    assert all(
        0 <= one.got.low <= one.got.value <= one.got.high <= 1 and one.members == CASES for one in figures.values()
    )
    assert figures["membership, everything on one split"].answered == "2 rounds, 2 prompts"  # 30 cases, one for fifteen
    # Single steps tell nothing, so that every text is as likely and every label is the first.
    assert figures["membership, single steps solved for single losses"].got.value == 0.5
    table = _table([*figures.values()])
    assert "label of a known member, scores of chosen prompts" in table and f"  {CASES}" in table
