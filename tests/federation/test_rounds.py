"""Rounds are written one by one, go on from the last written one, and bear a site that fails if others answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedprompt.errors import FederationError
from fedprompt.federation.hub import Hub
from fedprompt.federation.round_record import RoundRecord, best_round
from fedprompt.federation.rounds import run_rounds
from fedprompt.federation.transports.local import LocalTransport
from fedprompt.federation.transports.transport import Delivered
from fedprompt.prompts.prompt import Prompt
from fedprompt.site.drawing import Drawing
from fedprompt.site.folder import SiteFolder
from fedprompt.site.worker import Worker
from fedprompt.stopping import NEVER, Stopped, StopToken
from fedprompt.study.schema import Precision, Study
from fedprompt.study.score import Score
from fedprompt.verbs.tune import TuneTask
from fedprompt.verbs.wire import unpack_task
from tests.coded import coded
from tests.scripted_sites import MODEL, STUDY, study, worker

pytestmark = pytest.mark.whole

NAMES = ("bank", "clinic", "court")
# What the sites accepted: more rounds than any run here has, and a slow site may take half the steps.
ACCEPTED = study(tuning={"steps": 4}, rounds={"count": 20, "least_steps": 2})
START = MODEL.text_init("Overall the feeling is", 3)
Handler = Callable[[bytes], Delivered]


class Memory:
    """Keeps rounds in a list."""

    def __init__(self, records: Sequence[RoundRecord] = ()) -> None:
        self.records = list(records)
        self.plans: dict[int, Mapping[str, Any]] = {}

    def written(self) -> Sequence[RoundRecord]:
        return tuple(self.records)

    def begin(self, number: int, plan: Mapping[str, Any]) -> None:
        assert number == len(self.records) + 1
        self.plans.setdefault(number, plan)

    def write(self, record: RoundRecord) -> None:
        self.records.append(record)


def handler(path: Path, name: str) -> Handler:
    return worker(path, name, chosen=ACCEPTED).handle


def hub(path: Path, **instead: Handler) -> Hub:
    handlers = {name: handler(path, name) for name in NAMES}
    return Hub(LocalTransport({**handlers, **instead}), ACCEPTED.digest(MODEL.info.digest))


def run(
    asked: Hub,
    writer: Memory,
    count: int = 3,
    quorum: int | None = None,
    progress: Callable[[int, str, str], None] | None = None,
    stop: StopToken = NEVER,
    pause_after: int | None = None,
    **rounds: Any,
) -> tuple[RoundRecord, ...]:
    return run_rounds(
        asked,
        STUDY.soft_template(),
        START,
        rounds=study(rounds={"count": count, "quorum": quorum, **rounds}).rounds,
        tuning=ACCEPTED.tuning,
        seed=0,
        writer=writer,
        progress=progress,
        stop=stop,
        pause_after=pause_after,
    )


def ids(records: Sequence[RoundRecord]) -> list[str]:
    return [record.prompt.id for record in records]


def down(*verbs: str) -> Callable[[Handler], Handler]:
    """Make a site that fails at some verbs."""

    def of(handler: Handler) -> Handler:
        def handle(data: bytes) -> Delivered:
            if unpack_task(data).message.verb in verbs:
                raise FederationError("the line is dead")
            return handler(data)

        return handle

    return of


def test_each_round_is_written_with_every_sites_score(tmp_path: Path) -> None:
    writer = Memory()
    records = run(hub(tmp_path), writer)
    assert ids(writer.records) == ids(records) and len(set(ids(records))) == 3
    for number, record in enumerate(records, 1):
        assert record.number == number
        assert tuple(record.scores) == record.tuned == NAMES
        assert all(score.prompt == record.prompt.id for score in record.scores.values())
        assert record.mean == pytest.approx(sum(record.by_site.values()) / 3)
        assert record.bytes > 3 * 3 * 16 * 4  # three updates of 3 x 16 float32 at the least


def test_only_the_rounds_that_the_study_names_are_scored_and_one_of_them_is_the_best(tmp_path: Path) -> None:
    asked: list[tuple[int, str]] = []
    whole = run(hub(tmp_path / "whole"), Memory(), count=5)
    some = run(
        hub(tmp_path / "some"), Memory(), count=5, scored=2, progress=lambda at, site, step: asked.append((at, step))
    )
    assert ids(some) == ids(whole), "the prompts are the same"
    assert [bool(record.scores) for record in some] == [False, False, True, False, True]
    assert {at for at, step in asked if step == "evaluate"} == {3, 5}
    assert [record.mean for record in some] == [None, None, whole[2].mean, None, whole[4].mean]
    assert best_round(some).number == max((3, 5), key=lambda at: (whole[at - 1].mean, -at))


def test_a_run_that_stopped_ends_with_the_same_numbers(tmp_path: Path) -> None:
    whole = run(hub(tmp_path / "whole"), Memory())

    for stop in [(1, "bank", "tune"), (2, "clinic", "tune"), (2, "court", "evaluate"), (3, "bank", "evaluate")]:
        writer, path = Memory(), tmp_path / "-".join(map(str, stop))

        def progress(number: int, site: str, what: str, stop: tuple[int, str, str] = stop) -> None:
            if (number, site, what) == stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run(hub(path), writer, progress=progress)
        assert len(writer.records) == stop[0] - 1
        again = run(hub(path), writer)
        assert ids(again) == ids(whole)
        assert [record.scores for record in again] == [record.scores for record in whole]
        assert [record.bytes for record in again] == [record.bytes for record in whole]


def test_a_run_pauses_after_a_round_or_ends_before_a_site_and_goes_on_with_the_same_numbers(tmp_path: Path) -> None:
    whole, memory, path = run(hub(tmp_path / "whole"), Memory()), Memory(), tmp_path / "paused"
    for last in (0, 1):
        with pytest.raises(Stopped) as stopped:
            run(hub(path), memory, pause_after=last)
        assert (stopped.value.why, len(memory.records)) == ("paused", last)
    heard: list[tuple[int, str, str]] = []
    stop = StopToken(lambda: "cancelled" if (2, "bank", "evaluate") in heard else None, every=0)
    with pytest.raises(Stopped) as stopped:
        run(hub(path), memory, stop=stop, progress=lambda *told: heard.append(told))
    assert (stopped.value.why, len(memory.records), heard[-1]) == ("cancelled", 1, (2, "bank", "evaluate"))
    assert ids(run(hub(path), memory, pause_after=3)) == ids(whole)


def test_a_finished_run_asks_nobody(tmp_path: Path) -> None:
    whole = run(hub(tmp_path), Memory())
    asked = hub(tmp_path)
    assert ids(run(asked, Memory(whole))) == ids(whole)
    assert not asked.received


def test_a_site_that_fails_is_left_out_where_the_quorum_is_met(tmp_path: Path) -> None:
    dead = down("tune", "evaluate")(handler(tmp_path, "court"))
    records = run(hub(tmp_path, court=dead), Memory(), quorum=2)
    assert [tuple(record.scores) for record in records] == [("bank", "clinic")] * 3
    alone = Hub(
        LocalTransport({name: handler(tmp_path / "two", name) for name in NAMES[:2]}),
        ACCEPTED.digest(MODEL.info.digest),
    )
    assert ids(records) == ids(run(alone, Memory()))


@pytest.mark.parametrize("verb", ["tune", "evaluate"])
def test_below_the_quorum_the_round_ends_with_the_reason(tmp_path: Path, verb: str) -> None:
    dead = down(verb)(handler(tmp_path, "court"))
    writer = Memory()
    with pytest.raises(FederationError, match=r"round 1: 2 of 3.*3", check=coded("too-few-answers")):
        run(hub(tmp_path, court=dead), writer)
    assert not writer.records


def test_a_site_that_sends_nonsense_is_a_site_that_fails(tmp_path: Path) -> None:
    asked = hub(tmp_path, court=lambda data: Delivered(b"nonsense", "0" * 64))
    assert tuple(run(asked, Memory(), count=1, quorum=2)[0].scores) == ("bank", "clinic")


def record(number: int, **right: int) -> RoundRecord:
    prompt = Prompt(STUDY.candidates()[0])
    scores = {
        site: Score(
            prompt=prompt.id,
            split="validation",
            metric="accuracy",
            n=10,
            total=k,
            squares=k,
            groups=10,
            group_squares=1.0,
        )
        for site, k in right.items()
    }
    return RoundRecord(number, prompt, scores, (), 0, {})


def test_the_best_round_has_the_highest_mean_and_is_the_earliest_of_equals() -> None:
    rounds = [record(1, a=5, b=6), record(2, a=9, b=8), record(3, a=8, b=9), record(4, a=10, b=0)]
    assert best_round(rounds).number == 2


def test_a_round_that_fewer_sites_scored_is_not_the_best() -> None:
    assert best_round([record(1, a=5, b=6), record(2, a=10)]).number == 1


def test_sites_that_inflate_one_rounds_scores_do_not_choose_it_where_a_sites_say_is_bounded() -> None:
    honest = {f"h{n}": (4, 6, 8) for n in range(9)}
    liars = {f"l{n}": (10, 0, 0) for n in range(3)}
    rounds = [record(place + 1, **{s: k[place] for s, k in (honest | liars).items()}) for place in range(3)]
    # Means are (36 + 30) / 12, 54 / 12 and 72 / 12; with 20 a liar the first would win by far.
    assert best_round(rounds).number == 3
    worse = [
        record(place + 1, **{s: k[place] for s, k in (honest | liars).items() if s < "h4" or s > "l"})
        for place in range(3)
    ]
    assert best_round(worse).number == 1  # (16 + 30) / 7 against 32 / 7
    # A site moves by 2 at most, as the median one: -8 + 6 of the first round against 8 + 0.
    assert best_round(worse, bounded=True).number == 3
    assert best_round([record(1, a=5, b=6), record(2, a=9, b=8)], bounded=True).number == 2


def test_without_rounds_there_is_no_best() -> None:
    with pytest.raises(FederationError, check=coded("no-round")):
        best_round([])


def test_a_round_is_planned_before_it_begins(tmp_path: Path) -> None:
    writer = Memory()

    def progress(number: int, site: str, what: str) -> None:
        assert number in writer.plans, "a site was asked before the plan was written"

    run(hub(tmp_path), writer, progress=progress)
    assert writer.plans[2] == {
        "round": 2,
        "sites": list(NAMES),
        "quorum": 3,
        "deadlines": {"tune": 60.0, "evaluate": 60.0},
        "steps": {},
    }
    assert writer.plans[1]["deadlines"] == {"tune": 3600.0, "evaluate": 3600.0}


def test_bytes_and_seconds_are_counted_by_site(tmp_path: Path) -> None:
    for record in run(hub(tmp_path), Memory()):
        assert sum(record.received.values()) == record.bytes
        assert tuple(record.received) == tuple(record.sent) == NAMES
        # The start goes out with the task to tune and the prompt with the one to evaluate: 3 x 16 float32 each.
        assert all(count > 2 * 3 * 16 * 4 for count in record.sent.values())
        assert set(record.seconds) == {"tune", "evaluate"}
        assert tuple(record.seconds["tune"]) == NAMES and min(record.seconds["tune"].values()) > 0


@pytest.mark.parametrize("verb", ["tune", "evaluate"])
def test_who_was_missing_is_in_the_record_with_the_reason(tmp_path: Path, verb: str) -> None:
    dead = down(verb)(handler(tmp_path, "court"))
    for record in run(hub(tmp_path, court=dead), Memory(), quorum=2):
        assert [(one.site, one.step, one.why) for one in record.missing] == [("court", verb, "failed")]
        assert "the line is dead" in record.missing[0].reason
        assert ("court" in record.scores) == (verb == "tune")


def test_a_site_that_returns_joins_the_next_round(tmp_path: Path) -> None:
    there = handler(tmp_path, "court")

    def away_in_round_one(data: bytes) -> Delivered:
        message = unpack_task(data).message
        if isinstance(message, TuneTask) and message.round == 1:
            raise FederationError("the line is dead")
        return there(data)

    records = run(hub(tmp_path, court=away_in_round_one), Memory(), quorum=2)
    assert [record.tuned for record in records] == [("bank", "clinic"), NAMES, NAMES]


@pytest.mark.parametrize("name", ["fedavgm", "fedadam", "fedyogi"])
def test_a_strategy_with_momentum_goes_on_with_the_same_numbers(tmp_path: Path, name: str) -> None:
    chosen = {"name": name}
    whole = run(hub(tmp_path / "whole"), Memory(), strategy=chosen)
    writer = Memory(whole[:2])
    assert ids(run(hub(tmp_path / "again"), writer, strategy=chosen)) == ids(whole)
    # It is not the state alone that is missing where one forgets it: the numbers differ.
    forgot = Memory([*whole[:1], replace(whole[1], state={})])
    assert ids(run(hub(tmp_path / "forgot"), forgot, strategy=chosen)) != ids(whole)


def test_too_few_sites_for_a_strategy_are_refused_before_anyone_is_asked(tmp_path: Path) -> None:
    asked = hub(tmp_path)
    with pytest.raises(FederationError, match=r"'bulyan'.*7.*3", check=coded("too-few-sites")):
        run(asked, Memory(), strategy={"name": "bulyan"})
    assert not asked.sent


def test_a_slow_site_takes_fewer_steps_and_counts_as_much(tmp_path: Path) -> None:
    (first,) = run(hub(tmp_path), Memory(), count=1)
    slow = replace(first, seconds={"tune": {"bank": 1.0, "clinic": 1.0, "court": 9.0}})
    writer = Memory([slow])
    record = run(hub(tmp_path), writer, count=2, least_steps=2)[1]
    assert record.steps == writer.plans[2]["steps"] == {"court": 2}
    assert record.tuned == NAMES


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_small_updates_end_near_large_ones_and_again_at_the_same(tmp_path: Path, precision: Precision) -> None:
    chosen = study(tuning={"steps": 4}, rounds={"count": 20, "update": precision})

    class SameOrder(Drawing):
        """Draws as for one study, whichever it is: what differs is then the precision alone."""

        def rng(self, study: str, number: int) -> np.random.Generator:
            return super().rng("any", number)

    def tuned(folder: str, asked: Study) -> Hub:
        def drawing(name: str) -> Handler:
            made = worker(tmp_path / folder, name, chosen=asked)
            own, order = SiteFolder(tmp_path / folder / name), SameOrder(name.encode())
            return Worker(
                name=name, folder=own, study=asked, model=MODEL, splits=made.side.splits, drawing=order
            ).handle

        return Hub(LocalTransport({name: drawing(name) for name in NAMES}), asked.digest(MODEL.info.digest))

    def small(folder: str) -> Hub:
        return tuned(folder, chosen)

    large = run(tuned("large", ACCEPTED), Memory())
    writer = Memory()
    whole = run(small("a"), writer, update=precision)
    assert whole[-1].bytes < large[-1].bytes
    assert whole[-1].prompt.soft is not None and large[-1].prompt.soft is not None
    assert np.allclose(whole[-1].prompt.soft.vectors, large[-1].prompt.soft.vectors, atol=0.02)
    # Stopped after a round, and asked anew by a hub that knows no more than what was written.
    stopped = Memory()
    asked = small("b")
    run(asked, stopped, count=1, update=precision)
    assert ids(run(small("b"), stopped, update=precision)) == ids(whole)


def test_an_update_in_another_precision_than_the_studys_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FederationError, check=coded("too-few-answers")):
        run(hub(tmp_path), Memory(), update="int8")
