"""One variant made many: a grid of settings for text that is drawn, or other words for the labels of a choice."""

import re
from collections.abc import Sequence
from itertools import product

from fedprompt.errors import PromptError
from fedprompt.workspace.answers.variants import Variant
from fedprompt.workspace.playground.trials import MAX_VARIANTS

__all__ = ["read_numbers", "settings_grid", "word_sets"]


def read_numbers(text: str, what: str, low: float, high: float, *, whole: bool = False) -> tuple[float, ...]:
    """Return the numbers in a line such as ``0, 0.5, 1``, each once.

    Raises:
        PromptError: there is none, or one is out of bounds; names the setting.
    """
    found: dict[float, None] = {}
    for part in re.split(r"[,;\s]+", text.strip()):
        if not part:
            continue
        try:
            number = float(part)
        except ValueError:
            number = float("nan")
        if not low <= number <= high or (whole and number != int(number)):
            raise PromptError(f"{what}: '{part[:40]}' is no {'whole ' if whole else ''}number from {low:g} to {high:g}")
        found[number] = None
    if not found:
        raise PromptError(f"{what}: give at least one number")
    return tuple(found)


def settings_grid(
    variant: Variant, temperatures: Sequence[float], top_ps: Sequence[float], seeds: Sequence[float]
) -> tuple[Variant, ...]:
    """Return the variant at every combination; greedy decoding draws nothing, so that it is run once.

    Raises:
        PromptError: there are too many.
    """
    made: dict[tuple[float, float, int], Variant] = {}
    for temperature, top_p, seed in product(temperatures, top_ps, seeds):
        key = (temperature, top_p, int(seed)) if temperature else (0.0, 1.0, 0)
        name = f"t {key[0]:g} · p {key[1]:g} · seed {key[2]}" if temperature else "greedy"
        update = {"name": name, "temperature": key[0], "top_p": key[1], "seed": key[2], "generate": True}
        made.setdefault(key, variant.model_copy(update=update))
    return _bounded(tuple(made.values()))


def word_sets(variant: Variant, sets: Sequence[dict[str, str]]) -> tuple[Variant, ...]:
    """Return the variant with each set of label words, its own first.

    Raises:
        PromptError: a set leaves a label out, or there are too many.
    """
    made = [variant.model_copy(update={"name": _shown(variant.template.get("words") or {})})]
    for words in sets:
        if set(words) != set(variant.labels):
            raise PromptError(f"every line gives a word for each of: {', '.join(variant.labels)}")
        template = {**variant.template, "words": dict(words)}
        made.append(variant.model_copy(update={"name": _shown(words), "template": template}))
    return _bounded(tuple(made))


def _shown(words: dict[str, str]) -> str:
    return " / ".join(word.strip() for word in words.values())[:80] or "as they are"


def _bounded(variants: tuple[Variant, ...]) -> tuple[Variant, ...]:
    if len(variants) > MAX_VARIANTS:
        raise PromptError(f"that makes {len(variants)} runs, and {MAX_VARIANTS} are the most; give fewer values")
    return variants
