"""The doctor reports the machine and one sentence for each thing that is missing."""

import json
from pathlib import Path

from fedprompt.workspace.as_json import as_json
from fedprompt.workspace.machine.doctor import doctor
from tests.new_bank import new_workspace
from tests.scripted_sites import STUDY


def test_an_empty_home_lacks_its_assets_and_nothing_of_the_bank(tmp_path: Path) -> None:
    found = doctor(tmp_path / "home")
    told = as_json(found)
    assert json.loads(json.dumps(told)) == told
    assert any("fedprompt assets pull" in sentence for sentence in found.missing)
    assert told["bank"] == {"path": str(tmp_path / "home" / "bank.db"), "prompts": 0, "problems": [], "reached": None}
    assert found.settings.threads >= 1
    assert found.settings.dtype in ("bfloat16", "float32")


def test_a_damaged_bank_is_reported_and_does_not_stop_the_doctor(tmp_path: Path) -> None:
    (tmp_path / "bank.db").write_bytes(b"this is no database" * 100)
    found = doctor(tmp_path)
    assert found.bank is None
    assert any("bank" in sentence for sentence in found.missing)
    assert not found.ok


def test_the_newest_run_with_a_rate_says_what_it_reached_of_the_matrix_product(tmp_path: Path) -> None:
    with new_workspace(tmp_path / "home") as ws:
        digest = STUDY.digest("sha256:0")
        ws.bank.record_study(STUDY, digest, "sha256:0")
        for run, part in (("r1:old", 0.5), ("r1:new", 0.75), ("r1:fake", None)):
            ws.bank.start_run(run, kind="score", study=digest, settings={})
            ws.bank.finish_run(run, {"run": run, "tokens_per_second": 1000.0, "part_of_product": part})
    found = doctor(tmp_path / "home")
    reached = {"kind": "score", "run": "r1:new", "tokens_per_second": 1000.0, "part_of_product": 0.75}
    assert as_json(found.bank.reached) == reached
    assert set(found.product) == {"float32", "bfloat16"}
