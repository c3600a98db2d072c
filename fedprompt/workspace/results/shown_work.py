"""What a run took of the model, as commands print it: tokens, the part of them computed, the rate, and its bound."""

from collections.abc import Mapping
from typing import Any

from fedprompt.models.protocols import ModelInfo
from fedprompt.models.work import Work

__all__ = ["WORK", "shown_work", "told_work"]

WORK = ("share_ratio", "tokens", "tokens_per_second", "part_of_product")


def shown_work(work: Work, info: ModelInfo | None) -> dict[str, Any]:
    """Return ``share_ratio``, ``tokens``, ``tokens_per_second`` and ``part_of_product``.

    Args:
        info: the model's; None where the model ran elsewhere, and nothing is known of it.
    """
    if info is None:
        return dict.fromkeys(WORK)
    return {
        "share_ratio": work.share_ratio,
        "tokens": work.tokens,
        "tokens_per_second": work.tokens_per_second,
        "part_of_product": work.part_of_product(info),
    }


def told_work(found: Mapping[str, Any]) -> str | None:
    """Return the same in one sentence, or None where nothing was computed or nothing is known."""
    if not found.get("tokens"):
        return None
    told = f"{found['tokens']:,} tokens, of which {100 * found['share_ratio']:.0f} % were computed"
    if (rate := found["tokens_per_second"]) is not None:
        told += f", {rate:,.0f} a second"
    if (part := found["part_of_product"]) is not None:
        told += f", {100 * part:.0f} % of the machine's matrix product"
    return told
