"""Text for many prompts at once: what the prompts share is computed once, then all go on a token at a time.

A text depends on its own prompt, the decoding and the seed; its neighbours move logits by rounding alone. Batches are
cut by the prompts' lengths, never by free memory.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fedprompt.models.hf.prefix_store import PrefixStore
from fedprompt.models.hf.runner import Body, Head
from fedprompt.models.hf.trie import Node
from fedprompt.models.protocols import Decoding
from fedprompt.models.work import unshared
from fedprompt.stopping import NEVER, StopToken

__all__ = ["Decoder", "Prompted", "Written"]

ROOM = 256 * 1024**2  # bytes of keys and values of one batch


@dataclass(frozen=True)
class Prompted:
    """``context``: token ids, those below zero naming rows of the soft stack; ``key``: what names the query's draw."""

    context: tuple[int, ...]
    key: bytes


@dataclass
class Written:
    """The tokens that came, and their text up to a stop string; ``fresh`` of its prompt's tokens are nobody else's."""

    tokens: list[int] = field(default_factory=list)
    text: str = ""
    fresh: int = 0


class Decoder:
    """Writes text with one model; ``ends`` are the tokens that end a text, ``read`` turns tokens into text."""

    def __init__(
        self,
        body: Body,
        head: Head,
        *,
        pack: int,
        window: int,
        ends: frozenset[int],
        read: Callable[[Sequence[int]], str],
    ) -> None:
        self._body, self._head, self._pack, self._window = body, head, pack, window
        self._ends, self._read = ends, read

    def write(
        self,
        prompts: Sequence[Prompted],
        soft: Tensor | None,
        decoding: Decoding,
        hear: Callable[[int, str], None] | None = None,
        stop: StopToken = NEVER,
    ) -> list[Written]:
        """Continue every prompt; ``hear`` is told (prompt, its text so far) after each token, and ``stop`` looked at.

        Texts come back in the order of the prompts; prompts of about one length are written together.
        """
        found = [Written() for _ in prompts]
        with torch.no_grad():
            for batch in self._batches(prompts, decoding.max_tokens):
                self._run([prompts[i] for i in batch], [found[i] for i in batch], batch, soft, decoding, hear, stop)
        return found

    def _batches(self, prompts: Sequence[Prompted], more: int) -> Iterator[list[int]]:
        token = self._body.bytes_a_token
        held: list[int] = []
        for place in sorted(range(len(prompts)), key=lambda place: len(prompts[place].context)):
            longest = len(prompts[place].context) + more
            if held and (len(held) + 1) * longest * token > ROOM:
                yield held
                held = []
            held.append(place)
        if held:
            yield held

    def _run(
        self,
        prompts: Sequence[Prompted],
        found: Sequence[Written],
        names: Sequence[int],
        soft: Tensor | None,
        decoding: Decoding,
        hear: Callable[[int, str], None] | None,
        stop: StopToken,
    ) -> None:
        draws = [_draw(decoding, prompt.key) for prompt in prompts]
        for text, fresh in zip(found, unshared([prompt.context for prompt in prompts]), strict=True):
            text.fresh = fresh
        logits, plan = self._begin([prompt.context for prompt in prompts], soft, decoding.max_tokens, stop)
        alive = list(range(len(prompts)))
        while alive:
            stop.check()
            going: list[int] = []
            tokens: list[int] = []
            for row, place in enumerate(alive):
                token = draws[place](logits[row])
                if self._take(found[place], token, decoding, plan.lengths[row]):
                    going.append(row)
                    tokens.append(token)
                if hear is not None and token not in self._ends:
                    hear(names[place], found[place].text)
            alive = [alive[row] for row in going]
            if alive:
                plan.only(going)
                positions = list(plan.lengths)
                hidden = self._body(self._body.embed(tokens, None), positions, plan)
                plan.lengths = [length + 1 for length in plan.lengths]
                logits = self._head.logits(hidden)

    def _take(self, written: Written, token: int, decoding: Decoding, length: int) -> bool:
        """Add a token; return whether the text goes on."""
        if token in self._ends:
            return False
        written.tokens.append(token)
        written.text = self._read(written.tokens)
        for mark in decoding.stop:
            if mark in written.text:
                written.text = written.text.split(mark, 1)[0]
                return False
        return len(written.tokens) < decoding.max_tokens and length < self._window

    def _begin(
        self, contexts: Sequence[tuple[int, ...]], soft: Tensor | None, more: int, stop: StopToken
    ) -> tuple[Tensor, "_StepPlan"]:
        """Compute the prompts, each distinct token once; return the first logits and room for what follows."""
        last: dict[tuple[int, int], Tensor] = {}

        def visit(nodes: Sequence[Node], begins: Sequence[int], hidden: Tensor) -> None:
            for node, begin in zip(nodes, begins, strict=True):
                for offset in spots.get(node.number, ()):
                    last[node.number, offset] = hidden[begin + offset]

        store = PrefixStore(
            self._body,
            contexts,
            pack=self._pack,
            budget=ROOM * 16,
            folder=None,
            soft=soft,
            later=True,
            stop=stop,
        )
        ends = [store.place(row, len(context) - 1) for row, context in enumerate(contexts)]
        spots: dict[int, set[int]] = {}
        for number, offset in ends:
            spots.setdefault(number, set()).add(offset)
        store.fill(visit)
        padded = store.batch(range(len(contexts)), more)
        assert padded is not None
        hidden = torch.stack([last[end] for end in ends])
        return self._head.logits(hidden), _StepPlan(padded.blocks, list(padded.lengths))


class _StepPlan:
    """Attention of one new token for each text over all that came before it; it writes its keys and values down."""

    def __init__(self, blocks: Tensor, lengths: list[int]) -> None:
        self._blocks, self.lengths = blocks, lengths

    def only(self, rows: Sequence[int]) -> None:
        """Go on with some of the texts."""
        if len(rows) < len(self.lengths):
            self._blocks = self._blocks[:, :, list(rows)]
            self.lengths = [self.lengths[row] for row in rows]

    def attend(self, module: Any, query: Tensor, key: Tensor, value: Tensor, scaling: float, extra: Any) -> Tensor:
        """Return [1, texts, heads, head width] for query [1, heads, texts, width] and keys of fewer heads."""
        keys, values = self._blocks[int(module.layer_idx)]
        n, kv_heads, _, width = keys.shape
        at, own = torch.tensor(self.lengths, device=keys.device), torch.arange(n, device=keys.device)
        keys[own, :, at], values[own, :, at] = key[0].transpose(0, 1), value[0].transpose(0, 1)
        q = query[0].transpose(0, 1).reshape(n, kv_heads, -1, width) * scaling
        longest = int(at.max()) + 1
        weights = q @ keys[:, :, :longest].transpose(-1, -2)
        cap, window = extra.get("softcap"), extra.get("sliding_window")
        if cap is not None:
            weights = torch.tanh(weights / cap) * cap
        place = torch.arange(longest, device=keys.device)[None]
        hidden = place > at[:, None]
        if window is not None:
            hidden |= at[:, None] - place >= window
        weights = weights.masked_fill(hidden[:, None, None], torch.finfo(weights.dtype).min)
        out = torch.softmax(weights.float(), dim=-1).to(values.dtype) @ values[:, :, :longest]
        joined: Tensor = out.reshape(1, n, -1, width)
        return joined


def _draw(decoding: Decoding, key: bytes) -> Callable[[Tensor], int]:
    """Return what picks a token from logits [vocabulary]; nucleus sampling as in Holtzman et al. 2019, 1904.09751."""
    if decoding.greedy:
        return lambda logits: int(logits.argmax())
    seed = hashlib.blake2b(key, digest_size=8).digest()
    rng = np.random.default_rng(np.random.SeedSequence([decoding.seed, int.from_bytes(seed, "big")]))

    def pick(logits: Tensor) -> int:
        scaled: NDArray[np.float64] = logits.double().cpu().numpy() / decoding.temperature
        order = np.argsort(-scaled, kind="stable")
        weights = np.exp(scaled[order] - scaled[order[0]])
        weights /= weights.sum()
        # The token that crosses top_p is still in.
        size = int(np.searchsorted(np.cumsum(weights), decoding.top_p)) + 1
        shares = np.cumsum(weights[:size])
        return int(order[min(int(np.searchsorted(shares, rng.random() * shares[-1], side="right")), size - 1)])

    return pick
