"""tune: steps on the site's tune cases from values that came, a soft prompt's or others; the clipped change returns."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedprompt.errors import ReplyUntrue
from fedprompt.privacy.quantise import ARRAYS, restore
from fedprompt.prompts.ids import content_id
from fedprompt.strategies.strategy import Update
from fedprompt.study.allowed_rounds import Among, is_among_all
from fedprompt.study.reach import rounds_before
from fedprompt.study.schema import Precision
from fedprompt.study.sharing import absent
from fedprompt.study.update_bound import longest_update
from fedprompt.verbs.beside import Beside
from fedprompt.verbs.describe import DescribeReply, size_told
from fedprompt.verbs.forms import Allowed, Arrays, Parcel, Reply, Seed, Task
from fedprompt.verbs.sentences import counted, shortened
from fedprompt.verbs.verb import ABOUT, Answer, Asks, Rehearsal, SiteSide, Terms, Verb, refused

__all__ = ["StepsTask", "Tune", "TuneReply", "TuneTask", "ask_tune"]

ROUNDING = 1e-6  # between the norm as a site clipped it and as a hub adds it up


class StepsTask(Task):
    """Tune the values that travel with the task (array ``start``, float32 of the study's shape) for some steps.

    ``round`` is of the rounds ``among`` all sites, a group of them, or this one alone. ``seed`` tells runs apart, and
    nothing at a site follows from it.
    """

    round: Annotated[int, Field(ge=1, le=100_000)]
    steps: Annotated[int, Field(ge=1, le=100_000)]
    seed: Seed
    among: Annotated[Among, Field(exclude_if=is_among_all)] = "all"


class TuneTask(StepsTask):
    """Send the change back."""

    verb: Literal["tune"] = "tune"


class TuneReply(Reply):
    """The number of cases, and the update.

    The update is the array ``delta`` (float32 or float16, of the shape of ``start``), or ``codes`` (int8, likewise) and
    ``scales`` ([rows or blocks, 1] float32), as ``precision`` says. ``loss`` is what sites sent once; none sends it
    now, since the mean over a few batches tells of their cases.
    """

    verb: Literal["tune"] = "tune"
    round: Annotated[int, Field(ge=1, le=100_000)]
    cases: Annotated[int, Field(ge=0, le=10**9)]
    loss: Annotated[float | None, Field(ge=-1e-3, le=1e6, exclude_if=absent)] = None
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
    among: Among = "all",
) -> Update:
    """Ask a site to tune from ``start`` (float32); return its update.

    Args:
        precision: how the study says that updates travel; another is refused.
        among: whom the round is among.

    Raises:
        SiteRefused: the site refused; says why.
        FederationError: it could not be asked, or its answer is none.
    """
    fields = {"round": round, "steps": steps, "seed": seed, "among": among}
    named = [round, steps, seed, content_id("v1", start.tobytes()), *([] if is_among_all(among) else [among])]
    parcel = hub.ask(site, TuneTask, fields, {"start": start}, named=named)
    reply = parcel.message
    assert isinstance(reply, TuneReply)
    if reply.precision != precision:
        raise ReplyUntrue(
            f"site '{site}' sent an update of another precision than it was asked for", code="wrong-shape"
        )
    return Update(site, restore(parcel.arrays), reply.cases)


class Tune(Verb):
    """An update over at least ``min_cases`` tune cases, clipped to the study's ``max_norm``; one a round."""

    name = "tune"
    task = TuneTask
    reply = TuneReply
    flat = True

    def task_arrays(self, task: TuneTask) -> Allowed:
        """Where tuning starts."""
        return {"start": np.float32}

    def reply_arrays(self, reply: TuneReply) -> Allowed:
        """Return the update's arrays."""
        # A reply built around its checks may name no precision that there is; its schema refuses it afterwards.
        return ARRAYS.get(reply.precision, {})

    def answer(self, site: SiteSide, task: TuneTask, arrays: Arrays, question: str) -> Answer:
        """Take the steps."""
        study = site.study
        if study.rounds.secure_sums is not None:  # an update by itself is what the study hides
            return refused(task, "not-allowed")
        if site.short("tune"):
            return refused(task, "too-few-cases")
        if site.words_only:  # a server takes words and gives no gradient
            return refused(task, "not-supported")
        start = site.brought(arrays["start"], rounds_before(study, task.round, task.among))
        if start is None or start.tuned is None:
            return refused(task, "bad-soft-prompt")
        if (code := site.not_taken(task)) is not None:
            return refused(task, code)
        tuned = site.take_steps(task, start.tuned, question)
        sent = site.update(task, tuned.end.values - start.tuned.values)
        reply = TuneReply(
            task=task.task,
            round=task.round,
            cases=size_told(site, "tune"),
            precision=study.rounds.update,
        )
        return Answer(reply, sent.arrays, sent.beside, start.id)

    def failed(self, site: SiteSide, task: TuneTask) -> Beside:
        """A round that failed counts as answered, since that it failed may be one case's doing."""
        return site.answered_round(task)

    def check(self, terms: Terms, asked: Parcel[TuneTask], given: Parcel[TuneReply]) -> None:
        """Refuse an update of another shape or round, over other cases, or longer than the study's steps make one."""
        delta, reply = restore(given.arrays), given.message
        if delta.shape != asked.arrays["start"].shape or reply.round != asked.message.round:
            raise ReplyUntrue(
                f"site '{terms.site}' sent an update of another shape or round than it was asked for",
                code="wrong-shape",
            )
        if terms.study is not None and (fault := _fault(terms, asked.message.steps, delta, reply)) is not None:
            raise ReplyUntrue(f"site '{terms.site}' sent an update that cannot be: {fault}")

    def sentence(self, message: Mapping[str, Any], arrays: Mapping[str, Sequence[int]]) -> str:
        """Tell of which prompt the change is, and over how many cases."""
        shape = next((of for name, of in sorted(arrays.items()) if name != "scales"), [0, 0])
        about = message.get(ABOUT)
        of = "a prompt" if about is None else f"prompt {shortened(about)}"
        size = " vectors of ".join(map(counted, shape))
        return f"the update of {of} in round {message.get('round')} ({size} numbers), n={message.get('cases')}"

    def rehearse(self, rehearsal: Rehearsal) -> bool:
        """Take one round's steps from the study's start."""
        study = rehearsal.study
        if study.moves is None or study.rounds.secure_sums is not None:
            return False
        start = rehearsal.start()
        update = ask_tune(
            rehearsal.asks,
            rehearsal.site,
            start.values,
            round=1,
            steps=study.tuning.steps,
            seed=0,
            precision=study.rounds.update,
        )
        rehearsal.tuned = start.with_values(start.values + update.delta)
        return True


def _fault(terms: Terms, steps: int, delta: NDArray[np.float32], reply: TuneReply) -> str | None:
    """Return what cannot be in an update, in a phrase; None if it can."""
    study, described = terms.study, terms.described
    assert study is not None
    if isinstance(described, DescribeReply) and reply.cases != described.tune:
        return f"it is over {reply.cases:,} cases and the site has {described.tune:,} to tune on"
    if study.dp is None and reply.cases < study.privacy.min_cases:
        return f"it is over {reply.cases} cases, fewer than the study's min_cases"
    if reply.precision != study.rounds.update:
        return f"it came in {reply.precision} and the study says {study.rounds.update}"
    most = longest_update(study, delta.size, steps)
    with np.errstate(over="ignore", invalid="ignore"):
        norm = float(np.linalg.norm(delta.astype(np.float64)))
    if not norm <= most * (1 + ROUNDING):  # nor where codes times scales are infinite
        return f"its norm is {norm:.3g}, and {steps} steps of the study make {most:.3g} at most"
    return None
