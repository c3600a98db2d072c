"""Flat arrays, of other tunables than soft prompts, pass where values are tuned and scored and nowhere else."""

import numpy as np
import pytest

from fedprompt.errors import EgressRefused
from fedprompt.verbs.evaluate import EvaluateTask
from fedprompt.verbs.head import HeadReply
from fedprompt.verbs.registry import VERBS
from fedprompt.verbs.tune import TuneReply, TuneTask
from fedprompt.verbs.wire import pack_reply, pack_task, unpack_task
from tests.coded import coded

TASK, STUDY, PROMPT = "t1:" + "a" * 32, "s1:" + "b" * 32, "p1:" + "c" * 32
FLAT = np.arange(5000, dtype=np.float32)


def test_only_what_tunes_and_scores_takes_flat_arrays() -> None:
    assert {verb.name for verb in VERBS if verb.flat} == {"tune", "evaluate", "sum-tune"}


def test_flat_values_travel_to_be_tuned_and_scored() -> None:
    tune = TuneTask(task=TASK, study=STUDY, round=1, steps=2, seed=0)
    look = EvaluateTask(task=TASK, study=STUDY, split="validation", soft=(PROMPT,))
    for task, name in ((tune, "start"), (look, "soft-0")):
        assert np.array_equal(unpack_task(pack_task(task, {name: FLAT})).arrays[name], FLAT)


def test_another_verb_refuses_them() -> None:
    head = HeadReply(task=TASK, cases=30)
    with pytest.raises(EgressRefused, check=coded("wrong-shape")):
        pack_reply(head, {"head": FLAT})


@pytest.mark.parametrize("scales", [(9, 1), (11, 1), (10, 2), (5000, 1)])
def test_codes_have_one_scale_a_block(scales: tuple[int, int]) -> None:
    reply = TuneReply(task=TASK, round=1, cases=9, precision="int8")
    arrays = {"codes": FLAT.astype(np.int8), "scales": np.ones((10, 1), np.float32)}  # 5,000 numbers in blocks of 512
    assert pack_reply(reply, arrays)
    with pytest.raises(EgressRefused, check=coded("other-arrays", "wrong-shape")):
        pack_reply(reply, {**arrays, "scales": np.ones(scales, np.float32)})
