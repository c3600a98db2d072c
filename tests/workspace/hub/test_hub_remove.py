"""A site that left can have what it scored taken out: nothing is deleted, and nothing shown counts it any more."""

from pathlib import Path

import pytest

from fedprompt.bank.filters import Filter
from fedprompt.workspace.enrolled.hub_folder import HubFolder
from fedprompt.workspace.hub.remove import hub_remove
from fedprompt.workspace.json_file import write_json
from fedprompt.workspace.rounds.federating import federate
from fedprompt.workspace.workspace import Workspace, open_workspace
from tests.scripted_sites import TEXT, write_cases

SITES = ("ant", "bee", "cat")


def finished(root: Path, keep: bool) -> Workspace:
    """Return the workspace of a hub whose federation of three sites is over."""
    rounds = f"rounds: {{count: 1, keep_updates: {'true' if keep else 'false'}}}"
    study = root / "study.yaml"
    study.write_text(TEXT.replace("rounds: {count: 2}", rounds), encoding="utf-8")
    ws = open_workspace(root / "hub")
    federate(ws, study, {site: write_cases(root / f"{site}.csv", site) for site in SITES}, seed=1)
    write_json(ws.home.path / "hub" / "hub.json", {"federation": "meadow", "host": "localhost", "port": 1})
    (ws.home.path / "hub" / "kit-server").mkdir(parents=True, exist_ok=True)
    for site in SITES:
        HubFolder(ws.home).set_member(site, state="admitted")
    return ws


@pytest.mark.slow
def test_a_site_that_left_is_in_no_ranking_and_its_share_is_out_of_the_rounds(tmp_path: Path) -> None:
    with finished(tmp_path, keep=True) as ws:
        (study,) = ws.bank.studies()
        before = {row.id: row for row in ws.bank.leaders(Filter(study=study.digest)).rows}
        by_site = {(r.site, r.score.prompt): r.score.value for r in ws.bank.scores(split="validation") if not r.round}
        found = hub_remove(ws, "cat", recompute=True)
        assert found.state == "removed" and found.not_recomputed is None
        assert all(set(one.sites) == {"ant", "bee"} for one in found.recomputed.rounds)
        assert {row.site for row in (*ws.bank.scores(), *ws.bank.comparisons())} == {"ant", "bee"}
        after = {row.id: row for row in ws.bank.leaders(Filter(study=study.digest)).rows}
        template = next(prompt for site, prompt in by_site if site == "cat" and prompt in after)
        assert after[template].sites == 2 and before[template].sites == 3
        assert after[template].mean == pytest.approx((by_site["ant", template] + by_site["bee", template]) / 2)
        assert ws.bank.verify() == ()
        assert found.prompts == len([e for e in ws.bank.events() if e.kind == "remove-scores"])
    with open_workspace(tmp_path / "hub") as ws:  # and it is so after the derived tables are made anew
        ws.bank.rederive()
        assert {r.id: r.mean for r in ws.bank.leaders(Filter(study=study.digest)).rows} == {
            prompt: row.mean for prompt, row in after.items()
        }


@pytest.mark.slow
def test_where_updates_were_not_kept_the_scores_are_out_and_it_is_said_why_the_rounds_are_not(tmp_path: Path) -> None:
    with finished(tmp_path, keep=False) as ws:
        found = hub_remove(ws, "cat", recompute=True)
        assert found.recomputed is None and "kept no updates" in found.not_recomputed
        assert {row.site for row in ws.bank.scores()} == {"ant", "bee"}


@pytest.mark.slow
def test_a_site_that_is_only_removed_keeps_its_scores(tmp_path: Path) -> None:
    with finished(tmp_path, keep=False) as ws:
        assert hub_remove(ws, "cat").prompts == 0
        assert {row.site for row in ws.bank.scores()} == set(SITES)
