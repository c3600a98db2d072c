"""A soft prompt's loss and gradient, with everything before the slot computed once.

With causal attention the keys and values of what stands before the soft slot do not depend on the soft prompt. They
are computed once a case and kept, and a step runs the model over the soft tokens and what follows them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from fedprompt.errors import TuningError
from fedprompt.models.attention import Attending, KeyValues, Plan
from fedprompt.models.branch_groups import Branch, Run
from fedprompt.models.encoding import Encoded
from fedprompt.models.picking import rows_of
from fedprompt.models.prefix_store import PrefixStore
from fedprompt.models.protocols import LossGradient, PerCase, Tokens
from fedprompt.models.runner import Body, Head
from fedprompt.models.suffix import SuffixPlan
from fedprompt.models.work import unshared

__all__ = ["CachedObjective", "Kind"]

Kind = Literal["labels", "vocabulary"]
SHORT = 96  # tokens of a tail up to which prefix and tail are multiplied apart
PASS = 1536  # tokens of a backward pass: its activations are many, and with more of them caches hold too few


@dataclass(frozen=True)
class _Batch:
    """A pack: token names, positions, the tails as (position, parent) and where each word's tokens are predicted."""

    tokens: list[int]
    positions: list[int]
    tails: list[list[tuple[int, int]]]
    wanted: list[list[list[tuple[int, int]]]]  # row of the pack and target, by case, word and token

    @property
    def asked(self) -> list[int]:
        """The rows of the pack at which something is predicted, each once, in order."""
        return sorted({at for words in self.wanted for spots in words for at, _ in spots})

    @property
    def places(self) -> dict[int, int]:
        """Row of the pack -> its place among ``asked``."""
        return {at: place for place, at in enumerate(self.asked)}


class CachedObjective:
    """Implements ``SoftObjective`` for a Hugging Face model.

    ``labels``: a case's loss is the cross-entropy over the label words' log-likelihoods. Where every word is one token,
    only those columns of the head are computed; the normaliser cancels. ``vocabulary``: the mean over the answer's
    tokens of the cross-entropy over the whole vocabulary, as PEFT and transformers have it for answers of one length.
    """

    def __init__(
        self,
        body: Body,
        head: Head,
        cases: Sequence[Encoded],
        answers: Sequence[int],
        *,
        pack: int,
        budget: int,
        kind: Kind = "labels",
        folder: Path | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        """Prepare the cases.

        Args:
            pack: most tokens at once where no gradient is asked for.
            budget: bytes of keys and values to keep in memory.
            folder: where those over the budget may lie; None computes them again.
            dtype: what they are kept in; the model's own if None.

        Raises:
            TuningError: a case has no soft slot.
        """
        if any(-1 not in case.context for case in cases):
            raise TuningError("the template to tune has no {soft} slot or no soft tokens, so there is nothing to tune")
        self._body, self._head, self._pack, self._kind = body, head, pack, kind
        self._cases, self._answers = cases, list(answers)
        self._prefixes = [case.context[: case.context.index(-1)] for case in cases]
        self.store = PrefixStore(body, self._prefixes, pack=pack, budget=budget, folder=folder, dtype=dtype)
        self._single = all(len(path) == 1 for case in cases for path in case.paths) and head.plain

    def __len__(self) -> int:
        return len(self._cases)

    @property
    def prepared(self) -> int:
        """How many tokens were computed to prepare the cases."""
        return sum(unshared(self._prefixes))

    def tokens(self, rows: Sequence[int], *, looking: bool = False) -> Tokens:
        """Return what one pass over the cases ``rows`` takes; ``looking`` at all words."""
        asked = computed = 0
        for row in rows:
            case, start = self._cases[row], len(self._prefixes[row])
            paths = case.paths if looking or self._kind == "labels" else [case.paths[self._answers[row]]]
            asked += len(paths) * len(case.context) + sum(len(path) - 1 for path in paths)
            computed += len(case.context) - start + _beyond(paths)
        return Tokens(asked, computed)

    def loss_and_gradient(self, vectors: NDArray[np.float32], rows: Sequence[int]) -> LossGradient:
        """Return the mean loss over the cases ``rows`` and its gradient; ``vectors`` is [tokens, width] float32.

        Raises:
            TuningError: the loss is not a finite number.
        """
        found = self.per_case(vectors, rows)
        gradient = found.gradients.mean(axis=0, dtype=np.float64).astype(np.float32)
        return LossGradient(float(found.losses.mean()), gradient)

    def per_case(self, vectors: NDArray[np.float32], rows: Sequence[int]) -> PerCase:
        """Return every case's own loss and gradient, at the price of the mean's: each case has its copy of the vectors.

        Raises:
            TuningError: a loss is not a finite number.
        """
        parts = [self._backward(vectors, part) for part in self._passes(rows)]
        return PerCase(np.concatenate([part.losses for part in parts]), np.concatenate([p.gradients for p in parts]))

    def _backward(self, vectors: NDArray[np.float32], rows: Sequence[int]) -> PerCase:
        own = torch.tensor(vectors, device=self._body.rows.device).repeat(len(rows), 1).requires_grad_(True)
        losses = self._losses(own, rows)
        losses.sum().backward()  # type: ignore[no-untyped-call]
        if own.grad is None or not torch.isfinite(losses).all() or not torch.isfinite(own.grad).all():
            raise TuningError("the loss is not a finite number; lower the learning rate or start from other text")
        gradients = own.grad.view(len(rows), *vectors.shape)
        return PerCase(losses.detach().double().cpu().numpy(), gradients.cpu().numpy())

    def _passes(self, rows: Sequence[int]) -> list[Sequence[int]]:
        """Cut a batch into parts of about as many cases, each of about ``PASS`` tokens at most."""
        tokens = sum(map(self._tail, rows))
        parts = max(1, min(len(rows), -(-tokens // PASS)))
        cuts = [len(rows) * part // parts for part in range(parts + 1)]
        return [rows[start:stop] for start, stop in pairwise(cuts)]

    def _tail(self, row: int) -> int:
        """Return how many tokens a case has from the slot on, its words' included, what they share once."""
        case = self._cases[row]
        return len(case.context) - len(self._prefixes[row]) + _beyond(case.paths)

    def loglikelihoods(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return [cases, labels]; batches are cut in the order of the cases, by ``pack``."""
        soft = torch.tensor(vectors, device=self._body.rows.device)
        found = []
        with torch.no_grad():
            for start, stop in self._batches():
                rows = range(start, stop)
                found.append(self._scores(soft.repeat(len(rows), 1), rows).double().cpu().numpy())
        return np.concatenate(found) if found else np.zeros((0, 0))

    def _losses(self, soft: Tensor, rows: Sequence[int]) -> Tensor:
        """Return [rows] float32."""
        answers = [self._answers[row] for row in rows]
        if self._kind == "labels":
            targets = torch.tensor(answers, device=soft.device)
            return functional.cross_entropy(self._scores(soft, rows), targets, reduction="none")
        batch = self._layout(rows, [[answer] for answer in answers])
        parts = self._log_probabilities(self._hidden(batch, soft, rows), batch)
        return torch.stack([-part.mean() for part in parts])

    def _scores(self, soft: Tensor, rows: Sequence[int]) -> Tensor:
        """Return [rows, labels] float32: logits of one-token words, else log-likelihoods."""
        batch = self._layout(rows, [range(len(self._cases[row].paths)) for row in rows])
        hidden = self._hidden(batch, soft, rows)
        if self._single:
            return self._columns(hidden, batch)
        return torch.stack([part.sum() for part in self._log_probabilities(hidden, batch)]).view(len(rows), -1)

    def _batches(self) -> list[tuple[int, int]]:
        cuts, start, size = [], 0, 0
        for i in range(len(self._cases)):
            length = self._tail(i)
            if i > start and size + length > self._pack:
                cuts.append((start, i))
                start, size = i, 0
            size += length
        return [*cuts, (start, len(self._cases))] if self._cases else []

    def _layout(self, rows: Sequence[int], words: Sequence[Sequence[int]]) -> _Batch:
        """Lay out the tails of some cases, each followed by the words asked for as a tree, what they share once."""
        batch, soft = _Batch([], [], [], []), 0
        for row, asked in zip(rows, words, strict=True):
            case, start, first = self._cases[row], len(self._prefixes[row]), len(batch.tokens)
            context = case.context[start:]
            for token in context:
                batch.tokens.append(-1 - soft if token < 0 else token)
                soft += token < 0
            tail = [(start + k, k - 1) for k in range(len(context))]
            spots, places = [], dict[tuple[int, int], int]()  # row of the token before it, token -> its row
            for path in (case.paths[word] for word in asked):
                parent = len(context) - 1
                found = [(first + parent, path[0])]
                for token, target in pairwise(path):
                    if (parent, token) not in places:
                        places[parent, token] = len(tail)
                        tail.append((tail[parent][0] + 1, parent))
                        batch.tokens.append(token)
                    parent = places[parent, token]
                    found.append((first + parent, target))
                spots.append(found)
            batch.positions.extend(position for position, _ in tail)
            batch.tails.append(tail)
            batch.wanted.append(spots)
        return batch

    def _hidden(self, batch: _Batch, soft: Tensor, rows: Sequence[int]) -> Tensor:
        """Return the last hidden states of the rows ``batch.asked``, in that order."""
        prefixes = self.store.batch(rows)
        plan: Attending
        if prefixes is not None and max(map(len, batch.tails)) <= SHORT:
            plan = SuffixPlan(batch.tails, prefixes, soft.device)
        else:
            # Long tails go through the fused attention, which keeps no weights for the backward pass.
            values, first, branches = KeyValues(self._body.layers), 0, []
            if prefixes is not None:
                for layer, block in enumerate(prefixes.blocks):
                    values.replace(layer, *(part.transpose(1, 2).flatten(0, 1) for part in block))
            for case, tail in enumerate(batch.tails):
                width = 0 if prefixes is None else prefixes.blocks.shape[4]
                length = 0 if prefixes is None else prefixes.lengths[case]
                stored = range(case * width, case * width + length)
                branches.append(Branch(first, _runs(tail), stored, ()))
                first += len(tail)
            plan = Plan(branches, values, record=False, device=soft.device)
        return self._body(self._body.embed(batch.tokens, soft), batch.positions, plan, batch.asked)

    def _log_probabilities(self, hidden: Tensor, batch: _Batch) -> list[Tensor]:
        """Return, for every word asked for, the log-probabilities of its tokens."""
        flat = [spot for words in batch.wanted for spots in words for spot in spots]
        places = batch.places
        picked = rows_of(hidden, torch.tensor([places[at] for at, _ in flat], device=hidden.device))
        targets = [torch.tensor([target], device=hidden.device) for _, target in flat]
        values = torch.cat(self._head.log_probabilities(picked, targets))
        sizes = [len(spots) for words in batch.wanted for spots in words]
        return list(torch.split(values, sizes))

    def _columns(self, picked: Tensor, batch: _Batch) -> Tensor:
        """Return [cases, words] logits; words of one token are all predicted in one row a case."""
        targets = torch.tensor([[spots[0][1] for spots in words] for words in batch.wanted], device=picked.device)
        if bool((targets == targets[0]).all()):
            return self._head.columns(picked, targets[0])
        flat = self._head.columns(picked, targets.flatten())
        own = torch.arange(targets.numel(), device=picked.device).view_as(targets)
        return flat.gather(1, own)


def _beyond(paths: Sequence[tuple[int, ...]]) -> int:
    """Return how many tokens lead to the words' last ones, what they share counted once."""
    return sum(unshared([path[:-1] for path in paths]))


def _runs(tail: Sequence[tuple[int, int]]) -> list[Run]:
    """Cut a tail into runs in which each token follows the one before it."""
    starts = [row for row, (_, parent) in enumerate(tail) if parent != row - 1 or row == 0]
    ends = [*starts[1:], len(tail)]
    return [Run(stop - start, *tail[start]) for start, stop in zip(starts, ends, strict=True)]
