"""A radix tree over token sequences: every distinct token stands once, whatever the sequences share.

``walk`` gives the nodes in preorder, children in the order in which they first appeared, so the order depends on the
data alone. Tokens below zero are soft: ``-1 - k`` is row ``k`` of the stacked soft prompts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

__all__ = ["Node", "Trie"]


@dataclass(eq=False)
class Node:
    """A run of tokens without a fork. ``start`` is the position of its first token in its sequences."""

    tokens: Sequence[int]
    start: int
    parent: "Node | None"
    children: dict[int, "Node"] = field(default_factory=dict)
    number: int = -1

    @property
    def end(self) -> int:
        """The position after the last token."""
        return self.start + len(self.tokens)


class Trie:
    """Insert sequences, then ``walk``."""

    def __init__(self) -> None:
        self._root = Node((), 0, None)

    def insert(self, sequence: Sequence[int]) -> None:
        """Add one sequence."""
        node, at = self._root, 0
        while at < len(sequence):
            child = node.children.get(sequence[at])
            if child is None:
                node.children[sequence[at]] = Node(sequence[at:], at, node)
                return
            same = _agreement(child.tokens, sequence, at)
            if same < len(child.tokens):
                child = _split(child, same)
            node, at = child, at + same

    def find(self, sequence: Sequence[int], position: int) -> tuple[Node, int]:
        """Return the node that holds ``sequence[position]``, and the offset in it."""
        node, at = self._root, 0
        while True:
            node = node.children[sequence[at]]
            if position < node.end:
                return node, position - node.start
            at = node.end

    def walk(self, longest: int) -> Iterator[Node]:
        """Yield the nodes in preorder, numbered, those above ``longest`` tokens cut into chains first."""
        stack = list(reversed(self._root.children.values()))
        number = 0
        while stack:
            node = stack.pop()
            if len(node.tokens) > longest:
                node = _split(node, longest)
            node.number = number
            number += 1
            yield node
            stack.extend(reversed(node.children.values()))


def _agreement(tokens: Sequence[int], sequence: Sequence[int], at: int) -> int:
    most = min(len(tokens), len(sequence) - at)
    if tuple(tokens[:most]) == tuple(sequence[at : at + most]):
        return most
    return next(k for k in range(most) if tokens[k] != sequence[at + k])


def _split(node: Node, at: int) -> Node:
    """Cut a node in two; the upper half takes its place and is returned."""
    assert node.parent is not None
    upper = Node(node.tokens[:at], node.start, node.parent)
    node.parent.children[node.tokens[0]] = upper
    upper.children[node.tokens[at]] = node
    node.tokens, node.start, node.parent = node.tokens[at:], node.start + at, upper
    return upper
