"""What calls cost: tokens as the server counted them, times the price that this machine's owner wrote down.

Invariant: a price is never guessed; without one there is no amount. Tokens before the call are an estimate of a token
for four bytes of UTF-8, since a server's tokenizer is its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, StringConstraints

from fedprompt.models.chat import ChatReply, ChatTurn, Usage
from fedprompt.study.schema import Closed

__all__ = ["Cost", "Price", "Spent", "estimated_tokens", "spent"]

BYTES_A_TOKEN = 4
TOKENS_A_MESSAGE = 4
MILLION = 1_000_000


class Price(Closed):
    """What a million tokens cost, by the provider's own list."""

    input: Annotated[float, Field(ge=0, le=1e6)]
    output: Annotated[float, Field(ge=0, le=1e6)]
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = "USD"

    def of(self, usage: Usage) -> "Cost":
        """Return what so many tokens cost."""
        return Cost((usage.input * self.input + usage.output * self.output) / MILLION, self.currency)


@dataclass(frozen=True)
class Cost:
    """An amount of money."""

    amount: float
    currency: str


@dataclass(frozen=True)
class Spent:
    """Calls that were answered, their tokens, and how many of them the server did not count."""

    calls: int
    usage: Usage
    uncounted: int

    def cost(self, price: Price | None) -> Cost | None:
        """Return what it cost, None where the price or a count is not known."""
        return None if price is None or self.uncounted else price.of(self.usage)


def spent(replies: Sequence[ChatReply]) -> Spent:
    """Return the tokens of the calls that were answered now; what was kept from an earlier run costs nothing."""
    answered = [reply for reply in replies if reply.failure is None and not reply.kept]
    counted = [reply.usage for reply in answered if reply.usage is not None]
    usage = Usage(sum(one.input for one in counted), sum(one.output for one in counted))
    return Spent(len(answered), usage, len(answered) - len(counted))


def estimated_tokens(conversation: Sequence[ChatTurn]) -> int:
    """Return about how many tokens a conversation has."""
    return sum(
        -(-len(turn.text.encode("utf-8", "replace")) // BYTES_A_TOKEN) + TOKENS_A_MESSAGE for turn in conversation
    )
