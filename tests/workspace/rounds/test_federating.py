"""``federate`` runs a user's own sites end to end; what the bank then shows agrees with what the sites said."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fedprompt.errors import BankError, FederationError, FedPromptError
from fedprompt.models.work import Work
from fedprompt.site.folder import SiteFolder
from fedprompt.stopping import NEVER, Stopped, StopToken, Why
from fedprompt.workspace.as_json import as_json
from fedprompt.workspace.front.overview import overview
from fedprompt.workspace.local.scoring import score
from fedprompt.workspace.progress import Progress
from fedprompt.workspace.ranking.comparing import compare, compare_scores
from fedprompt.workspace.ranking.leaderboard import latest_study
from fedprompt.workspace.ranking.ranking_page import Filter, ranking_page
from fedprompt.workspace.results.shown import ShownWork, shown_work
from fedprompt.workspace.rounds.federated import FederatedResult
from fedprompt.workspace.rounds.federating import federate
from fedprompt.workspace.workspace import Workspace
from tests.coded import coded
from tests.new_bank import new_workspace
from tests.scripted_sites import TEXT, write_cases, write_study

pytestmark = pytest.mark.whole

SITES = ("bank", "clinic", "court")


def files(path: Path) -> dict[str, Path]:
    return {name: write_cases(path / f"{name}.csv", name) for name in SITES}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workspace, FederatedResult, Path]]:
    path = tmp_path_factory.mktemp("federation")
    with new_workspace(path / "home") as ws:
        yield ws, federate(ws, write_study(path / "s.yaml"), files(path)), path


Done = tuple[Workspace, FederatedResult, Path]


def test_the_result_names_templates_rounds_and_test(done: Done) -> None:
    _, found, _ = done
    assert [row.name for row in found.templates] == ["plain", "verdict", "two-shot"]
    assert [row.round for row in found.rounds] == [1, 2]
    assert all(tuple(row.by_site) == SITES for row in found.rounds)
    assert set(found.test) == {"manual", "federated"}
    for entry in found.test.values():
        assert set(as_json(entry)) == {"mean", "worst", "low", "high", "by_site"}
        assert entry.mean == pytest.approx(sum(entry.by_site.values()) / 3)
        assert entry.worst == min(entry.by_site.values())
    gap = found.differences["federated_vs_manual"].difference
    assert gap == pytest.approx(found.test["federated"].mean - found.test["manual"].mean)


def test_the_result_says_what_was_asked_and_computed_and_what_was_cut(done: Done) -> None:
    _, found, _ = done
    assert 0 < found.work.share_ratio < 1 and found.work.tokens > 0 and found.work.tokens_per_second > 0
    assert found.clipped == dict.fromkeys(SITES, 0)
    assert found.work.part_of_product is None and found.settings.dtype in ("float32", "bfloat16")


def test_the_best_template_and_round_are_chosen_on_validation(done: Done) -> None:
    _, found, _ = done
    pooled = {row.prompt: sum(row.by_site.values()) for row in found.templates}
    assert found.prompts.manual == max(pooled, key=lambda prompt: pooled[prompt])
    best = max(found.rounds, key=lambda row: (row.mean, -row.round))
    assert found.prompts.federated == best.prompt


def test_the_bank_holds_together(done: Done) -> None:
    ws, found, path = done
    assert ws.bank.verify() == ()
    assert federate(ws, path / "s.yaml", files(path)) == found
    second = ws.bank.prompt_row(found.rounds[1].prompt)
    assert second.parents == (found.rounds[0].prompt,) and second.origin == "federated"


def test_the_leaderboard_ranks_by_the_mean_over_sites(done: Done) -> None:
    ws, found, _ = done
    assert latest_study(ws) == found.study
    wanted = Filter(study=found.study)
    view = ranking_page(ws, wanted, show_test=True)
    assert view.sites == SITES and len(view.rows) == 5 and view.looks == 1
    assert not ranking_page(ws, wanted, coverage="partial").rows
    means = {row.id: row.mean for row in view.rows}
    expected = {row.prompt: sum(row.by_site.values()) / 3 for row in (*found.templates, *found.rounds)}
    assert means.keys() == expected.keys()
    ordered = [row.mean for row in view.rows]
    assert ordered == sorted(ordered, reverse=True)
    for prompt, value in expected.items():
        assert means[prompt] == pytest.approx(value)
    assert sum(row.probability_best or 0.0 for row in view.rows) == pytest.approx(1.0)
    nominated = {row.id for row in view.rows if row.nominated}
    assert nominated == {found.prompts.manual, found.prompts.federated}
    for row in view.rows:
        assert (row.test_mean is not None) == row.nominated
    assert all(row.test_mean is None for row in ranking_page(ws, wanted).rows)
    with pytest.raises(BankError):
        ranking_page(ws, Filter())


def test_prompts_are_compared_over_the_same_cases(done: Done) -> None:
    ws, found, _ = done
    manual, tuned = found.prompts.manual, found.prompts.federated
    compared = compare_scores(ws, tuned, manual)
    told = compared.told
    by_site = {
        site: compared.prompts[0].by_site[site].value - compared.prompts[1].by_site[site].value for site in SITES
    }
    assert {site: row.difference for site, row in told.by_site.items()} == pytest.approx(by_site)
    assert told.whole.difference == pytest.approx(sum(by_site.values()) / 3)
    assert told.whole.low <= told.whole.difference <= told.whole.high and 0 <= told.whole.p <= 1
    back = compare_scores(ws, manual, tuned).told.whole
    assert back.difference == pytest.approx(-told.whole.difference) and back.p == told.whole.p
    assert ("better" in told.sentence or "worse" in told.sentence) == (told.whole.low > 0 or told.whole.high < 0)
    test = compare_scores(ws, tuned, manual, split="test").told.whole
    assert test.difference == pytest.approx(found.differences["federated_vs_manual"].difference)


def test_what_no_site_compared_is_not_called_better(done: Done) -> None:
    ws, found, _ = done
    # Rounds' prompts and templates other than the best were compared with nobody on test.
    manual = found.prompts.manual
    others = [row.prompt for row in found.templates if row.prompt != manual]
    told = compare_scores(ws, others[0], others[1]).told
    assert told.whole.difference is None and told.whole.low is None and told.whole.p is None
    assert "significance is unknown" in told.sentence
    nothing = compare_scores(ws, others[0], others[1], split="test").told
    assert "cannot be compared" in nothing.sentence


def test_two_to_six_different_prompts_are_compared(done: Done) -> None:
    ws, found, _ = done
    ids = [row.prompt for row in (*found.templates, *found.rounds)]
    view = compare(ws, ids[:4])
    assert [prompt.id for prompt in view.prompts] == ids[:4] and len(view.pairs) == 3
    assert [(pair.first, pair.second) for pair in view.pairs] == [(ids[0], other) for other in ids[1:4]]
    for wrong in (ids[:1], [*ids, ids[0]], [ids[0], ids[0]]):
        with pytest.raises(FedPromptError, check=coded("two-to-six")):
            compare(ws, wrong)
    with pytest.raises(BankError):
        compare(ws, [ids[0], "p1:" + "0" * 32])


def test_the_overview_shows_the_federation(done: Done) -> None:
    ws, found, _ = done
    view = overview(ws)
    assert (view.study, view.result) == (found.study, as_json(found))
    assert [site.name for site in view.sites] == list(SITES)
    first = view.sites[0]
    assert (first.source, first.tune, first.validation, first.test) == ("bank.csv", 30, 20, 20)
    assert view.sites[0].labels == {"positive": 0.5, "negative": 0.5}
    assert [row.number for row in view.rounds] == [1, 2]
    best = next(row for row in found.templates if row.prompt == found.prompts.manual)
    assert view.manual == pytest.approx(sum(best.by_site.values()) / 3)
    assert view.federated == found.test["federated"].by_site
    assert view.gains == () and view.headline == found.sentences[0] and not view.assets_ready
    # Prompts with the same mean and worst site may stand either way round.
    ranked = ranking_page(ws, Filter(study=found.study)).rows
    assert {row.id for row in view.best} == {row.id for row in ranked}
    assert [row.mean for row in view.best] == pytest.approx([row.mean for row in ranked])


def test_an_empty_home_has_an_empty_overview(tmp_path: Path) -> None:
    with new_workspace(tmp_path) as ws:
        view = overview(ws)
        assert (view.study, view.result, view.manual) == (None, None, None)
        assert view.sites == view.rounds == view.best == view.jobs == ()
        assert latest_study(ws) is None


def test_a_single_sites_scores_are_ranked_too(tmp_path: Path) -> None:
    with new_workspace(tmp_path / "home") as ws:
        found = score(ws, write_study(tmp_path / "s.yaml"), write_cases(tmp_path / "a.csv", "a"))
        view = ranking_page(ws, Filter(study=latest_study(ws)))
        assert view.sites == ("this-site",) and view.looks == 0
        assert {row.id for row in view.rows} == {row.prompt for row in found.results}


def test_a_study_without_a_slot_scores_templates_alone(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("".join(line for line in TEXT.splitlines(True) if not line.startswith("soft:")))
    with new_workspace(tmp_path / "home") as ws:
        found = federate(ws, path, files(tmp_path))
    assert set(found.test) == {"manual"}
    assert found.rounds == () and found.differences == {} and found.sentences == ()


def test_what_keys_and_values_are_kept_in_is_recorded(tmp_path: Path) -> None:
    with new_workspace(tmp_path / "home") as ws:
        found = federate(ws, write_study(tmp_path / "s.yaml"), files(tmp_path), cache_dtype="bfloat16")
    assert found.settings.cache_dtype == "bfloat16"


def test_one_site_is_no_federation(tmp_path: Path) -> None:
    with new_workspace(tmp_path / "home") as ws, pytest.raises(FederationError, check=coded("two-sites")):
        federate(ws, write_study(tmp_path / "s.yaml"), {"a": write_cases(tmp_path / "a.csv", "a")})


def test_a_federation_that_is_stopped_wherever_it_looks_ends_with_the_same(tmp_path: Path) -> None:
    path, data, attempts, looks = write_study(tmp_path / "s.yaml"), files(tmp_path), 0, 0

    def asked() -> Why | None:
        nonlocal looks
        looks += 1
        return "cancelled" if looks > 23 * attempts else None

    results = []
    for home in ("whole", "stopped"):
        with new_workspace(tmp_path / home) as ws:
            for name in SITES:  # the same keys, so that both homes cut alike
                SiteFolder(ws.home.sites / name).prepare(name.encode().ljust(32))
            while True:
                attempts, looks = attempts + 1, 0
                stop = NEVER if home == "whole" else StopToken(asked, every=0)
                try:
                    found = federate(ws, path, data, stop=stop)
                except Stopped:
                    continue
                # What was computed is this process's own.
                results.append(replace(found, seconds={}, work=shown_work(Work(), None)))
                break
    assert attempts > 5
    assert results[0] == results[1]


def test_a_federation_that_stopped_at_each_message_ends_with_what_its_bank_holds(tmp_path: Path) -> None:
    path, data = write_study(tmp_path / "s.yaml"), files(tmp_path)
    seen: set[str] = set()

    def stop_once(progress: Progress) -> None:
        if progress.message not in seen:
            seen.add(progress.message)
            raise KeyboardInterrupt

    results = []
    for home, report in (("whole", lambda progress: None), ("stopped", stop_once)):
        with new_workspace(tmp_path / home) as ws:
            for name in SITES:  # the same keys, so that both homes cut alike
                SiteFolder(ws.home.sites / name).prepare(name.encode().ljust(32))
            while True:
                try:
                    found = federate(ws, path, data, report=report)
                    # What was computed is this process's own.
                    results.append(replace(found, seconds={}, work=ShownWork(None, None, None, None)))
                    break
                except KeyboardInterrupt:
                    continue
    assert len(seen) > 20
    assert results[0] == results[1]


def test_a_bank_holds_the_sum_of_masked_updates_and_none_of_a_single_site(tmp_path: Path) -> None:
    study = write_study(tmp_path / "s.yaml")
    study.write_text(TEXT.replace("rounds: {count: 2}", "rounds: {count: 2, secure_sums: true}"), encoding="utf-8")
    with new_workspace(tmp_path / "home") as ws:
        found = federate(ws, study, files(tmp_path))
        (run,) = ws.bank.runs(kind="sums")
        stages = ws.bank.stages(run.id)
    assert [row.round for row in found.rounds] == [1, 2] and all(not row.missing for row in found.rounds)
    assert list(stages) == [f"round {n}: {step}" for n in (1, 2) for step in ("keys", "shares", "masked", "confirmed")]
    masked = stages["round 1: masked"]["found"]
    assert set(masked) == {"sites", "seconds", "bits", "total"} and masked["sites"] == list(SITES)
