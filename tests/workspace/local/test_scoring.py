"""``score`` gives the JSON that scripts read, of this site's own cases, and keeps the scores in the bank."""

import json
from pathlib import Path

import pytest

from fedprompt.cli.main import main
from fedprompt.errors import DataError
from fedprompt.evaluation.column_map import Columns
from fedprompt.prompts.prompt import Prompt
from fedprompt.workspace.as_json import as_json
from fedprompt.workspace.local.scoring import OWN_SITE, score
from fedprompt.workspace.progress import Progress
from tests.coded import coded
from tests.new_bank import new_workspace
from tests.scripted_sites import STUDY, write_cases, write_study


def test_every_template_is_scored_and_kept(tmp_path: Path) -> None:
    told: list[Progress] = []
    with new_workspace(tmp_path / "home") as ws:
        path, data = write_study(tmp_path / "s.yaml"), write_cases(tmp_path / "a.csv", "a")
        found = score(ws, path, data, report=told.append)
        rows = ws.bank.scores(run=found.run)
        assert ws.bank.run(found.run).result == as_json(found)
    assert {"study", "model", "split", "results", "share_ratio", "tokens", "seconds"} <= set(as_json(found))
    assert (found.study, found.model, found.split) == ("small", "scripted", "validation")
    assert [entry.name for entry in found.results] == ["plain", "verdict", "two-shot"]
    assert [entry.prompt for entry in found.results] == [Prompt(t).id for t in STUDY.candidates()]
    for entry, row in zip(found.results, rows, strict=True):
        assert {"prompt", "name", "metric", "n", "value", "low", "high"} <= set(as_json(entry))
        # The site's key is new at every run, and with it which cases these are; all 20 may be right.
        assert entry.run.score.n == 20 and entry.run.score.low < entry.run.score.value <= entry.run.score.high
        assert entry.run.interval == "wilson" and entry.run.reasons == {}
        # Ten cases of each label, so that the mean recall is the accuracy.
        assert (
            entry.run.score.choice.balanced_accuracy == pytest.approx(entry.run.score.value)
            and 0 < entry.run.score.choice.macro_f1 <= 1
        )
        assert 0 <= entry.run.score.choice.calibration_error <= 1
        assert (row.site, row.score.prompt, row.score.value) == (OWN_SITE, entry.prompt, entry.run.score.value)
    assert 0 < found.work.share_ratio < 1
    assert told[0].message == "loading scripted" and told[-1].done == told[-1].total > 0


def test_another_split_and_another_files_columns(tmp_path: Path) -> None:
    data = write_cases(tmp_path / "a.csv", "a")
    data.write_text(data.read_text().replace("text,answer", "note,label"))
    path = write_study(tmp_path / "s.yaml")
    with new_workspace(tmp_path / "home") as ws:
        found = score(ws, path, data, columns=Columns({"text": "note", "answer": "label"}), split="test")
        assert found.split == "test" and all(row.score.split == "test" for row in ws.bank.scores(split="test"))
        with pytest.raises(DataError, match=r"answer|text"):
            score(ws, path, data)


def test_an_empty_split_is_told(tmp_path: Path) -> None:
    with new_workspace(tmp_path / "home") as ws, pytest.raises(DataError, check=coded("empty-split")):
        score(ws, write_study(tmp_path / "s.yaml"), write_cases(tmp_path / "a.csv", "a", 2), split="test")


def test_a_second_run_computes_nothing_and_one_anew_computes_all(tmp_path: Path) -> None:
    with new_workspace(tmp_path / "home") as ws:
        path, data = write_study(tmp_path / "s.yaml"), write_cases(tmp_path / "a.csv", "a")
        first, second = score(ws, path, data), score(ws, path, data)
        assert (first.cached, second.cached, second.work.tokens) == (0, 60, 0)
        assert second.results == first.results and second.apart.against_best == first.apart.against_best
        anew = score(ws, path, data, anew=True)
        assert (anew.cached, anew.work.tokens) == (0, first.work.tokens)
        # Every two of the three templates are compared, so that 'compare' has something to say.
        assert len(ws.bank.comparisons(run=first.run)) == 3


def test_the_budget_of_the_cache_is_recorded_with_the_run(tmp_path: Path) -> None:
    with new_workspace(tmp_path / "home") as ws:
        path, data = write_study(tmp_path / "s.yaml"), write_cases(tmp_path / "a.csv", "a")
        found = score(ws, path, data, cache_bytes=123_456)
        assert found.settings.cache_bytes == 123_456
        assert ws.bank.run(found.run).settings["machine"]["cache_bytes"] == 123_456


def test_compare_tells_the_test_and_how_many_cases_it_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home, path, data = str(tmp_path / "home"), write_study(tmp_path / "s.yaml"), write_cases(tmp_path / "a.csv", "a")
    assert main(["score", "-S", str(path), "--data", str(data), "--home", home, "--cache-bytes", "1000", "--json"]) == 0
    prompts = [entry["prompt"] for entry in json.loads(capsys.readouterr().out)["results"]]
    assert main(["compare", *prompts, "--home", home, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [pair["second"] for pair in found["pairs"]] == prompts[1:] and found["p"] == found["pairs"][0]["p"]
    for pair in found["pairs"]:
        assert pair["test"] == "mcnemar" and pair["n"] == 20 and pair["i2"] is None
        assert pair["p"] <= pair["p_adjusted"] <= 1 and "cases" in pair["power"]
        assert set(pair["by_site"]) == {OWN_SITE} and pair["by_site"][OWN_SITE]["p"] == pair["p"]
    assert main(["compare", *prompts, "--home", home]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "over 20 cases" in said and "Holm" in said
    assert main(["compare", prompts[0], "--home", home]) == 2


FREE = """\
study: free
model: scripted
fields: [text]
answer: {type: generate, scorers: [token-f1, contains], max_tokens: 4}
metric: score
templates: [{name: plain, text: "{text}:"}]
privacy: {min_cases: 4}
splits: {tune: 30, validation: 20, test: 20}
"""


def test_free_text_says_what_was_shared_why_values_came_and_how_far_they_spread(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home, path, data = tmp_path / "home", tmp_path / "s.yaml", write_cases(tmp_path / "a.csv", "a")
    path.write_text(FREE, encoding="utf-8")
    # The fake says " good positive great" or the like, of which the answer is one word.
    with new_workspace(home) as ws:
        found = score(ws, path, data)
    (entry,) = found.results
    assert entry.run.interval == "bootstrap" and entry.run.score.low <= entry.run.score.value <= entry.run.score.high
    assert "macro_f1" not in as_json(entry) and entry.run.unscored == 0
    assert {label: sum(counts.values()) for label, counts in entry.run.reasons.items()} == {
        "token-f1": 20,
        "contains": 20,
    }
    assert 0 < found.work.share_ratio <= 1 and found.work.tokens_per_second > 0
    assert found.work.tokens > 20 * 4  # prompts are read, too
    kept = json.dumps(as_json(found))
    assert "quixotry" not in kept and "zymurgy" not in kept
    assert main(["score", "-S", str(path), "--data", str(data), "--home", str(home)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "reason" in said and "the output holds the answer" in said
