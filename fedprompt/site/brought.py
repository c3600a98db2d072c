"""What a hub brings: refused where its shape or norm is off and, if the operator says so, where no rounds lead.

A hub that crafts prompts for what they tell of cases (PromptMIA, arXiv 2601.06641) sends ones that honest rounds do not
make. ``policy.near`` refuses what lies further from the study's start than its rounds can move it. Round 1 begins at
the start itself, so that a hub has no say in where the first update is made.
"""

import numpy as np
from numpy.typing import NDArray

from fedprompt.models.protocols import CausalModel
from fedprompt.prompts.prompt import Prompt
from fedprompt.site.policy import Policy
from fedprompt.study.reach import reach
from fedprompt.study.schema import Study
from fedprompt.tuning.tunables.tunable import Tunable

__all__ = ["brought_prompt"]


def brought_prompt(
    tunable: Tunable,
    model: CausalModel,
    study: Study,
    policy: Policy,
    values: NDArray[np.float32],
    rounds: int | None = None,
) -> Prompt | None:
    """Return the prompt that values which came stand for, None where they are refused.

    Args:
        tunable: what the study's rounds move.
        model: the site's.
        study: the accepted one.
        policy: the operator's.
        values: the numbers that came.
        rounds: how many rounds may lie between them and the study's start; all of the study's if None.
    """
    installed = tunable.installed(model, study, values)
    if installed is None or (policy.near and _is_far(tunable, model, study, values, rounds)):
        return None
    return Prompt(study.tuned_template(), installed)


def _is_far(
    tunable: Tunable, model: CausalModel, study: Study, values: NDArray[np.float32], rounds: int | None
) -> bool:
    soft = study.soft if study.moves == "soft" else None
    if soft is not None and not isinstance(soft.init, str) and soft.init.prompt is not None:
        return False  # rounds start from a prompt of the hub's bank, which no site has
    start = tunable.start(model, study).values.astype(np.float64)
    most = reach(study, start.size, study.rounds.total if rounds is None else rounds)
    return float(np.linalg.norm(values.astype(np.float64) - start)) > most
