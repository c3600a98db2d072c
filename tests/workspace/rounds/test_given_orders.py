"""Orders of a hub's operator reach the rounds of a real federation, are answered, and stand in the bank."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fedprompt.errors import FederationError
from fedprompt.workspace.progress import Progress
from fedprompt.workspace.rounds.federated import FederatedResult
from fedprompt.workspace.rounds.federating import federate
from fedprompt.workspace.rounds.federation_view import federations
from fedprompt.workspace.rounds.gathering_now import RunNow, StepNow, run_now, runs_now
from fedprompt.workspace.rounds.given_orders import await_answer, give_order, left_out_of, orders_of
from fedprompt.workspace.workspace import Workspace
from tests.coded import coded
from tests.new_bank import new_workspace
from tests.scripted_sites import TEXT, write_cases

pytestmark = pytest.mark.whole

SITES = ("bank", "clinic", "court")


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    with new_workspace(tmp_path / "home") as opened:
        yield opened


def run(ws: Workspace, at: Callable[[int, str, str], None], rounds: str = "{count: 3, quorum: 2}") -> FederatedResult:
    """Run a federation of three sites; ``at`` hears (round, site, message) before each step, and of a site in it."""
    folder = ws.home.path.parent
    study = folder / "s.yaml"
    study.write_text(TEXT.replace("rounds: {count: 2}", f"rounds: {rounds}"), encoding="utf-8")
    files = {name: write_cases(folder / f"{name}.csv", name) for name in SITES}

    def report(progress: Progress) -> None:
        at(int(progress.detail.get("round", 0)), str(progress.detail.get("site", "")), progress.message)

    return federate(ws, study, files, report=report)


def missing(found: FederatedResult) -> list[tuple[int, str, str, str]]:
    return [(r.round, one.site, one.step, one.why) for r in found.rounds for one in r.missing]


def test_a_step_closed_early_goes_on_with_who_answered_and_says_so(ws: Workspace) -> None:
    def at(number: int, site: str, message: str) -> None:
        # The clinic is being asked, so the bank has answered: one of the two that are needed.
        if (number, site) == (2, "clinic") and "tunes" in message:
            give_order(ws, "close", by="ada")

    found = run(ws, at)
    # It is taken once the clinic has answered too, which makes two of two; the court is not asked to tune.
    assert missing(found) == [(2, "court", "tune", "closed")]
    assert found.rounds[1].missing[0].reason == "closed by the hub operator"
    record = ws.bank.rounds(found.run)[1].body
    assert set(record["tuned"]) == {"bank", "clinic"} and set(record["by_site"]) == set(SITES)
    (order,) = record["orders"]
    assert (order["what"], order["by"], order["done"]) == ("close", "ada", True)
    assert order["said"].endswith(" court") and order["at"].endswith("+00:00")
    (given,) = orders_of(ws, found.run)
    assert given.done and given.said == order["said"]
    assert runs_now(ws.home) == ()


def test_closing_under_the_quorum_is_refused_with_the_sentence_why(ws: Workspace) -> None:
    def at(number: int, site: str, message: str) -> None:
        if (number, site) == (1, "bank") and "tunes" in message:
            give_order(ws, "close")

    found = run(ws, at, "{count: 1}")
    assert missing(found) == []
    (given,) = orders_of(ws, found.run)
    assert given.done is False
    assert given.said.startswith("1 of 3 ")


def test_a_site_left_out_is_asked_no_more_until_it_is_taken_back(ws: Workspace) -> None:
    def at(number: int, site: str, message: str) -> None:
        if (number, site) == (1, "bank") and "tunes" in message:
            give_order(ws, "leave-out", site="court", by="ada")
        if (number, site) == (2, "clinic") and "scores the new" in message:
            give_order(ws, "take-back", site="court")

    found = run(ws, at, "{count: 3}")
    assert missing(found) == [(1, "court", "tune", "left-out"), (2, "court", "tune", "left-out")]
    assert found.rounds[0].missing[0].reason.partition("(ada) on 20")[1]
    assert [set(r.by_site) for r in found.rounds] == [{"bank", "clinic"}, {"bank", "clinic"}, set(SITES)]
    plans = ws.bank.stages(found.run)
    # All sites are needed: three, then the two that are left, then three again.
    assert [plans[f"round {n}"]["quorum"] for n in (1, 2, 3)] == [3, 2, 3]
    assert [plans[f"round {n}"]["sites"] for n in (2, 3)] == [["bank", "clinic"], list(SITES)]
    assert left_out_of(ws, found.run) == {}
    assert set(found.test["federated"].by_site) == set(SITES)


def test_a_site_left_out_of_a_paused_run_stays_out_when_it_goes_on(ws: Workspace) -> None:
    def stop(number: int, site: str, message: str) -> None:
        if (number, site) == (2, "bank"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(ws, stop, "{count: 3}")
    paused = federations(ws)[0].id
    chosen, order = give_order(ws, "leave-out", site="bank", by="ada")
    assert chosen == paused and await_answer(ws, paused, order, 0.0).done is None
    found = run(ws, lambda *_: None, "{count: 3}")
    assert found.run == paused
    assert missing(found) == [(2, "bank", "tune", "left-out"), (3, "bank", "tune", "left-out")]
    assert list(left_out_of(ws, paused)) == ["bank"]
    # It is not asked for its test cases either, and says so.
    assert set(found.test["federated"].by_site) == {"clinic", "court"}
    assert set(found.missing["bank"]) == {"describe", "score", "compare", "test"}
    # The round to keep is the best of all for the sites that are left, not the one that the most sites scored.
    kept = max(found.rounds, key=lambda r: (r.by_site["clinic"] + r.by_site["court"], -r.round))
    assert found.prompts.federated == kept.prompt


def test_orders_that_make_no_sense_are_refused_at_once(ws: Workspace) -> None:
    with pytest.raises(FederationError, check=coded("no-federation")):
        give_order(ws, "leave-out", site="bank")
    said: list[str] = []

    def at(number: int, site: str, message: str) -> None:
        if said or message != "the sites score the candidate templates":  # between two steps
            return
        for words in ({"what": "close"}, {"what": "wait"}, {"what": "leave-out", "site": "moon"}):
            with pytest.raises(FederationError) as caught:
                give_order(ws, **words)  # type: ignore[arg-type]
            said.append(str(caught.value))

    found = run(ws, at, "{count: 1}")
    assert said[0] == said[1]
    assert "'moon'" in said[2] and said[2].endswith(" bank, clinic, court")
    with pytest.raises(FederationError, check=coded("run-finished")):
        give_order(ws, "leave-out", site="bank", run=found.run)


def test_who_looks_on_sees_whose_answers_are_out(ws: Workspace) -> None:
    seen: list[RunNow] = []

    def at(number: int, site: str, message: str) -> None:
        if (number, site) == (1, "clinic"):
            (run_id,) = (one.run for one in runs_now(ws.home))
            now = run_now(ws.home, run_id)
            assert now is not None
            seen.append(now)

    run(ws, at, "{count: 1, quorum: 2, deadline: 90}")
    step = seen[0].step
    assert isinstance(step, StepNow)
    assert (step.round, step.step, step.quorum, step.seconds) == (1, "tune", 2, 90.0)
    assert step.came == ("bank",) and step.waiting == ("clinic", "court") and step.answered == 1
    assert (step.why_not_close or "").startswith("1 of 3 ")
    assert (ws.home.path / "rounds").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("body", ['{"run": 3}', "[]", '{"run": "r1:x", "pid": 1, "since": "", "code": "x"}'])
def test_a_damaged_file_of_what_gathers_is_refused_with_its_path(ws: Workspace, body: str) -> None:
    run_id = "r1:" + "0" * 32
    path = ws.home.path / "rounds" / f"{run_id.replace(':', '-')}.json"
    path.parent.mkdir()
    path.write_text(body)
    with pytest.raises(FederationError, check=coded("damaged")):
        run_now(ws.home, run_id)
    with pytest.raises(FederationError, check=coded("not-a-runs-id")):
        run_now(ws.home, "../../etc/passwd")
