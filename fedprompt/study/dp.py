"""``dp:`` in a study: how much privacy sites keep, for whom, and what it covers. Everything in it is public.

``epsilon`` and ``delta`` are of adding or removing one unit in the cut as it stands: one case, or one group of cases
with all that is used of it. They hold for tune cases against all that tuning sends, and for validation and test cases
against all scores. Sampling and noise follow from this form alone and never from a site's own number of cases, so that
choosing them tells nothing (``privacy.plan``).
"""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from fedprompt.boundary.closed import Closed
from fedprompt.study.sharing import absent

__all__ = ["DELTA_POWER", "MOST_EPSILON", "Covered", "DifferentialPrivacy", "dp_misfit"]

Covered = Literal["tuning", "scores"]
MOST_EPSILON = 50.0  # above it, nothing that could be called privacy is left
DELTA_POWER = 1.1


class DifferentialPrivacy(Closed):
    """A budget for each site's cases.

    Attributes:
        epsilon: the budget of this study.
        delta: with it; ``auto`` is ``1 / cases^1.1``.
        cases: units (cases, or groups) that a site's tune split has about, or more.
        unit: what is added or removed.
        clip: no case's slope counts for more than this length.
        covers: what carries noise. What is not named leaves as it does without ``dp``.
        scores: how many noised counts each of validation and test answers: a prompt's score, or a comparison.
        in_all: what the same cases may spend in this and all other studies together; ``epsilon`` where it is left out.
        per_group: with ``unit: group``, how many cases of a group are used at most.
    """

    epsilon: Annotated[float, Field(gt=0, le=MOST_EPSILON, allow_inf_nan=False)]
    delta: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] | Literal["auto"] = "auto"
    cases: Annotated[int, Field(ge=2, le=10**9)]
    unit: Literal["case", "group"] = "case"
    clip: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] = 1.0
    covers: Annotated[tuple[Covered, ...], Field(min_length=1, max_length=2)] = ("tuning", "scores")
    scores: Annotated[int, Field(ge=1, le=100_000)] = 100
    in_all: Annotated[float | None, Field(gt=0, le=MOST_EPSILON, allow_inf_nan=False, exclude_if=absent)] = None
    per_group: Annotated[int, Field(ge=1, le=10_000)] = 4

    @property
    def at_delta(self) -> float:
        """The delta as a number."""
        return float(self.cases**-DELTA_POWER) if self.delta == "auto" else self.delta

    @property
    def lifetime(self) -> float:
        """What the same cases may spend in all studies together."""
        return self.epsilon if self.in_all is None else self.in_all

    @property
    def tunes(self) -> bool:
        """Whether tuning is covered."""
        return "tuning" in self.covers

    @property
    def longest(self) -> int:
        """How many counts one unit changes by one at most."""
        return 1 if self.unit == "case" else self.per_group

    @model_validator(mode="after")
    def _sound(self) -> "DifferentialPrivacy":
        if len(set(self.covers)) != len(self.covers):
            raise ValueError("'covers' names the same thing twice; name each once")
        if self.at_delta >= 1 / self.cases:
            raise ValueError(
                f"with delta {self.at_delta:g} a site of {self.cases:,} could publish whole cases and keep to it; "
                f"delta lies below 1 / cases, {1 / self.cases:.2g}: take a smaller one, or 'auto'"
            )
        if self.in_all is not None and self.in_all < self.epsilon:
            raise ValueError(
                f"'in_all' ({self.in_all:g}) is for this study and all others together, so it is no less than "
                f"'epsilon' ({self.epsilon:g})"
            )
        return self


def dp_misfit(study: Any) -> tuple[tuple[str], str] | None:
    """Return the place in a study and the reason why its budget does not fit what else it asks for, or None.

    Args:
        study: a ``Study`` whose parts are read already.
    """
    why = None if study.dp is None else _misfit(study, study.dp)
    return None if why is None else (("dp",), why)


def _misfit(study: Any, dp: DifferentialPrivacy) -> str | None:
    tuning, scores = dp.tunes and study.moves is not None, "scores" in dp.covers
    if dp.tunes and study.moves is None and not scores:
        return "it covers tuning, and the study tunes nothing; take 'covers: [scores]'"
    if scores and study.answer.type != "choice":
        return (
            "noise is added to counts of correct answers, but this study's answers are free text; use 'covers: "
            "[tuning]'"
        )
    shown = [spec for spec in (*study.templates, study.soft) if spec is not None and spec.demonstrations is not None]
    if shown:
        return (
            "a template shows tune cases as demonstrations, so that one case moves the answers to all others; drop it"
        )
    asked = {
        "pretraining": study.pretraining,
        "worth": study.worth,
        "head": study.head,
        "rounds.personal": study.rounds.personal,
        "privacy.updates": study.privacy.updates,
        "tuning.prior_free": study.tuning.prior_free or None,
    }
    if found := next((name for name, part in asked.items() if part is not None), None):
        return f"what '{found}' asks for carries no noise that is accounted for; take '{found}' or 'dp' out"
    if study.privacy.details != "templates":
        return f"'privacy.details: {study.privacy.details}' asks for counts without noise; leave it out"
    if dp.cases < study.privacy.min_cases:
        return f"'cases' is {dp.cases}, fewer than privacy.min_cases ({study.privacy.min_cases})"
    return None if tuning or scores else "it covers nothing that the study asks for"
