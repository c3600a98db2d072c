"""What one site says of prompts: sums and counts over a split, never a list of values by case."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from fedprompt.study.schema import Closed

__all__ = ["BINS", "CalibrationBin", "Comparison", "Count", "Method", "Score", "SplitName"]

BINS = 10
SplitName = Literal["tune", "validation", "test"]
Method = Literal["likelihood", "constrained"]
Count = Annotated[int, Field(ge=0, le=10**9)]
PromptId = Annotated[str, Field(pattern=r"^[ph]1:[0-9a-f]{32}$")]
JudgeId = Annotated[str, Field(pattern=r"^j1:[0-9a-f]{32}$")]


class CalibrationBin(Closed):
    """Answers whose confidence fell into one tenth of [0, 1]: how many, their confidences' sum, how many were right."""

    n: Count
    confidence: Annotated[float, Field(ge=0)]
    right: Count


class Score(Closed):
    """One prompt on one split of one site.

    ``total`` and ``squares`` are the sum and the sum of squares of the metric over ``n`` cases. ``groups`` is how many
    independent groups the cases form (``n`` where there are none) and ``group_squares`` the sum over groups of the
    squared sum of residuals, from which the cluster-robust variance follows. ``confusion`` has a row for each answer
    and a column for each prediction; ``bins`` are ten calibration bins. ``method`` is how the answer to a choice was
    got, from label likelihoods or by a constrained answer. ``judged_by`` names the scorers with their options and the
    judge's model, or how likelihoods were normalised; None for plain likelihoods. Scores that differ in either are
    never ranked together.
    """

    prompt: PromptId
    split: SplitName
    metric: Literal["accuracy", "score"]
    n: Count
    total: float
    squares: Annotated[float, Field(ge=0)]
    groups: Count
    group_squares: Annotated[float, Field(ge=0)]
    confusion: tuple[tuple[Count, ...], ...] = ()
    bins: Annotated[tuple[CalibrationBin, ...], Field(max_length=BINS)] = ()
    method: Method = "likelihood"
    judged_by: JudgeId | None = None

    @model_validator(mode="after")
    def _adds_up(self) -> "Score":
        if self.confusion:  # without generators: a bank's verification comes here for millions of scores
            if sum(map(sum, self.confusion)) != self.n:
                raise ValueError("the confusion matrix does not add up to n")
            if set(map(len, self.confusion)) != {len(self.confusion)}:
                raise ValueError("the confusion matrix is not square")
        if self.groups > self.n or (self.metric == "accuracy" and not -1e-6 <= self.total <= self.n + 1e-6):
            raise ValueError("more groups or correct answers than cases")
        return self

    @property
    def value(self) -> float | None:
        """The mean of the metric, or None over no cases."""
        return self.total / self.n if self.n else None


class Comparison(Closed):
    """Two prompts over the same cases of one site: sums of the differences ``first - second``.

    For a 0/1 metric ``better`` counts the cases only ``first`` got right, ``worse`` those only ``second`` got right.
    ``groups`` and ``group_squares`` are as in :class:`Score`, for the differences.
    """

    first: PromptId
    second: PromptId
    split: SplitName
    n: Count
    total: float
    squares: Annotated[float, Field(ge=0)]
    better: Count
    worse: Count
    groups: Count
    group_squares: Annotated[float, Field(ge=0)]
