"""What a hub's operator may order while a round gathers: wait longer, close now, leave a site out, take it back.

Whoever gathers takes the orders, since only there it is known who has answered. Invariant: an order about a step counts
for the very step that its author saw, the quorum is never undercut, and an order that is not followed is answered with
the sentence why.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol, Self

from pydantic import Field, StringConstraints, model_validator

from fedprompt.boundary.closed import Closed

__all__ = ["LEFT_OUT", "Controls", "Desk", "Open", "Order", "Taken", "What", "said_left_out"]

What = Literal["wait", "close", "leave-out", "take-back"]
Token = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
LONGEST_SECONDS = 7 * 24 * 3600.0
LEFT_OUT = "excluded by the hub operator"


class Order(Closed):
    """One order: what, of which step or site, who gave it (``by``) and when (``at``, ISO 8601 in UTC)."""

    id: Annotated[str, StringConstraints(pattern=r"^o-[0-9a-f]{32}$")]
    what: What
    token: Token | None = None
    site: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    seconds: Annotated[float, Field(gt=0, le=LONGEST_SECONDS, allow_inf_nan=False)] | None = None
    by: Annotated[str, StringConstraints(max_length=200)] = ""
    at: Annotated[str, StringConstraints(max_length=40)]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        of_step, wanted = self.what in ("wait", "close"), {"token", "seconds"} if self.what == "wait" else {"token"}
        given = {name for name in ("token", "site", "seconds") if getattr(self, name) is not None}
        if given != (wanted if of_step else {"site"}):
            named = "a step, and seconds to wait" if of_step else "a site"
            raise ValueError(f"the order '{self.what}' names {named}, and nothing else")
        return self


@dataclass(frozen=True)
class Taken:
    """An order that was looked at: whether it was followed, and a sentence that says what came of it."""

    order: Order
    done: bool
    said: str

    def shown(self) -> dict[str, Any]:
        """Return it as JSON, for a round's record."""
        return {**self.order.model_dump(exclude={"token"}, exclude_none=True), "done": self.done, "said": self.said}


class Desk(Protocol):
    """Where orders come in and are answered; filled by whoever knows the bank."""

    def new(self) -> Sequence[Order]:
        """Return the orders that were not answered yet, in the order in which they came."""
        ...

    def left_out(self) -> Mapping[str, Order]:
        """Return site -> the order by which it is left out, of earlier processes too."""
        ...

    def answer(self, taken: Taken) -> None:
        """Keep what came of an order; durable when this returns."""
        ...

    def show(self, state: Mapping[str, Any] | None) -> None:
        """Show what gathers now, as JSON, None where nothing does."""
        ...


class Open(Protocol):
    """A step that gathers now."""

    @property
    def token(self) -> str:
        """What tells it from every other step."""
        ...

    @property
    def quorum(self) -> int:
        """How many answers it needs."""
        ...

    @property
    def answered(self) -> int:
        """How many came."""
        ...

    @property
    def taking_part(self) -> Sequence[str]:
        """The sites that it asks, without those left out meanwhile."""
        ...

    def extend(self, seconds: float) -> float | None:
        """Wait longer; return the new end in seconds after the beginning, None where there is none."""
        ...

    def close(self) -> tuple[str, ...]:
        """Take no more answers; return the sites that it goes without."""
        ...

    def drop(self, site: str) -> bool:
        """Go on without a site; say whether its answer was still out."""
        ...


class Controls:
    """Takes the orders of one run, whatever step is on.

    Args:
        desk: where they come in.
        sites: all of the run's.
        least: how many sites there must be in any case: the study's quorum, what its strategy needs, and two.
    """

    def __init__(self, desk: Desk, sites: Sequence[str], least: int) -> None:
        self._desk, self._sites, self._least = desk, tuple(sites), max(2, least)
        self._out = {site: order for site, order in desk.left_out().items() if site in self._sites}
        self._taken: list[Taken] = []

    @property
    def left_out(self) -> dict[str, str]:
        """Site -> why it is not asked, in a sentence."""
        return {site: said_left_out(order) for site, order in sorted(self._out.items())}

    def remaining(self, sites: Sequence[str]) -> tuple[str, ...]:
        """Return the sites of these that are asked."""
        return tuple(site for site in sites if site not in self._out)

    def look(self, here: Open | None) -> None:
        """Take the orders that came; ``here`` is the step that gathers now."""
        for order in self._desk.new():
            done, said = self._follow(order, here)
            taken = Taken(order, done, said)
            self._desk.answer(taken)
            self._taken.append(taken)

    def show(self, state: Mapping[str, Any] | None) -> None:
        """Show what gathers now."""
        self._desk.show(state)

    def since(self) -> tuple[Taken, ...]:
        """Return the orders that were taken since this was last asked."""
        found, self._taken = tuple(self._taken), []
        return found

    def _follow(self, order: Order, here: Open | None) -> tuple[bool, str]:
        if order.site is not None:
            return self._leave(order, order.site, here) if order.what == "leave-out" else self._take_back(order.site)
        if here is None or order.token != here.token:
            return False, "the order was for a step that has ended"
        if order.what == "wait":
            end = here.extend(order.seconds or 0.0)
            if end is None:
                return False, "this step has no deadline, so it cannot be extended"
            return True, f"sites now have {end:.0f} s from the start of the step"
        if here.answered < here.quorum:
            return False, (
                f"{here.answered} of {len(here.taking_part)} sites have answered; {here.quorum} are required. "
                "Wait, or exclude a missing site"
            )
        without = here.close()
        return True, f"the step continues without {', '.join(without)}" if without else "every site has answered"

    def _leave(self, order: Order, site: str, here: Open | None) -> tuple[bool, str]:
        if site not in self._sites:
            return False, f"there is no site '{site}'; known sites: {', '.join(self._sites[:20])}"
        if site in self._out:
            return False, f"'{site}' is already excluded"
        left = len(self._sites) - len(self._out) - 1
        if left < self._least:
            return False, (
                f"without '{site}' there would be {left} sites, but the study needs {self._least}; add another "
                "site first, or pause the federation"
            )
        if here is not None and set(here.taking_part) == {site}:
            return False, f"'{site}' is the last active site of its group; wait for the next round"
        self._out[site] = order
        was_out = here is not None and here.drop(site)
        answered = here is not None and site in here.taking_part and not was_out
        if answered:
            return True, f"the answer of '{site}' to this step counts; it gets no more tasks until you include it again"
        return True, f"'{site}' gets no more tasks and does not count for the quorum until you include it again"

    def _take_back(self, site: str) -> tuple[bool, str]:
        if self._out.pop(site, None) is None:
            return False, f"'{site}' is not excluded"
        return True, f"'{site}' takes part again from the next round"


def said_left_out(order: Order) -> str:
    """Return why a site is not asked, in a sentence."""
    who = f" ({order.by})" if order.by else ""
    return f"{LEFT_OUT}{who} on {order.at[:16].replace('T', ' ')} UTC"
