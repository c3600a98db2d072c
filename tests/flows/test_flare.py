"""Sites on their own machines, over the real engine with TLS on loopback: the same numbers; bad people."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.loopback import Loopback
from fedprompt.errors import FederationError
from fedprompt.federation.hub import Hub
from fedprompt.federation.transports.flare.address import LEDGER, WORKER_SOCKET
from fedprompt.federation.transports.flare.admin import admin_session, connected, submit
from fedprompt.federation.transports.flare.engine import command
from fedprompt.federation.transports.flare.link import LinkServer
from fedprompt.federation.transports.flare.transport import FlareTransport
from fedprompt.models.scripted import WIDTH
from fedprompt.prompts.ids import canonical_json
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.site.ledger import Ledger
from fedprompt.study.versions import OWN
from fedprompt.trust.signing import site_identity
from fedprompt.verbs.describe import ask_describe
from fedprompt.verbs.evaluate import ask_evaluate
from fedprompt.verbs.refusals import Refusal
from fedprompt.verbs.tune import ask_tune
from fedprompt.verbs.wire import unpack_reply
from fedprompt.workspace.as_json import as_json
from fedprompt.workspace.enrolled.engine_process import EngineProcess
from fedprompt.workspace.enrolled.hub_engine import running_hub
from fedprompt.workspace.enrolled.site_folder import enrolled
from fedprompt.workspace.hub.admit import hub_admit
from fedprompt.workspace.hub.leave import hub_leave
from fedprompt.workspace.hub.release import hub_release
from fedprompt.workspace.hub.status import hub_status
from fedprompt.workspace.json_file import write_json
from fedprompt.workspace.liveness import is_running
from fedprompt.workspace.rounds.federated import FederatedResult
from fedprompt.workspace.rounds.federating import federate
from fedprompt.workspace.site.init import site_init
from fedprompt.workspace.site.ledger import site_ledger, site_ledger_show
from fedprompt.workspace.site.pull import site_pull
from fedprompt.workspace.workspace import open_workspace
from tests.coded import coded
from tests.docs.test_commands import documented_keys
from tests.flows.lying_site import Eve, packed
from tests.scripted_sites import MODEL, STUDY, write_cases, write_study

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SITES = ("ant", "bee", "cat", "dog")
DIGEST = STUDY.digest(MODEL.info.digest)


@dataclass
class Running:
    """A federation of four sites that runs, what one process made of the same, and a fifth site that lies."""

    loopback: Loopback
    study: Path
    local: FederatedResult
    eve: Eve


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    root = tmp_path_factory.mktemp("flare")
    study = write_study(root / "study.yaml")
    files = {site: write_cases(root / f"{site}.csv", site) for site in SITES}
    with open_workspace(root / "local") as ws:
        local = federate(ws, study, files, seed=0)
    keys = {site: (root / "local" / "sites" / site / "site.key").read_bytes() for site in SITES}
    with Loopback(root) as loopback, tempfile.TemporaryDirectory(prefix="fedprompt-") as sockets:
        loopback.enrol(SITES, study, keys)
        loopback.join("eve", study)
        loopback.start_hub()
        for site in SITES:
            loopback.launch_site(site, files[site])
        kit = enrolled(loopback.sites["eve"], None).kit
        eve = Eve(Ledger(root / "eve.jsonl"))
        engine = EngineProcess(
            command("client", kit),
            cwd=kit,
            out=root / "eve.log",
            environment={
                WORKER_SOCKET: f"{sockets}/w.sock",
                LEDGER: str(eve.ledger.path),
                "PYTHONPATH": str(Path.cwd()),
            },
        )
        with LinkServer(Path(sockets) / "w.sock", eve.handle), engine:
            engine.tend()
            yield Running(loopback, study, local, eve)


@pytest.fixture(scope="module")
def found(running: Running) -> dict[str, Any]:
    """Return what ``federate --transport flare`` printed."""
    words = ["federate", "-S", str(running.study), "--transport", "flare", "--seed", "0", "--json"]
    words += [word for site in SITES for word in ("--site", site)]
    run = subprocess.run(
        [sys.executable, "-m", "fedprompt.cli", *words, "--home", str(running.loopback.hub.path)],
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    printed: dict[str, Any] = json.loads(run.stdout)
    return printed


@pytest.mark.parametrize("part", ["templates", "rounds", "test", "differences", "prompts"])
def test_the_prompts_and_numbers_are_those_of_one_process(running: Running, found: dict[str, Any], part: str) -> None:
    assert found[part] == as_json(running.local)[part]


def test_the_ledgers_hold_the_heads_that_the_hub_recorded_and_the_bytes_that_left(
    running: Running, found: dict[str, Any]
) -> None:
    with open_workspace(running.loopback.hub.path) as ws:
        status = hub_status(ws)
    heads = {row.site: row.head for row in status.sites}
    for site in SITES:
        listed = site_ledger(running.loopback.sites[site], head=heads[site])
        assert listed.ok and all(entry.kept for entry in listed.entries)
        sent = [entry.number for entry in listed.entries if entry.verb == "tune"]
        shown = site_ledger_show(running.loopback.sites[site], sent[0])
        assert len(bytes.fromhex(shown.bytes)) == shown.size
        assert np.array(shown.arrays["delta"]).shape == (3, WIDTH)


def test_no_private_key_and_no_case_is_in_what_travelled(running: Running, found: dict[str, Any]) -> None:
    for path in (running.loopback.root / "files").iterdir():
        assert b"PRIVATE KEY" not in path.read_bytes()
    for path in running.loopback.hub.path.rglob("*"):
        if path.is_file():
            assert b"quixotry" not in path.read_bytes(), path


@pytest.mark.parametrize("name", ["hub init", "hub admit", "site init", "site join"])
def test_enrolment_returns_the_documented_keys(running: Running, name: str) -> None:
    assert set(running.loopback.told[name]) == documented_keys(f"fedprompt {name}")


@pytest.fixture(scope="module")
def wire(running: Running) -> Iterator[FlareTransport]:
    """Yield what carries tasks to two honest sites and to the one that lies."""
    with FlareTransport(
        partial(running_hub, running.loopback.hub), ("ant", "bee", "eve"), deadline=30, patience=30
    ) as transport:
        yield transport


@pytest.fixture(scope="module")
def hub(wire: FlareTransport) -> Hub:
    """Return a hub that asks over the wire."""
    return Hub(wire, DIGEST)


@pytest.mark.parametrize(
    "change",
    [{"note": "Mrs Smith"}, {"tune": "thirty"}, {"tune": float("nan")}, {"labels": [1] * 1_000_000}, {"verb": "shell"}],
    ids=["extra field", "string for a number", "NaN", "a million numbers", "unlisted verb"],
)
def test_a_reply_off_the_list_is_refused_and_the_federation_goes_on(
    running: Running, hub: Hub, change: dict[str, Any]
) -> None:
    running.eve.answer = lambda task: packed(task, change)
    hub.heads.pop("eve", None)
    with pytest.raises(FederationError, match="'eve'", check=coded("not-well-formed")):
        ask_describe(hub, "eve")
    assert ask_describe(hub, "ant").tune == 30


@pytest.mark.parametrize(
    "delta",
    [np.full((3, WIDTH), np.nan, np.float32), np.ones((4, WIDTH), np.float32), np.ones((3, WIDTH), np.float64)],
    ids=["NaN", "another shape", "another dtype"],
)
def test_an_update_off_the_list_is_refused_and_the_federation_goes_on(
    running: Running, hub: Hub, delta: np.ndarray
) -> None:
    running.eve.answer = lambda task: packed(task, {}, delta=delta)
    hub.heads.pop("eve", None)
    start = np.zeros((3, WIDTH), np.float32)
    with pytest.raises(FederationError, match="'eve'", check=coded("not-finite", "wrong-shape")):
        ask_tune(hub, "eve", start, round=1, steps=1, seed=0)
    assert ask_describe(hub, "bee").tune == 30


def test_bytes_that_are_not_the_ledgers_last_entry_stay_at_the_site(
    running: Running, hub: Hub, wire: FlareTransport
) -> None:
    running.eve.answer, running.eve.honest_ledger = lambda task: packed(task, {}), False
    patience, wire.patience = wire.patience, 0.1
    try:
        hub.heads.pop("eve", None)
        with pytest.raises(FederationError, check=coded("filter-blocked")):
            ask_describe(Hub(wire, DIGEST), "eve")
    finally:
        running.eve.honest_ledger, wire.patience = True, patience


def test_a_ledger_that_was_rewritten_is_noticed_by_the_hub(running: Running, hub: Hub) -> None:
    running.eve.answer = lambda task: packed(task, {})
    hub.heads["eve"] = "a" * 64
    with pytest.raises(FederationError, match="'eve'", check=coded("ledger-rewritten")):
        ask_describe(hub, "eve")
    hub.heads.pop("eve")


def test_a_hub_that_alters_the_study_or_sends_a_hostile_soft_prompt_is_refused_by_the_site(
    running: Running, hub: Hub, wire: FlareTransport
) -> None:
    with pytest.raises(FederationError, check=coded("unknown-study")):
        ask_describe(Hub(wire, "s1:" + "0" * 32), "ant")
    huge = np.full((3, WIDTH), 1e6, np.float32)
    with pytest.raises(FederationError, check=coded("bad-soft-prompt")):
        ask_tune(hub, "ant", huge, round=1, steps=1, seed=0)
    with pytest.raises(FederationError, check=coded("bad-soft-prompt")):
        ask_tune(hub, "ant", np.zeros((3, WIDTH + 1), np.float32), round=1, steps=1, seed=0)
    with pytest.raises(FederationError, check=coded("not-allowed")):
        ask_tune(hub, "ant", np.zeros((3, WIDTH), np.float32), round=1, steps=50, seed=0)
    assert ask_describe(hub, "ant").tune == 30


@pytest.mark.parametrize("verb", ["shell", "propose"])
def test_an_unlisted_verb_is_answered_with_nothing_but_a_code(
    running: Running, hub: Hub, wire: FlareTransport, verb: str
) -> None:
    from safetensors.numpy import save

    body = canonical_json({"verb": verb, "task": "t1:" + "0" * 32, "study": DIGEST, "code": "import os"})
    if verb == "propose":
        body = canonical_json({"verb": verb, "task": "t1:" + "0" * 32, "study": DIGEST})
        out = wire.ask("ant", save({"task": np.frombuffer(body, dtype=np.uint8)}))
        reply = unpack_reply(out.data).message
        assert isinstance(reply, Refusal) and reply.code == "not-supported"
        return
    with pytest.raises(FederationError, match="'ant'", check=coded("worker-failed")):
        wire.ask("ant", save({"task": np.frombuffer(body, dtype=np.uint8)}))
    assert ask_describe(hub, "ant").tune == 30


def test_a_second_site_of_the_same_name_is_not_admitted(running: Running, tmp_path: Path) -> None:
    from fedprompt.workspace.home import find_home

    invite = running.loopback.root / "files" / "ant.invite.json"
    asked = site_init(find_home(tmp_path / "mallory"), invite, out=tmp_path / "ant.request.zip")
    with pytest.raises(FederationError, match="'ant'", check=coded("name-taken")):
        hub_admit(running.loopback.hub, Path(asked.request), confirm=lambda *_: True)


def test_a_job_that_names_another_class_does_not_run_at_a_site(running: Running, hub: Hub, tmp_path: Path) -> None:
    other = "nvflare.app_common.np.np_trainer.NPTrainer"
    with admin_session(running_hub(running.loopback.hub)) as session:
        job = submit(session, ["ant"], other)
        session.wait_for_job(job, timeout=60)
        assert "EXECUTION_EXCEPTION" in str(session.get_job_status(job)) or "ABNORMAL" in str(
            session.get_job_status(job)
        )
    assert ask_describe(hub, "ant").tune == 30


def test_a_site_that_was_killed_and_came_back_is_asked_again(running: Running, hub: Hub, wire: FlareTransport) -> None:
    prompt = Prompt(STUDY.soft_template(), SoftPrompt(np.zeros((3, WIDTH), np.float32), MODEL.info.digest))
    before = ask_evaluate(hub, "bee", [prompt], "validation")
    running.loopback.kill("bee")
    running.loopback.launch_site("bee", running.loopback.root / "bee.csv")
    wire.patience = wire.deadline = 90.0
    assert ask_evaluate(hub, "bee", [prompt], "validation") == before
    entries = enrolled(running.loopback.sites["bee"], None).folder.ledger.entries()
    assert entries[-1].decision == "resent"


def test_a_hub_that_sends_code_names_a_judge_or_adds_a_field_is_answered_with_nothing(
    running: Running, hub: Hub, wire: FlareTransport
) -> None:
    from safetensors.numpy import save

    before = len(enrolled(running.loopback.sites["ant"], None).folder.ledger.entries())
    for more in ({"code": "import os"}, {"judge": "https://evil.example/v1"}, {"prompts": ["p1:x"]}):
        body = canonical_json({"verb": "describe", "task": "t1:" + "1" * 32, "study": DIGEST, **more})
        with pytest.raises(FederationError, check=coded("worker-failed")):
            wire.ask("ant", save({"task": np.frombuffer(body, dtype=np.uint8)}))
    assert len(enrolled(running.loopback.sites["ant"], None).folder.ledger.entries()) == before
    assert "a task could not be answered" in running.loopback.log("ant")
    assert ask_describe(hub, "ant").tune == 30


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_start_that_is_not_finite_never_reaches_the_model(
    running: Running, hub: Hub, wire: FlareTransport, value: float
) -> None:
    from safetensors.numpy import save

    body = {"verb": "tune", "task": "t1:" + "2" * 32, "study": DIGEST, "round": 1, "steps": 1, "seed": 0}
    start = np.full((3, WIDTH), value, np.float32)
    task = save({"task": np.frombuffer(canonical_json(body), dtype=np.uint8), "start": start})
    with pytest.raises(FederationError, check=coded("worker-failed")):
        wire.ask("ant", task)
    assert ask_describe(hub, "ant").tune == 30


def test_a_site_with_another_models_digest_takes_no_part(running: Running, wire: FlareTransport) -> None:
    with pytest.raises(FederationError, check=coded("unknown-study")):
        ask_describe(Hub(wire, STUDY.digest("m1:" + "0" * 32)), "bee")
    entries = enrolled(running.loopback.sites["bee"], None).folder.ledger.entries()
    assert (entries[-1].decision, entries[-1].message["code"]) == ("refused", "unknown-study")


def test_a_hub_two_minor_versions_ahead_is_told_that_the_site_upgrades(running: Running, wire: FlareTransport) -> None:
    major, minor = OWN.split(".")[:2]
    near, far = (f"{major}.{int(minor) + ahead}.0" for ahead in (1, 2))
    assert ask_describe(Hub(wire, DIGEST, version=near), "ant").tune == 30
    with pytest.raises(FederationError, check=coded("other-version")):
        ask_describe(Hub(wire, DIGEST, version=far), "ant")
    assert "more than one minor version" in running.loopback.log("ant")


def test_a_release_reaches_a_site_and_one_that_is_not_the_hubs_does_not(
    running: Running, found: dict[str, Any], hub: Hub, wire: FlareTransport, tmp_path: Path
) -> None:
    with open_workspace(running.loopback.hub.path) as ws:
        assert {site: row for site, row in ws.bank.sites().items() if site in SITES} == {
            site: site_identity(enrolled(running.loopback.sites[site], None).folder.key) for site in SITES
        }
        released = hub_release(ws, out=tmp_path / "release.zip")
    assert wire.deliver("ant", Path(released.release).read_bytes()) == "received"
    assert wire.deliver("ant", b"PK not a release") != "received"
    with open_workspace(running.loopback.sites["ant"].path) as ws:
        pulled = site_pull(ws, running.loopback.root / "ant.csv")
    assert pulled.prompts == found["prompts"] and pulled.results[0].n == 20


def test_no_process_of_a_site_that_was_killed_is_left(running: Running, hub: Hub) -> None:
    assert ask_describe(hub, "bee").tune == 30  # it takes part in a job
    left = running.loopback.family("bee")
    assert len(left) >= 3  # the worker, its engine, and the job's process
    running.loopback.kill("bee")
    end = time.monotonic() + 20
    while (still := [pid for pid in left if is_running(pid)]) and time.monotonic() < end:
        time.sleep(0.2)
    assert not still
    running.loopback.start_site("bee", running.loopback.root / "bee.csv")


def test_a_certificate_of_another_site_does_not_connect(running: Running, hub: Hub, tmp_path: Path) -> None:
    kit = tmp_path / "kit"
    shutil.copytree(enrolled(running.loopback.sites["eve"], None).kit, kit)
    write_json(kit / "fedprompt.json", {"name": "fox", "org": "fox"})
    with EngineProcess(
        command("client", kit), cwd=kit, out=tmp_path / "fox.log", environment={"PYTHONPATH": str(Path.cwd())}
    ) as engine:
        engine.tend()
        end = time.monotonic() + 40
        while "claimed endpoint 'fox'" not in (said := running.loopback.log("hub")) and time.monotonic() < end:
            time.sleep(0.5)
    assert "authenticated as 'eve' but claimed endpoint 'fox'" in said
    assert "fox" not in connected(running_hub(running.loopback.hub))
    assert ask_describe(hub, "ant").tune == 30


def test_a_site_that_was_sent_away_is_refused_at_once(running: Running, hub: Hub) -> None:
    where = running_hub(running.loopback.hub)
    assert "eve" in connected(where)
    hub_leave(running.loopback.hub, "eve", "revoked")
    end = time.monotonic() + 40
    while "eve" in connected(where) and time.monotonic() < end:
        time.sleep(0.5)
    assert "eve" not in connected(where)
    assert ask_describe(hub, "ant").tune == 30
