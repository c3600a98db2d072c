"""A site gives its head once, with its noise, over enough cases; a hub cannot choose what is looked along."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fedprompt.adapting.heads import directions_of, fit_head, head_features, longest_head, with_noise
from fedprompt.errors import ReplyUntrue, SiteRefused
from fedprompt.evaluation.scorers.scorer import Resources
from fedprompt.federation.hub import Hub
from fedprompt.federation.transports.local import LocalTransport
from fedprompt.site.worker import Worker
from fedprompt.study.schema import Study
from fedprompt.verbs.forms import Parcel
from fedprompt.verbs.head import ENCODER_DIGEST, FitHead, HeadReply, HeadTask, ask_head, head_told
from fedprompt.verbs.verb import Terms
from fedprompt.workspace.rounds.planned_questions import planned_questions
from tests.coded import coded
from tests.hashed_encoder import EXAMPLES, HashedEncoder
from tests.scripted_sites import MODEL, STUDY, cases, short_worker, study, worker

ENCODER = HashedEncoder()
ENCODING = Resources(encoder=HashedEncoder)
ASKED = study(head={"examples": EXAMPLES, "directions": 4, "strength": 2.0, "noise": 1.5})
DIRECTIONS = directions_of(ENCODER.encode(EXAMPLES), 4)


def site_of(path: Path, chosen: Study = ASKED) -> Worker:
    return worker(path, chosen=chosen, resources=ENCODING)


def hub(site: Worker, chosen: Study = ASKED) -> Hub:
    return Hub(LocalTransport({"clinic": site.handle}), chosen.digest(MODEL.info.digest), held_to=chosen)


def asked(of: Hub, directions: NDArray[np.float32] = DIRECTIONS, labels: int = 2) -> NDArray[np.float32]:
    return ask_head(of, "clinic", directions, labels)


def test_the_head_is_the_fit_to_the_sites_tune_cases_with_the_noise_of_its_key(tmp_path: Path) -> None:
    site = site_of(tmp_path)
    found = asked(hub(site))
    texts = [case.fields["text"] for case in site.side.splits.tune]
    fitted = fit_head(head_features(ENCODER.encode(texts), DIRECTIONS), site.side.answers("tune"), 2, 2.0)
    assert np.array_equal(found, with_noise(fitted, 2.0, 1.5, site.side.for_heads.secret))
    assert not np.allclose(found, fitted, atol=0.1)


def test_a_head_is_given_once_and_again_with_the_same_bytes(tmp_path: Path) -> None:
    first = asked(hub(site_of(tmp_path)))
    again = hub(site_of(tmp_path))  # a worker that was started anew
    assert np.array_equal(asked(again), first)
    turned = np.vstack([DIRECTIONS[:1], -DIRECTIONS[1:]])
    with pytest.raises(SiteRefused, check=coded("round-answered")):
        asked(again, turned)


def test_each_label_is_charged_as_a_question_of_the_cases_that_were_fitted_to(tmp_path: Path) -> None:
    site = site_of(tmp_path)
    asked(hub(site))
    assert [site.questions.answered(split).asked for split in ("tune", "validation", "test")] == [2, 0, 0]
    assert planned_questions(ASKED)["tune"] == 2 and "tune" not in planned_questions(STUDY)
    few = study(head=ASKED.head.model_dump() if ASKED.head else {}, privacy={"questions": 1})
    with pytest.raises(SiteRefused, check=coded("questions-spent")):
        asked(hub(site_of(tmp_path / "few", few), few))


@pytest.mark.parametrize(
    "directions",
    [
        directions_of(ENCODER.encode([case.fields["text"] for case in cases("clinic")]), 4),
        np.vstack([DIRECTIONS[:1] + np.float32(0.5), DIRECTIONS[1:]]),
        DIRECTIONS[:-1],
        np.vstack([DIRECTIONS[:1], 1000 * DIRECTIONS[1:]]),
    ],
)
def test_a_hub_cannot_choose_the_directions(tmp_path: Path, directions: NDArray[np.float32]) -> None:
    with pytest.raises(SiteRefused, check=coded("bad-task")):
        asked(hub(site_of(tmp_path)), directions)


def test_a_site_gives_none_unasked_nor_over_too_few_cases(tmp_path: Path) -> None:
    with pytest.raises(SiteRefused, check=coded("not-allowed")):
        asked(hub(site_of(tmp_path / "a", STUDY), STUDY))
    with pytest.raises(SiteRefused, check=coded("not-allowed")):
        asked(hub(site_of(tmp_path / "b")), labels=3)
    with pytest.raises(SiteRefused, check=coded("too-few-cases")):
        asked(hub(short_worker(tmp_path, 12, ASKED)))


TASK = HeadTask(task="t1:" + "0" * 32, study="s1:" + "0" * 32, labels=2, encoder=ENCODER_DIGEST)
MOST = longest_head(2.0, 1.5, 30, 2, 4)


@pytest.mark.parametrize(
    ("head", "number"),
    [
        (np.zeros((3, 4), np.float32), 30),
        (np.zeros((2, 5), np.float32), 30),
        (np.full((2, 4), 1.01 * MOST / 8**0.5, np.float32), 30),
        (np.full((2, 4), 1e38, np.float32), 30),
        (np.zeros((2, 4), np.float32), 9),
    ],
)
def test_a_hub_believes_no_head_that_the_study_cannot_make(head: NDArray[np.float32], number: int) -> None:
    reply = HeadReply(task=TASK.task, cases=number)
    terms, sent = Terms("clinic", ASKED), Parcel(TASK, {"directions": DIRECTIONS})
    with pytest.raises(ReplyUntrue):
        FitHead().check(terms, sent, Parcel(reply, {"head": head}))
    fine = Parcel(reply.model_copy(update={"cases": 30}), {"head": np.zeros((2, 4), np.float32)})
    FitHead().check(terms, sent, fine)
    with pytest.raises(ReplyUntrue):  # a study that asks for none
        FitHead().check(replace(terms, study=STUDY), sent, fine)


@pytest.mark.parametrize(
    "change",
    [{"directions": 20}, {"examples": EXAMPLES[:7]}, {"noise": 0.1}, {"noise": 0}, {"strength": 1e3}],
)
def test_a_study_cannot_ask_for_a_head_without_noise_or_examples(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="head"):
        study(head={"examples": EXAMPLES, **change})


def test_a_study_without_a_head_keeps_its_digest_and_says_nothing_of_one() -> None:
    assert "head" not in STUDY.model_dump(mode="json") and head_told(STUDY) is None
    told = head_told(ASKED)
    assert told is not None and "2 x 4 numbers" in told and "0.75" in told
