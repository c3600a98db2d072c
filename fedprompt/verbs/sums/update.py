"""sum-tune: steps on the site's tune cases from values that came, as in ``tune``; the change returns under masks."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedprompt.errors import ReplyUntrue
from fedprompt.privacy.secure_sums.fixed_point import FixedPoint
from fedprompt.privacy.secure_sums.masks import Whole
from fedprompt.privacy.secure_sums.shares import SEALED_BYTES
from fedprompt.prompts.ids import canonical_json, content_id
from fedprompt.study.reach import rounds_before
from fedprompt.study.schema import Study
from fedprompt.study.update_bound import longest_update
from fedprompt.verbs.beside import Beside
from fedprompt.verbs.forms import Allowed, Arrays, Parcel, Reply
from fedprompt.verbs.sentences import counted, shortened
from fedprompt.verbs.sums.sum_forms import COHORT, Cohort, Round, answered
from fedprompt.verbs.tune import StepsTask
from fedprompt.verbs.verb import ABOUT, Answer, Asks, SiteSide, Terms, Verb, refused

__all__ = ["SumTune", "SumTuneReply", "SumTuneTask", "ask_sum_tune", "fixed_point", "sum_terms"]

STEP = "sum-tune"


class SumTuneTask(StepsTask):
    """Tune from the array ``start``, and hide the change.

    ``givers`` sealed shares, this site among them; the array ``sealed`` ([others, 48] uint8) has what the others sealed
    for this site, in the order of their keys. ``most`` is the highest weight of a site.
    """

    verb: Literal["sum-tune"] = "sum-tune"
    most: Annotated[int, Field(ge=1, le=10**9)]
    givers: Cohort


class SumTuneReply(Reply):
    """The change and the site's weight under masks: the array ``masked`` ([numbers + 1], uint32 or uint64)."""

    verb: Literal["sum-tune"] = "sum-tune"
    round: Round
    bits: Literal[32, 64]


def ask_sum_tune(
    hub: Asks,
    site: str,
    start: NDArray[np.float32],
    *,
    round: int,
    steps: int,
    seed: int,
    most: int,
    givers: Sequence[str],
    received: Mapping[str, bytes],
) -> Whole:
    """Ask a site to tune from ``start`` (float32); return its masked vector, [numbers + 1].

    Args:
        most: the highest weight of a site.
        givers: who sealed shares, the site among them.
        received: giver -> what it sealed for this site.

    Raises:
        SiteRefused: the site refused; says why.
        FederationError: it could not be asked, or its answer is none.
    """
    sealed = np.frombuffer(b"".join(received[key] for key in sorted(received)), np.uint8)
    fields = {"round": round, "steps": steps, "seed": seed, "most": most, "givers": tuple(givers)}
    arrays: Arrays = {"start": start, "sealed": sealed.reshape(len(received), SEALED_BYTES)}
    named = [round, steps, seed, most, list(givers), *(content_id("v1", arrays[name].tobytes()) for name in arrays)]
    return hub.ask(site, SumTuneTask, fields, arrays, named=named).arrays["masked"]


class SumTune(Verb):
    """An update over at least ``min_cases`` tune cases, clipped, weighed and masked; one a round."""

    name = "sum-tune"
    task = SumTuneTask
    reply = SumTuneReply
    task_bounds = COHORT
    flat = True

    def task_arrays(self, task: SumTuneTask) -> Allowed:
        """Where tuning starts, and what the other sites sealed."""
        return {"start": np.float32, "sealed": np.uint8}

    def reply_arrays(self, reply: SumTuneReply) -> Allowed:
        """Whole numbers."""
        return {"masked": np.uint64 if reply.bits == 64 else np.uint32}

    def answer(self, site: SiteSide, task: SumTuneTask, arrays: Arrays, question: str) -> Answer:
        """Look at the cohort, take the steps, hide the change."""
        return answered(site, STEP, task, lambda: _masked(site, task, arrays, question))

    def left_out(self, study: Study) -> str | None:
        """It is masked against the keys of other sites."""
        sums = study.rounds.secure_sums
        return None if sums is None else "sum-tune and the steps around it: they need the keys of other sites"

    def failed(self, site: SiteSide, task: SumTuneTask) -> Beside:
        """A round that failed counts as answered, since that it failed may be one case's doing."""
        return site.answered_round(task)

    def check(self, terms: Terms, asked: Parcel[SumTuneTask], given: Parcel[SumTuneReply]) -> None:
        """Refuse a vector of another shape, type or round; of its numbers nobody can say anything."""
        size = asked.arrays["start"].size
        bits: int = given.message.bits
        if terms.study is not None:
            bits = fixed_point(terms.study, size, asked.message.most, len(asked.message.givers)).bits
        same = given.message.round == asked.message.round and given.message.bits == bits
        if not same or given.arrays["masked"].shape != (size + 1,):
            raise ReplyUntrue(
                f"site '{terms.site}' sent a masked update of another shape or round than it was asked for",
                code="wrong-shape",
            )

    def sentence(self, message: Mapping[str, Any], arrays: Mapping[str, Sequence[int]]) -> str:
        """Tell of which prompt the change is, and that nobody sees it apart."""
        about, (size, *_) = message.get(ABOUT), arrays.get("masked") or [1]
        of = "a prompt" if about is None else f"prompt {shortened(about)}"
        return (
            f"the change of {of} in round {message.get('round')} ({counted(size - 1)} numbers), masked. Alone "
            "it reveals nothing; the hub learns the sum over all sites that took part"
        )


def fixed_point(study: Study, numbers: int, most: int, sites: int) -> FixedPoint:
    """Return how the numbers of a round's sum are written.

    Args:
        study: bounds an update's length.
        numbers: how many an update has.
        most: the highest weight of a site.
        sites: how many gave shares.
    """
    return FixedPoint(longest_update(study, numbers, study.tuning.steps), most, sites)


def sum_terms(start: NDArray[np.float32], most: int) -> str:
    """Return a digest of what all sites of a sum must have been told alike: where tuning starts, and how they weigh."""
    return content_id("u1", canonical_json([list(start.shape), most, content_id("v1", start.tobytes())]))


def _masked(site: SiteSide, task: SumTuneTask, arrays: Arrays, question: str) -> Answer:
    sums = site.for_sums
    before = sums.begun(task.round, task.seed)
    received = dict(zip((key for key in task.givers if key != before.key), map(_bytes, arrays["sealed"]), strict=False))
    before.check_givers(received, task.givers)  # before the steps, which take minutes
    if site.short("tune"):
        return refused(task, "too-few-cases")
    if task.among != "all":
        return refused(task, "not-allowed")
    start = site.brought(arrays["start"], rounds_before(site.study, task.round, task.among))
    if start is None or start.tuned is None:
        return refused(task, "bad-soft-prompt")
    if (code := site.not_taken(task)) is not None:
        return refused(task, code)
    tuned = site.take_steps(task, start.tuned, question)
    fixed = sums.fixed(task, start.tuned.values.size)
    vector = sums.vector(task, tuned.end.values - start.tuned.values, fixed)
    kept, hidden = before.mask(vector, received, task.givers, sum_terms(arrays["start"], task.most))
    reply = SumTuneReply(task=task.task, round=task.round, bits=fixed.bits)
    beside = {**sums.taken(STEP, kept)}
    beside["rounds"] = {**beside.get("rounds", {}), **site.answered_round(task)["rounds"]}
    return Answer(reply, {"masked": hidden}, beside, start.id)


def _bytes(row: NDArray[np.uint8]) -> bytes:
    return row.tobytes()
