"""Shows, whenever a model is loaded, that packs and cached prefixes give the numbers of its own plain forward pass.

Some architectures would give wrong numbers without a word: their layers carry a state from row to row (Mamba), keep an
attention of their own (GPT-J, Bloom), or tell transformers' attention interface more than is followed here (sinks).
Two texts of nine tokens with a common beginning go through the packed tree, and, with a soft prompt in them, as cases
of tuning through cached keys and values. Both must agree with transformers' ``eager`` attention to a tolerance of the
dtype, in the median over the rows, so that one token that rounding sends to another expert refuses no model. A window
is longer than nine tokens, so of windows it is compared what each layer says with what the configuration says. Tokens
and soft prompt are fixed: on one machine a model passes always or never.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from fedprompt.errors import ModelError
from fedprompt.models.hf.attention import IMPLEMENTATION, Attending
from fedprompt.models.hf.encoding import Encoded
from fedprompt.models.hf.objective import CachedObjective
from fedprompt.models.hf.runner import Body, Head, run_tree
from fedprompt.models.hf.trie import Node, Trie

__all__ = ["architecture_of", "check_model", "refusal", "refusing"]

BEGIN, SLOT, END, WORDS = 4, 2, 3, 16  # tokens of the common beginning, in the soft slot and after it; label words
TOLERANCE = {torch.float32: 1e-3, torch.float16: 2e-2, torch.bfloat16: 0.15}
ATTENTION = ("full_attention", "sliding_attention")
PLACES = ("position_ids", "cache_position")  # tensors that attention may be told and need not follow


def architecture_of(config: Any) -> str:
    """Return what a configuration calls its model."""
    return str((getattr(config, "architectures", None) or [type(config).__name__])[0])


def refusal(architecture: str, reason: str) -> ModelError:
    """Return the error for an architecture that is not served."""
    return ModelError(
        f"{architecture} is not supported here: {reason}. Choose a model with attention in every layer, such "
        "as Llama, Qwen 2 or 3, Gemma, Mistral, GPT-2 or OPT. A chat server can also run this one",
        code="not-served",
    )


@contextmanager
def refusing(architecture: str) -> Iterator[None]:
    """Within this block, whatever a model's own code raises is a refusal that names its architecture."""
    try:
        yield
    except (ModelError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        what = " ".join(str(error).split())[:200]
        raise refusal(
            architecture, f"its code cannot run on packed prompts ({type(error).__name__}: {what})"
        ) from error


def check_model(lm: Any, body: Body, head: Head) -> None:
    """Compare the packed tree and the path of tuning with the plain forward pass; takes five passes of few tokens.

    Raises:
        ModelError: they differ, or the model's configuration says that they would on longer texts.
    """
    architecture = type(lm).__name__
    config = lm.config.get_text_config()
    kinds = sorted(set(getattr(config, "layer_types", None) or ()) - set(ATTENTION))
    if kinds:
        raise refusal(
            architecture, f"it has layers of the kind {' and '.join(kinds)}, which packed prompts would mix up"
        )
    texts = _texts(int(body.rows.shape[0]))
    watched = _Watched(body)
    with refusing(architecture), torch.no_grad():
        slot = body.embed(texts[0][BEGIN : BEGIN + SLOT], None).float().mean(0, keepdim=True).repeat(SLOT, 1)
        tree = _through_the_tree(watched, head, texts)
        if reason := watched.astray(_windows(config, body.layers)):
            raise refusal(architecture, reason)
        tuned = _through_tuning(body, head, texts, slot)
        plain, soft = _plainly(lm, body, texts, slot)
    if not bool(torch.isfinite(plain).all()):
        dtype = str(body.rows.dtype).removeprefix("torch.")
        raise ModelError(
            f"{architecture}: its forward pass gives NaN or infinity, so its weights are damaged or do not fit "
            f"into {dtype}; download them again, or use float32",
            code="not-finite",
        )
    after = slice(BEGIN + SLOT, None)
    apart = max(
        *(_apart(found[after], expected[after]) for found, expected in zip(tree, plain, strict=True)),
        *(_apart(found[None], expected[None]) for found, expected in zip(tuned, soft, strict=True)),
    )
    if not apart <= TOLERANCE[body.rows.dtype]:
        raise refusal(architecture, f"prompts packed together give other numbers than alone ({apart:.0%} apart)")


class _Watched:
    """A body that notes which layers attend, over which windows, and what attention comes with."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self._windows: dict[int, int | None] = {}
        self._more: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)

    def __call__(self, embedded: Tensor, positions: Sequence[int], plan: Attending, *rest: Any) -> Tensor:
        return self._body(embedded, positions, _Noting(plan, self.note), *rest)

    def note(self, layer: int, extra: dict[str, Any], *, even: bool) -> None:
        """Hear of one layer's attention, and whether its keys and values are of one width."""
        self._windows[layer] = extra.get("sliding_window")
        self._more |= {name for name, given in extra.items() if isinstance(given, Tensor)} - set(PLACES)
        self._more |= set() if even else {"values of another width than its keys"}

    def astray(self, windows: Sequence[int | None]) -> str | None:
        """Return what is not followed here, None if all is; ``windows`` as the configuration has them."""
        for layer, window in enumerate(windows):
            if layer not in self._windows:
                return f"its layer {layer} does not attend through the attention interface"
            if (found := self._windows[layer]) != window:
                return (
                    f"its layer {layer} sees back {found or 'all'} tokens, but its configuration has {window or 'all'}"
                )
        more = " and ".join(sorted(self._more))
        return f"its attention comes with {more}, which packed prompts cannot follow" if more else None


class _Noting:
    """A plan that tells of its calls."""

    def __init__(self, plan: Attending, note: Callable[..., None]) -> None:
        self._plan, self._note = plan, note

    def attend(self, module: Any, query: Tensor, key: Tensor, value: Tensor, scaling: float, extra: Any) -> Tensor:
        self._note(int(module.layer_idx), extra, even=key.shape[-1] == value.shape[-1])
        return self._plan.attend(module, query, key, value, scaling, extra)


def _through_the_tree(body: Any, head: Head, texts: Sequence[Sequence[int]]) -> list[Tensor]:
    """Return each text's logits [tokens, vocabulary]."""
    trie, hidden = Trie(), dict[tuple[int, int], Tensor]()
    for text in texts:
        trie.insert(text)

    def visit(nodes: Sequence[Node], begins: Sequence[int], rows: Tensor) -> None:
        for node, begin in zip(nodes, begins, strict=True):
            hidden.update({(node.number, offset): rows[begin + offset] for offset in range(len(node.tokens))})

    run_tree(body, trie, 64, None, visit=visit)
    found = [[trie.find(text, position) for position in range(len(text))] for text in texts]
    return [head.logits(torch.stack([hidden[node.number, offset] for node, offset in spots])) for spots in found]


def _through_tuning(body: Body, head: Head, texts: Sequence[Sequence[int]], slot: Tensor) -> Tensor:
    """Return the words' log-likelihoods or logits [texts, words] with a soft prompt [tokens, width] in the slot."""
    words = tuple((word,) for word in _words(int(body.rows.shape[0])))
    cases = [Encoded((*text[:BEGIN], *([-1] * SLOT), *text[BEGIN + SLOT :]), words) for text in texts]
    objective = CachedObjective(body, head, cases, [0] * len(cases), pack=64, budget=1 << 30)
    return torch.from_numpy(objective.loglikelihoods(slot.cpu().numpy()))


def _plainly(lm: Any, body: Body, texts: Sequence[Sequence[int]], slot: Tensor) -> tuple[Tensor, Tensor]:
    """Return transformers' own logits [texts, tokens, vocabulary], and [texts, words] with the soft prompt."""
    rows = torch.stack([body.embed(text, None) for text in texts])
    rows[:, BEGIN : BEGIN + SLOT] = slot.to(rows)
    with _own_attention(lm):
        logits = lm(input_ids=torch.tensor(texts, device=rows.device), use_cache=False).logits.float()
        soft = lm(inputs_embeds=rows, use_cache=False).logits.float()
    return logits, soft[:, -1, _words(int(body.rows.shape[0]))]


def _texts(vocabulary: int) -> list[list[int]]:
    """Return two texts, the same up to and with the slot; strides without a common factor spread the tokens."""
    shared = [(7919 * k + 101) % vocabulary for k in range(BEGIN + SLOT)]
    return [shared + [(7907 * k + 211 * text + 307) % vocabulary for k in range(END)] for text in range(2)]


def _words(vocabulary: int) -> list[int]:
    return [(vocabulary // WORDS) * k for k in range(WORDS)]


def _windows(config: Any, layers: int) -> list[int | None]:
    """Return how many tokens back each layer sees as the configuration says, None for all."""
    window = getattr(config, "sliding_window", None) if getattr(config, "use_sliding_window", True) else None
    kinds = getattr(config, "layer_types", None) or ["sliding_attention"] * layers
    return [window if kind == "sliding_attention" else None for kind in kinds]


@contextmanager
def _own_attention(lm: Any) -> Iterator[None]:
    """Within this block the model attends as transformers does without this package."""
    lm.set_attn_implementation("eager")
    try:
        yield
    finally:
        lm.set_attn_implementation(IMPLEMENTATION)


def _apart(found: Tensor, expected: Tensor) -> float:
    """Return the median over rows of the distance by the length, each row's mean left out: it moves no probability."""
    one, other = (rows.double().cpu() - rows.double().cpu().mean(-1, keepdim=True) for rows in (found, expected))
    return float(((one - other).norm(dim=-1) / other.norm(dim=-1)).median())
