"""What calls to a chat model took: how many, their tokens as the server counted them, and the money."""

from collections.abc import Sequence
from typing import Any

from fedprompt.models.chat.cost import Cost, Price, Tally, tallied
from fedprompt.models.chat.protocol import ChatReply

__all__ = ["UNPRICED", "paid", "priced", "shown_tally"]

UNPRICED = "the cost is not known: models.toml names no price for this model"


def priced(cost: Cost | None) -> dict[str, Any] | None:
    """Return an amount as JSON, None where it is not known."""
    return None if cost is None else {"amount": round(cost.amount, 6), "currency": cost.currency}


def paid(replies: Sequence[ChatReply], price: Price | None) -> dict[str, Any]:
    """Return calls made now, tokens as the server counted them, and the cost, with a sentence where one is not known.

    ``cached`` answers were known from an earlier run.
    """
    return shown_tally(tallied(replies, price))


def shown_tally(found: Tally) -> dict[str, Any]:
    """Return the same of what was counted before."""
    notes = []
    if found.unpriced:
        notes.append(UNPRICED)
    elif found.uncounted:
        notes.append(f"the cost is not known: the server did not count the tokens of {found.uncounted:,} calls")
    elif len(found.amounts) > 1:
        told = " and ".join(f"{amount:,.4f} {currency}" for currency, amount in sorted(found.amounts.items()))
        notes.append(f"prices were in several currencies: {told}")
    if found.failed:
        told = ", ".join(f"{reason} {count:,}" for reason, count in sorted(found.failed.items()))
        notes.append(f"calls that failed for good are in no score, and what they cost is not known ({told})")
    return {
        "tokens": found.tokens,
        "calls": found.calls,
        "cached": found.cached,
        "input_tokens": found.input_tokens,
        "output_tokens": found.output_tokens,
        "cost": priced(found.cost),
        "notes": notes,
    }
