"""How many bytes one round of a secure sum sends to a site and gets from it, on messages made up to its size."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedprompt.privacy.secure_sums.keys import SECRET_BYTES, Member
from fedprompt.privacy.secure_sums.shares import SEALED_BYTES
from fedprompt.study.schema import Study
from fedprompt.verbs.forms import Arrays, Reply, Task
from fedprompt.verbs.sums.confirm import SumConfirmReply, SumConfirmTask
from fedprompt.verbs.sums.keys import SumKeysReply, SumKeysTask
from fedprompt.verbs.sums.shares import SumSharesReply, SumSharesTask
from fedprompt.verbs.sums.unmask import SumUnmaskReply, SumUnmaskTask
from fedprompt.verbs.sums.update import SumTuneReply, SumTuneTask, fixed_point
from fedprompt.verbs.wire import pack_reply, pack_task

__all__ = ["summed_bytes"]

TASK, SIGNATURE = "t1:" + "0" * 32, "0" * 128
WEIGHT = 1_000  # a made-up highest weight


def summed_bytes(study: Study, digest: str, vectors: NDArray[np.float32], sites: int) -> tuple[int, int]:
    """Return the bytes to and from one site in a round in which every site takes part, without the score.

    Args:
        study: asks for secure sums.
        digest: its digest.
        vectors: float32, of the shape that the study's rounds move.
        sites: how many there are.
    """
    keys = tuple(f"{place:064x}" for place in range(sites))
    members = tuple(Member(key=key, masks=key, shares=key, own=key, signature=SIGNATURE) for key in keys)
    fixed = fixed_point(study, vectors.size, WEIGHT, sites)
    others = np.zeros((max(1, sites - 1), SEALED_BYTES), np.uint8)
    begun: dict[str, Any] = {"task": TASK, "study": digest, "known": "0" * 64, "round": 1, "seed": 0}
    ended: dict[str, Any] = {"task": TASK, "round": 1}
    signed = (SIGNATURE,) * sites
    steps = study.tuning.steps
    tasks: tuple[tuple[Task, Arrays], ...] = (
        (SumKeysTask(**begun), {}),
        (SumSharesTask(**begun, members=members, sites=sites), {}),
        (SumTuneTask(**begun, steps=steps, most=WEIGHT, givers=keys), {"start": vectors, "sealed": others}),
        (SumConfirmTask(**begun, survivors=keys), {}),
        (SumUnmaskTask(**begun, signers=keys, signatures=signed), {}),
    )
    replies: tuple[tuple[Reply, Arrays], ...] = (
        (SumKeysReply(**ended, member=members[0]), {}),
        (SumSharesReply(**ended, others=max(1, sites - 1)), {"sealed": others}),
        (SumTuneReply(**ended, bits=fixed.bits), {"masked": np.zeros(vectors.size + 1, fixed.dtype)}),
        (SumConfirmReply(**ended, signature=SIGNATURE), {}),
        (SumUnmaskReply(**ended, sites=sites), {"shares": np.zeros((sites, SECRET_BYTES), np.uint8)}),
    )
    to = sum(len(pack_task(task, arrays)) for task, arrays in tasks)
    return to, sum(len(pack_reply(reply, arrays)) for reply, arrays in replies)
