"""A page of the ranking, and what the overview says of each study: on a finished demo."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from fedprompt.bank.filters import Filter
from fedprompt.errors import BankError
from fedprompt.workspace.front.overview import overview
from fedprompt.workspace.ranking.leaderboard import latest_study
from fedprompt.workspace.ranking.ranking_page import ranking_page
from fedprompt.workspace.ranking.study_best import bests_of_studies
from fedprompt.workspace.shelf.history import recent
from fedprompt.workspace.workspace import Workspace, open_workspace
from tests.coded import coded
from tests.demo_bank import SITES, fill

pytestmark = pytest.mark.whole


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with open_workspace(tmp_path_factory.mktemp("ranking")) as opened:
        fill(opened)
        yield opened


@pytest.fixture(scope="module")
def wanted(ws: Workspace) -> Filter:
    study = latest_study(ws)
    assert study is not None
    return Filter(study=study)


def test_pages_put_together_are_every_prompt_by_its_mean_over_sites(ws: Workspace, wanted: Filter) -> None:
    by_site: dict[str, dict[str, float]] = {}
    for one in sorted(ws.bank.scores(study=wanted.study, split="validation"), key=lambda one: one.created):
        by_site.setdefault(one.score.prompt, {})[one.site] = one.score.total / one.score.n
    means = {prompt: sum(found.values()) / 4 for prompt, found in by_site.items() if set(found) == set(SITES)}
    pages = [ranking_page(ws, wanted, page=number, size=7) for number in range(4)]
    rows = [row for page in pages for row in page.rows]
    assert {page.total for page in pages} == {len(means)} and len(SITES) == 4
    assert [row.mean for row in rows] == pytest.approx(sorted(means.values(), reverse=True)[:28])
    assert all(row.mean == pytest.approx(means[row.id]) for row in rows) and len({row.id for row in rows}) == len(rows)
    assert pages[0].sites == SITES and pages[0].looks == 1


def test_what_only_pooled_cases_could_give_is_never_the_best(ws: Workspace, wanted: Filter) -> None:
    page = ranking_page(ws, wanted, size=1000)
    pooled = [row for row in page.rows if row.origin == "centralised"]
    assert len(pooled) == 4 and all(row.probability_best is None and row.distinguishable is None for row in pooled)
    assert page.rows[0].origin == "centralised"  # its rates are half a point above those of the federation
    assert page.best == next(row.id for row in page.rows if row.origin != "centralised")
    assert sum(row.probability_best or 0 for row in page.rows) == pytest.approx(1)
    assert all(row.origin != "centralised" for row in overview(ws).best)


def test_the_order_is_by_the_worst_site_where_that_is_asked(ws: Workspace, wanted: Filter) -> None:
    worst = [row.worst or 0.0 for row in ranking_page(ws, wanted, size=1000, order="worst").rows]
    assert worst == sorted(worst, reverse=True)


def test_test_scores_are_of_nominated_prompts_and_shown_when_asked(ws: Workspace, wanted: Filter) -> None:
    hidden = ranking_page(ws, wanted, size=1000).rows
    shown = ranking_page(ws, wanted, size=1000, show_test=True).rows
    assert sum(row.nominated for row in hidden) == 3 and all(row.test_mean is None for row in hidden)
    assert all((row.test_mean is not None) == row.nominated for row in shown)


def test_partly_measured_prompts_have_no_mean(ws: Workspace, wanted: Filter) -> None:
    page = ranking_page(ws, wanted, size=1000, coverage="partial")
    assert page.total == 16  # four rounds alone at each of four sites
    assert all(row.mean is None and row.interval is None for row in page.rows)


def test_a_ranking_names_its_study(ws: Workspace) -> None:
    with pytest.raises(BankError, check=coded("needs-one-study")):
        ranking_page(ws, Filter())


def test_the_best_of_a_study_has_the_gains_its_run_measured(ws: Workspace, wanted: Filter) -> None:
    (found,) = bests_of_studies(ws)
    (run,) = ws.bank.runs(kind="demo")
    assert run.result is not None
    assert found.best.id == run.result["prompts"]["federated"] and found.template is not None
    assert found.over_template == run.result["differences"]["federated_vs_manual"]
    assert found.over_alone is not None and set(found.over_alone) == set(SITES)


def test_what_changed_is_of_the_last_days_alone(ws: Workspace) -> None:
    now = datetime.now(UTC)
    found = recent(ws, now)
    assert found.prompts["soft"] == 24  # four rounds: together, at each of four sites, on pooled cases
    assert [run.kind for run in found.runs] == ["demo"] and found.studies == (bests_of_studies(ws)[0].title,)
    later = recent(ws, now + timedelta(days=8))
    assert not later.runs and not later.studies and not any(later.prompts.values())
