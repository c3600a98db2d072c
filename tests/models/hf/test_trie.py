"""The radix tree holds every sequence, each distinct token once."""

from hypothesis import given
from hypothesis import strategies as st

from fedprompt.models.hf.runner import packs
from fedprompt.models.hf.trie import Node, Trie

sequences = st.lists(st.lists(st.integers(-3, 3), min_size=1, max_size=12).map(tuple), min_size=1, max_size=12)


def path(node: Node) -> tuple[int, ...]:
    tokens: tuple[int, ...] = ()
    current: Node | None = node
    while current is not None:
        tokens = (*current.tokens, *tokens)
        current = current.parent
    return tokens


@given(sequences, st.integers(1, 5))
def test_every_position_of_every_sequence_is_found_below_its_own_beginning(
    found: list[tuple[int, ...]], longest: int
) -> None:
    trie = Trie()
    for sequence in found:
        trie.insert(sequence)
    nodes = list(trie.walk(longest))
    assert all(1 <= len(node.tokens) <= longest for node in nodes)
    for sequence in found:
        for position in range(len(sequence)):
            node, offset = trie.find(sequence, position)
            assert path(node)[: position + 1] == sequence[: position + 1]
            assert node.start + offset == position


@given(sequences, st.integers(1, 20))
def test_distinct_prefixes_are_computed_once_and_parents_come_first(found: list[tuple[int, ...]], pack: int) -> None:
    trie = Trie()
    for sequence in found:
        trie.insert(sequence)
    order = [node for group in packs(trie, pack) for node in group]
    distinct = {sequence[: k + 1] for sequence in found for k in range(len(sequence))}
    assert sum(len(node.tokens) for node in order) == len(distinct)
    seen: set[int] = set()
    for node in order:
        assert node.parent is not None
        assert node.parent.parent is None or node.parent.number in seen
        seen.add(node.number)


@given(sequences, st.integers(1, 20))
def test_packs_hold_at_most_the_asked_number_of_tokens(found: list[tuple[int, ...]], pack: int) -> None:
    trie = Trie()
    for sequence in found:
        trie.insert(sequence)
    assert all(sum(len(node.tokens) for node in group) <= pack for group in packs(trie, pack))
