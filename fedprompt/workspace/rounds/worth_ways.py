"""Which ways of answering are measured for each number of cases, and what they are called.

Two ways need nobody: the best template, and a prompt tuned at home. The others are those that a pack's settings can
name. Invariant: the ways that need nobody come first, so that sharing is chosen only where it is better.
"""

from fedprompt.adapting.settings import DEFAULT_SETTINGS, AtN
from fedprompt.study.sharing import Worth
from fedprompt.verbs.worth import HOME

__all__ = ["at_home", "way_words", "ways_of"]

STRONGER = 4.0
WORDS = {
    "template": "best template",
    "alone": "tuned at home",
    "bias": "shared, with the other sites' weights",
    "finished": "shared, tuned further on own cases",
    "mixture": "shared, with own weights",
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
