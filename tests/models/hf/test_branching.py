"""A pack is cut into branches that hold every node once, and siblings go together where that is cheaper."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fedprompt.models.hf.attention import KeyValues, Plan
from fedprompt.models.hf.branch_groups import Branch, Run
from fedprompt.models.hf.branching import branches_of
from fedprompt.models.hf.model import HFModel
from fedprompt.models.hf.runner import packs
from fedprompt.models.hf.trie import Node, Trie
from fedprompt.models.protocols import ChoiceQuery
from fedprompt.prompts.template import Template
from tests.models.tiny import model


def nodes_of(sequences: list[tuple[int, ...]], pack: int = 1000) -> list[Node]:
    """Return the nodes of the first pack."""
    trie = Trie()
    for sequence in sequences:
        trie.insert(sequence)
    return next(iter(packs(trie, pack)))


def test_short_siblings_are_one_branch_with_their_parent() -> None:
    nodes = nodes_of([(1, 2, 3, 4), (1, 2, 5), (1, 2, 6, 7)])
    assert branches_of(nodes, {}) == [Branch(0, [Run(2, 0, -1), Run(2, 2, 1), Run(1, 2, 1), Run(2, 2, 1)], [], [])]


def test_long_siblings_stand_apart_and_see_their_parent() -> None:
    # Two texts of 400 tokens after 4 of instruction: together 804 x 804 pairs, apart 2 x 400 x 404.
    nodes = nodes_of([(1, 2, 3, 4, *range(10, 410)), (1, 2, 3, 4, *range(500, 900))])
    assert branches_of(nodes, {}) == [
        Branch(0, [Run(4, 0, -1)], [], []),
        Branch(4, [Run(400, 4, -1)], [], [0, 1, 2, 3]),
        Branch(404, [Run(400, 4, -1)], [], [0, 1, 2, 3]),
    ]


def test_ancestors_of_an_earlier_pack_are_rows_of_the_store() -> None:
    trie = Trie()
    for end in (10, 20):
        trie.insert((1, 2, 3, end, end + 1))
    first, second = packs(trie, 5)
    assert [node.number for node in first] == [0, 1]
    assert branches_of(second, {0: range(7, 10)}) == [Branch(0, [Run(2, 3, -1)], [7, 8, 9], [])]


@given(
    st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=12).map(tuple), min_size=1, max_size=12),
    st.integers(3, 40),
)
def test_every_token_is_in_one_branch_and_sees_its_own_path(sequences: list[tuple[int, ...]], pack: int) -> None:
    trie = Trie()
    for sequence in sequences:
        trie.insert(sequence)
    stored: dict[int, range] = {}
    kept = 0
    for nodes in packs(trie, pack):
        branches = branches_of(nodes, stored)
        covered = [branch.first + k for branch in branches for k in range(branch.length)]
        assert covered == list(range(sum(len(node.tokens) for node in nodes)))
        for branch in branches:
            before = len(branch.stored) + len(branch.fresh)
            seen: list[int] = []  # of each row, how many tokens come before it on its path
            for run in branch.runs:
                start = before if run.parent < 0 else seen[run.parent] + 1
                assert run.position == start
                seen.extend(range(start, start + run.length))
        for node in nodes:
            stored[node.number] = range(kept, kept + len(node.tokens))
            kept += len(node.tokens)


@pytest.mark.parametrize("most", [0, 30, 100])
def test_no_more_keys_are_read_at_once_than_the_budget_allows(most: int) -> None:
    branches = [Branch(5 * k, [Run(5, 0, -1)], (), ()) for k in range(9)]
    plan = Plan(branches, KeyValues(1), record=False, device=torch.device("cpu"), most=most)
    assert sum(len(group.query) for group in plan.groups) == 9
    assert all(len(group.query) == 1 or group.keys.numel() <= most for group in plan.groups)


@pytest.mark.parametrize("family", ["llama", "gemma2"])
def test_a_small_cache_changes_no_score(family: str) -> None:
    lm = model(family)
    texts = ("a good film", "a bad film, and a long one", "it was awful")
    templates = [Template(str(k), text=text) for k, text in enumerate(("{text} is", "Is it good? {text}:", "{text}:"))]
    asked = [ChoiceQuery(t.render({"text": text}), (" positive", " negative")) for text in texts for t in templates]
    small = HFModel(lm._lm, lm._tokenizer, replace(lm.info, settings=replace(lm.info.settings, cache_bytes=0)))
    for own, known in zip(small.choices(asked).loglikelihoods, lm.choices(asked).loglikelihoods, strict=True):
        assert np.allclose(own, known, atol=1e-5)
