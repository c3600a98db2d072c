"""What calls cost: tokens as the server counted them, times the price that this machine's owner wrote down.

Invariant: a price is never guessed; without one there is no amount. Tokens before the call are an estimate of a token
for four bytes of UTF-8, since a server's tokenizer is its own.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, StringConstraints

from fedprompt.models.chat.protocol import ChatReply, ChatTurn, Failure, Usage
from fedprompt.study.schema import Closed

__all__ = ["Cost", "Hear", "Price", "Tally", "estimated_tokens", "tallied"]

BYTES_A_TOKEN = 4
TOKENS_A_MESSAGE = 4
MILLION = 1_000_000
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Count = Annotated[int, Field(ge=0, le=10**15)]


class Price(Closed):
    """What a million tokens cost, by the provider's own list."""

    input: Annotated[float, Field(ge=0, le=1e6)]
    output: Annotated[float, Field(ge=0, le=1e6)]
    currency: Currency = "USD"

    def of(self, usage: Usage) -> "Cost":
        """Return what so many tokens cost."""
        return Cost((usage.input * self.input + usage.output * self.output) / MILLION, self.currency)


@dataclass(frozen=True)
class Cost:
    """An amount of money."""

    amount: float
    currency: str


class Tally(Closed):
    """What calls took, in counts that add up; nothing of what was asked or answered.

    ``calls`` were made now, those in ``failed`` (reason -> calls) among them; ``cached`` answers were known and cost
    nothing. ``uncounted`` answers have no tokens, since the server did not count them. ``amounts``: currency -> money,
    as far as it is known; ``unpriced`` is whether a price was missing.
    """

    calls: Count = 0
    cached: Count = 0
    input_tokens: Count = 0
    output_tokens: Count = 0
    uncounted: Count = 0
    failed: dict[Failure, Count] = Field(default_factory=dict)
    unpriced: bool = False
    amounts: dict[Currency, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)

    def __add__(self, other: "Tally") -> "Tally":
        amounts = {
            one: self.amounts.get(one, 0.0) + other.amounts.get(one, 0.0) for one in {**self.amounts, **other.amounts}
        }
        return Tally(
            calls=self.calls + other.calls,
            cached=self.cached + other.cached,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            uncounted=self.uncounted + other.uncounted,
            failed=dict(Counter(self.failed) + Counter(other.failed)),
            unpriced=self.unpriced or other.unpriced,
            amounts=amounts,
        )

    @property
    def tokens(self) -> int:
        """Tokens read and written."""
        return self.input_tokens + self.output_tokens

    @property
    def cost(self) -> Cost | None:
        """What it cost; None where a price or a count is missing, or there are several currencies."""
        if self.unpriced or self.uncounted or len(self.amounts) != 1:
            return None
        ((currency, amount),) = self.amounts.items()
        return Cost(amount, currency)


Hear = Callable[[str, Tally], None]  # told a model's name and what calls of it took


def tallied(replies: Sequence[ChatReply], price: Price | None) -> Tally:
    """Return what the calls that gave these replies took."""
    made = [reply for reply in replies if not reply.kept]
    counted = [reply.usage for reply in made if reply.failure is None and reply.usage is not None]
    usage = Usage(sum(one.input for one in counted), sum(one.output for one in counted))
    failed = Counter(reply.failure for reply in made if reply.failure is not None)
    amounts = {}
    if price is not None:
        cost = price.of(usage)
        amounts[cost.currency] = cost.amount
    return Tally(
        calls=len(made),
        cached=len(replies) - len(made),
        input_tokens=usage.input,
        output_tokens=usage.output,
        uncounted=len(made) - len(counted) - failed.total(),
        failed=dict(failed),
        unpriced=price is None,
        amounts=amounts,
    )


def estimated_tokens(conversation: Sequence[ChatTurn]) -> int:
    """Return about how many tokens a conversation has."""
    return sum(
        -(-len(turn.text.encode("utf-8", "replace")) // BYTES_A_TOKEN) + TOKENS_A_MESSAGE for turn in conversation
    )
