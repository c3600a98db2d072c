"""A finished federation told again without a site: its prompts, its standings, and what cannot be done."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fedprompt.errors import FederationError
from fedprompt.workspace.rounds import contributing
from fedprompt.workspace.rounds.contributing import contributions_of
from fedprompt.workspace.rounds.federated import FederatedResult
from fedprompt.workspace.rounds.federating import federate
from fedprompt.workspace.rounds.recomputing import recompute_without
from fedprompt.workspace.workspace import Workspace
from tests.coded import coded
from tests.new_bank import new_workspace
from tests.scripted_sites import TEXT, write_cases, write_study

pytestmark = pytest.mark.whole

Done = tuple[Workspace, FederatedResult]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    path = tmp_path_factory.mktemp("recomputing")
    study = path / "s.yaml"
    study.write_text(TEXT.replace("{count: 2}\nprivacy", "{count: 2, keep_updates: true}\nprivacy"))
    files = {name: write_cases(path / f"{name}.csv", name) for name in ("bank", "clinic", "court")}
    with new_workspace(path / "home") as ws:
        yield ws, federate(ws, study, files)


def test_the_first_round_is_what_the_others_alone_would_have_made(done: Done, tmp_path: Path) -> None:
    ws, found = done
    told = recompute_without(ws, "court")
    assert [row.before for row in told.rounds] == [row.prompt for row in found.rounds]
    assert [row.exact for row in told.rounds] == [True, False]
    assert all(row.sites == ("bank", "clinic") for row in told.rounds)
    row = ws.bank.prompt_row(told.rounds[1].prompt)
    assert row.origin == "recomputed" and row.parents == (told.rounds[0].prompt,)
    assert recompute_without(ws, "court", run=found.run) == told
    assert ws.bank.verify() == ()


def test_standings_are_over_the_sites_that_stay(done: Done) -> None:
    ws, found = done
    told = recompute_without(ws, "court")
    by_site = {row.name: row.by_site for row in found.templates}
    for row in told.templates:
        left = [by_site[row.name][site] for site in ("bank", "clinic")]
        assert row.mean == pytest.approx(sum(left) / 2) and row.worst == min(left) and row.sites == 2
    assert "without court" in told.sentence


def test_each_sites_contribution_is_told_from_kept_updates_and_asks_nobody(done: Done) -> None:
    ws, found = done
    told = contributions_of(ws)
    assert (told.run, told.rounds, {one.site for one in told.sites}) == (found.run, 2, {"bank", "clinic", "court"})
    assert sum(one.value for one in told.sites) == pytest.approx(1, abs=0.05) and told == contributions_of(
        ws, found.run
    )
    assert all(one.rounds == 2 and one.norm > 0 for one in told.sites)


def test_a_long_run_is_told_by_its_last_rounds_alone(done: Done, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contributing, "LATEST", 1)
    told = contributions_of(done[0])
    assert told.rounds == 1 and {one.rounds for one in told.sites} == {1}


def test_somebody_who_took_no_part_and_a_run_that_kept_nothing_are_refused(done: Done, tmp_path: Path) -> None:
    with pytest.raises(FederationError, match="'museum'", check=coded("took-no-part")):
        recompute_without(done[0], "museum")
    files = {name: write_cases(tmp_path / f"{name}.csv", name) for name in ("bank", "clinic")}
    with new_workspace(tmp_path / "home") as ws:
        federate(ws, write_study(tmp_path / "s.yaml"), files)
        with pytest.raises(FederationError, check=coded("no-updates-kept")):
            recompute_without(ws, "bank")
