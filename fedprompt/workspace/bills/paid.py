"""What calls to a chat model took: how many, their tokens as the server counted them, and the money."""

from collections.abc import Sequence
from dataclasses import dataclass

from fedprompt.models.chat.cost import Cost, Price, Tally, tallied
from fedprompt.models.chat.protocol import ChatReply

__all__ = ["UNPRICED", "ModelPaid", "Paid", "paid", "priced"]

UNPRICED = "the cost is unknown: models.toml has no price for this model"


@dataclass(frozen=True)
class Paid:
    """Calls made now, tokens as the server counted them, and the cost; ``notes`` say where one is not known.

    ``cached`` answers were known from an earlier run.
    """

    tokens: int
    calls: int
    cached: int
    input_tokens: int
    output_tokens: int
    cost: Cost | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _OfModel:
    model: str


@dataclass(frozen=True)
class ModelPaid(Paid, _OfModel):
    """What calls to the ``model`` of this name took."""

    @classmethod
    def of(cls, model: str, took: Tally) -> "ModelPaid":
        """Return what was counted of a model."""
        return cls(model=model, **vars(_shown(took)))


def priced(cost: Cost | None) -> Cost | None:
    """Return an amount as it is shown, to a millionth; None where it is not known."""
    return None if cost is None else Cost(round(cost.amount, 6), cost.currency)


def paid(replies: Sequence[ChatReply], price: Price | None) -> Paid:
    """Return what answers that came just now took."""
    return _shown(tallied(replies, price))


def _shown(found: Tally) -> Paid:
    """Return the same of what was counted."""
    notes = []
    if found.unpriced:
        notes.append(UNPRICED)
    elif found.uncounted:
        notes.append(f"the cost is unknown: the server did not count the tokens of {found.uncounted:,} calls")
    elif len(found.amounts) > 1:
        told = " and ".join(f"{amount:,.4f} {currency}" for currency, amount in sorted(found.amounts.items()))
        notes.append(f"prices were in several currencies: {told}")
    if found.failed:
        told = ", ".join(f"{reason} {count:,}" for reason, count in sorted(found.failed.items()))
        notes.append(f"failed calls are in no score, and their cost is unknown ({told})")
    return Paid(
        tokens=found.tokens,
        calls=found.calls,
        cached=found.cached,
        input_tokens=found.input_tokens,
        output_tokens=found.output_tokens,
        cost=priced(found.cost),
        notes=tuple(notes),
    )
