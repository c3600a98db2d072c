"""The doctor reports the machine and one sentence for each thing that is missing."""

import json
from pathlib import Path

from fedprompt.workspace.doctor import doctor


def test_an_empty_home_lacks_its_assets_and_nothing_of_the_bank(tmp_path: Path) -> None:
    found = doctor(tmp_path / "home")
    assert json.loads(json.dumps(found)) == found
    assert any("fedprompt assets pull" in sentence for sentence in found["missing"])
    assert found["bank"] == {"path": str(tmp_path / "home" / "bank.db"), "prompts": 0, "problems": []}
    assert found["settings"]["threads"] >= 1
    assert found["settings"]["dtype"] in ("bfloat16", "float32")


def test_a_damaged_bank_is_reported_and_does_not_stop_the_doctor(tmp_path: Path) -> None:
    (tmp_path / "bank.db").write_bytes(b"this is no database" * 100)
    found = doctor(tmp_path)
    assert found["bank"] is None
    assert any("bank" in sentence for sentence in found["missing"])
    assert not found["ok"]
