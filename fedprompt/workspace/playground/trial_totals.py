"""What a variant came to over its rows: how many passed, how long an answer took, how many tokens it had."""

from dataclasses import dataclass
from statistics import fmean

from fedprompt.workspace.playground.trials import Trial

__all__ = ["Totals", "totals_of"]


@dataclass(frozen=True)
class Totals:
    """One variant over the rows that were run; a mean of nothing is None.

    ``passed``: the share of the ``judged`` answers that passes by every scorer; ``seconds`` and ``tokens_each`` (read
    and written) are means of an answer, ``tokens`` went through the model in all. ``cost`` is in ``currency`` and
    counts failed calls too, since they were paid.
    """

    answered: int
    failed: int
    judged: int
    passed: float | None
    seconds: float | None
    tokens_each: float | None
    tokens: int
    cost: float | None
    currency: str


def totals_of(trial: Trial, variant: int) -> Totals:
    """Return the totals of the variant at a place."""
    cells = [cell for (of, _), cell in trial.cells.items() if of == variant]
    good = [cell for cell in cells if cell.error is None]
    judged = [passed for cell in good if (passed := cell.passed) is not None]
    paid = [cell for cell in cells if cell.cost is not None]
    return Totals(
        answered=len(good),
        failed=len(cells) - len(good),
        judged=len(judged),
        passed=fmean(judged) if judged else None,
        seconds=fmean(cell.seconds for cell in good) if good else None,
        tokens_each=fmean(cell.read + cell.written for cell in good) if good else None,
        tokens=sum(cell.tokens for cell in good),
        cost=sum(cell.cost or 0.0 for cell in paid) if paid else None,
        currency=paid[0].currency if paid else "",
    )
