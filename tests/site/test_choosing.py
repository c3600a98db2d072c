"""A worker that is asked to choose says which and how good, and nothing else; what it did not accept it refuses."""

from pathlib import Path

import numpy as np
import pytest

from fedprompt.errors import FederationError, SiteRefused
from fedprompt.federation.hub import Hub
from fedprompt.federation.transports.local import LocalTransport
from fedprompt.federation.transports.transport import Delivered
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.study.schema import Study
from fedprompt.trust.chain import follow
from fedprompt.verbs.choosing import Choice
from fedprompt.verbs.evaluate import EvaluateTask, ask_choice, ask_evaluate
from fedprompt.verbs.score import ScoreReply, ask_score
from fedprompt.verbs.wire import pack_reply, unpack_reply, unpack_task
from tests.coded import coded
from tests.scripted_sites import MODEL, STUDY, study, worker

ASKED = study(rounds={"count": 1, "personal": {"mixtures": [0.5]}})
START = MODEL.text_init("Overall the feeling is", 3)
COMMON = Prompt(STUDY.soft_template(), SoftPrompt(np.full((3, START.width), 0.1, np.float32), MODEL.info.digest))
TEMPLATES = [Prompt(template).id for template in STUDY.candidates()]


def hub(path: Path, chosen: Study = ASKED) -> Hub:
    handler = worker(path, "clinic", chosen=chosen).handle
    return Hub(LocalTransport({"clinic": handler}), chosen.digest(MODEL.info.digest))


def test_the_choice_is_no_worse_than_any_template_and_is_scored_on_test_under_its_id(tmp_path: Path) -> None:
    asked = hub(tmp_path)
    choice, score = ask_choice(asked, "clinic", TEMPLATES, [COMMON], START.vectors, 0)
    manual = ask_score(asked, "clinic", TEMPLATES).scores
    assert score.split == "validation" and all(score.total >= one.total for one in manual)
    assert ask_choice(asked, "clinic", TEMPLATES, [COMMON], START.vectors, 0) == (choice, score)  # the same bytes
    if choice.prompt.startswith("h1:"):
        pairs = [(choice.prompt, COMMON.id)]
        found = ask_evaluate(asked, "clinic", [COMMON], "test", pairs, choice.prompt)
        assert {one.prompt for one in found.scores} == {COMMON.id, choice.prompt}
        assert [(one.first, one.second) for one in found.comparisons] == pairs and found.looks == 1


def test_a_site_chooses_once_a_study_whatever_it_is_asked_afterwards(tmp_path: Path) -> None:
    asked = hub(tmp_path)
    first = ask_choice(asked, "clinic", TEMPLATES, [COMMON], START.vectors, 0)
    for templates, start, seed in (
        (TEMPLATES, START.vectors, 1),
        (TEMPLATES[:1], START.vectors, 0),
        (TEMPLATES, START.vectors + np.float32(0.01), 0),
    ):
        for again in (asked, hub(tmp_path)):
            with pytest.raises(SiteRefused, check=coded("round-answered")):
                ask_choice(again, "clinic", templates, [COMMON], start, seed)
    assert ask_choice(hub(tmp_path), "clinic", TEMPLATES, [COMMON], START.vectors, 0) == first


def test_a_site_chooses_only_where_the_accepted_study_says_so(tmp_path: Path) -> None:
    with pytest.raises(SiteRefused, check=coded("not-allowed")):
        ask_choice(hub(tmp_path, STUDY), "clinic", TEMPLATES, [COMMON], START.vectors, 0)


@pytest.mark.parametrize("start", [np.zeros((2, START.width), np.float32), np.full((3, START.width), 1e6, np.float32)])
def test_a_start_of_another_shape_or_length_is_refused(tmp_path: Path, start: np.ndarray) -> None:
    with pytest.raises(SiteRefused, check=coded("bad-soft-prompt")):
        ask_choice(hub(tmp_path), "clinic", TEMPLATES, [COMMON], start, 0)


def test_what_was_never_chosen_cannot_be_scored(tmp_path: Path) -> None:
    with pytest.raises(SiteRefused, check=coded("unknown-prompt")):
        ask_evaluate(hub(tmp_path), "clinic", [COMMON], "test", (), "h1:" + "0" * 32)


HIDDEN = "h1:" + "a" * 32


@pytest.mark.parametrize(
    "told",
    [
        None,
        Choice(kind="manual", prompt=HIDDEN),
        Choice(kind="own", prompt=COMMON.id),
        Choice(kind="group", prompt=COMMON.id),
        Choice(kind="own", prompt=HIDDEN, share=0.5),
        Choice(kind="mixture-global", prompt=HIDDEN),
    ],
)
def test_a_choice_that_was_not_given_is_refused_by_the_hub(tmp_path: Path, told: Choice | None) -> None:
    honest = worker(tmp_path, "clinic", chosen=ASKED)

    def lies(data: bytes) -> Delivered:
        task = unpack_task(data).message
        assert isinstance(task, EvaluateTask)
        score = unpack_reply(honest.handle(data).data).message
        assert isinstance(score, ScoreReply)
        one = score.scores[0].model_copy(update={"prompt": told.prompt if told else COMMON.id})
        data = pack_reply(score.model_copy(update={"scores": (one,), "choice": told}), {})
        return Delivered(data, follow(task.known or "0" * 64, ()), ())

    asked = Hub(LocalTransport({"clinic": lies}), ASKED.digest(MODEL.info.digest))
    with pytest.raises(FederationError, check=coded("not-given")):
        ask_choice(asked, "clinic", TEMPLATES, [COMMON], START.vectors, 0)
