"""A site plays a newcomer: what it answers, what it refuses, and which answers a hub does not believe."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedprompt.adapting.combining import combined
from fedprompt.adapting.fitting import fit
from fedprompt.adapting.heads import directions_of, head_table
from fedprompt.adapting.log_probabilities import normalised
from fedprompt.adapting.settings import AtN
from fedprompt.errors import ReplyUntrue, SiteRefused
from fedprompt.evaluation.scorers.scorer import Resources
from fedprompt.federation.hub import Hub
from fedprompt.federation.transports.local import LocalTransport
from fedprompt.prompts.head import Head
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.site.worker import Worker
from fedprompt.study.schema import Study
from fedprompt.verbs.forms import Parcel
from fedprompt.verbs.head import ENCODER_DIGEST
from fedprompt.verbs.newcomer import OutOfTime, Pace
from fedprompt.verbs.verb import Terms
from fedprompt.verbs.worth import Worth, WorthReply, WorthTask, ask_worth
from tests.coded import coded
from tests.hashed_encoder import EXAMPLES, HashedEncoder
from tests.scripted_sites import MODEL, STUDY, short_worker, study, worker

ASKED = study(worth={"n": [0, 4, 8], "draws": 3, "ways": 2})
START = MODEL.text_init("Overall the feeling is", 3)
SHARED = Prompt(STUDY.soft_template(), SoftPrompt(START.vectors + np.float32(0.1), START.model))
TEMPLATES = [Prompt(template) for template in STUDY.candidates()]
PROMPTS, WEIGHTS = [*TEMPLATES, SHARED], (0.1, 0.1, 0.1, 0.7)
HOME = (AtN(n=8, method="template"), AtN(n=8, method="alone"))
TASK = {
    "task": "t1:" + "0" * 32,
    "study": "s1:" + "0" * 32,
    "n": 8,
    "draws": 3,
    "templates": (PROMPTS[0].id,),
    "soft": (SHARED.id,),
    "weights": (0.25, 0.75),
    "ways": (*HOME, AtN(n=8)),
}


def hub(site: Worker, chosen: Study = ASKED) -> Hub:
    return Hub(LocalTransport({"clinic": site.handle}), chosen.digest(MODEL.info.digest), held_to=chosen)


def asked(of: Hub, *ways: AtN, draws: int = 3, prompts: list[Prompt] = PROMPTS) -> WorthReply:
    return ask_worth(of, "clinic", prompts, WEIGHTS, ways, draws=draws, start=START.vectors)


def test_the_answer_is_right_cases_averaged_over_draws_that_the_sites_key_makes(tmp_path: Path) -> None:
    site = worker(tmp_path, "clinic", chosen=ASKED)
    reply = asked(hub(site), AtN(n=8, method="template"), AtN(n=8))
    assert (reply.n, reply.draws, reply.cases, len(reply.right)) == (8, 3, 20, 2)
    # The same, put together anew of the site's own draws and tables: the mixture's.
    side, counts = site.side, []
    for draw in range(3):
        rows = side.few(8, draw)
        assert len(set(rows.tolist())) == 8 and max(rows) < 30
        tune, judged = (normalised(np.stack([side.table(p, s) for p in PROMPTS])) for s in ("tune", "validation"))
        made = fit(AtN(n=8), tune[:, rows], side.answers("tune")[rows], np.array(WEIGHTS))
        right = combined(judged, made.weights, made.bias).argmax(axis=1) == side.answers("validation")
        counts.append(int(right.sum()))
    assert reply.right[1] == round(sum(counts) / 3)
    assert len({tuple(side.few(8, draw).tolist()) for draw in range(3)}) == 3
    other = worker(tmp_path / "b", "court", chosen=ASKED).side
    assert other.few(8, 0).tolist() != side.few(8, 0).tolist()


def test_the_same_question_gets_the_same_bytes_and_another_for_this_number_is_refused(tmp_path: Path) -> None:
    first = asked(hub(worker(tmp_path, chosen=ASKED)), AtN(n=8))
    again = hub(worker(tmp_path, chosen=ASKED))  # a worker that was started anew
    assert asked(again, AtN(n=8)) == first
    for ways, prompts in (((AtN(n=8, pull=1),), PROMPTS), ((AtN(n=8),), [*TEMPLATES, Prompt(SHARED.template, START)])):
        with pytest.raises(SiteRefused, check=coded("round-answered")):
            asked(again, *ways, prompts=prompts)
    assert asked(again, AtN(n=4)).n == 4


def test_a_head_that_is_shared_answers_beside_the_prompts_and_no_other_head_is_read(tmp_path: Path) -> None:
    chosen = study(worth={"n": [0, 4], "draws": 1}, head={"examples": EXAMPLES, "directions": 3})
    encoder = HashedEncoder()
    directions = directions_of(encoder.encode(EXAMPLES), 3)
    head = Head(("text",), chosen.answer.labels, ENCODER_DIGEST, np.ones((2, 3), np.float32), directions)
    site = worker(tmp_path, chosen=chosen, resources=Resources(encoder=HashedEncoder))
    weights = [0.125] * 4 + [0.5]

    def ask(n: int, given: Head | None) -> WorthReply:
        way = [AtN(n=n)]
        of = hub(site, chosen)
        return ask_worth(of, "clinic", PROMPTS, weights if given else [0.25] * 4, way, draws=1, head=given)

    found = ask(0, head)
    table = head_table(head.weights, head.directions, site.side.for_heads.encoded("validation"))
    judged = np.stack([*(normalised(site.side.table(p, "validation")) for p in PROMPTS), table])
    right = combined(judged, np.array(weights), np.zeros(2)).argmax(axis=1) == site.side.answers("validation")
    assert found.right == (int(right.sum()),)
    narrow = Head(("text",), chosen.answer.labels, ENCODER_DIGEST, head.weights, np.eye(4, 5, -1, dtype=np.float32))
    with pytest.raises(SiteRefused, check=coded("bad-soft-prompt")):
        ask(4, narrow)
    with pytest.raises(SiteRefused, check=coded("not-allowed")):  # a study that asks for none
        ask_worth(hub(worker(tmp_path / "b", chosen=ASKED)), "clinic", PROMPTS, weights, [AtN(n=8)], draws=3, head=head)


def test_each_way_is_charged_to_the_cases_that_are_judged_and_to_those_that_teach(tmp_path: Path) -> None:
    site = worker(tmp_path, chosen=ASKED)
    of = hub(site)
    asked(of, *HOME, AtN(n=8))
    assert [site.questions.answered(split).asked for split in ("tune", "validation", "test")] == [3, 3, 0]
    asked(of, *HOME, AtN(n=8))
    assert site.questions.answered("validation").asked == 3
    few = study(worth={"n": [8]}, privacy={"questions": 2})
    with pytest.raises(SiteRefused, check=coded("questions-spent")):
        asked(hub(worker(tmp_path / "few", chosen=few), few), *HOME, AtN(n=8))


@pytest.mark.parametrize(
    ("ways", "draws", "code"),
    [
        ((AtN(n=5),), 3, "not-allowed"),  # a number that the study does not name
        ((AtN(n=8),), 4, "not-allowed"),  # more draws
        ((AtN(n=8),), 1, "not-allowed"),  # fewer, of which each weighs more in the average
        ((AtN(n=8), AtN(n=8, pull=1), AtN(n=8, pull=2)), 3, "not-allowed"),  # more ways of sharing
    ],
)
def test_a_site_answers_what_its_study_names_alone(
    tmp_path: Path, ways: tuple[AtN, ...], draws: int, code: str
) -> None:
    with pytest.raises(SiteRefused, check=coded(code)):
        asked(hub(worker(tmp_path, chosen=ASKED)), *ways, draws=draws)


def test_a_study_that_says_nothing_of_it_and_a_site_with_too_few_cases_answer_nothing(tmp_path: Path) -> None:
    with pytest.raises(SiteRefused, check=coded("not-allowed")):
        asked(hub(worker(tmp_path / "plain"), STUDY), AtN(n=8))
    small = study(worth={"n": [16], "draws": 3}, splits={"tune": 12, "validation": 20, "test": 20})
    with pytest.raises(SiteRefused, check=coded("too-few-cases")):
        asked(hub(worker(tmp_path / "small", chosen=small), small), AtN(n=16))
    short = short_worker(tmp_path, 20, ASKED)
    with pytest.raises(SiteRefused, check=coded("too-few-cases")):
        asked(hub(short), AtN(n=4))


def test_a_soft_prompt_of_another_length_is_refused(tmp_path: Path) -> None:
    longer = Prompt(SHARED.template, MODEL.text_init("Overall the feeling is", 4))
    with pytest.raises(SiteRefused, check=coded("bad-soft-prompt")):
        asked(hub(worker(tmp_path, chosen=ASKED)), AtN(n=8), prompts=[*TEMPLATES, longer])


def test_without_a_labelled_case_there_is_one_draw_and_nothing_is_tuned(tmp_path: Path) -> None:
    reply = asked(hub(worker(tmp_path, chosen=ASKED)), AtN(n=0, method="template"), AtN(n=0))
    assert (reply.n, reply.draws) == (0, 1)


def test_what_is_tuned_at_home_answers_too(tmp_path: Path) -> None:
    found = asked(hub(worker(tmp_path, chosen=ASKED)), HOME[1], AtN(n=8, method="finished"), AtN(n=8, own=True))
    assert found.draws == 3 and len(found.right) == 3


def test_a_site_that_is_out_of_time_before_its_first_draw_says_so() -> None:
    now = [0.0]
    pace = Pace(10.0, lambda: now[0])
    now[0] = 10.0
    pace.check()
    now[0] = 10.1
    with pytest.raises(OutOfTime):
        pace.check()


def test_a_site_that_is_out_of_time_is_charged_as_if_it_had_answered(tmp_path: Path) -> None:
    assert ASKED.worth is not None
    hurried = ASKED.model_copy(update={"worth": ASKED.worth.model_copy(update={"seconds": 0.0})})
    site = worker(tmp_path, chosen=hurried)
    for pull in (12.0, 12.0, 1.0):  # the same question twice, and another one
        with pytest.raises(SiteRefused, check=coded("out-of-time")):
            asked(hub(site, hurried), AtN(n=8, pull=pull))
    assert [site.questions.answered(split).asked for split in ("tune", "validation", "test")] == [2, 2, 0]


@pytest.mark.parametrize("prior", ["none", "pmi"])
def test_a_prompt_of_ones_own_is_read_on_the_drawn_cases_as_on_all(tmp_path: Path, prior: str) -> None:
    side = worker(tmp_path, chosen=study(worth={"n": [8]}, answer={"prior": prior})).side
    rows = side.few(8, 0)
    objective, wanted = side.objective_of(rows), normalised(side.table(SHARED, "tune"))[rows]
    assert normalised(side.few_table(SHARED, rows, objective)) == pytest.approx(wanted)
    plain = normalised(objective.loglikelihoods(SHARED.soft.vectors)) if SHARED.soft else wanted
    assert np.allclose(plain, wanted) is (prior == "none")


@pytest.mark.parametrize(
    "changes",
    [
        {"weights": (0.25, 0.7)},
        {"weights": (1.0,)},
        {"ways": (AtN(n=4),)},
        {"ways": (AtN(n=8), AtN(n=8))},
        {"ways": ()},
        {"n": -1},
        {"draws": 101},
        {"templates": (), "weights": (1.0,)},  # no template that could be the best one
    ],
    ids=str,
)
def test_a_task_that_contradicts_itself_is_none(changes: dict[str, Any]) -> None:
    WorthTask.model_validate(TASK)
    with pytest.raises(ValueError):
        WorthTask.model_validate({**TASK, **changes})


REPLY = WorthReply(task="t1:" + "0" * 32, n=8, draws=3, cases=20, right=(12, 13, 15))


@pytest.mark.parametrize(
    "lie",
    [
        {"n": 4},
        {"draws": 4},
        {"right": (12, 13)},
        {"right": (12, 13, 21)},
        {"cases": 19},
        {"cases": 21},
    ],
    ids=str,
)
def test_an_answer_that_cannot_be_is_refused_by_name(tmp_path: Path, lie: dict[str, Any]) -> None:
    of = hub(worker(tmp_path, chosen=ASKED))
    asked(of, AtN(n=8))
    terms = Terms("clinic", ASKED, of.described["clinic"])
    task = Parcel(WorthTask.model_validate(TASK), {})
    Worth().check(terms, task, Parcel(REPLY, {}))
    with pytest.raises(ReplyUntrue, match="'clinic'"):
        Worth().check(terms, task, Parcel(REPLY.model_copy(update=lie), {}))
