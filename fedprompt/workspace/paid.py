"""What calls to a chat model took: how many, their tokens as the server counted them, and the money."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from fedprompt.models.chat import ChatReply
from fedprompt.models.chat_cost import Cost, Price, spent

__all__ = ["UNPRICED", "paid", "priced"]

UNPRICED = "the cost is not known: models.toml names no price for this model"


def priced(cost: Cost | None) -> dict[str, Any] | None:
    """Return an amount as JSON, None where it is not known."""
    return None if cost is None else {"amount": round(cost.amount, 6), "currency": cost.currency}


def paid(replies: Sequence[ChatReply], price: Price | None) -> dict[str, Any]:
    """Return calls made now, tokens as the server counted them, and the cost, with a sentence where one is not known.

    ``cached`` answers were known from an earlier run.
    """
    found = spent(replies)
    cost, failed = found.cost(price), Counter(one.failure for one in replies if one.failure is not None)
    notes = []
    if price is None:
        notes.append(UNPRICED)
    elif found.uncounted:
        notes.append(f"the cost is not known: the server did not count the tokens of {found.uncounted:,} calls")
    if failed:
        told = ", ".join(f"{reason} {count:,}" for reason, count in sorted(failed.items()))
        notes.append(f"calls that failed for good are in no score, and what they cost is not known ({told})")
    return {
        "tokens": found.usage.input + found.usage.output,
        "calls": sum(not one.kept for one in replies),
        "cached": sum(one.kept for one in replies),
        "input_tokens": found.usage.input,
        "output_tokens": found.usage.output,
        "cost": priced(cost),
        "notes": notes,
    }
