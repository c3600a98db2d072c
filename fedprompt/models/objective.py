"""A soft prompt's loss and gradient, with everything before the slot computed once.

With causal attention the keys and values of what stands before the soft slot do not depend on the soft prompt. They
are computed once a case and kept, and a step runs the model over the soft tokens and what follows them.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from fedprompt.errors import TuningError
from fedprompt.models.attention import Branch, Plan
from fedprompt.models.encoding import Encoded
from fedprompt.models.protocols import LossGradient
from fedprompt.models.runner import Body, Head, run_tree
from fedprompt.models.trie import Trie

__all__ = ["CachedObjective"]


class CachedObjective:
    """Implements ``SoftObjective`` for a Hugging Face model.

    The loss is the cross-entropy over the label words' log-likelihoods (objective ``labels``). Where every word is one
    token, only those columns of the head are computed; the normaliser cancels.
    """

    def __init__(
        self, body: Body, head: Head, cases: Sequence[Encoded], answers: Sequence[int], *, pack: int, budget: int
    ) -> None:
        if any(-1 not in case.context for case in cases):
            raise TuningError("the template to tune has no {soft} slot, so there is nothing to tune")
        self._body, self._head, self._pack = body, head, pack
        self._cases, self._answers = cases, torch.as_tensor(list(answers), dtype=torch.long)
        self._prefixes = [case.context[: case.context.index(-1)] for case in cases]
        trie = Trie()
        for prefix in self._prefixes:
            trie.insert(prefix)
        self._store = run_tree(body, trie, pack, None, everything=True)
        if self._store.values.nbytes > budget:
            raise TuningError(
                f"the cached keys and values take {self._store.values.nbytes:,} bytes and the budget is {budget:,}; "
                "use fewer or shorter cases"
            )
        self._paths = []
        for prefix in self._prefixes:
            self._paths.append(self._store.path(trie.find(prefix, len(prefix) - 1)[0]) if prefix else [])
        self._single = all(len(path) == 1 for case in cases for path in case.paths) and head.plain

    def __len__(self) -> int:
        return len(self._cases)

    def loss_and_gradient(self, vectors: NDArray[np.float32], rows: Sequence[int]) -> LossGradient:
        """Return the mean loss over the cases ``rows`` and its gradient; ``vectors`` is [tokens, width] float32.

        Raises:
            TuningError: the loss is not a finite number.
        """
        soft = torch.tensor(vectors, device=self._body.rows.device, requires_grad=True)
        loss = functional.cross_entropy(self._scores(soft, rows), self._answers[list(rows)].to(soft.device))
        loss.backward()  # type: ignore[no-untyped-call]
        if not torch.isfinite(loss) or soft.grad is None or not torch.isfinite(soft.grad).all():
            raise TuningError("the loss is not a finite number; lower the learning rate or start from other text")
        return LossGradient(float(loss.detach()), soft.grad.cpu().numpy())

    def loglikelihoods(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return [cases, labels]; batches are cut in the order of the cases, by ``pack``."""
        soft = torch.tensor(vectors, device=self._body.rows.device)
        found = []
        with torch.no_grad():
            for start, stop in self._batches():
                found.append(self._scores(soft, range(start, stop)).double().cpu().numpy())
        return np.concatenate(found) if found else np.zeros((0, 0))

    def _batches(self) -> list[tuple[int, int]]:
        cuts, start, size = [], 0, 0
        for i, case in enumerate(self._cases):
            length = len(case.context) - len(self._prefixes[i]) + sum(len(p) - 1 for p in case.paths)
            if i > start and size + length > self._pack:
                cuts.append((start, i))
                start, size = i, 0
            size += length
        return [*cuts, (start, len(self._cases))] if self._cases else []

    def _scores(self, soft: Tensor, rows: Sequence[int]) -> Tensor:
        """Return [rows, labels] float32: logits of one-token words, else log-likelihoods."""
        tokens: list[int] = []
        positions: list[int] = []
        branches: list[Branch] = []
        wanted: list[list[list[tuple[int, int]]]] = []  # row of the pack and target, by case, word and token
        tails = [self._cases[row].context[len(self._prefixes[row]) :] for row in rows]
        for row, tail in zip(rows, tails, strict=True):
            case, start = self._cases[row], len(self._prefixes[row])
            first = len(tokens)
            branches.append(Branch(first, len(tail), start, self._paths[row], ()))
            tokens.extend(_numbered(tail))
            positions.extend(range(start, start + len(tail)))
            words = []
            for path in case.paths:
                spots = [(first + len(tail) - 1, path[0])]
                if len(path) > 1:
                    at, end = len(tokens), start + len(tail)
                    ancestors = range(first, first + len(tail))
                    branches.append(Branch(at, len(path) - 1, end, self._paths[row], ancestors))
                    tokens.extend(path[:-1])
                    positions.extend(range(end, end + len(path) - 1))
                    spots += [(at + k, target) for k, target in enumerate(path[1:])]
                words.append(spots)
            wanted.append(words)
        plan = Plan(branches, self._store.values, record=False, device=soft.device)
        hidden = self._body(self._body.embed(tokens, soft), positions, plan)
        if self._single:
            return self._columns(hidden, wanted)
        flat = [spot for words in wanted for spots in words for spot in spots]
        picked = hidden[[at for at, _ in flat]]
        parts = self._head.log_probabilities(picked, [torch.tensor([t], device=soft.device) for _, t in flat])
        values = torch.cat(parts)
        sums, at = [], 0
        for words in wanted:
            for spots in words:
                sums.append(values[at : at + len(spots)].sum())
                at += len(spots)
        return torch.stack(sums).view(len(wanted), -1)

    def _columns(self, hidden: Tensor, wanted: Sequence[Sequence[Sequence[tuple[int, int]]]]) -> Tensor:
        picked = hidden[[words[0][0][0] for words in wanted]]
        targets = torch.tensor([[spots[0][1] for spots in words] for words in wanted], device=hidden.device)
        if bool((targets == targets[0]).all()):
            return self._head.columns(picked, targets[0])
        flat = self._head.columns(picked, targets.flatten())
        own = torch.arange(targets.numel(), device=hidden.device).view_as(targets)
        return flat.gather(1, own)


def _numbered(tail: Sequence[int]) -> list[int]:
    """Name the soft rows one after the other: the k-th -1 becomes ``-1 - k``."""
    numbered, soft = [], 0
    for token in tail:
        if token < 0:
            numbered.append(-1 - soft)
            soft += 1
        else:
            numbered.append(token)
    return numbered
