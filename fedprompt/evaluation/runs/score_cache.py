"""What a model gave for single cases, so that no case goes through it twice with the same prompt.

A row's name is a hash under the site's key of all that its numbers depend on: model, dtype, device, the filled-in
template, the soft prompt, and either the words (log-likelihoods) or the decoding, the scorers and the case's answer
(judgements of free text). The file holds values of single cases: it lies in the site's own folder, readable by its
owner alone, and nothing in it can be read back into text.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedprompt.evaluation.scorers.scorer import Scored
from fedprompt.models.nested import may_nest
from fedprompt.models.private_rows import PrivateRows
from fedprompt.models.protocols import ChoiceQuery, Decoding, GenerateQuery, ModelInfo
from fedprompt.prompts.ids import canonical_json
from fedprompt.prompts.rendered import SoftSlot
from fedprompt.prompts.soft import SoftPrompt

__all__ = ["Judgement", "ScoreCache"]

VERSION = 2  # raised when the same prompt may get other numbers: 2 reads markers and chats of some tokenizers anew
Judgement = Mapping[str, Scored]  # scorer -> what it said of one text


class ScoreCache:
    """The cache at ``path``; several processes may use it. A damaged file is put aside and begun anew."""

    def __init__(self, path: Path, key: bytes) -> None:
        self.path, self._key = path, key
        self._numbers, self._judged = PrivateRows(path, "likelihoods"), PrivateRows(path, "judgements")

    def names(self, info: ModelInfo, queries: Sequence[ChoiceQuery]) -> list[bytes]:
        """Return a name for each query, 16 bytes."""
        softs: dict[SoftPrompt, str] = {}
        return [self._name(info, query, _asked(query.words), softs) for query in queries]

    def get(self, names: Sequence[bytes]) -> dict[bytes, NDArray[np.float64]]:
        """Return what is known: for each name [2, words] float64, log-likelihoods and lengths in tokens."""
        try:
            return {name: np.frombuffer(body, "<f8").reshape(2, -1) for name, body in self._numbers.get(names).items()}
        except ValueError:
            self._numbers.put_aside()
            return {}

    def put(self, rows: Mapping[bytes, NDArray[np.float64]]) -> None:
        """Keep numbers, [2, words] float64 each, on disk before this returns.

        Raises:
            DataError: the file cannot be written.
        """
        self._numbers.put({name: np.ascontiguousarray(numbers, "<f8").tobytes() for name, numbers in rows.items()})

    def text_name(
        self,
        info: ModelInfo,
        query: GenerateQuery,
        decoding: Decoding,
        judged_by: str | None,
        answer: str,
        fields: Mapping[str, str],
    ) -> bytes:
        """Return a name for the judgement of what a query is answered with, 16 bytes.

        Args:
            judged_by: the scorers, by :func:`~fedprompt.evaluation.scorers.identity.judged_by`.
            answer: the case's, which scorers compare with.
            fields: the case's, which a judge may be shown.
        """
        asked = [asdict(decoding), judged_by, answer, dict(fields)]
        return self._name(info, query, asked, {})

    def judgements(self, names: Sequence[bytes]) -> dict[bytes, Judgement]:
        """Return what scorers said of the texts with these names, as far as it is known."""
        found: dict[bytes, Judgement] = {}
        for name, body in self._judged.get(names).items():
            try:
                said = json.loads(body)
                found[name] = {label: Scored(value, str(reason)) for label, (value, reason) in said.items()}
            except (ValueError, TypeError, AttributeError):
                continue  # a row that cannot be read is judged anew
        return found

    def keep_judgements(self, rows: Mapping[bytes, Judgement]) -> None:
        """Keep what scorers said, on disk before this returns; reasons are fixed sentences that quote no case.

        Raises:
            DataError: the file cannot be written.
        """
        said = {
            name: canonical_json({label: [one.value, one.reason] for label, one in judgement.items()})
            for name, judgement in rows.items()
        }
        self._judged.put(said, replace=True)

    def _name(
        self, info: ModelInfo, query: ChoiceQuery | GenerateQuery, asked: Any, softs: dict[SoftPrompt, str]
    ) -> bytes:
        soft = None
        if query.soft is not None:
            if query.soft not in softs:
                softs[query.soft] = hashlib.sha256(np.ascontiguousarray(query.soft.vectors).tobytes()).hexdigest()
            soft = softs[query.soft]
        turns = [
            [turn.role, [{"soft": True} if isinstance(piece, SoftSlot) else piece for piece in turn.pieces]]
            for turn in query.rendered.turns
        ]
        tuned = soft if query.adapter is None else query.adapter.digest
        body = [VERSION, info.digest, info.settings.dtype, info.settings.device, turns, asked, tuned]
        return hashlib.blake2b(canonical_json(body), digest_size=16, key=self._key).digest()


def _asked(words: Sequence[str]) -> Any:
    """Return what stands for a query's words: where one may begin another, numbers of before they were told apart die.

    What is known of all other words stays known.
    """
    return [list(words), "longest"] if may_nest(words) else list(words)
