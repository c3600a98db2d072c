"""Who acts: the user of this machine, unless a server says otherwise, and the right that an action asks for.

Invariant: an action that writes asks here before it does anything, so that no page can call it past a role. A server
with visitors names, once and for its whole process, what finds out who the visitor is; it is asked anew by each action.
"""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from fedprompt.workspace.people import Deed, Person, machine_person

__all__ = ["acting", "needs", "require", "visitors"]

P = ParamSpec("P")
R = TypeVar("R")
_who: list[Callable[[], Person]] = [machine_person]


def visitors(who: Callable[[], Person]) -> Callable[[], Person]:
    """Have ``who`` say who acts in this process from now on; return what said so before.

    It raises a FedPromptError where nobody does, so that nothing is done.
    """
    before, _who[0] = _who[0], who
    return before


def acting() -> Person:
    """Return who acts.

    Raises:
        FedPromptError: somebody has to sign in first.
    """
    return _who[0]()


def require(deed: Deed) -> None:
    """Let an action pass or refuse it.

    Raises:
        FedPromptError: whoever acts may not do it.
    """
    acting().require(deed)


def needs(deed: Deed) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Mark an action that only whoever may do the deed may call; it asks before the action looks at anything."""

    def marked(action: Callable[P, R]) -> Callable[P, R]:
        @wraps(action)
        def asked(*args: P.args, **kwargs: P.kwargs) -> R:
            require(deed)
            return action(*args, **kwargs)

        asked.needs = deed  # type: ignore[attr-defined]
        return asked

    return marked
