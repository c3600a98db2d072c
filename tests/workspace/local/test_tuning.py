"""``tune`` keeps the best on validation, looks at test once, goes on where it stopped, and knows a changed file."""

import json
from pathlib import Path

import pytest

from fedprompt.cli.main import main
from fedprompt.errors import PromptError
from fedprompt.workspace.as_json import as_json
from fedprompt.workspace.local.tuning import tune
from fedprompt.workspace.progress import Progress
from fedprompt.workspace.workspace import open_workspace
from tests.coded import coded
from tests.new_bank import new_workspace
from tests.scripted_sites import TEXT, write_cases, write_study

pytestmark = pytest.mark.whole


def test_the_json_that_scripts_read(tmp_path: Path) -> None:
    path, data = write_study(tmp_path / "s.yaml"), write_cases(tmp_path / "a.csv", "a")
    with new_workspace(tmp_path / "home") as ws:
        found = tune(ws, path, data)
        assert {"prompt", "steps", "loss", "validation", "test", "seconds"} <= set(as_json(found))
        assert found.steps == 4 and len(found.loss) == 2 and found.kept_after in (2, 4)
        assert found.validation.n == found.test.n == 20
        best = max(row.body["mean"] for row in ws.bank.rounds(found.run))
        assert found.validation.value == best
        # A step computes what follows the slot alone, while prompts are asked for whole.
        assert 0 < found.work.share_ratio < 1 and found.work.tokens > 0 and found.work.tokens_per_second > 0
        assert found.clipped == 0 and found.settings.dtype == "float32"
        assert found.work.part_of_product is None  # the fake multiplies nothing that counts
        assert ws.bank.prompt(found.prompt).kind == "soft"
        assert ws.bank.verify() == ()
        # The same study, cases and seed are the same run.
        assert tune(ws, path, data) == found
        assert tune(ws, path, data, seed=1).run != found.run


def test_patience_ends_tuning_early_and_tells_the_steps_taken(tmp_path: Path) -> None:
    data = write_cases(tmp_path / "a.csv", "a")
    path = tmp_path / "s.yaml"
    # A rate that moves nothing: every part is as good as the first, which is kept.
    still = TEXT.replace("lr: 0.05", "lr: 1.0e-12").replace("rounds: {count: 2}", "rounds: {count: 6, patience: 2}")
    path.write_text(still, encoding="utf-8")
    with new_workspace(tmp_path / "home") as ws:
        found = tune(ws, path, data)
    assert (found.steps, found.kept_after, len(found.loss)) == (6, 2, 3)


def test_at_home_each_part_is_scored_also_where_the_study_has_few_rounds_scored(tmp_path: Path) -> None:
    data, path = write_cases(tmp_path / "a.csv", "a"), tmp_path / "s.yaml"
    path.write_text(TEXT.replace("rounds: {count: 2}", "rounds: {count: 3, scored: 1}"), encoding="utf-8")
    with new_workspace(tmp_path / "home") as ws:
        found = tune(ws, path, data)
        assert [row.body["mean"] is not None for row in ws.bank.rounds(found.run)] == [True] * 3


def test_where_and_how_keys_and_values_are_kept_is_recorded_and_the_run_is_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, data = write_study(tmp_path / "s.yaml"), write_cases(tmp_path / "a.csv", "a")
    words = ["tune", "-S", str(path), "--data", str(data), "--home", str(tmp_path / "home"), "--json"]
    assert main([*words, "--cache-bytes", "1000", "--cache-dtype", "bfloat16"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["settings"]["cache_bytes"], found["settings"]["cache_dtype"]) == (1000, "bfloat16")
    assert main(words) == 0 and json.loads(capsys.readouterr().out) == found
    with open_workspace(tmp_path / "home") as ws:
        assert ws.bank.run(found["run"]).settings["machine"] == found["settings"]
    assert main([*words, "--cache-dtype", "int4"]) == 2


def test_a_changed_file_is_another_run(tmp_path: Path) -> None:
    path, data = write_study(tmp_path / "s.yaml"), write_cases(tmp_path / "a.csv", "a")
    with new_workspace(tmp_path / "home") as ws:
        first = tune(ws, path, data)
        data.write_text(data.read_text().replace("zymurgy", "zither"))
        assert tune(ws, path, data).run != first.run


def test_a_run_that_stopped_goes_on(tmp_path: Path) -> None:
    path, data = write_study(tmp_path / "s.yaml"), write_cases(tmp_path / "a.csv", "a")
    seen: set[str] = set()

    def stop_once(progress: Progress) -> None:
        if progress.message not in seen:
            seen.add(progress.message)
            raise KeyboardInterrupt

    with new_workspace(tmp_path / "home") as ws:
        for _ in range(20):
            try:
                found = tune(ws, path, data, report=stop_once)
                break
            except KeyboardInterrupt:
                continue
        assert len(seen) >= 6
        whole = tune(ws, path, data, report=lambda progress: None)
    # A second home has another random key, so the run is compared with what its own bank says of it.
    assert whole == found and len(found.loss) == 2


def test_a_study_without_a_slot_cannot_be_tuned(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("".join(line for line in TEXT.splitlines(True) if not line.startswith("soft:")))
    with new_workspace(tmp_path / "home") as ws, pytest.raises(PromptError, check=coded("no-soft-part")):
        tune(ws, path, write_cases(tmp_path / "a.csv", "a"))
