"""Over how many cases a round is: what its fewest steps draw, and whether that is as many as may leave a site."""

__all__ = ["cases_drawn", "too_few_drawn"]


def cases_drawn(steps: int, least: int | None, batch: int) -> int:
    """Return how many distinct cases a round draws at least, where a site has enough of them.

    Args:
        steps: of a round.
        least: the fewest of a slow site, None where all take ``steps``.
        batch: cases a step.
    """
    return (steps if least is None else least) * batch


def too_few_drawn(steps: int, least: int | None, batch: int, needed: int) -> tuple[tuple[str, str], str] | None:
    """Return the place in a study and the reason why its rounds would be over fewer than ``needed`` cases, or None."""
    drawn = cases_drawn(steps, least, batch)
    if drawn >= needed:
        return None
    place = ("tuning", "steps") if least is None else ("rounds", "least_steps")
    said = ".".join(place)
    return place, (
        f"the {drawn // batch} steps of a round ({said}) with {batch} cases each (tuning.batch) draw at most "
        f"{drawn} cases, below privacy.min_cases ({needed}); raise {said} or tuning.batch"
    )
