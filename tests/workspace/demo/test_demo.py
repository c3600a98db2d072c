"""The demo is the same anywhere for one seed, stops anywhere, and gives the JSON that scripts read."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fedprompt.errors import AssetError
from fedprompt.models.assets.catalogue import ASSETS
from fedprompt.workspace.as_json import as_json
from fedprompt.workspace.demo.result import DemoResult
from fedprompt.workspace.demo.run import demo, demo_study
from fedprompt.workspace.demo.settings import DemoSettings
from fedprompt.workspace.demo.text import SOURCES, Source, draw_cases, read_source, write_cases
from fedprompt.workspace.front.overview import overview
from fedprompt.workspace.home import find_home
from fedprompt.workspace.progress import Progress
from fedprompt.workspace.results.shown import ShownWork
from fedprompt.workspace.workspace import open_workspace
from tests.coded import coded
from tests.new_bank import new_workspace

pytestmark = pytest.mark.whole

SETTINGS = DemoSettings(
    task="sentiment", rounds=2, cases=12, held_out=14, model="scripted", dtype="float32", threads=1, templates=4, seed=5
)
SITES = ["editorials", "movies", "products", "tweets"]
WORDS = {"positive": ("wonderful", "great", "useful"), "negative": ("awful", "boring", "useless")}


def make_home(path: Path) -> Path:
    """Make a home whose text is a small fake of the real one, and whose machine needs no measuring."""
    asset = ASSETS["vader-text"]
    folder = asset.folder(path)
    folder.mkdir(parents=True)
    for source in SOURCES:
        lines = []
        for n in range(60):
            label = "positive" if n % 2 else "negative"
            word = WORDS["positive" if (n % 2) != (n % 7 == 0) else "negative"][n % 3]
            lines.append(f"{n}\t{'' if label == 'positive' else '-'}2.5\t{source.site} {n} it&#39;s {word}")
        lines += ["x\tno rating\tx", "61\t0.5\tso so"]
        (folder / source.file).write_text("\r\n".join(lines), encoding="latin-1")
    marker = {"sha256": asset.sha256, "files": {source.file: "" for source in SOURCES}}
    (folder / "asset.json").write_text(json.dumps(marker))
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
    assert {"seed", "templates", "rounds", "test", "transfer", "seconds"} <= set(found)
    assert found["seed"] == 5 and len(found["templates"]) == 4
    for row in found["rounds"]:
        assert {"round", "by_site", "mean", "bytes"} <= set(row)
        assert list(row["by_site"]) == SITES and row["bytes"] > 0
    assert set(found["test"]) == {"manual", "local_own", "local_only", "centralised", "federated", "kept"}
    for name, entry in found["test"].items():
        assert {"mean", "worst", "low", "high", "by_site"} <= set(entry)
        assert list(entry["by_site"]) == SITES
        assert entry["mean"] == pytest.approx(sum(entry["by_site"].values()) / 4), name
        assert entry["worst"] == min(entry["by_site"].values())
        assert entry["low"] <= entry["mean"] <= entry["high"]
    assert {"score", "federate", "alone", "centralised", "test", "total"} <= set(found["seconds"])
    json.dumps(found, allow_nan=False)


def test_the_tables_agree_with_one_another(result: DemoResult) -> None:
    test, transfer = result.outcome.test, result.outcome.transfer
    assert test["local_own"].by_site == {site: transfer[site][site] for site in SITES}
    for site in SITES:
        assert test["local_only"].by_site[site] == pytest.approx(sum(transfer[site].values()) / 4)
        assert test["kept"].by_site[site] == test[result.outcome.kept[site]].by_site[site]
    for name, found in result.outcome.differences.items():
        first, second = name.split("_vs_")
        assert found.difference == pytest.approx(test[first].mean - test[second].mean)
    assert [row.kept for row in result.rounds].count(True) == 1
    best = max(result.rounds, key=lambda row: (row.mean, -row.round))
    assert best.kept and best.prompt == result.outcome.prompts.federated
    assert result.templates[0].prompt == result.outcome.prompts.manual
    assert len(result.outcome.sentences) == 4


def test_the_same_seed_gives_the_same_everywhere(result: DemoResult, tmp_path: Path) -> None:
    with new_workspace(make_home(tmp_path / "other")) as ws:
        other = demo(ws, SETTINGS)
        assert timeless(other) == timeless(result)
        assert ws.bank.verify() == ()


def test_another_seed_is_another_demo(result: DemoResult, tmp_path: Path) -> None:
    with new_workspace(make_home(tmp_path / "other")) as ws:
        other = demo(ws, DemoSettings(**{**SETTINGS.__dict__, "seed": 6}))
    assert other.run != result.run
    assert other.outcome.prompts.federated != result.outcome.prompts.federated


@pytest.mark.slow
def test_stopped_all_along_it_ends_with_the_same(result: DemoResult, tmp_path: Path) -> None:
    seen: dict[str, str] = {}
    stopped: list[str] = []

    def stop_once(progress: Progress) -> None:
        assert 0 <= progress.done <= progress.total
        if progress.message not in seen:
            first = progress.stage not in seen.values()
            seen[progress.message] = progress.stage
            # At the beginning of each stage, and at every third of what it tells.
            if first or len(seen) % 3 == 0:
                stopped.append(progress.stage)
                raise KeyboardInterrupt

    home = make_home(tmp_path / "stopped")
    for _ in range(200):
        try:
            with open_workspace(home) as ws:
                found = demo(ws, SETTINGS, stop_once)
            break
        except KeyboardInterrupt:
            continue
    assert set(stopped) == {"prepare", "score", "federate", "alone", "centralised", "test"} and len(stopped) > 15
    assert timeless(found) == timeless(result)


def test_a_finished_demo_is_shown_and_again_runs_anew(result: DemoResult, home: Path) -> None:
    with open_workspace(home) as ws:
        assert demo(ws, SETTINGS) == result
        again = demo(ws, DemoSettings(**{**SETTINGS.__dict__, "again": True}))
    assert again.run != result.run
    assert replace(timeless(again), run=result.run, settings=result.settings) == timeless(result)


def test_the_overview_tells_what_joining_gained(result: DemoResult, home: Path) -> None:
    with open_workspace(home) as ws:
        view = overview(ws)
    assert view.headline == result.headline and [gain.site for gain in view.gains] == SITES
    for gain in view.gains:
        change = result.outcome.differences["kept_vs_local_own"].by_site[gain.site]
        assert gain.points == pytest.approx(100 * change.difference)
        assert (gain.verdict == "not yet distinguishable") == (not change.distinguishable)
        assert gain.site in gain.sentence and gain.kept == result.outcome.kept[gain.site]
    assert view.transfer == result.outcome.transfer


def test_the_sites_files_are_their_owners_alone(result: DemoResult, home: Path) -> None:
    folders = list((home / "sites").glob("demo-*/*"))
    assert sorted(folder.name for folder in folders) == SITES
    for folder in folders:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_the_demos_study_takes_its_settings() -> None:
    study = demo_study(SETTINGS)
    assert (study.rounds.count, study.splits.tune, study.splits.test) == (2, 12, 14)
    assert study.privacy.min_cases == 12 and study.model == "scripted" and len(study.templates) == 4
    assert demo_study(DemoSettings(task="sentiment")).privacy.min_cases == 30


def test_without_its_text_it_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "machine.json").write_text('{"dtype": "float32", "threads": 1}')
    with new_workspace(tmp_path) as ws, pytest.raises(AssetError, check=coded("assets-not-ready")):
        demo(ws, SETTINGS)


def test_a_source_is_its_clear_sentences_once_each(tmp_path: Path) -> None:
    source = Source("x", "things", "x.txt")
    (tmp_path / "x.txt").write_bytes(
        b"1\t2.0\tA  caf\xe9 &amp; bar\r\n2\t-0.9\tbad\r\n3\t0.8\tso so\r\n4\t1.5\ta CAF\xe9 &amp; bar\r\n"
        b"5\tnan\tno\r\n6\t1.0\t \r\nbroken\r\n7\t3\tone\x85two\ttabs"
    )
    found = read_source(tmp_path, source)
    assert [(case.fields["text"], case.answer, case.line) for case in found] == [
        ("A caf\xe9 & bar", "positive", 1),
        ("bad", "negative", 2),
        ("one two tabs", "positive", 8),
    ]
    (tmp_path / "x.txt").write_text("nothing\n")
    with pytest.raises(AssetError, check=coded("asset-damaged")):
        read_source(tmp_path, source)
    with pytest.raises(AssetError, check=coded("assets-not-ready")):
        read_source(tmp_path, Source("y", "none", "y.txt"))


def test_cases_are_drawn_by_the_seed_and_written_for_their_owner(tmp_path: Path) -> None:
    folder = ASSETS["vader-text"].folder(make_home(tmp_path / "home"))
    cases = read_source(folder, SOURCES[0])
    assert len(cases) == 60
    one, same, other = (draw_cases(cases, 20, np.random.SeedSequence([seed])) for seed in (1, 1, 2))
    assert one == same != other and len(set(one)) == 20
    assert len(draw_cases(cases, 99, np.random.SeedSequence(0))) == 60
    path = tmp_path / "cases.csv"
    write_cases(path, one)
    assert path.stat().st_mode & 0o777 == 0o600
    from fedprompt.workspace.cases.site_of_file import cases_of

    read = cases_of(path, demo_study(SETTINGS))
    assert [(case.fields, case.answer) for case in read] == [(case.fields, case.answer) for case in one]
    assert find_home(tmp_path / "home").path == tmp_path / "home"
