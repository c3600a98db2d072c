"""What the tasks of a secure sum have in common, and how a site's refusal follows from what is wrong with one."""

from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from fedprompt.boundary.checked import Bounds
from fedprompt.errors import FederationError
from fedprompt.privacy.secure_sums.keys import Key, Signature
from fedprompt.study.secure_sums import MOST_SITES
from fedprompt.verbs.forms import Seed, Task
from fedprompt.verbs.refusals import Code
from fedprompt.verbs.tune import StepsTask
from fedprompt.verbs.verb import Answer, SiteSide, refused

__all__ = ["COHORT", "Cohort", "Round", "Signatures", "SumTask", "answered"]

Round = Annotated[int, Field(ge=1, le=100_000)]
Cohort = Annotated[tuple[Key, ...], Field(min_length=1, max_length=MOST_SITES)]
"""Signing keys of sites, in order."""

Signatures = Annotated[tuple[Signature, ...], Field(min_length=1, max_length=MOST_SITES)]
COHORT = Bounds(256 * 1024, values=2_000, nested=300, members=300, depth=4)
REFUSED: tuple[Code, ...] = ("unknown-keys", "cohort-too-small", "cohort-differs", "wrong-step")


class SumTask(Task):
    """A step of the secure sum of a ``round``; ``seed`` tells runs apart."""

    round: Round
    seed: Seed


def answered(site: SiteSide, step: str, task: SumTask | StepsTask, answer: Callable[[], Answer]) -> Answer:
    """Return what a site answers to a step, or a refusal where the step is not to be taken or what came is wrong."""
    if (code := site.for_sums.not_now(step, task.round)) is not None:
        return refused(task, code)
    try:
        return answer()
    except FederationError as error:
        if error.code not in REFUSED:
            raise
        return refused(task, error.code)
