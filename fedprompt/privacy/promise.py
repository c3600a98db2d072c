"""What a budget of privacy promises and costs, in words for people, worked out from the study alone.

The promise is a bound for any attack. The cost is a guess: what tuning loses depends on how long the noise is beside
the update, and how that goes together was measured on one task (``benchmarks/privacy.py``, benchmarks/LOG.md).
"""

import math
from dataclasses import dataclass

from fedprompt.privacy.plan import Plan, plan_of
from fedprompt.study.schema import Study

__all__ = ["Promise", "expected_cost", "noise_beside_update", "promise_of"]

SITES = 4  # how many a federation is taken to have, where that is not known
SLOPE = 0.15  # how long a mean clipped slope is, of the clip: measured on rated sentences
HARMLESS, USELESS = 0.4, 1.5  # of the noise beside the update, for its length
BLIND = 15.0  # points of noise on a score
WIDTH, LAYERS = 576, 30  # of the default model


@dataclass(frozen=True)
class Promise:
    """What noise hides, for each site.

    Attributes:
        unit: what is hidden: ``case`` or ``group``.
        epsilon: the budget of the study.
        delta: with it.
        in_all: what the same cases may spend in all studies together.
        tuning: how often a guess is right at most whether a unit's cases were tuned on; None where not covered.
        scores: the same of cases that prompts were scored on.
        sentence: the worst of them, for people.
        details: epsilon and delta, for whom, and what is not covered.
        cost: what it probably costs.
    """

    unit: str
    epsilon: float
    delta: float
    in_all: float
    tuning: float | None
    scores: float | None
    sentence: str
    details: str
    cost: str


def promise_of(study: Study) -> Promise | None:
    """Return what a study's budget promises, None where it has none.

    Raises:
        StudyError: no noise keeps it.
    """
    plan = plan_of(study)
    if plan is None:
        return None
    dp, found = plan.dp, plan.spent
    tuning, scores = (found[split].guessed if split in found else None for split in ("tune", "test"))
    what = "record" if dp.unit == "case" else "group of records"
    worst = max(one for one in (tuning, scores) if one is not None)
    lacks = [name for name, one in (("updates and tuned prompts", tuning), ("scores", scores)) if one is None]
    bare = f" The budget does not cover {' or '.join(lacks)}." if lacks else ""
    return Promise(
        unit=dp.unit,
        epsilon=dp.epsilon,
        delta=dp.at_delta,
        in_all=dp.lifetime,
        tuning=tuning,
        scores=scores,
        sentence=f"Someone who guesses whether a {what} was used is right at most {_percent(worst)} of the time.{bare}",
        details=(
            f"Epsilon {dp.epsilon:g} and delta {dp.at_delta:.2g} at each site, for one {what} more or less. The bound "
            "holds against the hub, the other sites and every reader of what leaves, whatever else they know and ask. "
            f"Guessing without anything is right 50 % of the time. {_parts(tuning, scores)}"
        ),
        cost=expected_cost(plan, _numbers(study)),
    )


def _numbers(study: Study) -> int:
    """Return about how many numbers the study's rounds move, on a model of the default one's size."""
    lora = None if study.tunable is None else study.tunable.lora
    if lora is not None:
        return 2 * WIDTH * LAYERS * lora.rank * len(lora.targets)
    return 0 if study.soft is None else study.soft.tokens * WIDTH


def noise_beside_update(plan: Plan, numbers: int, sites: int = SITES) -> float:
    """Return about how many times as long as the update of all rounds and sites its noise is.

    Slopes of all steps point about the same way and their noise does not, so noise grows with the root of the steps.

    Args:
        plan: of a study whose tuning is covered.
        numbers: how many an update has.
        sites: how many average.
    """
    noise = plan.step * math.sqrt(numbers) / (plan.rate * plan.dp.cases)
    return noise / SLOPE / math.sqrt(plan.steps * sites)


def expected_cost(plan: Plan, numbers: int, sites: int = SITES) -> str:
    """Return in a sentence or two what the budget probably costs."""
    told = []
    if plan.steps:
        ratio = noise_beside_update(plan, numbers, sites)
        cases = f"{plan.dp.cases:,} {plan.dp.unit}s at each of {sites} sites"
        if ratio <= HARMLESS:
            told.append(f"With {cases}, the noise is about {ratio:.2g} times as long as the update: prompts probably "
                        "lose no more than 3 points of accuracy.")  # fmt: skip
        elif ratio < USELESS:
            told.append(f"With {cases}, the noise is about {ratio:.2g} times as long as the update: prompts probably "
                        "lose several points of accuracy.")  # fmt: skip
        else:
            told.append(f"With {cases}, no useful privacy is possible for tuning: the noise is about {ratio:.2g} times "
                        "as long as the update. Take more cases, a larger epsilon, or fewer soft tokens.")  # fmt: skip
    if plan.counts:
        of = 100 * 1.96 * plan.count / plan.dp.cases
        useless = " With this much noise, scores cannot distinguish prompts." if of > BLIND else ""
        told.append(f"A site's score over {plan.dp.cases:,} cases carries noise of ±{of:.2g} points (95 %).{useless}")
    return " ".join(told)


def _parts(tuning: float | None, scores: float | None) -> str:
    told = [
        f"For cases that {what} at most {_percent(share)}."
        for what, share in (("prompts are tuned on", tuning), ("prompts are scored on", scores))
        if share is not None
    ]
    return " ".join(told)


def _percent(share: float) -> str:
    """Return a share rounded up, since it is a bound."""
    return f"{min(100, math.ceil(100 * share - 1e-9))} %"
