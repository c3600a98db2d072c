"""How a soft prompt is tuned: one value, made from a study for each of its rounds, wherever steps are taken.

Invariant: all who take the steps of a study's round (its sites in rounds and alone, a site for itself, the demo on
pooled cases) take their settings from ``settings_of``, so that a setting of the study holds for each of them.
"""

from dataclasses import dataclass

from fedprompt.strategies.registry import strategy_named
from fedprompt.study.schema import Study
from fedprompt.tuning.schedule import Schedule

__all__ = ["TuningSettings", "settings_at_home", "settings_by_themselves", "settings_of"]

CONSTANT = Schedule()
# A prompt that a home tunes on a few cases by itself: chosen on the development task (benchmarks/LOG.md), where more
# steps or a higher rate answered fewer cases right.
HOME_STEPS, HOME_RATE = 8, 0.01


@dataclass(frozen=True)
class TuningSettings:
    """``steps`` of ``batch`` cases each; all of them where there are fewer.

    ``lr`` is AdamW's learning rate at its highest, and ``schedule`` how it goes by step. ``accumulate`` parts a batch
    is cut into, one after the other, so that a large one fits into memory. ``proximal`` is FedProx's mu (Li et al.
    2020, arXiv 1812.06127, eq. 2): adds mu / 2 |w - start|^2 to the loss.
    """

    steps: int
    batch: int
    lr: float
    schedule: Schedule = CONSTANT
    accumulate: int = 1
    proximal: float = 0.0


def settings_of(study: Study, number: int = 1, *, steps: int | None = None) -> TuningSettings:
    """Return the settings of round ``number`` of a study, counted from 1.

    Args:
        study: its ``tuning``, what its strategy asks of a site, and how many rounds it has in all.
        number: the round, so that the schedule goes on where the round before ended.
        steps: how many are taken in this round; the study's if None.
    """
    tuning, strategy = study.tuning, study.rounds.strategy
    whole = study.rounds.total * tuning.steps
    return TuningSettings(
        steps=tuning.steps if steps is None else steps,
        batch=tuning.batch,
        lr=study.rate,
        schedule=Schedule(tuning.schedule, tuning.warmup, whole, (number - 1) * tuning.steps),
        accumulate=tuning.accumulate,
        proximal=strategy_named(strategy.name).at_site(strategy.options).proximal,
    )


def settings_at_home(study: Study) -> TuningSettings:
    """Return how a home tunes a prompt on a few cases of its own: fewer steps and slower ones than a study's rounds.

    Rounds average many sites' steps, so that they bear more of them and a higher rate than one site alone.
    """
    tuning = study.tuning
    steps = min(HOME_STEPS, study.rounds.count * tuning.steps)
    return TuningSettings(steps, tuning.batch, min(HOME_RATE, tuning.lr), accumulate=tuning.accumulate)


def settings_by_themselves(steps: int, batch: int, rate: float) -> TuningSettings:
    """Return settings of tuning that belongs to no round of a study; the rate falls like a cosine over its steps."""
    return TuningSettings(steps, batch, rate, Schedule("cosine", total=steps))
