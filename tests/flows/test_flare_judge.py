"""Over the real engine each site pays its own judge: its bill has every call, and nothing of it is in what left."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.loopback import Loopback
from fedprompt.workspace.home import Home
from tests.chat_server import serve, write_models
from tests.scripted_sites import write_cases
from tests.workspace.site.test_judging import PRICE, SAID, STUDY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SITES = ("ant", "bee")


def fedprompt(home: Home, *words: str, seconds: int = 60) -> dict[str, Any]:
    run = subprocess.run(
        [sys.executable, "-m", "fedprompt.cli", *words, "--json", "--home", str(home.path)],
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def test_each_site_has_the_bill_of_its_own_judge_and_the_hub_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(STUDY + "privacy: {min_cases: 10, questions: 50}\n", encoding="utf-8")
    files = {site: write_cases(tmp_path / f"{site}.csv", site) for site in SITES}
    monkeypatch.setenv("FEDPROMPT_JUDGE", "chat:local")
    with serve(lambda body: SAID) as server, Loopback(tmp_path) as loopback:
        loopback.enrol(SITES, study)
        loopback.start_hub()
        for site in SITES:
            write_models(loopback.sites[site].path, server.url, PRICE)
            loopback.start_site(site, files[site])
        words = ["federate", "-S", str(study), "--transport", "flare"]
        found = fedprompt(loopback.hub, *words, seconds=400)
        bills = {}
        for site in SITES:
            (bills[site],) = fedprompt(loopback.sites[site], "site", "status")["studies"][0]["judges"]
            loopback.end(site)
        asked = len(server.sent)
    assert found["judge"] is None and "EUR" not in json.dumps(found)
    assert sum(bill["calls"] for bill in bills.values()) == asked and all(bill["calls"] for bill in bills.values())
    # The judge says five words to each question, at 100 and 1000 EUR a million tokens.
    for site, bill in bills.items():
        assert bill["output_tokens"] == 5 * bill["calls"]
        cost = (100 * bill["input_tokens"] + 1000 * bill["output_tokens"]) / 1e6
        assert bill["cost"] == {"amount": pytest.approx(cost, abs=1e-6), "currency": "EUR"}
        said = f"the judge (chat:local): {bill['calls']:,} calls, {bill['tokens']:,} tokens"
        assert said in loopback.log(site), "said as 'site run' ends"
