"""Which ways of answering are measured for each number of cases, and what members of a mixture weigh beforehand.

Two ways need nobody: the best template, and a prompt tuned at home. The others are those that a pack's settings can
name. Invariant: the ways that need nobody come first, so that sharing is chosen only where it is better.
"""

from collections.abc import Sequence

from fedprompt.adapting.settings import DEFAULT_SETTINGS, AtN
from fedprompt.study.sharing import Worth
from fedprompt.verbs.worth import HOME

__all__ = ["at_home", "way_words", "ways_of", "weights_of"]

TEMPLATES, BEST = 0.1, 3  # what the best few templates weigh together, beside shared soft prompts
STRONGER = 4.0
WORDS = {
    "template": "best template",
    "alone": "tuned at home",
    "bias": "shared, as they weigh elsewhere",
    "finished": "shared, finished at home",
    "mixture": "shared, weighed at home",
}


def ways_of(worth: Worth, n: int) -> tuple[AtN, ...]:
    """Return the ways for ``n`` cases; without a case nothing can be tuned, and all ways of sharing are one."""
    base = DEFAULT_SETTINGS.for_n(n).model_copy(update={"n": n})
    if n == 0:
        return AtN(n=0, method="template"), base
    shared = [
        base,
        base.model_copy(update={"method": "bias"}),
        base.model_copy(update={"method": "finished"}),
        base.model_copy(update={"pull": base.pull * STRONGER}),
        base.model_copy(update={"pull": base.pull / STRONGER}),
    ]
    found = [*(AtN(n=n, method=method) for method in HOME), *list(dict.fromkeys(shared))[: worth.ways]]
    return tuple(dict.fromkeys(found))


def at_home(way: AtN) -> bool:
    """Whether a way needs nobody."""
    return way.method in HOME


def way_words(way: AtN) -> str:
    """Return a way in words, a mixture with how strongly its weights are pulled to those of others."""
    return WORDS[way.method] + (f" (pull {way.pull:g})" if way.method == "mixture" else "")


def weights_of(soft: int, means: Sequence[float]) -> tuple[float, ...]:
    """Return what each template weighs, then each soft prompt, before a site's own cases are looked at; they sum to 1.

    Args:
        soft: how many soft prompts are shared, at least one, all of the same weight.
        means: each template's mean over the sites that share; the best few weigh something, the others nothing.
    """
    best = sorted(range(len(means)), key=lambda place: (-means[place], place))[:BEST]
    together = TEMPLATES if best else 0.0
    templates = [together / len(best) if place in best else 0.0 for place in range(len(means))]
    return (*templates, *([(1 - together) / soft] * soft))
