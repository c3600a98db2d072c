"""Sites on their own machines also tune alone and play newcomers where the study asks for it, as in one process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.loopback import Loopback
from fedprompt.workspace.as_json import as_json
from fedprompt.workspace.rounds.federating import federate
from fedprompt.workspace.workspace import open_workspace
from tests.scripted_sites import TEXT, write_cases

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SITES = ("ant", "bee")


def test_what_each_site_tunes_alone_is_scored_at_the_others_and_newcomers_answer_the_same(tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    text = TEXT.replace("rounds: {count: 2}", "rounds: {count: 2, alone: true}")
    study.write_text(text + "worth: {n: [0, 8], draws: 2}\n", encoding="utf-8")
    files = {site: write_cases(tmp_path / f"{site}.csv", site) for site in SITES}
    with open_workspace(tmp_path / "local") as ws:
        local = federate(ws, study, files, seed=0)
    keys = {site: (tmp_path / "local" / "sites" / site / "site.key").read_bytes() for site in SITES}
    with Loopback(tmp_path) as loopback:
        loopback.enrol(SITES, study, keys)
        loopback.start_hub()
        for site in SITES:
            loopback.launch_site(site, files[site])
        words = ["federate", "-S", str(study), "--transport", "flare", "--seed", "0", "--json"]
        run = subprocess.run(
            [sys.executable, "-m", "fedprompt.cli", *words, "--home", str(loopback.hub.path)],
            capture_output=True,
            text=True,
            timeout=400,
        )
    assert run.returncode == 0, run.stderr[-3000:]
    found = json.loads(run.stdout)
    assert set(found["transfer"]) == set(SITES)
    assert [point["n"] for point in found["worth"]["curve"]] == [0, 8]
    for part in ("transfer", "kept", "test", "differences", "prompts", "sentences", "worth"):
        assert found[part] == as_json(local)[part]
