"""``score`` gives the JSON that scripts read, of this site's own cases, and keeps the scores in the bank."""

from pathlib import Path

import pytest

from fedprompt.errors import DataError
from fedprompt.prompts.prompt import Prompt
from fedprompt.study.score import Score
from fedprompt.workspace.progress import Progress
from fedprompt.workspace.scoring import OWN_SITE, score, shown_score
from fedprompt.workspace.workspace import open_workspace
from tests.scripted_sites import STUDY, write_cases, write_study


def test_every_template_is_scored_and_kept(tmp_path: Path) -> None:
    told: list[Progress] = []
    with open_workspace(tmp_path / "home") as ws:
        path, data = write_study(tmp_path / "s.yaml"), write_cases(tmp_path / "a.csv", "a")
        found = score(ws, path, data, report=told.append)
        rows = ws.bank.scores(run=found["run"])
        assert ws.bank.run(found["run"]).result == found
    assert {"study", "model", "split", "results", "share_ratio", "tokens", "seconds"} <= set(found)
    assert (found["study"], found["model"], found["split"]) == ("small", "scripted", "validation")
    assert [entry["name"] for entry in found["results"]] == ["plain", "verdict", "two-shot"]
    assert [entry["prompt"] for entry in found["results"]] == [Prompt(t).id for t in STUDY.candidates()]
    for entry, row in zip(found["results"], rows, strict=True):
        assert {"prompt", "name", "metric", "n", "value", "low", "high"} <= set(entry)
        assert entry["n"] == 20 and entry["low"] < entry["value"] < entry["high"]
        assert (row.site, row.score.prompt, row.score.value) == (OWN_SITE, entry["prompt"], entry["value"])
    assert 0 < found["share_ratio"] < 1
    assert told[0].message == "loading scripted" and told[-1].done == told[-1].total > 0


def test_another_split_and_another_files_columns(tmp_path: Path) -> None:
    data = write_cases(tmp_path / "a.csv", "a")
    data.write_text(data.read_text().replace("text,answer", "note,label"))
    path = write_study(tmp_path / "s.yaml")
    with open_workspace(tmp_path / "home") as ws:
        found = score(ws, path, data, mapping={"text": "note", "answer": "label"}, split="test")
        assert found["split"] == "test" and all(row.score.split == "test" for row in ws.bank.scores(split="test"))
        with pytest.raises(DataError, match=r"answer|text"):
            score(ws, path, data)


def test_an_empty_split_is_told(tmp_path: Path) -> None:
    with open_workspace(tmp_path / "home") as ws, pytest.raises(DataError, match="the test split is empty"):
        score(ws, write_study(tmp_path / "s.yaml"), write_cases(tmp_path / "a.csv", "a", 2), split="test")


def test_no_cases_have_no_score() -> None:
    none = Score(
        prompt="p1:" + "0" * 32, split="test", metric="accuracy", n=0, total=0, squares=0, groups=0, group_squares=0
    )
    assert shown_score(none) == {"metric": "accuracy", "n": 0, "value": None, "low": None, "high": None}
