"""Prompts of one run against its best: McNemar, Holm, and how many cases it would take."""

import numpy as np
import pytest
from scipy.stats import binomtest

from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.runner import PromptRun
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.workspace.results.told_apart import MOST, Apart, all_pairs, told_apart

CASES = [Case({"text": str(n)}, "a") for n in range(40)]


def run(name: str, right: int, flips: int = 0) -> PromptRun:
    """Return a prompt right on the first ``right`` cases, its first and last ``flips`` cases turned round."""
    values = np.array([float(n < right) for n in range(40)])
    values[:flips] = 0.0
    values[40 - flips :] = 1.0
    return PromptRun(Prompt(Template(name, text=f"{name} {{text}}")), values)


def test_each_is_tested_against_the_best_and_corrected_for_their_number() -> None:
    best, near, far = run("best", 30), run("near", 30, 2), run("far", 12)
    found = told_apart([far, best, near], CASES, "validation", 0)
    assert found.best == best.prompt.id
    assert [row.prompt for row in found.against_best] == [near.prompt.id, far.prompt.id]
    close, distant = found.against_best
    # As often right as the best, twice each way; and 18 cases that only the best has right.
    assert (close.difference, close.p, close.cases_needed) == (0.0, 1.0, None)
    assert (distant.difference, distant.test, distant.n) == (pytest.approx(-18 / 40), "mcnemar", 40)
    assert distant.p == pytest.approx(binomtest(18, 18, 0.5).pvalue)
    assert distant.p_adjusted == pytest.approx(2 * distant.p)
    assert "do not differ" in found.power
    second = told_apart([best, run("some", 27, 1)], CASES, "validation", 0)
    assert second.power.startswith("about ")


def test_every_two_are_kept_unless_there_are_many() -> None:
    three = [run("a", 10), run("b", 20), run("c", 30)]
    assert len(all_pairs(three, CASES, "test")) == 3
    many = [run(f"p{n}", n) for n in range(MOST + 1)]
    pairs = all_pairs(many, CASES, "test")
    assert len(pairs) == MOST and {pair.first for pair in pairs} == {many[-1].prompt.id}


def test_nothing_judged_is_nothing_said() -> None:
    none = PromptRun(Prompt(Template("none", text="{text}")), np.full(40, np.nan))
    assert told_apart([none], CASES, "test", 0) == Apart(None, (), None)
    assert all_pairs([none, none], CASES, "test") == []
    alone = told_apart([run("a", 10), none], CASES, "test", 0)
    assert alone.against_best == () and alone.power is None
