"""head: a site fits a regression on the sentence encoder to its tune cases, and its weights go back with noise on them.

What the hub sends are directions of the encoder's space, which the site makes anew from the study's public examples and
compares: a hub cannot choose what is looked along. Each study is answered once, with noise that follows from the
site's key, and is charged as an exact question of tune for each label. ``adapting/heads.py`` has what the noise hides.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedprompt.adapting.heads import (
    directions_of,
    fit_head,
    head_features,
    largest_area,
    longest_head,
    same_directions,
    with_noise,
)
from fedprompt.errors import ReplyUntrue
from fedprompt.models.assets.catalogue import ASSETS
from fedprompt.prompts.ids import content_id
from fedprompt.study.schema import Study
from fedprompt.study.score import Count, SplitName
from fedprompt.verbs.describe import DescribeReply
from fedprompt.verbs.forms import Allowed, Arrays, Parcel, Reply, Task
from fedprompt.verbs.refusals import Code
from fedprompt.verbs.sentences import counted
from fedprompt.verbs.verb import Answer, Asks, Rehearsal, SiteSide, Terms, Verb, refused

__all__ = ["ENCODER_DIGEST", "FitHead", "HeadReply", "HeadTask", "ask_head", "head_told"]

ENCODER_DIGEST = f"sha256:{ASSETS['all-minilm-l6-v2'].sha256}"  # of the archive that the asset is taken out of
ONCE = "head"
ROUNDING = 1e-6


class HeadTask(Task):
    """Fit a head of so many ``labels`` along the array ``directions`` ([1 + directions, width] float32, mean first)."""

    verb: Literal["head"] = "head"
    labels: Annotated[int, Field(ge=2, le=256)]
    encoder: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class HeadReply(Reply):
    """The number of cases; the weights are the array ``head`` ([labels, directions] float32)."""

    verb: Literal["head"] = "head"
    cases: Count


def ask_head(hub: Asks, site: str, directions: NDArray[np.float32], labels: int) -> NDArray[np.float32]:
    """Ask a site for its head, [labels, directions] float32.

    Args:
        directions: [1 + directions, width], as the study's examples give them.
        labels: how many the study has.

    Raises:
        SiteRefused: the site refused; says why.
        FederationError: it could not be asked, or its answer is none.
    """
    fields = {"labels": labels, "encoder": ENCODER_DIGEST}
    named = [labels, ENCODER_DIGEST, content_id("v1", directions.tobytes())]
    parcel = hub.ask(site, HeadTask, fields, {"directions": directions}, named=named)
    return np.asarray(parcel.arrays["head"], dtype=np.float32)


class FitHead(Verb):
    """Weights over at least ``min_cases`` tune cases, with the study's noise; once a study."""

    name = "head"
    task = HeadTask
    reply = HeadReply

    def task_arrays(self, task: HeadTask) -> Allowed:
        """The directions."""
        return {"directions": np.float32}

    def reply_arrays(self, reply: HeadReply) -> Allowed:
        """The weights."""
        return {"head": np.float32}

    def exact(self, task: HeadTask) -> Sequence[tuple[SplitName, str]]:
        """Each label's weights are one question of tune."""
        return [("tune", f"head {task.study} {place}") for place in range(task.labels)]

    def answer(self, site: SiteSide, task: HeadTask, arrays: Arrays, question: str) -> Answer:
        """Fit, and add the noise."""
        if (code := _not_asked(site, task)) is not None:
            return refused(task, code)
        spec, answer, given = site.study.head, site.study.answer, arrays["directions"]
        assert spec is not None
        try:
            own = directions_of(site.for_heads.encoder().encode(spec.examples), spec.directions)
        except ValueError:
            return refused(task, "failed", tells=False)
        if not same_directions(own, given):
            return refused(task, "bad-task")
        site.stop.check()
        features = head_features(site.for_heads.encoded("tune"), given)
        fitted = fit_head(features, site.answers("tune"), len(answer.labels), spec.strength)
        sent = with_noise(fitted, spec.strength, spec.noise, site.for_heads.secret)
        reply = HeadReply(task=task.task, cases=len(features))
        return Answer(reply, {"head": sent}, site.once(ONCE))

    def check(self, terms: Terms, asked: Parcel[HeadTask], given: Parcel[HeadReply]) -> None:
        """Refuse another shape, other cases, and weights longer than the study's strength and noise make them."""
        head, reply = given.arrays["head"], given.message
        if head.shape != (asked.message.labels, len(asked.arrays["directions"]) - 1):
            raise ReplyUntrue(f"site '{terms.site}' sent a head of the wrong shape", code="wrong-shape")
        if terms.study is not None and (fault := _fault(terms, head, reply.cases)) is not None:
            raise ReplyUntrue(f"site '{terms.site}' sent a contradictory head: {fault}")

    def sentence(self, message: Mapping[str, Any], arrays: Mapping[str, Sequence[int]]) -> str:
        """Tell how many numbers, and over how many cases."""
        shape = " x ".join(map(counted, arrays.get("head", [0, 0])))
        return f"a head on the sentence encoder, with noise ({shape} numbers), n={message.get('cases')}"

    def rehearse(self, rehearsal: Rehearsal) -> bool:
        """Ask it once, where the study asks for one."""
        spec = rehearsal.study.head
        if spec is None or rehearsal.encoder is None:
            return False
        directions = directions_of(rehearsal.encoder().encode(spec.examples), spec.directions)
        ask_head(rehearsal.asks, rehearsal.site, directions, len(rehearsal.study.answer.labels))
        return True


def head_told(study: Study) -> str | None:
    """Return what leaves of a site where a study asks for a head, and what its noise hides; None where it does not."""
    spec = study.head
    if spec is None:
        return None
    numbers = f"{len(study.answer.labels)} x {spec.directions} numbers"
    return (
        f"once, a head: {numbers} fitted to all tuning cases, with noise of {spec.noise:g} on each number. An "
        "attacker who knows all other cases can detect one case with an area under the curve of at most "
        f"{largest_area(spec.noise):.2f} (0.50 is guessing). This assumes that the label frequencies were "
        "known before"
    )


def _not_asked(site: SiteSide, task: HeadTask) -> Code | None:
    """Return why the study does not let a hub ask this of the site, or why the site cannot answer; None otherwise."""
    spec = site.study.head
    if spec is None or task.labels != len(site.study.answer.labels):
        return "not-allowed"
    if task.encoder != ENCODER_DIGEST:
        return "not-supported"
    if site.short("tune"):
        return "too-few-cases"
    return "round-answered" if site.has_answered(ONCE) else None


def _fault(terms: Terms, head: NDArray[np.float32], cases: int) -> str | None:
    """Return what cannot be in a head, in a phrase; None if it can."""
    study, described = terms.study, terms.described
    assert study is not None
    if study.head is None:
        return "the study asks for no head"
    if isinstance(described, DescribeReply) and cases != described.tune:
        return f"it covers {cases:,} cases, but the site has {described.tune:,} tuning cases"
    if cases < study.privacy.min_cases:
        return f"it covers {cases} cases, which is below the study's min_cases"
    labels, many = head.shape
    most = longest_head(study.head.strength, study.head.noise, cases, labels, many)
    norm = float(np.linalg.norm(head.astype(np.float64)))
    return None if norm <= most * (1 + ROUNDING) else f"its norm is {norm:.3g}, but the study allows at most {most:.3g}"
