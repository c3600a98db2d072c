"""Rounds are written one by one, go on from the last written one, and bear a site that fails if others answer."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from fedprompt.errors import FederationError
from fedprompt.federation.hub import Hub
from fedprompt.federation.rounds import RoundRecord, best_round, run_rounds
from fedprompt.federation.transports.local import LocalTransport
from fedprompt.federation.transports.transport import Delivered
from fedprompt.privacy.egress import unpack_task
from fedprompt.prompts.prompt import Prompt
from fedprompt.study.score import Score
from tests.scripted_sites import MODEL, STUDY, study, worker

NAMES = ("bank", "clinic", "court")
START = MODEL.text_init("Overall the feeling is", 3)
Handler = Callable[[bytes], Delivered]


class Memory:
    """Keeps rounds in a list."""

    def __init__(self, records: Sequence[RoundRecord] = ()) -> None:
        self.records = list(records)

    def written(self) -> Sequence[RoundRecord]:
        return tuple(self.records)

    def write(self, record: RoundRecord) -> None:
        self.records.append(record)


def hub(path: Path, **instead: Handler) -> Hub:
    digest = STUDY.digest(MODEL.info.digest)
    handlers = {name: worker(path, name).handle for name in NAMES}
    return Hub(LocalTransport({**handlers, **instead}), digest)


def run(
    asked: Hub,
    writer: Memory,
    count: int = 3,
    quorum: int | None = None,
    progress: Callable[[int, str, str], None] | None = None,
) -> tuple[RoundRecord, ...]:
    return run_rounds(
        asked,
        STUDY.soft_template(),
        START,
        rounds=study(rounds={"count": count, "quorum": quorum}).rounds,
        tuning=STUDY.tuning,
        seed=0,
        writer=writer,
        progress=progress,
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
        assert tuple(record.scores) == tuple(record.loss) == NAMES
        assert all(score.prompt == record.prompt.id for score in record.scores.values())
        assert record.mean == pytest.approx(sum(record.by_site.values()) / 3)
        assert record.bytes > 3 * 3 * 16 * 4  # three updates of 3 x 16 float32 at the least


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


def test_a_finished_run_asks_nobody(tmp_path: Path) -> None:
    whole = run(hub(tmp_path), Memory())
    asked = hub(tmp_path)
    assert ids(run(asked, Memory(whole))) == ids(whole)
    assert not asked.received


def test_a_site_that_fails_is_left_out_where_the_quorum_is_met(tmp_path: Path) -> None:
    dead = down("tune", "evaluate")(worker(tmp_path, "court").handle)
    records = run(hub(tmp_path, court=dead), Memory(), quorum=2)
    assert [tuple(record.scores) for record in records] == [("bank", "clinic")] * 3
    alone = Hub(
        LocalTransport({name: worker(tmp_path / "two", name).handle for name in NAMES[:2]}),
        STUDY.digest(MODEL.info.digest),
    )
    assert ids(records) == ids(run(alone, Memory()))


@pytest.mark.parametrize("verb", ["tune", "evaluate"])
def test_below_the_quorum_the_round_ends_with_the_reason(tmp_path: Path, verb: str) -> None:
    dead = down(verb)(worker(tmp_path, "court").handle)
    writer = Memory()
    with pytest.raises(FederationError, match=r"round 1: 2 of 3 sites .*3 are needed.*the line is dead"):
        run(hub(tmp_path, court=dead), writer)
    assert not writer.records


def test_a_site_that_sends_nonsense_is_a_site_that_fails(tmp_path: Path) -> None:
    asked = hub(tmp_path, court=lambda data: Delivered(b"nonsense", "0"))
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
    return RoundRecord(number, prompt, scores, {}, 0, {})


def test_the_best_round_has_the_highest_mean_and_is_the_earliest_of_equals() -> None:
    rounds = [record(1, a=5, b=6), record(2, a=9, b=8), record(3, a=8, b=9), record(4, a=10, b=0)]
    assert best_round(rounds).number == 2


def test_a_round_that_fewer_sites_scored_is_not_the_best() -> None:
    assert best_round([record(1, a=5, b=6), record(2, a=10)]).number == 1


def test_without_rounds_there_is_no_best() -> None:
    with pytest.raises(FederationError, match="no round was run"):
        best_round([])
