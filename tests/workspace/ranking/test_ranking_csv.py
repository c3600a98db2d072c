"""The ranking's file holds all that the page shows, of every prompt that passes, however many there are."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from fedprompt.bank.filters import Filter
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.workspace.jobs.jobs import submit, wait
from fedprompt.workspace.keys import home_signer
from fedprompt.workspace.ranking.ranking_csv import RankingFile, ranking_csv
from fedprompt.workspace.ranking.ranking_page import ranking_page
from fedprompt.workspace.workspace import Workspace, open_workspace
from tests.demo_bank import SITES, fill
from tests.new_bank import new_workspace
from tests.pages.many import add_many

pytestmark = pytest.mark.whole


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with open_workspace(tmp_path_factory.mktemp("csv")) as opened:
        tuned = fill(opened)
        opened.bank.tag_prompt(tuned, "mood@staging", by="", signer=home_signer(opened.home))
        yield opened


@pytest.fixture(scope="module")
def wanted(ws: Workspace) -> Filter:
    return Filter(study=ws.bank.scored_studies()[0].digest)


def lines(ws: Workspace, asked: RankingFile) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(ranking_csv(ws, asked).decode(), newline="")))


def test_it_says_of_each_prompt_what_the_page_says(ws: Workspace, wanted: Filter) -> None:
    page = ranking_page(ws, wanted, size=1000)
    found = lines(ws, RankingFile(wanted))[: page.total]
    assert [one["id"] for one in found] == [row.id for row in page.rows]
    assert [one["place"] for one in found] == [str(place) for place in range(1, page.total + 1)]
    for one, row in zip(found, page.rows, strict=True):
        assert row.mean is not None and row.interval is not None
        assert float(one["mean"]) == pytest.approx(row.mean, abs=1e-6)
        assert float(one["mean_low"]) == pytest.approx(row.interval.low, abs=1e-6)
        assert float(one["mean_high"]) == pytest.approx(row.interval.high, abs=1e-6)
        for site, score in row.sites.items():
            assert score is not None and float(one[f"at {site}"]) == pytest.approx(score.value, abs=1e-6)
        assert (one["sites"], one["cases"]) == ("4", "600")  # 150 cases at each
    best = next(one for one in found if one["standing"] == "best")
    assert best["tags"] == "mood@staging" and best["id"] == page.best
    assert sum(float(one["probability_best"] or 0) for one in found) == pytest.approx(1, abs=1e-4)
    assert not any(name.startswith("test") for name in found[0])


def test_what_was_not_measured_everywhere_comes_last_without_place_or_mean(ws: Workspace, wanted: Filter) -> None:
    last = lines(ws, RankingFile(wanted))[-16:]  # four rounds alone at each of four sites
    assert all((one["place"], one["mean"], one["pooled"], one["sites"]) == ("", "", "", "1") for one in last)
    assert all(sum(bool(one[f"at {site}"]) for site in SITES) == 1 for one in last)


def test_test_scores_are_of_nominated_prompts_and_there_only_when_asked_for(ws: Workspace, wanted: Filter) -> None:
    page = ranking_page(ws, wanted, size=1000, show_test=True)
    found = {one["id"]: one for one in lines(ws, RankingFile(wanted, show_test=True))}
    for row in page.rows:
        assert bool(found[row.id]["test_mean"]) == bool(found[row.id]["test_low"]) == row.nominated


def test_filters_and_order_hold_and_a_formula_stays_text(ws: Workspace, wanted: Filter) -> None:
    narrow = Filter(study=wanted.study, kind="template", words="or")
    worst = [float(one["worst_site"]) for one in lines(ws, RankingFile(narrow, "worst"))]
    assert worst == sorted(worst, reverse=True) and 0 < len(worst) < 14
    digest, ids = add_many(ws, 1)
    formula = ws.bank.record_prompt(Prompt(Template("=1+1", text="{text}?")), study=digest, origin="study")
    for row in ws.bank.newest_scores(digest, ids):
        ws.bank.record_scores(row.run, row.site, [row.score.model_copy(update={"prompt": formula})])
    assert {one["name"] for one in lines(ws, RankingFile(Filter(study=digest)))} == {"try 0", "'=1+1"}


def test_more_than_one_part_is_written_whole_by_a_job_that_leaves_no_words_in_the_bank(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEDPROMPT_JOBS", "inline")
    with new_workspace(tmp_path / "home") as ws:
        digest, ids = add_many(ws, 1_100)
        wanted = Filter(study=digest, words="way")
        arguments = {"wanted": asdict(wanted), "order": "mean", "show_test": False}
        result = wait(ws, submit(ws, "ranking-csv", arguments), 60).result
        assert result is not None and result["prompts"] == 1_100
        path = Path(result["path"])
        assert path.parent == ws.home.exports and path.stat().st_mode & 0o777 == 0o600
        found = list(csv.DictReader(io.StringIO(path.read_text("utf-8"), newline="")))
        assert [one["id"] for one in found] == ids[::-1]  # a later one is better
        assert "way" not in json.dumps([dict(job.arguments) for job in ws.bank.jobs()])
