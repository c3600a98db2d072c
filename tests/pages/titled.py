"""What the demo's tuned prompts are called on a page, whatever words the titles are made of."""

from datetime import UTC, datetime

from app.display.titles import title
from fedprompt.bank.rows import PromptRow
from fedprompt.prompts.origins import CENTRALISED, FEDERATED, LOCAL

__all__ = ["alone", "pooled", "together"]


def together(round: int) -> str:
    """Return the title of the prompt of a round together."""
    return _title(FEDERATED.key, round)


def pooled(round: int) -> str:
    """Return the title of the prompt tuned on pooled cases, by its round."""
    return _title(CENTRALISED.key, round)


def alone(site: str, round: int) -> str:
    """Return the title of what a site tuned by itself."""
    return _title(LOCAL.of(site), round)


def _title(origin: str, round: int) -> str:
    row = PromptRow("p1:" + "0" * 32, "soft", "soft", None, origin, (), None, {"round": round}, datetime.now(UTC))
    return title(row)
