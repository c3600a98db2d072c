"""Which nodes of a pack attend together: a whole subtree as one branch, or a node and its children apart.

Siblings see the same ancestors. Apart, each reads its own copy of the ancestors' keys; together they read one, and
multiply with each other's keys for nothing, since these are masked. The cheaper of the two is taken from the leaves up,
by the shape of the tree alone, so that the same request is cut in the same way every time.
"""

from collections.abc import Mapping, Sequence

from fedprompt.models.hf.branch_groups import Branch, Run
from fedprompt.models.hf.trie import Node

__all__ = ["ancestors", "branches_of"]

KEY = 16  # the price of reading a key, in pairs of a query and a key
EACH = 64  # and of a branch


def branches_of(nodes: Sequence[Node], stored: Mapping[int, range]) -> list[Branch]:
    """Return the branches of a pack.

    Args:
        nodes: in preorder, side by side in the pack.
        stored: the rows of the store where an earlier pack's node lies, by its number.
    """
    first, at = {}, 0
    for node in nodes:
        first[node.number] = at
        at += len(node.tokens)
    size, together = _sizes(nodes), set[int]()
    price = {node.number: 0.0 for node in nodes}  # of the children, then of the node with them
    for node in reversed(nodes):
        apart = _price(len(node.tokens), node.start) + price[node.number]
        whole = _price(size[node.number], node.start)
        if whole <= apart:
            together.add(node.number)
        price[node.number] = min(whole, apart)
        if node.parent is not None and node.parent.number in price:
            price[node.parent.number] += price[node.number]
    found: list[Branch] = []
    done = 0  # rows that are in a branch
    for place, node in enumerate(nodes):
        begin = first[node.number]
        if begin < done:
            continue
        done = begin + (size[node.number] if node.number in together else len(node.tokens))
        before: list[int] = []
        here: list[int] = []
        for ancestor in ancestors(node):
            if ancestor.number in first:
                start = first[ancestor.number]
                here.extend(range(start, start + len(ancestor.tokens)))
            else:
                before.extend(stored[ancestor.number])
        found.append(Branch(begin, _runs(nodes[place:], first, begin, done), before, here))
    return found


def ancestors(node: Node) -> list[Node]:
    """Return a node's ancestors from the root down, the empty root left out."""
    found = []
    parent = node.parent
    while parent is not None and parent.parent is not None:
        found.append(parent)
        parent = parent.parent
    return found[::-1]


def _price(queries: int, seen: int) -> float:
    keys = seen + queries
    return queries * keys + KEY * keys + EACH


def _sizes(nodes: Sequence[Node]) -> dict[int, int]:
    """Return each node's tokens with those of its descendants in the pack."""
    size = {node.number: len(node.tokens) for node in nodes}
    for node in reversed(nodes):
        if node.parent is not None and node.parent.number in size:
            size[node.parent.number] += size[node.number]
    return size


def _runs(nodes: Sequence[Node], first: Mapping[int, int], begin: int, end: int) -> list[Run]:
    runs: list[Run] = []
    for node in nodes:
        if first[node.number] >= end:
            break
        parent = (
            -1 if not runs or node.parent is None else first[node.parent.number] + len(node.parent.tokens) - 1 - begin
        )
        runs.append(Run(len(node.tokens), node.start, parent))
    return runs
