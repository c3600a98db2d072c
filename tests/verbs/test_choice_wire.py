"""What a site chose has a closed form too, and a message without a choice is what it was before there were any."""

import json

import numpy as np
import pytest
from safetensors.numpy import save

from fedprompt.errors import EgressRefused
from fedprompt.verbs.choosing import Choice
from fedprompt.verbs.evaluate import EvaluateTask
from fedprompt.verbs.score import ScoreReply
from fedprompt.verbs.wire import pack_reply, pack_task, unpack_reply, unpack_task
from tests.coded import coded
from tests.verbs.test_wire import SCORE, STUDY, TASK

PROMPT, HIDDEN = "p1:" + "c" * 32, "h1:" + "d" * 32
VECTORS = np.ones((2, 3), np.float32)
REPLY = ScoreReply(verb="evaluate", task=TASK, scores=(SCORE,), choice=Choice(kind="own", prompt=HIDDEN))
CHOOSE = EvaluateTask(task=TASK, study=STUDY, split="validation", soft=(PROMPT,), choose=7)


def test_a_choice_comes_back_as_it_was() -> None:
    assert unpack_reply(pack_reply(REPLY, {})).message == REPLY
    found = unpack_task(pack_task(CHOOSE, {"start": VECTORS, "soft-0": VECTORS}))
    assert found.message == CHOOSE and set(found.arrays) == {"start", "soft-0"}


def test_who_chooses_nothing_sends_no_field_that_an_older_hub_or_site_would_refuse() -> None:
    reply = ScoreReply(verb="evaluate", task=TASK, scores=(SCORE,))
    assert "choice" not in reply.model_dump(mode="json")
    plain = EvaluateTask(task=TASK, study=STUDY, split="test")
    assert not {"choose", "own"} & set(plain.model_dump(mode="json"))


@pytest.mark.parametrize("arrays", [{"soft-0": VECTORS}, {"start": VECTORS}, {}])
def test_who_is_to_choose_is_given_all_that_it_needs(arrays: dict[str, np.ndarray]) -> None:
    with pytest.raises(EgressRefused, check=coded("other-arrays")):
        pack_task(CHOOSE, arrays)


@pytest.mark.parametrize(
    "choice",
    [
        {"kind": "own", "prompt": HIDDEN, "why": "because of a patient"},
        {"kind": "a patient", "prompt": HIDDEN},
        {"kind": "own", "prompt": "a patient"},
        {"kind": "mixture-global", "prompt": HIDDEN, "share": 1.5},
        {"kind": "mixture-global", "prompt": HIDDEN, "share": "0.5 of a patient"},
        ["own"],
    ],
)
def test_a_choice_that_is_not_of_the_form_does_not_get_through(choice: object) -> None:
    body = json.loads(json.dumps(REPLY.model_dump(mode="json")))
    data = save({"reply": np.frombuffer(json.dumps({**body, "choice": choice}).encode(), np.uint8)})
    with pytest.raises(EgressRefused, check=coded("not-well-formed")) as error:
        unpack_reply(data)
    assert "patient" not in str(error.value)


def test_no_array_leaves_with_a_choice() -> None:
    with pytest.raises(EgressRefused, check=coded("other-arrays")):
        pack_reply(REPLY, {"own": VECTORS})
