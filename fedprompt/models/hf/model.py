"""Any Hugging Face causal language model in a folder of safetensors, on this machine's processor.

``trust_remote_code`` is never set and nothing is fetched: a model is a folder.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fedprompt.errors import ModelError
from fedprompt.models.adapting_queries import check_fits, parted, together
from fedprompt.models.hf.checked import check_once
from fedprompt.models.hf.encoding import Encoded, Encoder
from fedprompt.models.hf.generation import Decoder, Prompted
from fedprompt.models.hf.loading import read_folder
from fedprompt.models.hf.lora import factors_of, lora_shapes
from fedprompt.models.hf.lora_objective import LoraObjective
from fedprompt.models.hf.objective import CachedObjective, Kind
from fedprompt.models.hf.runner import Body, Head, Rows, Visit, run_tree
from fedprompt.models.hf.self_check import architecture_of, check_model, refusing
from fedprompt.models.hf.trie import Node, Trie
from fedprompt.models.hf.vocabulary import HFVocabulary
from fedprompt.models.nested import Nested, apart
from fedprompt.models.protocols import (
    ChoiceQuery,
    ChoiceResult,
    Decoding,
    Generated,
    GenerateQuery,
    ModelInfo,
    RunSettings,
)
from fedprompt.prompts.adapter import Adapter
from fedprompt.prompts.rendered import Rendered
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.stopping import NEVER, StopToken

__all__ = ["HFModel", "layer_products"]


class HFModel:
    """Implements ``CausalModel``. Safe to share between threads: one request runs at a time."""

    def __init__(self, lm: Any, tokenizer: Any, info: ModelInfo) -> None:
        self._lm, self._tokenizer, self._info = lm, tokenizer, info
        self._body, self._head = Body(lm), Head(lm)
        self._encoder = Encoder(tokenizer, info.window)
        ends = getattr(getattr(lm, "generation_config", None), "eos_token_id", None)
        known = [*(ends if isinstance(ends, list) else [ends]), tokenizer.eos_token_id]
        self._ends = frozenset(int(end) for end in known if end is not None)
        self._lock = threading.RLock()
        self._adapted: tuple[Adapter, Body] | None = None  # the last adapter, and the transformer with it
        self.vocabulary = HFVocabulary(
            tokenizer, self._encoder.plain_batch, lambda ids: self._body.embed(ids, None), len(self._body.rows)
        )

    @classmethod
    def load(cls, folder: Path, *, name: str, settings: RunSettings, checked: Path | None = None) -> "HFModel":
        """Load the model in a folder, and show that packed prompts get the numbers of its plain forward pass.

        ``checked`` is the folder that keeps which models have passed; None shows it each time.

        Raises:
            ModelError: no such folder, no safetensors, code of its own, not a causal language model, or one of an
                architecture that is not served.
        """
        torch.set_num_threads(settings.threads)
        read = read_folder(folder, settings)
        lm, config = read.lm, read.config
        lm.to(settings.device).eval().requires_grad_(False)
        with refusing(architecture_of(config)):
            window = int(getattr(config.get_text_config(), "max_position_embeddings", 0) or 1_000_000)
            width = int(lm.get_input_embeddings().weight.shape[1])
            model = cls(lm, read.tokenizer, ModelInfo(name, read.digest, width, window, settings, layer_products(lm)))
            check_once(model.info, checked, lambda: check_model(lm, model._body, model._head))
        return model

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
        """Return the log-likelihoods of every query's words, each distinct token computed once for an adapter.

        Raises:
            ModelError: a prompt does not fit the window, or two of its words are the same tokens.
            ModelMismatch: a soft prompt or an adapter was tuned for another model.
        """
        if not queries:
            return ChoiceResult((), (), 0, 0, 0.0)
        return together(
            [query.adapter for query in queries],
            lambda adapter, rows, tell: self._choices(self._body_of(adapter), [queries[r] for r in rows], tell, stop),
            progress,
        )

    def _choices(
        self, body: Body, queries: Sequence[ChoiceQuery], progress: Callable[[int, int], None] | None, stop: StopToken
    ) -> ChoiceResult:
        started = time.perf_counter()
        firsts, stacked = self._stack([query.soft for query in queries])
        encoded = self._encoder.choices([(q.rendered, q.words, q.soft.tokens if q.soft else 0) for q in queries])
        sequences = [
            _name_soft(code.context, first) + path[:-1]
            for code, first in zip(encoded, firsts, strict=True)
            for path in code.paths
        ]
        trie = Trie()
        for sequence in sequences:
            trie.insert(sequence)
        tokens, distinct = sum(map(len, sequences)), sum(len(n.tokens) for n in trie.walk(self._info.settings.pack))
        sums, rows, visit = self._listen(trie, encoded, sequences)
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            if progress is not None:
                progress(done, distinct)

        with self._lock, torch.no_grad():
            settings = self._info.settings
            run_tree(
                body,
                trie,
                settings.pack,
                stacked,
                visit=visit,
                rows=rows,
                progress=advance,
                budget=settings.cache_bytes,
                stop=stop,
            )
        values = tuple(apart(found, code.longer) for found, code in zip(sums, encoded, strict=True))
        lengths = tuple(np.array([len(path) for path in code.paths]) for code in encoded)
        return ChoiceResult(values, lengths, tokens, distinct, time.perf_counter() - started)

    def _listen(
        self, trie: Trie, encoded: Sequence[Encoded], sequences: Sequence[tuple[int, ...]]
    ) -> tuple[list[NDArray[np.float64]], Rows, Visit]:
        """Return the arrays to fill, the rows whose hidden states are needed, and what to do with these."""
        sums = [np.zeros(len(code.paths)) for code in encoded]
        asked: dict[int, dict[int, list[tuple[int, int, int]]]] = defaultdict(lambda: defaultdict(list))
        at = 0
        for query, code in enumerate(encoded):
            for word, path in enumerate(code.paths):
                for k, target in enumerate(path):
                    node, offset = trie.find(sequences[at], len(code.context) - 1 + k)
                    asked[node.number][offset].append((query, word, target))
                at += 1

        def rows(nodes: Sequence[Node], begins: Sequence[int]) -> list[int]:
            pairs = zip(nodes, begins, strict=True)
            return [begin + offset for node, begin in pairs for offset in asked.get(node.number, ())]

        def visit(nodes: Sequence[Node], begins: Sequence[int], hidden: Tensor) -> None:
            wanted = [spots for node in nodes for spots in asked.pop(node.number, {}).values()]
            if not wanted:
                return
            targets = [torch.tensor([t for _, _, t in spots], device=hidden.device) for spots in wanted]
            found = self._head.log_probabilities(hidden, targets)
            for spots, values in zip(wanted, found, strict=True):
                for (asker, word, _), value in zip(spots, values.tolist(), strict=True):
                    sums[asker][word] += value

        return sums, rows, visit

    def _stack(self, softs: Sequence[SoftPrompt | None]) -> tuple[list[int], Tensor | None]:
        """Return where each query's soft rows begin in one stack of the distinct soft prompts, and the stack."""
        begin: dict[SoftPrompt, int] = {}
        rows: list[NDArray[np.float32]] = []
        firsts, size = [], 0
        for soft in softs:
            if soft is None:
                firsts.append(0)
                continue
            if soft not in begin:
                soft.check_model(self._info.digest, self._info.name, self._info.width)
                begin[soft] = size
                rows.append(soft.vectors)
                size += soft.tokens
            firsts.append(begin[soft])
        return firsts, torch.tensor(np.concatenate(rows), device=self._body.rows.device) if rows else None

    def generate(
        self,
        queries: Sequence[GenerateQuery],
        decoding: Decoding,
        hear: Callable[[int, str], None] | None = None,
        *,
        stop: StopToken = NEVER,
    ) -> tuple[Generated, ...]:
        """Continue each query until a stop string, the end of the turn, ``max_tokens`` or the end of the window.

        ``hear`` is told (query, its text so far) after each token.

        Raises:
            ModelError: a prompt does not fit the window.
            ModelMismatch: a soft prompt or an adapter was tuned for another model.
        """
        found: dict[int, Generated] = {}
        for adapter, rows in parted([query.adapter for query in queries]).items():
            told = None if hear is None else lambda place, text, rows=rows: hear(rows[place], text)
            chosen = [queries[row] for row in rows]
            found |= zip(rows, self._written(self._body_of(adapter), chosen, decoding, told, stop), strict=True)
        return tuple(found[place] for place in range(len(queries)))

    def _body_of(self, adapter: Adapter | None) -> Body:
        """Return the transformer with an adapter beside it; that of the last adapter is kept."""
        if adapter is None:
            return self._body
        adapter.check_model(self._info.digest, self._info.name, self._info.width)
        kept = self._adapted
        if kept is None or kept[0] != adapter:
            check_fits(adapter, self.lora_shapes(adapter.targets))
            kept = adapter, self._body.beside(factors_of(adapter, self._body.rows.device))
            self._adapted = kept
        return kept[1]

    def lora_shapes(self, targets: tuple[str, ...]) -> dict[str, tuple[int, int]]:
        """Return module -> (out, in) of every linear layer with one of these last names, by name.

        Raises:
            ModelError: a target that the model has no linear layer of.
        """
        return lora_shapes(self._lm, targets)

    def adapter_objective(
        self,
        queries: Sequence[ChoiceQuery],
        answers: Sequence[int],
        like: Adapter,
        *,
        kind: Kind = "labels",
        stop: StopToken = NEVER,
    ) -> LoraObjective:
        """Prepare cases for tuning an adapter of the form of ``like``, whose values are [size] float32.

        Raises:
            ModelError: a prompt does not fit the window, or the model has no such layers.
            ModelMismatch: the adapter is of another model.
        """
        like.check_model(self._info.digest, self._info.name, self._info.width)
        check_fits(like, self.lora_shapes(like.targets))
        encoded = self._encoder.choices([(q.rendered, q.words, 0) for q in queries])
        pack = self._info.settings.pack
        return LoraObjective(self._body, self._head, encoded, answers, like, pack=pack, kind=kind, stop=stop)

    def _written(
        self,
        body: Body,
        queries: Sequence[GenerateQuery],
        decoding: Decoding,
        hear: Callable[[int, str], None] | None,
        stop: StopToken,
    ) -> tuple[Generated, ...]:
        firsts, stacked = self._stack([query.soft for query in queries])
        prompts = []
        for query, first in zip(queries, firsts, strict=True):
            context = self._encoder.context(query.rendered, query.soft.tokens if query.soft else 0)
            key = repr(context).encode() + (query.soft.vectors.tobytes() if query.soft else b"")
            prompts.append(Prompted(_name_soft(context, first), key))
        with self._lock:
            decoder = Decoder(
                body,
                self._head,
                pack=self._info.settings.pack,
                window=self._info.window,
                ends=self._ends,
                read=lambda tokens: str(self._tokenizer.decode(tokens, skip_special_tokens=True)),
            )
            written = decoder.write(prompts, stacked, decoding, hear, stop)
        return tuple(
            Generated(
                text.text,
                len(text.tokens),
                read=len(prompt.context),
                computed=text.fresh + len(text.tokens),
            )
            for prompt, text in zip(prompts, written, strict=True)
        )

    def length(self, rendered: Rendered, words: Sequence[str] = (), soft: int = 0) -> int:
        """Return how many tokens a prompt has with its longest word and ``soft`` soft tokens."""
        return self._encoder.length(rendered, words, soft)

    def nested(self, rendered: Rendered, words: Sequence[str]) -> Nested:
        """Return which words' tokens begin others' after a prompt."""
        return self._encoder.nested(rendered, words)

    def vocabulary_init(self, tokens: int, rng: np.random.Generator) -> SoftPrompt:
        """Return the input embeddings of ``tokens`` tokens drawn from the vocabulary, control tokens left out.

        As Lester et al. 2021 (arXiv 2104.08691, section 3.1), but from the whole vocabulary.
        """
        controls = set(self._tokenizer.get_added_vocab().values())
        plain = [token for token in range(min(len(self._tokenizer), len(self._body.rows))) if token not in controls]
        wanted = [plain[int(i)] for i in rng.choice(len(plain), size=tokens, replace=tokens > len(plain))]
        return SoftPrompt(self.vocabulary.vectors(wanted), self._info.digest)

    def text_init(self, text: str, tokens: int) -> SoftPrompt:
        """Return the input embeddings of a text's first ``tokens`` tokens, repeated where it has fewer.

        Raises:
            ModelError: the text has no tokens.
        """
        ids = self._encoder.plain(text)
        if not ids:
            raise ModelError("the initial text of a soft prompt has no tokens; give a few words", code="no-start-text")
        wanted = [ids[k % len(ids)] for k in range(tokens)]
        return SoftPrompt(self.vocabulary.vectors(wanted), self._info.digest)

    def objective(
        self,
        queries: Sequence[ChoiceQuery],
        answers: Sequence[int],
        tokens: int = 8,
        *,
        kind: Kind = "labels",
        folder: Path | None = None,
        stop: StopToken = NEVER,
    ) -> CachedObjective:
        """Prepare cases for tuning a soft prompt of ``tokens`` tokens; ``answers`` index each query's words.

        Raises:
            ModelError: a prompt does not fit the window.
            TuningError: no soft slot.
        """
        encoded = self._encoder.choices([(q.rendered, q.words, tokens) for q in queries])
        settings = self._info.settings
        with self._lock:
            return CachedObjective(
                self._body,
                self._head,
                encoded,
                answers,
                pack=settings.pack,
                budget=settings.cache_bytes,
                kind=kind,
                folder=folder,
                dtype=torch.bfloat16 if settings.cache_dtype == "bfloat16" else None,
                stop=stop,
            )


def layer_products(lm: Any) -> int:
    """Return the weights of the layers' matrix products: those of two dimensions but embeddings and head."""
    left_out = {id(lm.get_input_embeddings()), id(lm.get_output_embeddings())}
    return sum(
        weight.numel()
        for module in lm.modules()
        if not isinstance(module, torch.nn.Embedding) and id(module) not in left_out
        for weight in module.parameters(recurse=False)
        if weight.dim() == 2
    )


def _name_soft(context: Sequence[int], first: int) -> tuple[int, ...]:
    """Replace each -1 by the name of its row in the stack: the k-th becomes ``-1 - (first + k)``."""
    named, k = [], 0
    for token in context:
        if token < 0:
            named.append(-1 - (first + k))
            k += 1
        else:
            named.append(token)
    return tuple(named)
