"""A site that sends what cannot be true is named and left out, and whoever else is asked goes on."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedprompt.errors import FederationError, ReplyUntrue
from fedprompt.federation.asking import Asking
from fedprompt.federation.gathering import Missing
from fedprompt.federation.hub import Hub
from fedprompt.federation.round_record import RoundRecord, best_round
from fedprompt.federation.rounds import run_rounds
from fedprompt.federation.schedules.buffered import Buffered
from fedprompt.federation.schedules.schedule import Course
from fedprompt.federation.transports.local import LocalTransport
from fedprompt.federation.transports.transport import Delivered
from fedprompt.federation.weights import most_cases, pooled_value, weighed
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.strategies.fedavg import FedAvg
from fedprompt.strategies.strategy import Update
from fedprompt.study.schema import Study
from fedprompt.study.score import Score
from fedprompt.verbs.wire import pack_reply, unpack_reply
from fedprompt.workspace.progress import quiet
from fedprompt.workspace.rounds.alone import tune_alone
from fedprompt.workspace.rounds.federation_run import FederationRun
from fedprompt.workspace.rounds.grouping import run_groups
from fedprompt.workspace.timing import Clock
from tests.coded import coded
from tests.federation.test_buffered import Memory
from tests.federation.test_rounds import ids
from tests.new_bank import new_workspace
from tests.scripted_sites import MODEL, STUDY, study, worker

pytestmark = pytest.mark.whole

HONEST, LIAR = ("bank", "clinic", "court"), "mill"
START = MODEL.text_init("Overall the feeling is", 3)
Handler = Callable[[bytes], Any]
Change = Callable[[dict[str, Any], dict[str, np.ndarray]], None]


def lying(handle: Handler, verb: str, change: Change) -> Handler:
    """A site whose replies to a verb are changed, in the form that replies have."""

    def answer(data: bytes) -> Delivered:
        out = handle(data)
        parcel = unpack_reply(out.data)
        if parcel.message.verb != verb:
            return Delivered(out.data, out.head, out.trail)
        body = parcel.message.model_dump(mode="json")
        arrays = {name: np.array(array) for name, array in parcel.arrays.items()}
        change(body, arrays)
        return Delivered(pack_reply(type(parcel.message).model_validate(body), arrays), out.head, out.trail)

    return answer


def too_long(body: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    arrays["delta"] = arrays["delta"] * np.float32(1e6)


def hub(path: Path, chosen: Study = STUDY, lie: tuple[str, Change] | None = ("tune", too_long)) -> Hub:
    """The honest three, and the liar if there is a lie."""
    handlers: dict[str, Handler] = {name: worker(path, name, chosen=chosen).handle for name in HONEST}
    if lie is not None:
        handlers[LIAR] = lying(worker(path, LIAR, chosen=chosen).handle, *lie)
    return Hub(LocalTransport(handlers), chosen.digest(MODEL.info.digest), held_to=chosen)


def rounds(asked: Hub, chosen: Study = STUDY) -> tuple[RoundRecord, ...]:
    return run_rounds(
        asked, chosen.soft_template(), START, rounds=chosen.rounds, tuning=chosen.tuning, seed=0, writer=Memory()
    )


def test_where_all_are_needed_a_liar_is_not_one_of_them(tmp_path: Path) -> None:
    records = rounds(hub(tmp_path / "four"))
    for record in records:
        (missing,) = record.missing
        assert (missing.site, missing.step, missing.why) == (LIAR, "tune", "untrue")
        assert missing.reason.startswith(f"site '{LIAR}' ") and "its norm is " in missing.reason
    assert ids(records) == ids(rounds(hub(tmp_path / "three", lie=None)))


def test_a_quorum_below_the_number_of_sites_is_kept(tmp_path: Path) -> None:
    chosen = study(rounds={"quorum": 3})
    handlers: dict[str, Handler] = {name: worker(tmp_path, name, chosen=chosen).handle for name in (*HONEST, LIAR)}
    for name in ("court", LIAR):
        handlers[name] = lying(handlers[name], "tune", too_long)
    asked = Hub(LocalTransport(handlers), chosen.digest(MODEL.info.digest), held_to=chosen)
    with pytest.raises(FederationError, match=r"round 1: 2 of 4 .*\b3\b.*norm", check=coded("too-few-answers")):
        rounds(asked, chosen)


def test_where_everyone_lies_the_round_ends_and_says_so(tmp_path: Path) -> None:
    handlers = {name: lying(worker(tmp_path, name).handle, "tune", too_long) for name in HONEST}
    asked = Hub(LocalTransport(handlers), STUDY.digest(MODEL.info.digest), held_to=STUDY)
    with pytest.raises(ReplyUntrue, match=r"\b1\b.*\b0 of 3\b.*'court'"):
        rounds(asked)


def test_without_rounds_a_liar_stops_nobody(tmp_path: Path) -> None:
    chosen, memory = study(rounds={"count": 2, "strategy": {"name": "fedbuff", "options": {"buffer": 3}}}), Memory()
    asking = Asking(hub(tmp_path, chosen), chosen.rounds)
    course = Course(asking, chosen.soft_template(), START, chosen.tuning, 0, memory, journal=memory)
    # The liar is the fastest, so that each step asks it first.
    records = Buffered(lambda site, turn: 0.5 if site == LIAR else 1.0).run(course)
    for record in records:
        assert [(one.site, one.step, one.why) for one in record.missing] == [(LIAR, "tune", "untrue")]
        assert tuple(record.tuned) == HONEST


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("tune", {"cases": 10**9}, "it is over 1,000,000,000 cases and the site has 30 to tune on"),
        ("tune", {"precision": "float16"}, "it came in float16"),
        ("describe", {"labels": [40, 40, 0]}, "it counts 3 labels, but the study has 2"),
        ("describe", {"tune": 10**9}, "70 cases have a label"),
        ("evaluate", {"clipped": 10**9}, "1000000000 cases were too long"),
        ("evaluate", {"looks": 3}, "it counts 3 looks at test"),
    ],
    ids=str,
)
def test_a_number_that_contradicts_another_drops_its_site(
    tmp_path: Path, name: str, body: Mapping[str, Any], said: str
) -> None:
    def change(found: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        found.update(body)
        if body.get("precision") == "float16":
            arrays["delta"] = arrays["delta"].astype(np.float16)

    (record,) = rounds(hub(tmp_path, study(rounds={"count": 1}), (name, change)), study(rounds={"count": 1}))
    assert {one.site for one in record.missing} == {LIAR}
    assert (LIAR in record.tuned) == (name == "evaluate") and (LIAR in record.scores) == (name == "tune")
    assert all(one.why == "untrue" and said in one.reason for one in record.missing)


class Bank:
    """A federation of the honest three and the liar in a bank of its own."""

    def __init__(self, path: Path, chosen: Study, name: str, change: Change) -> None:
        self.digest = chosen.digest(MODEL.info.digest)
        self.opened = new_workspace(path / "home")
        self.ws = self.opened.__enter__()
        self.ws.bank.record_study(chosen, self.digest, MODEL.info.digest)
        self.ws.bank.start_run("r1:x", kind="federate", study=self.digest, settings={})
        self.run = FederationRun(
            self.ws.bank, "r1:x", chosen, self.digest, hub(path, chosen, (name, change)), Clock(quiet, {})
        )


def more_cases(found: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    for one in (*found["scores"], *found["comparisons"]):
        one["group_squares"] = one["group_squares"] + 1.0


def test_templates_comparisons_choices_and_test_go_on_without_a_liar(tmp_path: Path) -> None:
    chosen = study(rounds={"count": 1, "personal": {"mixtures": [0.5]}})
    bank = Bank(tmp_path, chosen, "evaluate", more_cases)
    run, common = bank.run, Prompt(chosen.soft_template(), START)
    assert set(run.score_templates()) == {*HONEST, LIAR}  # "score" is answered honestly
    first = next(iter(run.templates.values()))
    run.compare_on_validation([first])
    assert set(run.choose(common, {}, START, 0)) == set(HONEST)
    look = run.look_at_test([first], {site: [] for site in run.hub.sites})
    assert look.sites == HONEST
    assert set(run.missing) == {LIAR} and set(run.missing[LIAR]) == {"compare", "choose", "test"}
    assert all("'group_squares' is" in why for why in run.missing[LIAR].values())
    bank.opened.__exit__(None, None, None)


def test_tuning_alone_and_groups_go_on_without_a_liar(tmp_path: Path) -> None:
    chosen = study(rounds={"count": 1, "alone": True, "groups": {"by": "updates", "rounds": 1, "apart": 1, "still": 1}})
    bank = Bank(tmp_path, chosen, "tune", too_long)
    run = bank.run
    scores = run.score_templates()
    records = run.tune(START, 0)
    assert set(tune_alone(run, bank.ws.bank, chosen, START, 0)) == set(HONEST)
    assert "cannot be" in run.missing[LIAR]["alone"]
    run_groups(run, bank.ws.bank, chosen, scores, records, 0, Clock(quiet, {}))
    stored = bank.ws.bank.stages("r1:x")["groups"]
    assert LIAR not in {site for group in stored["groups"] for site in group["sites"]}
    assert "cannot be" in stored["missing"][LIAR]
    bank.opened.__exit__(None, None, None)


def test_another_way_of_scoring_is_that_of_fewer_sites_not_of_the_last(tmp_path: Path) -> None:
    def judged(found: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        for score in found["scores"]:
            score["judged_by"] = "j1:" + "0" * 32

    handlers: dict[str, Handler] = {name: worker(tmp_path, name).handle for name in HONEST}
    handlers["a liar"] = lying(worker(tmp_path, "a liar").handle, "score", judged)
    digest = STUDY.digest(MODEL.info.digest)
    with new_workspace(tmp_path / "home") as ws:
        ws.bank.record_study(STUDY, digest, MODEL.info.digest)
        ws.bank.start_run("r1:x", kind="federate", study=digest, settings={})
        run = FederationRun(ws.bank, "r1:x", STUDY, digest, Hub(LocalTransport(handlers), digest), Clock(quiet, {}))
        assert set(run.score_templates()) == set(HONEST)
        assert "judged by j1:0000" in run.missing["a liar"]["score"]


def score(n: int, right: int) -> Score:
    body = {"split": "validation", "metric": "accuracy", "groups": n, "group_squares": right * (1 - right / n)}
    prompt = Prompt(STUDY.candidates()[0]).id
    return Score.model_validate({**body, "prompt": prompt, "n": n, "total": right, "squares": right})


def test_no_site_weighs_more_than_so_many_times_the_median() -> None:
    assert most_cases([10, 20, 30, 10**9], 3.0) == 75
    assert most_cases([10, 20, 30], 2.5) == 50
    assert most_cases([0, 0, 5], 3.0) == 1
    update = Update("a", np.ones((1, 1), np.float32), 100)
    assert weighed(update, None) is update and weighed(update, 100) is update
    assert (weighed(update, 60).site, weighed(update, 60).cases) == ("a", 60)
    # Sites of 15, 20, 40 and a liar of a thousand million, which counts for 90: (15 + 20 + 40 - 90) / 165.
    sizes = {"a": 15, "b": 20, "c": 40, "liar": 10**9}
    most = most_cases(list(sizes.values()), 3.0)
    updates = [
        Update(site, np.full((1, 1), -1.0 if site == "liar" else 1.0, np.float32), n) for site, n in sizes.items()
    ]
    found = FedAvg().aggregate(np.zeros((1, 1), np.float32), [weighed(one, most) for one in updates], {}, {})
    assert found.vectors.tolist() == [[pytest.approx(-15 / 165)]]


def test_pooled_scores_are_weighed_likewise() -> None:
    honest = [score(10, 5), score(20, 10), score(30, 15)]
    assert pooled_value(honest, 3.0) == 0.5  # nobody is above 60
    # All of the liar's 10^9 are right, and it counts for 3 * 25 beside the others' 60: (30 + 75) / 135.
    assert pooled_value([*honest, score(10**9, 10**9)], 3.0) == pytest.approx(105 / 135)


def test_a_large_site_s_update_is_kept_and_counted_at_its_bound(tmp_path: Path) -> None:
    sizes = {"bank": 80, "clinic": 80, "court": 400}
    chosen = study(rounds={"count": 1}, splits={"tune": 0.5, "validation": 0.25, "test": 0.25})
    handlers = {name: worker(tmp_path, name, size, chosen).handle for name, size in sizes.items()}
    asked = Hub(LocalTransport(handlers), chosen.digest(MODEL.info.digest), held_to=chosen)
    for name in sizes:
        rounds(asked.among([name]), chosen)  # which has each site describe itself
    writer = Memory()
    run_rounds(asked, chosen.soft_template(), START, rounds=chosen.rounds, tuning=chosen.tuning, seed=0, writer=writer)
    assert {site: reply.tune for site, reply in asked.described.items()} == {"bank": 40, "clinic": 40, "court": 200}
    assert writer.plans[1]["most_cases"] == 120


def test_a_round_is_not_the_best_because_a_liar_scored_it() -> None:
    prompt = Prompt(STUDY.soft_template(), SoftPrompt(START.vectors, START.model))

    def record(number: int, missing: tuple[Any, ...] = (), **right: int) -> RoundRecord:
        return RoundRecord(number, prompt, {s: score(10, r) for s, r in right.items()}, (), 0, {}, missing=missing)

    gone = (Missing(LIAR, "evaluate", "untrue", "it lied"),)
    assert best_round([record(1, bank=5, mill=10), record(2, gone, bank=9)]).number == 2
    late = (Missing(LIAR, "evaluate", "late", "it was late"),)
    assert best_round([record(1, bank=5, mill=10), record(2, late, bank=9)]).number == 1
