"""Runs a radix tree of token sequences through a model, depth first, in packs of a fixed number of tokens.

Each distinct token is computed once. Only the keys and values of the path from the root to the next node are held
between packs, so memory does not grow with the number of sequences. Packs are cut by the data and ``pack`` alone,
never by free memory, so that the same request gives the same numbers.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import accumulate
from threading import RLock
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fedprompt.models.hf.attention import Attending, KeyValues, Plan, packed
from fedprompt.models.hf.branching import ancestors, branches_of
from fedprompt.models.hf.fused import fused_layers
from fedprompt.models.hf.lora import Factors
from fedprompt.models.hf.picking import rows_of
from fedprompt.models.hf.product import PACKED, Weight, can_pack
from fedprompt.models.hf.trie import Node, Trie
from fedprompt.stopping import NEVER, StopToken

__all__ = ["Body", "Head", "Keep", "Rows", "TreeStore", "Visit", "packs", "run_tree"]

Visit = Callable[[Sequence[Node], Sequence[int], Tensor], None]
Rows = Callable[[Sequence[Node], Sequence[int]], Sequence[int]]
Keep = Callable[[Sequence[Node], Sequence[int], KeyValues], None]


class Body:
    """The transformer without its head: embeddings in, last hidden states out."""

    def __init__(self, lm: Any) -> None:
        self.lm = lm
        self._inner = lm.base_model
        self._fused = fused_layers(self._inner)
        self.rows: Tensor = lm.get_input_embeddings().weight
        config = lm.config.get_text_config()
        self.layers = int(config.num_hidden_layers)
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self.bytes_a_token = 2 * self.layers * heads * width * self.rows.element_size()  # of keys and values
        self._factors: Factors | None = None
        self._hooking = RLock()  # one model's modules, whoever has a body of it
        self._no_mask = torch.zeros(1, 1, 1, 1)  # four dimensions: transformers then makes no mask of its own

    def beside(self, factors: Factors) -> "Body":
        """Return the same transformer with low-rank factors beside its layers."""
        found = copy.copy(self)
        found._factors = factors
        return found

    def embed(self, tokens: Sequence[int], soft: Tensor | None) -> Tensor:
        """Return [tokens, width]; a token below zero is row ``-1 - token`` of ``soft``."""
        ids = torch.as_tensor(tokens, dtype=torch.long, device=self.rows.device)
        found: Tensor = self.lm.get_input_embeddings()(ids.clamp(min=0))
        if soft is not None and bool((ids < 0).any()):
            at = torch.nonzero(ids < 0).squeeze(1)
            # As an embedding, since the backward pass of indexing adds up in an order of the threads' own.
            found = found.index_copy(0, at, functional.embedding(-1 - ids[at], soft.to(found.dtype)))
        return found

    def __call__(
        self, embedded: Tensor, positions: Sequence[int], plan: Attending, wanted: Sequence[int] | None = None
    ) -> Tensor:
        """Return the last hidden states of a pack, [tokens, width], or those of the rows that are ``wanted`` alone."""
        where = torch.as_tensor(positions, dtype=torch.long, device=embedded.device)[None]
        rows = None if wanted is None else torch.as_tensor(wanted, dtype=torch.long, device=embedded.device)
        if self._fused is not None:
            return self._fused(embedded, where, plan, rows, self._factors)
        with self._hooking, packed(plan), nullcontext() if self._factors is None else self._factors.hooked(self.lm):
            out = self._inner(
                inputs_embeds=embedded[None], position_ids=where, attention_mask=self._no_mask, use_cache=False
            )
        hidden: Tensor = out.last_hidden_state[0]
        return hidden if rows is None else rows_of(hidden, rows)


class Head:
    """From hidden states to log-probabilities, in float32 where it counts."""

    def __init__(self, lm: Any) -> None:
        self._lm = lm
        self._head = lm.get_output_embeddings()
        weight, bias = self._head.weight, getattr(self._head, "bias", None)
        frozen = not weight.requires_grad and (bias is None or not bias.requires_grad)
        self._product = Weight(weight, bias, pack=frozen and weight.nbytes <= PACKED and can_pack(weight))
        config = lm.config.get_text_config()
        self._cap = getattr(config, "final_logit_softcapping", None)
        scales = (getattr(config, name, None) for name in ("logit_scale", "logits_scaling"))
        self._scale = next((s for s in scales if s not in (None, 1, 1.0)), None)

    @property
    def plain(self) -> bool:
        """Whether the head is one matrix product, so that columns can be taken alone."""
        return self._cap is None and self._scale is None and getattr(self._head, "bias", None) is None

    def columns(self, hidden: Tensor, tokens: Tensor) -> Tensor:
        """Return float32 logits [rows, tokens] of some tokens alone; for a plain head."""
        logits: Tensor = hidden.float() @ self._head.weight[tokens].float().T
        return logits

    def logits(self, hidden: Tensor) -> Tensor:
        """Return float32 logits [rows, vocabulary]."""
        logits = self._product(hidden).float()
        if self._cap is not None:
            logits = torch.tanh(logits / self._cap) * self._cap
        if self._scale is not None:
            divide = hasattr(self._lm.config.get_text_config(), "logits_scaling")
            logits = logits / self._scale if divide else logits * self._scale
        return logits

    def log_probabilities(self, hidden: Tensor, targets: Sequence[Tensor]) -> list[Tensor]:
        """Return, for each row of ``hidden`` [rows, width], the float32 log-probabilities of its target tokens."""
        found: list[Tensor] = []
        for start in range(0, hidden.shape[0], 64):
            part, wanted = hidden[start : start + 64], targets[start : start + 64]
            sizes, tokens = [len(each) for each in wanted], torch.cat(list(wanted))
            rows = torch.repeat_interleave(torch.tensor(sizes, device=hidden.device), output_size=len(tokens))
            logits = self.logits(part)
            # The normaliser by way of log_softmax, which takes half of logsumexp's time.
            norms = logits[:, 0] - torch.log_softmax(logits, dim=-1)[:, 0]
            if self.plain:
                exact = (rows_of(part, rows).float() * self._head.weight[tokens].float()).sum(dim=-1)
            else:
                exact = logits[rows, tokens]
            found.extend(torch.split(exact - rows_of(norms, rows), sizes))
        return found


@dataclass
class TreeStore:
    """Keys and values of the current path, which outlive a pack."""

    values: KeyValues
    rows: dict[int, range]

    def keep(self, nodes: Sequence[Node], recorded: KeyValues, following: Node | None) -> None:
        """After a pack: keep what the next pack sees. ``following`` is the next node in preorder."""
        path = [] if following is None else ancestors(following)
        fresh, at = {}, 0
        for node in nodes:
            fresh[node.number] = range(at, at + len(node.tokens))
            at += len(node.tokens)
        old = [row for n in path if n.number in self.rows for row in self.rows[n.number]]
        new = [row for n in path if n.number in fresh for row in fresh[n.number]]
        for layer in range(len(recorded.keys)):
            pairs = ((self.values.keys, recorded.keys), (self.values.values, recorded.values))
            parts = [[] for _ in pairs]  # type: list[list[Tensor]]
            for part, (held, made) in zip(parts, pairs, strict=True):
                before, after = held[layer], made[layer]
                if old and before is not None:
                    part.append(before[old])
                if new and after is not None:
                    part.append(after[new])
            if parts[0]:
                self.values.replace(layer, torch.cat(parts[0]), torch.cat(parts[1]))
            else:
                self.values.keys[layer] = self.values.values[layer] = None
        at, self.rows = 0, {}
        for node in path:
            self.rows[node.number] = range(at, at + len(node.tokens))
            at += len(node.tokens)


def packs(trie: Trie, pack: int) -> Iterator[list[Node]]:
    """Cut the preorder into lists of nodes of at most ``pack`` tokens."""
    held: list[Node] = []
    size = 0
    for node in trie.walk(pack):
        if held and size + len(node.tokens) > pack:
            yield held
            held, size = [], 0
        held.append(node)
        size += len(node.tokens)
    if held:
        yield held


def run_tree(
    body: Body,
    trie: Trie,
    pack: int,
    soft: Tensor | None,
    *,
    visit: Visit | None = None,
    rows: Rows | None = None,
    keep: Keep | None = None,
    progress: Callable[[int], None] | None = None,
    budget: int | None = None,
    stop: StopToken = NEVER,
) -> None:
    """Compute every node once.

    Args:
        budget: bytes of a layer's keys and values that attention may copy out of the path at once; a branch of the
            tree that needs more goes alone.
        soft: [rows, width] float32 stacked soft prompts that negative tokens name, or None.
        visit: hears each pack's nodes, the row where each begins, and the pack's hidden states [tokens, width].
        rows: says of a pack's nodes and the row where each begins which rows ``visit`` hears; all of them if None.
        keep: hears the nodes and rows with the pack's keys and values instead, each layer [tokens, heads, head width].
        progress: hears the number of tokens of each pack.
        stop: looked at before each pack.
    """
    store = TreeStore(KeyValues(body.layers), {})
    most = None if budget is None else budget * body.layers // body.bytes_a_token
    pending: list[Node] | None = None
    with torch.no_grad():
        for following in (*packs(trie, pack), None):
            if pending is not None:
                stop.check()
                recorded, begins = _run_pack(body, pending, store, soft, visit, rows, most)
                if keep is not None:
                    keep(pending, begins, recorded)
                store.keep(pending, recorded, following[0] if following else None)
                if progress is not None:
                    progress(sum(len(node.tokens) for node in pending))
            pending = following


def _run_pack(
    body: Body,
    nodes: Sequence[Node],
    store: TreeStore,
    soft: Tensor | None,
    visit: Visit | None,
    rows: Rows | None,
    most: int | None,
) -> tuple[KeyValues, list[int]]:
    tokens = [token for node in nodes for token in node.tokens]
    positions = [position for node in nodes for position in range(node.start, node.end)]
    branches = branches_of(nodes, store.rows)
    plan = Plan(branches, store.values, record=True, device=body.rows.device, most=most)
    begins = [0, *accumulate(len(node.tokens) for node in nodes[:-1])]
    wanted = [] if visit is None else None if rows is None else rows(nodes, begins)
    hidden = body(body.embed(tokens, soft), positions, plan, wanted)
    if visit is not None:
        visit(nodes, begins, hidden)
    return plan.recorded, begins
