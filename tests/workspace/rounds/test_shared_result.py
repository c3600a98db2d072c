"""A federation with groups and with each site's own choice, end to end; stopped anywhere, it ends the same."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fedprompt.site.folder import SiteFolder
from fedprompt.workspace.progress import Progress
from fedprompt.workspace.ranking.leaderboard import latest_study
from fedprompt.workspace.ranking.ranking_page import Filter, ranking_page
from fedprompt.workspace.rounds.federated import FederatedResult
from fedprompt.workspace.rounds.federating import federate
from fedprompt.workspace.rounds.recomputing import recompute_without
from fedprompt.workspace.workspace import Workspace, open_workspace
from tests.scripted_sites import TEXT, write_cases

SITES = ("bank", "clinic", "court", "dock")
ASKED = (
    "{count: 2, keep_updates: true, update: int8, personal: {mixtures: [0.5]}, "
    "groups: {apart: 1, still: 1, smallest: 1, most: 2, rounds: 1}}"
)
pytestmark = pytest.mark.slow
Done = tuple[Workspace, FederatedResult, Path]


def prepare(path: Path, rounds: str = ASKED) -> tuple[Path, dict[str, Path]]:
    """Write a study and files; the sites' keys are fixed, so that two homes agree."""
    study = path / "s.yaml"
    study.parent.mkdir(parents=True, exist_ok=True)
    study.write_text(TEXT.replace("{count: 2}\nprivacy", rounds + "\nprivacy"))
    for name in SITES:
        SiteFolder(path / "home" / "sites" / name).prepare(name.encode().ljust(32, b"."))
    return study, {name: write_cases(path / f"{name}.csv", name) for name in SITES}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    path = tmp_path_factory.mktemp("shared")
    study, files = prepare(path)
    with open_workspace(path / "home") as ws:
        yield ws, federate(ws, study, files), path


def test_every_site_is_in_one_group_and_the_records_say_in_which(done: Done) -> None:
    ws, found, _ = done
    groups = found.groups.groups
    assert len(groups) == 2 and sorted(site for group in groups for site in group.sites) == list(SITES)
    assert ws.bank.stages(found.run)["groups"]["groups"] == [
        {"group": group.group, "sites": list(group.sites)} for group in groups
    ]
    for group in groups:
        (row,) = ws.bank.rounds(f"{found.run}/group/{group.group}")
        assert row.number == 3 and row.body["group"] == {"number": group.group, "sites": list(group.sites)}
        assert sorted(row.body["scores"]) == list(group.sites)
        prompt = ws.bank.prompt_row(row.prompt)
        assert prompt.origin == f"group:{group.group}" and prompt.parents == (found.groups.from_,)
    assert ws.bank.verify() == ()


def test_a_groups_first_round_asks_for_updates_that_were_sent_already(done: Done) -> None:
    ws = done[0]
    entries = SiteFolder(ws.home.sites / "bank").ledger.entries()
    third = [entry for entry in entries if entry.message.get("verb") == "tune" and entry.message.get("round") == 3]
    assert [entry.decision for entry in third] == ["sent", "resent"] and third[0].sha256 == third[1].sha256


def test_a_group_keeps_no_prompt_that_is_worse_on_its_own_validation_cases(done: Done) -> None:
    ws, found, _ = done
    common = ws.bank.rounds(found.run)
    for group in found.groups.groups:
        scored = [*common, *ws.bank.rounds(f"{found.run}/group/{group.group}")]
        mean = {row.prompt: sum(row.body["by_site"][site] for site in group.sites) for row in scored}
        assert mean[group.prompt] >= mean[found.groups.from_]


def test_what_a_site_keeps_is_no_worse_there_than_any_template_or_the_common_prompt(done: Done) -> None:
    ws, found, _ = done
    assert set(found.kept) == set(SITES)
    scores = {(row.site, row.score.prompt): row.score for row in ws.bank.scores(run=found.run, split="validation")}
    best = max(found.rounds, key=lambda row: (row.mean, -row.round))
    for site, kept in found.kept.items():
        for row in found.templates:
            assert kept.validation >= row.by_site[site]
        assert kept.validation >= best.by_site[site]
        own = scores[site, kept.prompt]
        assert own.total / own.n == kept.validation


def test_only_the_choice_and_its_score_leave_the_site(done: Done) -> None:
    ws, found, _ = done
    for site, kept in found.kept.items():
        entries = SiteFolder(ws.home.sites / site).ledger.entries()
        (chosen,) = [entry for entry in entries if entry.message.get("choice")]
        assert not chosen.arrays and len(chosen.message["scores"]) == 1 and not chosen.message["comparisons"]
        assert chosen.message["choice"]["prompt"] == chosen.message["scores"][0]["prompt"] == kept.prompt


def test_the_table_and_the_sentences_name_groups_and_choices(done: Done) -> None:
    ws, found, _ = done
    assert set(found.test) == {"manual", "federated", "grouped", "kept"}
    assert {"grouped_vs_manual", "grouped_vs_federated", "kept_vs_manual"} <= set(found.differences)
    told = " | ".join(found.sentences)
    assert all(f"group {n} (" in told for n in (1, 2)) and all(f"{site} keeps " in told for site in SITES)
    ranked = {row.id for row in ranking_page(ws, Filter(study=latest_study(ws)), size=1000).rows}
    assert {group.prompt for group in found.groups.groups} <= ranked


@pytest.mark.parametrize("stop", ["similar sites: court", "group 2, round 3", "clinic tunes its own prompt"])
def test_a_run_that_stopped_ends_with_the_same_groups_and_choices(done: Done, tmp_path: Path, stop: str) -> None:
    study, files = prepare(tmp_path)

    def report(progress: Progress) -> None:
        if stop in progress.message:
            raise KeyboardInterrupt

    with open_workspace(tmp_path / "home") as ws:
        with pytest.raises(KeyboardInterrupt):
            federate(ws, study, files, report=report)
        again = federate(ws, study, files, resume=True)
    _, whole, _ = done
    for part in ("groups", "kept", "test", "sentences", "prompts"):
        assert getattr(again, part) == getattr(whole, part)


def test_a_site_can_be_taken_out_of_a_run_with_groups(done: Done) -> None:
    ws, found, _ = done
    told = recompute_without(ws, "dock", run=found.run)
    assert [row.exact for row in told.rounds] == [True, False] and len(told.rounds) == 2


def test_where_all_sites_are_alike_they_stay_together_and_the_record_says_why(tmp_path: Path) -> None:
    study, files = prepare(tmp_path, "{count: 1, groups: {apart: -1}}")
    with open_workspace(tmp_path / "home") as ws:
        found = federate(ws, study, files)
    assert found.groups.groups == () and "grouped" not in found.test
    assert any("all sites stay in one group: " in sentence for sentence in found.sentences)


def test_rounds_without_waiting_are_run_by_the_same_command_and_go_on(tmp_path: Path) -> None:
    rounds = "{count: 2, strategy: {name: fedbuff, options: {buffer: 2}}}"
    study, files = prepare(tmp_path / "whole", rounds)
    with open_workspace(tmp_path / "whole" / "home") as ws:
        whole = federate(ws, study, files)
        assert [row.round for row in whole.rounds] == [1, 2] and ws.bank.verify() == ()
        plan = ws.bank.stages(whole.run)["round 2"]
        assert plan["buffer"] == 2 and sum(map(len, plan["staleness"].values())) == 2
    study, files = prepare(tmp_path / "again", rounds)
    heard = []

    def report(progress: Progress) -> None:
        heard.append(progress.message)
        if sum(" tunes" in message for message in heard) == 3:
            raise KeyboardInterrupt

    with open_workspace(tmp_path / "again" / "home") as ws:
        with pytest.raises(KeyboardInterrupt):
            federate(ws, study, files, report=report)
        assert len(ws.bank.stages(f"{whole.run}/arrivals")) == 2
        assert federate(ws, study, files).prompts == whole.prompts
