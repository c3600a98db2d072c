"""How many bytes a federation sends to a site and gets from it, before it is begun.

They are counted on messages made up to the study's shapes and packed as real ones are.
"""

import math

import numpy as np
from numpy.typing import NDArray

from fedprompt.privacy.quantise import quantise
from fedprompt.prompts.prompt import Prompt
from fedprompt.study.schema import Study
from fedprompt.study.score import BINS, CalibrationBin, Score
from fedprompt.verbs.evaluate import EvaluateTask
from fedprompt.verbs.head import ENCODER_DIGEST, HeadReply, HeadTask
from fedprompt.verbs.score import ScoreReply, ScoreTask
from fedprompt.verbs.tune import TuneReply, TuneTask
from fedprompt.verbs.wire import pack_reply, pack_task
from fedprompt.verbs.worth import MOST_MEMBERS, WorthReply, WorthTask
from fedprompt.workspace.rounds.summed_bytes import summed_bytes
from fedprompt.workspace.rounds.worth_folds import most_soft
from fedprompt.workspace.rounds.worth_ways import ways_of

__all__ = ["message_bytes", "rounds_anew"]

TASK, PROMPT = "t1:" + "0" * 32, "p1:" + "0" * 32
ENCODED = 384  # numbers of the bundled encoder's vectors


def message_bytes(study: Study, digest: str, moved: tuple[int, ...] | None, sites: int) -> tuple[int, int]:
    """Return the bytes to and from one site: templates on validation, the rounds, the best two prompts on test.

    ``moved`` is the shape of what the study's rounds move, None where they move nothing.
    Rounds of groups are counted as if there were groups, a site's choice with its group's prompt. Where nobody waits, a
    site is counted its share of the updates.
    """
    names = [Prompt(template).id for template in study.candidates()]
    sent = len(pack_task(ScoreTask(task=TASK, study=digest, prompts=tuple(names)), {}))
    received = len(_scores(study, len(names)))
    if moved is None:
        return sent, received
    vectors = np.random.default_rng(0).normal(0, 0.1, moved).astype(np.float32)
    task = TuneTask(task=TASK, study=digest, round=1, steps=study.tuning.steps, seed=0, known="0" * 64)
    reply = TuneReply(task=TASK, round=1, cases=100, precision=study.rounds.update)
    look = EvaluateTask(task=TASK, study=digest, split="validation", soft=(PROMPT,), known="0" * 64)
    evaluate = len(pack_task(look, {"soft-0": vectors}))
    tune = len(pack_task(task, {"start": vectors}))
    update = len(pack_reply(reply, quantise(vectors, study.rounds.update)))
    if study.rounds.secure_sums is not None:
        tune, update = summed_bytes(study, digest, vectors, sites)
    rounds, groups = study.rounds, study.rounds.groups
    buffered = rounds.strategy.options.get("buffer")
    # A round asks every site for one update; without rounds, a step takes so many updates of all sites together.
    updates = rounds.total if buffered is None else math.ceil(rounds.total * buffered / sites)
    again = 1 if groups is not None and groups.by == "updates" else 0  # the first update of a group is sent twice
    sent += (updates + again) * tune + (rounds.looks + 2) * evaluate
    received += (updates + again) * update + rounds.looks * len(_scores(study, 1)) + 2 * len(_scores(study, 2))
    if rounds.personal is not None:
        soft = (PROMPT, PROMPT[:-1] + "1") if groups is not None else (PROMPT,)
        choose = EvaluateTask(
            task=TASK, study=digest, split="validation", templates=tuple(names), soft=soft, choose=0, known="0" * 64
        )
        arrays = {"start": vectors, **{f"soft-{place}": vectors for place in range(len(soft))}}
        sent += len(pack_task(choose, arrays))
        received += len(_scores(study, 1))
    if rounds.alone:  # rounds of its own, and on test every site's own prompt
        looks = len(rounds.scored_of(rounds.count))
        sent += rounds.count * tune + looks * evaluate + sites * vectors.nbytes
        received += rounds.count * update + looks * len(_scores(study, 1)) + len(_scores(study, sites))
    if study.head is not None:
        more = _head(study, digest, study.head.directions)
        sent, received = sent + more[0], received + more[1]
    if anew := rounds_anew(study, sites):
        sent += anew * tune
        received += anew * update
        for n in () if study.worth is None else study.worth.n:
            more = _worth(study, digest, n, vectors, sites)
            sent, received = sent + more[0], received + more[1]
    return sent, received


def _head(study: Study, digest: str, many: int) -> tuple[int, int]:
    """Return the bytes of a question for a head along so many directions, and of the head."""
    labels = len(study.answer.labels)
    task = HeadTask(task=TASK, study=digest, labels=labels, encoder=ENCODER_DIGEST, known="0" * 64)
    directions, head = np.zeros((1 + many, ENCODED), np.float32), np.zeros((labels, many), np.float32)
    reply = HeadReply(task=TASK, cases=100)
    return len(pack_task(task, {"directions": directions})), len(pack_reply(reply, {"head": head}))


def rounds_anew(study: Study, sites: int) -> int:
    """Return how many rounds a site takes part in without some of the others, to measure what joining is worth."""
    return 0 if study.worth is None else study.rounds.count * (min(study.worth.folds, sites) - 1)


def _worth(study: Study, digest: str, n: int, vectors: NDArray[np.float32], sites: int) -> tuple[int, int]:
    """Return the bytes of a question to a newcomer with ``n`` cases, and of its answer."""
    worth = study.worth
    assert worth is not None
    folds = min(worth.folds, sites)
    soft = min(most_soft(len(study.templates)), 1 + (sites - -(-sites // folds) if study.rounds.released else 0))
    templates = min(len(study.templates), MOST_MEMBERS - soft)
    ways, even = ways_of(worth, n), 1 / (soft + templates)
    task = WorthTask(
        task=TASK,
        study=digest,
        n=n,
        draws=worth.draws,
        templates=(PROMPT,) * templates,
        soft=(PROMPT,) * soft,
        weights=(even,) * (soft + templates),
        ways=ways,
        known="0" * 64,
    )
    arrays = {f"soft-{place}": vectors for place in range(soft)}
    start = {"start": vectors} if any(way.method == "alone" for way in ways) else {}
    reply = WorthReply(task=TASK, n=n, draws=worth.draws, cases=100, right=(100,) * len(ways))
    return len(pack_task(task, {**arrays, **start})), len(pack_reply(reply, {}))


def _scores(study: Study, count: int) -> bytes:
    labels = len(study.answer.labels)
    score = Score(
        prompt=PROMPT,
        split="validation",
        metric=study.metric,
        n=100 * labels**2,
        total=100.0,
        squares=100.0,
        groups=100,
        group_squares=100 / 3,
        confusion=((100,) * labels,) * labels,
        bins=(CalibrationBin(n=10, confidence=100 / 3, right=10),) * BINS if labels else (),
    )
    return pack_reply(ScoreReply(verb="score", task=TASK, scores=(score,) * count), {})
