"""Bytes of a run are one count that goes on; a run of an earlier version is never said to be counted whole."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fedprompt.workspace.results.travelled import RunTraffic, SiteBytes, travelled
from fedprompt.workspace.workspace import Workspace
from tests.demo_bank import fill
from tests.new_bank import new_workspace


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    with new_workspace(tmp_path) as opened:
        yield opened


def begun(ws: Workspace) -> str:
    """Begin a run of the demo's study of which nothing was asked yet."""
    fill(ws, finished=False)
    ws.bank.start_run("r1:new", kind="federate", study=ws.bank.studies()[0].digest, settings={})
    return "r1:new"


def test_a_count_goes_on_where_a_run_is_taken_up_again(ws: Workspace) -> None:
    run = begun(ws)
    first = RunTraffic(ws.bank, run)
    first.count("a", 10, 3)
    first.keep()
    first.keep()  # nothing new
    again = RunTraffic(ws.bank, run)
    again.count("a", 1, 1)
    again.count("b", 5, 7)
    again.keep()
    found = travelled(ws.bank, run)
    assert found.whole and found.by_site == {"a": SiteBytes(4, 11), "b": SiteBytes(7, 5)}
    assert found.of("c") == SiteBytes(0, 0)


def test_a_run_whose_rounds_alone_were_counted_stays_one(ws: Workspace) -> None:
    fill(ws, finished=False)
    run = ws.bank.runs(kind="demo")[0].id
    row = ws.bank.rounds(run)[-1]
    body = {**row.body, "sent": {"movies": 20}, "received": {"movies": 18}}
    ws.bank.record_round(run, row.number + 1, prompt=row.prompt, body=body)
    assert travelled(ws.bank, run).of("movies") == SiteBytes(18, 20)
    more = RunTraffic(ws.bank, run)
    more.count("movies", 2, 1)
    more.keep()
    found = travelled(ws.bank, run)
    assert not found.whole and found.of("movies") == SiteBytes(19, 22)
