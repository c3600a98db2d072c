"""A soft prompt's loss and gradient, with everything before the slot computed once.

With causal attention the keys and values of what stands before the soft slot do not depend on the soft prompt. They
are computed once a case and kept, and a step runs the model over the soft tokens and what follows them. Where the cases
of a pass have the same before the slot, or nothing, the slot and what is alike behind it are computed once for all.
"""

import copy
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
from fedprompt.models.hf.attention import Attending, KeyValues, Plan
from fedprompt.models.hf.branch_groups import Branch, Run
from fedprompt.models.hf.encoding import Encoded
from fedprompt.models.hf.picking import rows_of
from fedprompt.models.hf.prefix_store import PrefixStore
from fedprompt.models.hf.runner import Body, Head
from fedprompt.models.hf.suffix import SuffixPlan
from fedprompt.models.nested import LEAST
from fedprompt.models.protocols import LabelLoss, LossGradient, PerCase, Tokens
from fedprompt.models.work import unshared
from fedprompt.stopping import NEVER, StopToken

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
    In both a word whose tokens begin another's is told apart from it as in scoring (``models.nested``).
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
        stop: StopToken = NEVER,
        prefixes: Sequence[tuple[int, ...]] | None = None,
    ) -> None:
        """Prepare the cases.

        Args:
            pack: most tokens at once where no gradient is asked for.
            budget: bytes of keys and values to keep in memory.
            folder: where those over the budget may lie; None computes them again.
            dtype: what they are kept in; the model's own if None.
            stop: looked at before each pack, of preparing and of ``loglikelihoods``.
            prefixes: what of each case does not change from step to step; what stands before its slot if None.

        Raises:
            TuningError: a case has no soft slot, and no prefixes are given.
        """
        if prefixes is None and any(-1 not in case.context for case in cases):
            raise TuningError(
                "the template to tune has no {soft} slot or no soft tokens, so there is nothing to tune",
                code="nothing-to-tune",
            )
        self._body, self._head, self._pack, self._kind = body, head, pack, kind
        self._cases, self._answers = cases, list(answers)
        self._prefixes = prefixes or [case.context[: case.context.index(-1)] for case in cases]
        self._stop = stop
        self._loss: LabelLoss | None = None
        self.store = PrefixStore(body, self._prefixes, pack=pack, budget=budget, folder=folder, dtype=dtype, stop=stop)
        self._single = all(len(path) == 1 for case in cases for path in case.paths) and head.plain

    def __len__(self) -> int:
        return len(self._cases)

    def under(self, loss: LabelLoss) -> "CachedObjective":
        """Return the same cases with another loss over their labels; what was prepared is shared.

        Raises:
            ValueError: they are prepared for likelihoods over the whole vocabulary.
        """
        if self._kind != "labels":
            raise ValueError("a loss over labels needs an objective over labels")
        found = copy.copy(self)
        found._loss = loss
        return found

    @property
    def prepared(self) -> int:
        """How many tokens were computed to prepare the cases."""
        return sum(unshared(self._prefixes))

    def tokens(self, rows: Sequence[int], *, looking: bool = False) -> Tokens:
        """Return what one pass over the cases ``rows`` takes; ``looking`` at all words."""
        asked = computed = 0
        for row in rows:
            case, start = self._cases[row], len(self._prefixes[row])
            paths = case.paths if looking or self._kind == "labels" else [case.paths[word] for word in self._told(row)]
            asked += len(paths) * len(case.context) + sum(len(path) - 1 for path in paths)
            computed += len(case.context) - start + _beyond(paths)
        parts = self._cut(rows) if looking else self._passes(rows)
        return Tokens(asked, computed - sum((len(part) - 1) * self._alike(part) for part in parts))

    def loss_and_gradient(self, vectors: NDArray[np.float32], rows: Sequence[int]) -> LossGradient:
        """Return the mean loss over the cases ``rows`` and its gradient; ``vectors`` is [tokens, width] float32.

        Raises:
            TuningError: the loss is not a finite number.
        """
        losses, total = [], np.zeros(vectors.shape)
        for part in self._passes(rows):
            found, slopes = self._slopes(vectors, part, self._alike(part))
            losses.append(found)
            total += slopes.sum(axis=0, dtype=np.float64)
        return LossGradient(float(np.concatenate(losses).mean()), (total / len(rows)).astype(np.float32))

    def per_case(self, vectors: NDArray[np.float32], rows: Sequence[int]) -> PerCase:
        """Return every case's own loss and gradient: each case has its copy of the vectors, so that none is shared.

        Raises:
            TuningError: a loss is not a finite number.
        """
        parts = [self._slopes(vectors, part, 0) for part in self._passes(rows, apart=True)]
        losses, gradients = zip(*parts, strict=True)
        return PerCase(np.concatenate(losses), np.concatenate(gradients))

    def _slopes(
        self, vectors: NDArray[np.float32], rows: Sequence[int], shared: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Return the losses [rows] and their slopes [rows, tokens, width], or the slopes' sum as one row if shared."""
        copies = 1 if shared else len(rows)
        own = torch.tensor(vectors, device=self._body.rows.device).repeat(copies, 1).requires_grad_(True)
        if self._loss is None:
            losses = self._losses(own, rows, shared)
            torch.autograd.backward(losses.sum())
        else:
            scores = self._scores(own, rows, shared)
            given = self._loss(scores.detach().double().cpu().numpy(), rows)
            torch.autograd.backward(scores, torch.from_numpy(given.slopes).to(scores))
            losses = torch.from_numpy(given.losses)
        if own.grad is None or not torch.isfinite(losses).all() or not torch.isfinite(own.grad).all():
            raise TuningError(
                "the loss is not a finite number; lower the learning rate or start from other text", code="not-finite"
            )
        return losses.detach().double().cpu().numpy(), own.grad.view(copies, *vectors.shape).cpu().numpy()

    def _passes(self, rows: Sequence[int], *, apart: bool = False) -> list[Sequence[int]]:
        """Cut a batch into parts of about as many cases, each of about ``PASS`` tokens at most."""
        shared = 0 if apart else self._alike(rows)
        tokens = sum(self._tail(row) - shared for row in rows)
        parts = max(1, min(len(rows), -(-tokens // _room(PASS, shared))))
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
            for rows in self._cut(range(len(self._cases))):
                self._stop.check()
                shared = self._alike(rows)
                own = soft if shared else soft.repeat(len(rows), 1)
                found.append(self._scores(own, rows, shared).double().cpu().numpy())
        return np.concatenate(found) if found else np.zeros((0, 0))

    def _losses(self, soft: Tensor, rows: Sequence[int], shared: int = 0) -> Tensor:
        """Return [rows] float32; ``soft`` is [rows x tokens, width], or [tokens, width] where ``shared`` holds them."""
        answers = [self._answers[row] for row in rows]
        if self._kind == "labels":
            targets = torch.tensor(answers, device=soft.device)
            return functional.cross_entropy(self._scores(soft, rows, shared), targets, reduction="none")
        told = [self._told(row) for row in rows]
        batch = self._layout(rows, told, shared)
        parts = iter(self._log_probabilities(self._hidden(batch, soft, rows, shared), batch))
        losses = []
        for words in told:
            own, *longer = (next(parts) for _ in words)
            left = _left(own.sum(), [part.sum() for part in longer]) / len(own) if longer else 0.0
            losses.append(-(own.mean() + left))
        return torch.stack(losses)

    def _scores(self, soft: Tensor, rows: Sequence[int], shared: int = 0) -> Tensor:
        """Return [rows, labels] float32: logits of one-token words, else log-likelihoods."""
        batch = self._layout(rows, [range(len(self._cases[row].paths)) for row in rows], shared)
        hidden = self._hidden(batch, soft, rows, shared)
        if self._single:
            return self._columns(hidden, batch)
        found = torch.stack([part.sum() for part in self._log_probabilities(hidden, batch)]).view(len(rows), -1)
        if not any(self._cases[row].longer for row in rows):
            return found
        return torch.stack([_apart(own, self._cases[row].longer) for own, row in zip(found, rows, strict=True)])

    def _told(self, row: int) -> list[int]:
        """Return the places of a case's answer and of the longer words that it is told apart from."""
        case, answer = self._cases[row], self._answers[row]
        return [answer, *(case.longer[answer] if case.longer else ())]

    def _cut(self, rows: Sequence[int]) -> list[Sequence[int]]:
        """Cut cases into parts of at most ``pack`` tokens, or of one case."""
        shared, cuts, size = self._alike(rows), [0], 0
        for place, row in enumerate(rows):
            length = self._tail(row) - shared
            if place > cuts[-1] and size + length > _room(self._pack, shared):
                cuts.append(place)
                size = 0
            size += length
        return [rows[start:stop] for start, stop in pairwise([*cuts, len(rows)])] if rows else []

    def _alike(self, rows: Sequence[int]) -> int:
        """Return how many tokens from the slot on, the soft ones at least, cases have alike behind the same prefix.

        At least one token of each is left; 0 where there are no such tokens.
        """
        one, *others = rows
        if not others or any(self._prefixes[row] != self._prefixes[one] for row in others):
            return 0
        start = len(self._prefixes[one])
        tails = [self._cases[row].context[start:] for row in rows]
        most = min(map(len, tails)) - 1
        shared = next((k for k in range(most) if any(tail[k] != tails[0][k] for tail in tails)), most)
        return shared if shared >= tails[0].count(-1) else 0

    def _layout(self, rows: Sequence[int], words: Sequence[Sequence[int]], shared: int = 0) -> _Batch:
        """Lay out the tails of some cases, each followed by the words asked for as a tree, what they share once.

        The first ``shared`` tokens of the tails, which are the same, stand before them and not in them.
        """
        batch, soft = _Batch([], [], [], []), 0
        begin = len(self._prefixes[rows[0]])
        for position, token in enumerate(self._cases[rows[0]].context[begin : begin + shared], begin):
            batch.tokens.append(-1 - soft if token < 0 else token)
            batch.positions.append(position)
            soft += token < 0
        for row, asked in zip(rows, words, strict=True):
            case, start, first = self._cases[row], len(self._prefixes[row]) + shared, len(batch.tokens)
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

    def _hidden(self, batch: _Batch, soft: Tensor, rows: Sequence[int], shared: int) -> Tensor:
        """Return the last hidden states of the rows ``batch.asked``, in that order."""
        prefixes = self.store.batch(rows[:1] if shared else rows)
        plan: Attending
        if not shared and prefixes is not None and max(map(len, batch.tails)) <= SHORT:
            plan = SuffixPlan(batch.tails, prefixes, soft.device)
        else:
            # Long tails go through attention that keeps no weights for the backward pass.
            values, first, branches = KeyValues(self._body.layers), shared, list[Branch]()
            if prefixes is not None:
                for layer, block in enumerate(prefixes.blocks):
                    values.replace(layer, *(part.transpose(1, 2).flatten(0, 1) for part in block))
            if shared:
                before = range(len(self._prefixes[rows[0]]))
                branches.append(Branch(0, [Run(shared, len(before), -1)], before, ()))
            for place, tail in enumerate(batch.tails):
                case = 0 if shared else place
                width = 0 if prefixes is None else prefixes.blocks.shape[4]
                length = 0 if prefixes is None else prefixes.lengths[case]
                stored = range(case * width, case * width + length)
                branches.append(Branch(first, _runs(tail), stored, range(shared)))
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


def _left(own: Tensor, longer: Sequence[Tensor]) -> Tensor:
    """Return the logarithm of what longer words leave of a word's probability, as ``nested.apart`` does."""
    return (1 - torch.exp(torch.stack(list(longer)) - own).sum()).clamp(min=0).add(LEAST).log()


def _apart(values: Tensor, longer: Sequence[Sequence[int]]) -> Tensor:
    """Return [words] log-likelihoods, each of a word and none of its longer ones."""
    if not longer:
        return values
    return torch.stack(
        [
            own + _left(own, [values[place] for place in after]) if after else own
            for own, after in zip(values, longer, strict=True)
        ]
    )


def _room(most: int, shared: int) -> int:
    """Return how many of ``most`` tokens are left beside the shared ones: half, however many these are."""
    return max(most - shared, -(-most // 2))


def _beyond(paths: Sequence[tuple[int, ...]]) -> int:
    """Return how many tokens lead to the words' last ones, what they share counted once."""
    return sum(unshared([path[:-1] for path in paths]))


def _runs(tail: Sequence[tuple[int, int]]) -> list[Run]:
    """Cut a tail into runs in which each token follows the one before it."""
    starts = [row for row, (_, parent) in enumerate(tail) if parent != row - 1 or row == 0]
    ends = [*starts[1:], len(tail)]
    return [Run(stop - start, *tail[start]) for start, stop in zip(starts, ends, strict=True)]
