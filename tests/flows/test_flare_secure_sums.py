"""Secure sums over the real engine: the prompts of one process, and a hub that is killed at any moment goes on."""

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.loopback import Loopback
from fedprompt.site.folder import SiteFolder
from fedprompt.trust.signing import site_identity
from fedprompt.workspace.as_json import as_json
from fedprompt.workspace.home import find_home
from fedprompt.workspace.rounds.federated import FederatedResult
from fedprompt.workspace.rounds.federating import federate
from fedprompt.workspace.site.ledger import site_ledger
from fedprompt.workspace.workspace import open_workspace
from tests.scripted_sites import TEXT, write_cases

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SITES = ("ant", "bee", "cat", "dog")
KEYS = {site: site.encode().ljust(32, b".") for site in SITES}


def write_secure_study(path: Path, name: str, rounds: int = 2) -> Path:
    """Write the small study with secure sums among the four sites."""
    body = yaml.safe_load(TEXT)
    sums = {"sites": {site: site_identity(key) for site, key in KEYS.items()}}
    body |= {"study": name, "rounds": {"count": rounds, "quorum": 3, "secure_sums": sums}}
    body["privacy"] |= {"updates": 100}
    path.write_text(yaml.safe_dump(body), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def loopback(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loopback]:
    root = tmp_path_factory.mktemp("flare")
    study = write_secure_study(root / "study.yaml", "summed", rounds=6)
    with Loopback(root) as found:
        found.enrol(SITES, study, KEYS)
        found.start_hub()
        for site in SITES:
            found.launch_site(site, write_cases(root / f"{site}.csv", site))
        yield found


def in_one_process(loopback: Loopback) -> FederatedResult:
    """Return what one process makes of the same study, keys and cases."""
    home = find_home(loopback.root / "local")
    for site, key in KEYS.items():
        SiteFolder(home.sites / site).prepare(key)
    with open_workspace(home.path) as ws:
        return federate(ws, loopback.root / "study.yaml", {s: loopback.root / f"{s}.csv" for s in SITES}, seed=0)


def begun(loopback: Loopback) -> "subprocess.Popen[str]":
    """Start ``federate`` at the hub."""
    words = ["federate", "-S", str(loopback.root / "study.yaml"), "--transport", "flare", "--seed", "0", "--json"]
    words += [word for site in SITES for word in ("--site", site)]
    return subprocess.Popen(
        [sys.executable, "-m", "fedprompt.cli", *words, "--home", str(loopback.hub.path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_hub_that_is_killed_at_any_moment_goes_on_to_the_prompts_of_one_process(loopback: Loopback) -> None:
    rng = random.Random(0)
    for _ in range(3):
        process = begun(loopback)
        time.sleep(rng.uniform(4, 12))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    process = begun(loopback)
    out, err = process.communicate(timeout=400)
    assert process.returncode == 0, err[-3000:]
    printed: dict[str, Any] = json.loads(out)
    alone = as_json(in_one_process(loopback))
    assert [one["prompt"] for one in printed["rounds"]] == [one["prompt"] for one in alone["rounds"]]
    for site in SITES:
        listed = site_ledger(loopback.sites[site])
        steps = [entry.verb for entry in listed.entries if entry.decision == "sent" and entry.verb.startswith("sum-")]
        assert listed.ok and {steps.count(step) for step in steps} == {6}  # each step of a round once
