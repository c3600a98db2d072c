"""The shipped fake: a tiny, exact, deterministic language model in numpy, for tests and for trying the app.

It reads sentiment from a small lexicon and is log-bilinear: a context ``h`` and a word ``u`` score ``u . h``.
The context holds the lexicon's verdict, a bias that depends on how the template ends, noise that depends on
the whole text, and a linear correction by the mean of the soft prompt. So templates differ, tuning lowers the
loss, and the gradient is known in closed form. The same text gives the same numbers on every machine.
"""

import copy
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import ModelError
from fedprompt.models.adapting_queries import check_fits
from fedprompt.models.nested import Nested, untold
from fedprompt.models.protocols import (
    ChoiceQuery,
    ChoiceResult,
    Decoding,
    Generated,
    GenerateQuery,
    LabelLoss,
    LossGradient,
    ModelInfo,
    PerCase,
    PreparedObjective,
    RunSettings,
    Tokens,
)
from fedprompt.models.scripted_adapter import ScriptedAdapterObjective, adapted, scripted_shapes
from fedprompt.models.scripted_drawing import continuations_in_order
from fedprompt.models.scripted_words import (
    NEGATIVE,
    POSITIVE,
    SIZE,
    TOKEN,
    WIDTH,
    Context,
    Lexicon,
    context_of,
    direction,
    embedding,
    words_of,
)
from fedprompt.models.work import unshared
from fedprompt.prompts.adapter import Adapter
from fedprompt.prompts.rendered import SOFT, Rendered
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.stopping import NEVER, StopToken

__all__ = ["NAME", "WIDTH", "ScriptedModel"]

NAME = "scripted"
WINDOW = 8192
REACH = 4.0  # how far the mean of a soft prompt moves the context
CONTINUATIONS = (
    " good",
    " bad",
    " positive",
    " negative",
    " great",
    " terrible",
    " The text says so.",
    " I think.",
)


class ScriptedModel:
    """A :class:`~fedprompt.models.protocols.CausalModel` without weights."""

    def __init__(self, settings: RunSettings | None = None) -> None:
        digest = hashlib.sha256(b"fedprompt scripted model, revision 2").hexdigest()
        self._info = ModelInfo(
            name="scripted",
            digest=f"sha256:{digest}",
            width=WIDTH,
            window=WINDOW,
            settings=settings or RunSettings(dtype="float32", threads=1),
        )
        self.vocabulary = Lexicon()

    @property
    def info(self) -> ModelInfo:
        """Name, digest and sizes."""
        return self._info

    def choices(
        self,
        queries: Sequence[ChoiceQuery],
        progress: Callable[[int, int], None] | None = None,
        *,
        stop: StopToken = NEVER,
    ) -> ChoiceResult:
        """Return the log-likelihoods of every query's words; ``progress`` hears (tokens done, tokens in all).

        Raises:
            ModelError: a query is longer than the window, has no words or two that are the same tokens, or has a soft
                slot and no soft prompt.
            ModelMismatch: a soft prompt was made for another model.
        """
        start = time.perf_counter()
        answers: list[NDArray[np.float64]] = []
        lengths = [self._tokens(query.rendered, query.words) for query in queries]
        seen: set[int] = set()
        done, total = 0, sum(map(len, lengths))
        for query, tokens in zip(queries, lengths, strict=True):
            stop.check()
            mean = self._mean(query.rendered, query.soft)
            context = self._context(query.rendered, query.adapter)
            answers.append(_loglikelihoods(context, words_of(query.words), mean))
            prefix = hash((query.soft, query.adapter))
            for token in tokens:
                prefix = hash((prefix, token))
                seen.add(prefix)
            done += len(tokens)
            if progress is not None:
                progress(done, total)
        sizes = tuple(np.array([len(TOKEN.findall(word)) for word in query.words]) for query in queries)
        return ChoiceResult(tuple(answers), sizes, total, len(seen), time.perf_counter() - start)

    def generate(
        self,
        queries: Sequence[GenerateQuery],
        decoding: Decoding,
        hear: Callable[[int, str], None] | None = None,
        *,
        stop: StopToken = NEVER,
    ) -> tuple[Generated, ...]:
        """Continue each query until a stop string, the end of the turn or ``max_tokens``, in the order given.

        ``hear`` is told (query, its text so far) after each token.

        Raises:
            ModelError: a query is longer than the window, or has a soft slot and no soft prompt.
            ModelMismatch: a soft prompt was made for another model.
        """
        found = [self._continue(place, query, decoding, hear, stop) for place, query in enumerate(queries)]
        read = [TOKEN.findall(query.rendered.text()) for query in queries]
        names: dict[str, int] = {}
        fresh = unshared([[names.setdefault(token, len(names)) for token in tokens] for tokens in read])
        return tuple(
            replace(text, read=len(tokens), computed=new + text.tokens)
            for text, tokens, new in zip(found, read, fresh, strict=True)
        )

    def length(self, rendered: Rendered, words: Sequence[str] = (), soft: int = 0) -> int:
        """Return how many tokens a prompt has with its longest word and ``soft`` soft tokens."""
        longest = max((len(TOKEN.findall(word)) for word in words), default=0)
        return len(TOKEN.findall(rendered.text())) + longest + soft

    def nested(self, rendered: Rendered, words: Sequence[str]) -> Nested:
        """Return which words' tokens begin others'; as words are compared whole here, it moves no likelihood."""
        return Nested.of([tuple(TOKEN.findall(word.strip().lower())) for word in words])

    def vocabulary_init(self, tokens: int, rng: np.random.Generator) -> SoftPrompt:
        """Return the input embeddings of ``tokens`` words drawn from the lexicon."""
        words = sorted(POSITIVE | NEGATIVE)
        drawn = [words[int(i)] for i in rng.choice(len(words), size=tokens, replace=tokens > len(words))]
        return SoftPrompt((SIZE * np.stack([embedding(word) for word in drawn])).astype(np.float32), self._info.digest)

    def text_init(self, text: str, tokens: int) -> SoftPrompt:
        """Return the input embeddings of a text's first ``tokens`` tokens, repeated where it has fewer.

        Raises:
            ModelError: the text is empty.
        """
        pieces = TOKEN.findall(text)
        if not pieces:
            raise ModelError(
                "a soft prompt cannot start from an empty text; give 'init' some words", code="no-start-text"
            )
        vectors = SIZE * np.stack([embedding(pieces[i % len(pieces)]) for i in range(tokens)])
        return SoftPrompt(vectors.astype(np.float32), self._info.digest)

    def objective(
        self,
        queries: Sequence[ChoiceQuery],
        answers: Sequence[int],
        tokens: int = 8,
        *,
        kind: Literal["labels", "vocabulary"] = "labels",
        folder: Path | None = None,
        stop: StopToken = NEVER,
    ) -> PreparedObjective:
        """Prepare cases for tuning ``tokens`` soft tokens; ``answers`` index each query's words.

        A query's ``soft`` is ignored. The words are the whole vocabulary, so that ``kind`` changes nothing, and nothing
        is large enough for ``folder``.

        Raises:
            ModelError: a query has no soft slot or does not fit the window, or an answer is not the index of
                a word.
        """
        for query in queries:
            stop.check()
            self._tokens(query.rendered, query.words)
            if self.length(query.rendered, query.words, tokens) > WINDOW:
                raise ModelError(
                    f"a prompt and {tokens} soft tokens exceed the window of {WINDOW}; shorten the text",
                    code="window",
                )
        return _Objective(queries, answers, [self._sizes(query, tokens) for query in queries])

    def _sizes(self, query: ChoiceQuery, tokens: int) -> tuple[Tokens, int]:
        """Return what a pass over a query takes, and how many tokens stand before its slot."""
        before, _, after = query.rendered.text().partition(SOFT.value)
        first, rest = len(TOKEN.findall(before)), tokens + len(TOKEN.findall(after))
        words = sum(len(TOKEN.findall(word)) - 1 for word in query.words)
        return Tokens(len(query.words) * (first + rest) + words, rest + words), first

    def _tokens(self, rendered: Rendered, words: Sequence[str]) -> list[str]:
        if not words:
            raise ModelError("a choice needs at least one word to compare", code="no-words")
        if (nested := self.nested(rendered, words)).same:
            raise untold(words, nested)
        tokens = TOKEN.findall(rendered.text()) + [part for word in words for part in TOKEN.findall(word)]
        longest = self.length(rendered, words)
        if longest > WINDOW:
            raise ModelError(
                f"a prompt has {longest} tokens, but the model's window has {WINDOW}; shorten the text", code="window"
            )
        return tokens

    def lora_shapes(self, targets: tuple[str, ...]) -> dict[str, tuple[int, int]]:
        """Return module -> (out, in) of its one linear layer, ``mix``.

        Raises:
            ModelError: a target that it has no layer of.
        """
        return scripted_shapes(targets)

    def adapter_objective(
        self,
        queries: Sequence[ChoiceQuery],
        answers: Sequence[int],
        like: Adapter,
        *,
        kind: Literal["labels", "vocabulary"] = "labels",
        stop: StopToken = NEVER,
    ) -> ScriptedAdapterObjective:
        """Prepare cases for tuning an adapter of the form of ``like``; as of ``objective``, ``kind`` changes nothing.

        Raises:
            ModelError: a query does not fit the window.
            ModelMismatch: the adapter is of another model.
        """
        like.check_model(self._info.digest, self._info.name, WIDTH)
        check_fits(like, scripted_shapes(like.targets))
        sizes = []
        for query in queries:
            stop.check()
            size = len(self._tokens(query.rendered, query.words))
            sizes.append(Tokens(size, size))
        cases = [(context_of(query.rendered.text()), words_of(query.words)) for query in queries]
        return ScriptedAdapterObjective(cases, answers, like, sizes)

    def _context(self, rendered: Rendered, adapter: Adapter | None) -> Context:
        if adapter is not None:
            adapter.check_model(self._info.digest, self._info.name, WIDTH)
            check_fits(adapter, scripted_shapes(adapter.targets))
        return adapted(context_of(rendered.text()), adapter)

    def _mean(self, rendered: Rendered, soft: SoftPrompt | None) -> NDArray[np.float64]:
        if not rendered.has_soft:
            return np.zeros(WIDTH)
        if soft is None:
            raise ModelError("a prompt has a soft slot but no soft prompt", code="no-soft-prompt")
        soft.check_model(self._info.digest, self._info.name, WIDTH)
        mean: NDArray[np.float64] = REACH * soft.vectors.mean(axis=0, dtype=np.float64)
        return mean

    def _continue(
        self,
        place: int,
        query: GenerateQuery,
        decoding: Decoding,
        hear: Callable[[int, str], None] | None,
        stop: StopToken,
    ) -> Generated:
        self._tokens(query.rendered, CONTINUATIONS)
        written = query.rendered.text()
        mean, context = self._mean(query.rendered, query.soft), self._context(query.rendered, query.adapter)
        scores = _loglikelihoods(context, words_of(CONTINUATIONS), mean)
        text, tokens = "", 0
        for index in continuations_in_order(scores, decoding, written)[:3]:
            for piece in TOKEN.findall(CONTINUATIONS[int(index)]):
                stop.check()
                if tokens >= decoding.max_tokens:
                    return Generated(text, tokens)
                text, tokens = text + piece, tokens + 1
                if hear is not None:
                    hear(place, text)
                for mark in decoding.stop:
                    if mark in text:
                        return Generated(text[: text.index(mark)], tokens)
        return Generated(text, tokens)


class _Objective:
    """Prepared cases; a word scores ``u . (f + m) + s (u . d)(a . m)``, ``m`` being REACH times the mean."""

    def __init__(
        self, queries: Sequence[ChoiceQuery], answers: Sequence[int], sizes: Sequence[tuple[Tokens, int]]
    ) -> None:
        if len(queries) != len(answers):
            raise ModelError(
                f"{len(queries)} queries came with {len(answers)} answers; they go in pairs", code="unlike-lengths"
            )
        for query, answer in zip(queries, answers, strict=True):
            if not query.rendered.has_soft:
                raise ModelError(
                    "a prompt to tune has no soft slot; write {soft} where the soft prompt goes",
                    code="no-soft-slot",
                )
            if not 0 <= answer < len(query.words):
                raise ModelError(
                    f"the answer {answer} is not the index of one of {len(query.words)} words", code="no-such-answer"
                )
        self._cases = [(context_of(query.rendered.text()), words_of(query.words)) for query in queries]
        self._answers, self._sizes = tuple(answers), sizes
        self._loss: LabelLoss | None = None

    def __len__(self) -> int:
        """How many cases there are."""
        return len(self._cases)

    def under(self, loss: LabelLoss) -> "_Objective":
        """Return the same cases with another loss over their labels."""
        found = copy.copy(self)
        found._loss = loss
        return found

    @property
    def prepared(self) -> int:
        """How many tokens stand before the slots."""
        return sum(first for _, first in self._sizes)

    def tokens(self, rows: Sequence[int], *, looking: bool = False) -> Tokens:
        """Return what one pass over the cases ``rows`` takes; every pass takes all words."""
        return Tokens(sum(self._sizes[row][0].asked for row in rows), sum(self._sizes[row][0].computed for row in rows))

    def loss_and_gradient(self, vectors: NDArray[np.float32], rows: Sequence[int]) -> LossGradient:
        """Return the mean loss over the cases ``rows`` and its gradient by ``vectors`` ([tokens, width])."""
        if not rows:
            raise ModelError("a loss needs at least one case", code="no-cases")
        mean = REACH * vectors.mean(axis=0, dtype=np.float64)
        loss, slope = 0.0, np.zeros(WIDTH)
        for row in rows:
            context, words = self._cases[row]
            logs = _loglikelihoods(context, words, mean)
            weight = np.exp(logs)
            if self._loss is None:
                loss -= float(logs[self._answers[row]])
                weight[self._answers[row]] -= 1.0
            else:
                given = self._loss(logs[None, :], [row])
                loss += float(given.losses[0])
                # The words' log-likelihoods are normalised over them, which takes the mean slope off each word's.
                weight = given.slopes[0] - weight * given.slopes[0].sum()
            slope += weight @ _slopes(context, words)
        share = REACH / (len(rows) * len(vectors))
        gradient = np.repeat(share * slope[None, :], len(vectors), axis=0)
        return LossGradient(loss / len(rows), gradient.astype(np.float32))

    def per_case(self, vectors: NDArray[np.float32], rows: Sequence[int]) -> PerCase:
        """Return every case's own loss and gradient."""
        each = [self.loss_and_gradient(vectors, [row]) for row in rows]
        return PerCase(np.array([one.loss for one in each]), np.stack([one.gradient for one in each]))

    def loglikelihoods(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return [cases, labels] log-likelihoods of every case."""
        mean = REACH * vectors.mean(axis=0, dtype=np.float64)
        return np.stack([_loglikelihoods(context, words, mean) for context, words in self._cases])


def _slopes(context: Context, words: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return [words, width], the derivative of every word's score by the soft prompt's mean."""
    return words + context.sentiment * np.outer(words @ direction("sentiment"), direction("gain"))


def _loglikelihoods(context: Context, words: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return [words] log-probabilities; the words given are the whole vocabulary."""
    scores = words @ context.fixed + _slopes(context, words) @ mean
    scores = scores - scores.max()
    logs: NDArray[np.float64] = scores - np.log(np.exp(scores).sum())
    return logs
