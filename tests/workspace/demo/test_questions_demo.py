"""The demo of questions: help desks, a newcomer that is in no round, and what shared prompts are worth to it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fedprompt.errors import AssetError, FedPromptError
from fedprompt.models.assets.catalogue import ASSETS
from fedprompt.workspace.as_json import as_json, from_json
from fedprompt.workspace.demo.questions import CLASSES, QUESTIONS
from fedprompt.workspace.demo.result import DemoResult
from fedprompt.workspace.demo.run import demo, demo_study
from fedprompt.workspace.demo.settings import DemoSettings
from fedprompt.workspace.demo.tasks import DESKS, TASKS, filled, task_of
from fedprompt.workspace.front.overview import overview
from fedprompt.workspace.progress import Progress
from fedprompt.workspace.results.shown import ShownWork
from fedprompt.workspace.workspace import open_workspace
from tests.coded import coded
from tests.new_bank import new_workspace

pytestmark = pytest.mark.whole

SETTINGS = DemoSettings(
    rounds=1,
    cases=12,
    held_out=14,
    draws=2,
    asked=20,
    templates=2,
    model="scripted",
    dtype="float32",
    threads=1,
    seed=3,
)
COUNTS = [0, 4, 8, 16, 32, 64]


def make_home(path: Path) -> Path:
    """Make a home whose questions are a small fake of the real ones, and whose machine needs no measuring."""
    asset = ASSETS["trec-questions"]
    folder = asset.folder(path)
    folder.mkdir(parents=True)
    lines = [f"{code}:x What {label} has the number {n} ?" for code, label in CLASSES.items() for n in range(400)]
    (folder / QUESTIONS).write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "asset.json").write_text(json.dumps({"sha256": asset.sha256, "files": {QUESTIONS: ""}}))
    (path / "machine.json").write_text('{"dtype": "float32", "threads": 1}')
    return path


def timeless(result: DemoResult) -> DemoResult:
    return replace(result, seconds={}, work=ShownWork(None, None, None, None))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    return make_home(tmp_path_factory.mktemp("demo") / "home")


@pytest.fixture(scope="module")
def result(home: Path) -> DemoResult:
    with open_workspace(home) as ws:
        return demo(ws, SETTINGS)


def test_the_json_that_scripts_read(result: DemoResult) -> None:
    found = as_json(result)
    json.dumps(found, allow_nan=False)
    newcomer, donors = found["newcomer"], found["donors"]
    assert (newcomer["n"], newcomer["asked"], newcomer["spare"]) == (16, 20, 32)
    assert [point["n"] for point in newcomer["curve"]] == COUNTS
    assert [point["draws"] for point in newcomer["curve"]] == [1, 2, 2, 2, 2, 2]
    for point in newcomer["curve"]:
        assert point["gain"] == pytest.approx(point["shared"] - point["alone"])
        assert point["low"] <= point["gain"] <= point["high"]
        assert point["alone"] == point["by_way"][point["alone_by"]]
    assert sum(one["weight"] for one in newcomer["members"]) == pytest.approx(1)
    assert found["headline"] == newcomer["sentence"]
    assert list(donors["alone"]) == list(donors["shared"]) == list(DESKS) and donors["n"] == 14
    assert donors["gain"]["difference"] == pytest.approx(
        sum(donors["shared"][desk] - donors["alone"][desk] for desk in DESKS) / len(DESKS)
    )
    assert set(found["seconds"]) == {"score", "federate", "alone", "test", "newcomer", "donors", "total"}
    assert "centralised" not in found["test"]
    assert from_json(DemoResult, found) == result


def test_the_newcomer_is_in_no_round_and_has_no_site(result: DemoResult, home: Path) -> None:
    with open_workspace(home) as ws:
        assert "newcomer" not in ws.bank.sites()
    assert sorted(folder.name for folder in (home / "sites").glob("demo-*/*")) == sorted(DESKS)
    assert {name for one in result.rounds for name in one.by_site} == set(DESKS)


def test_no_question_is_at_two_places(home: Path, result: DemoResult) -> None:
    settings = filled(SETTINGS)
    dealt = task_of(settings).deal(ASSETS["trec-questions"].folder(home), settings)
    texts = [case.fields["text"] for one in dealt.values() for case in one.cases]
    assert len(texts) == len(set(texts)) == 96 + 20 + 6 * (12 + 2 * 14)
    assert all("a help desk, asked most for a " in one.title for one in dealt.values())


def test_the_same_seed_gives_the_same_everywhere_and_another_seed_does_not(result: DemoResult, tmp_path: Path) -> None:
    with new_workspace(make_home(tmp_path / "other")) as ws:
        assert timeless(demo(ws, SETTINGS)) == timeless(result)
        other = demo(ws, replace(SETTINGS, seed=4))
        assert ws.bank.verify() == ()
    assert other.run != result.run and other.newcomer != result.newcomer


@pytest.mark.slow
def test_stopped_all_along_it_ends_with_the_same(result: DemoResult, tmp_path: Path) -> None:
    seen: set[str] = set()
    stopped: list[str] = []

    def stop_once(progress: Progress) -> None:
        if progress.message not in seen:
            seen.add(progress.message)
            if progress.stage in ("newcomer", "donors") or progress.stage not in stopped:
                stopped.append(progress.stage)
                raise KeyboardInterrupt

    home = make_home(tmp_path / "stopped")
    for _ in range(100):
        try:
            with open_workspace(home) as ws:
                found = demo(ws, SETTINGS, stop_once)
            break
        except KeyboardInterrupt:
            continue
    assert set(stopped) == {"prepare", "score", "federate", "alone", "test", "newcomer", "donors"}
    assert len(stopped) > 12
    assert timeless(found) == timeless(result)


def test_a_finished_demo_is_shown_and_beside_it_the_other_task_runs(result: DemoResult, home: Path) -> None:
    with open_workspace(home) as ws:
        assert demo(ws, SETTINGS) == result
        with pytest.raises(AssetError, check=coded("assets-not-ready")):  # its own text is not there
            demo(ws, replace(SETTINGS, task="sentiment"))


def test_the_overview_opens_with_the_curve_and_the_sentence(result: DemoResult, home: Path) -> None:
    assert result.newcomer is not None and result.donors is not None
    with open_workspace(home) as ws:
        view = overview(ws)
    assert view.headline == result.newcomer.sentence and view.has == 16
    assert [(p.n, p.alone, p.shared, p.low, p.needed) for p in view.curve] == [
        (p.n, p.alone, p.shared, p.low, p.needed) for p in result.newcomer.curve
    ]
    assert [gain.site for gain in view.gains] == list(DESKS)
    for gain in view.gains:
        assert gain.points == pytest.approx(100 * result.donors.gain.by_site[gain.site].difference)


def test_a_task_fills_in_what_was_left_open() -> None:
    assert demo_study(DemoSettings()).study == "questions"
    asked = filled(DemoSettings(task="sentiment", rounds=5))
    assert (asked.rounds, asked.cases, asked.held_out, asked.draws, asked.asked) == (5, 48, 150, None, None)
    own, task = filled(DemoSettings()), TASKS["questions"]
    assert (own.rounds, own.cases, own.held_out) == (task.rounds, task.cases, task.held_out)
    with pytest.raises(FedPromptError, match="'sentiment'", check=coded("unknown-task")):
        demo_study(DemoSettings(task="sentiments"))
