"""tune: steps on the site's tune cases from a soft prompt that came; the change, clipped, goes back."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedprompt.errors import FederationError
from fedprompt.privacy.quantise import ARRAYS, restore
from fedprompt.prompts.ids import content_id
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.strategies.strategy import Update
from fedprompt.study.schema import Precision
from fedprompt.verbs.forms import Allowed, Arrays, Parcel, Reply, Seed, Task
from fedprompt.verbs.sentences import counted, shortened
from fedprompt.verbs.verb import ABOUT, Answer, Asks, Rehearsal, SiteSide, Terms, Verb, refused

__all__ = ["Tune", "TuneReply", "TuneTask", "ask_tune"]


class TuneTask(Task):
    """Tune the soft prompt that travels with the task (array ``start``, [tokens, width] float32) for some steps."""

    verb: Literal["tune"] = "tune"
    round: Annotated[int, Field(ge=1, le=100_000)]
    steps: Annotated[int, Field(ge=1, le=100_000)]
    seed: Seed


class TuneReply(Reply):
    """One mean loss, the number of cases, and the update.

    The update is the array ``delta`` ([tokens, width] float32 or float16), or ``codes`` ([tokens, width] int8) and
    ``scales`` ([tokens, 1] float32), as ``precision`` says.
    """

    verb: Literal["tune"] = "tune"
    round: Annotated[int, Field(ge=1, le=100_000)]
    cases: Annotated[int, Field(ge=0, le=10**9)]
    loss: float
    precision: Precision = "float32"


def ask_tune(
    hub: Asks,
    site: str,
    start: NDArray[np.float32],
    *,
    round: int,
    steps: int,
    seed: int,
    precision: Precision = "float32",
) -> tuple[Update, float]:
    """Ask a site to tune from ``start`` ([tokens, width] float32); return its update and its mean loss.

    Args:
        precision: how the study says that updates travel; another is refused.

    Raises:
        SiteRefused: the site refused; says why.
        FederationError: it could not be asked, or its answer is none.
    """
    fields = {"round": round, "steps": steps, "seed": seed}
    named = [round, steps, seed, content_id("v1", start.tobytes())]
    parcel = hub.ask(site, TuneTask, fields, {"start": start}, named=named)
    reply = parcel.message
    assert isinstance(reply, TuneReply)
    if reply.precision != precision:
        raise FederationError(
            f"site '{site}' sent an update of another precision than it was asked for", code="wrong-shape"
        )
    return Update(site, restore(parcel.arrays), reply.cases), reply.loss


class Tune(Verb):
    """An update over all tune cases, clipped to the study's ``max_norm``."""

    name = "tune"
    task = TuneTask
    reply = TuneReply

    def task_arrays(self, task: TuneTask) -> Allowed:
        """Where tuning starts."""
        return {"start": np.float32}

    def reply_arrays(self, reply: TuneReply) -> Allowed:
        """Return the update's arrays."""
        # A reply built around its checks may name no precision that there is; its schema refuses it afterwards.
        return ARRAYS.get(reply.precision, {})

    def answer(self, site: SiteSide, task: TuneTask, arrays: Arrays, question: str) -> Answer:
        """Take the steps."""
        study, spec = site.study, site.study.soft
        if site.short("tune"):
            return refused(task, "too-few-cases")
        if task.steps > study.tuning.steps:  # no more than the operator accepted
            return refused(task, "not-allowed")
        if site.words_only:  # a server takes words and gives no gradient
            return refused(task, "not-supported")
        start = site.soft(arrays["start"])
        if spec is None or start is None or start.tokens != spec.tokens:
            return refused(task, "bad-soft-prompt")
        tuned = site.take_steps(task, start, question)
        sent = site.update(task, tuned.soft.vectors - start.vectors)
        reply = TuneReply(
            task=task.task,
            round=task.round,
            cases=len(site.splits.tune),
            loss=float(np.mean(tuned.loss)),
            precision=study.rounds.update,
        )
        return Answer(reply, sent.arrays, sent.beside, Prompt(study.soft_template(), start).id)

    def check(self, terms: Terms, asked: Parcel[TuneTask], given: Parcel[TuneReply]) -> None:
        """Refuse the update of another shape or round."""
        shape = restore(given.arrays).shape
        if shape != asked.arrays["start"].shape or given.message.round != asked.message.round:
            raise FederationError(
                f"site '{terms.site}' sent an update of another shape or round than it was asked for",
                code="wrong-shape",
            )

    def sentence(self, message: Mapping[str, Any], arrays: Mapping[str, Sequence[int]]) -> str:
        """Tell of which prompt the change is, and over how many cases."""
        shape = next((of for name, of in sorted(arrays.items()) if name != "scales"), [0, 0])
        about = message.get(ABOUT)
        of = "a prompt" if about is None else f"prompt {shortened(about)}"
        size = " vectors of ".join(map(counted, shape))
        return f"the change of {of} in round {message.get('round')} ({size} numbers), n={message.get('cases')}"

    def rehearse(self, rehearsal: Rehearsal) -> bool:
        """Take one round's steps from the study's start."""
        study = rehearsal.study
        if study.soft is None:
            return False
        start = rehearsal.start()
        update, _ = ask_tune(
            rehearsal.asks,
            rehearsal.site,
            start.vectors,
            round=1,
            steps=study.tuning.steps,
            seed=0,
            precision=study.rounds.update,
        )
        rehearsal.tuned = SoftPrompt(start.vectors + update.delta, start.model)
        return True
