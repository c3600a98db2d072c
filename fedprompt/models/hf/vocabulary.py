"""The vocabulary of a Hugging Face model: its tokenizer, and its input embeddings as the first layer is given them.

Some models scale a row after looking it up (Gemma), so embeddings are asked of the model's own module and never read
from its table. They are made a part at a time, so that a large vocabulary is never held twice.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fedprompt.models.vocabulary import By, Nearest

__all__ = ["HFVocabulary"]

PART = 8192


class HFVocabulary:
    """Implements ``Vocabulary``.

    ``read`` gives texts' tokens, control tokens' markers read as text; ``embed`` tokens' embeddings, [tokens, width];
    ``rows`` is how many of these there are.
    """

    def __init__(
        self,
        tokenizer: Any,
        read: Callable[[Sequence[str]], list[tuple[int, ...]]],
        embed: Callable[[Sequence[int]], Tensor],
        rows: int,
    ) -> None:
        self._tokenizer, self._read, self._embed = tokenizer, read, embed
        # A model may have more rows than its tokenizer has tokens, and a tokenizer tokens without a row.
        self._size = min(len(tokenizer), rows)

    def nearest(self, vectors: NDArray[np.float32], count: int, by: By, *, plain: bool = True) -> Nearest:
        """Return the ``count`` tokens nearest to each row of [rows, width] by input embedding, or all if fewer."""
        wanted = torch.from_numpy(np.array(vectors, np.float32))
        parts = (range(start, min(self._size, start + PART)) for start in range(0, self._size, PART))
        likeness = torch.cat([_likeness(wanted, self._rows(part), by) for part in parts], dim=1)
        if plain:
            likeness[:, ~self._plain] = -torch.inf
            count = min(count, int(self._plain.sum()))
        # A stable sort, so that of tokens equally near the first comes first.
        best = torch.sort(likeness, dim=1, descending=True, stable=True)
        return Nearest(best.indices[:, :count].numpy(), best.values[:, :count].double().numpy())

    def vectors(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """Return the tokens' input embeddings, [tokens, width] float32."""
        found: NDArray[np.float32] = self._rows(tokens).numpy()
        return found

    def spelt(self, tokens: Sequence[int]) -> str:
        """Return the text that the tokens are written as."""
        return str(self._tokenizer.decode(list(tokens), clean_up_tokenization_spaces=False))

    def reads_back(self, tokens: Sequence[int]) -> bool:
        """Return whether the tokens' text is read as these very tokens, and spells no control token."""
        text = self.spelt(tokens)
        return not any(marker in text for marker in self._controls) and self._read([text]) == [tuple(tokens)]

    def _rows(self, tokens: Sequence[int]) -> Tensor:
        """Return [tokens, width] float32 in the machine's memory."""
        with torch.no_grad():
            return self._embed(tokens).float().cpu()

    @cached_property
    def _controls(self) -> dict[str, int]:
        special = dict(zip(self._tokenizer.all_special_tokens, self._tokenizer.all_special_ids, strict=True))
        return {**self._tokenizer.get_added_vocab(), **special}

    @cached_property
    def _plain(self) -> Tensor:
        """Which tokens are plain text, [vocabulary] bool."""
        texts = [self.spelt([token]) for token in range(self._size)]
        controls = set(self._controls.values())
        kept = [
            token not in controls and text.replace("\n", "").isprintable() and bool(text) and ids == (token,)
            for token, (text, ids) in enumerate(zip(texts, self._read(texts), strict=True))
        ]
        return torch.tensor(kept)


def _likeness(wanted: Tensor, rows: Tensor, by: By) -> Tensor:
    """Return [wanted, rows] float32."""
    if by == "cosine":
        return torch.nn.functional.normalize(wanted, dim=1) @ torch.nn.functional.normalize(rows, dim=1).T
    if by == "euclid":
        # Not by the sum of squares: of near vectors that loses the digits that tell them apart.
        return -torch.cdist(wanted, rows, compute_mode="donot_use_mm_for_euclid_dist")
    return wanted @ rows.T
