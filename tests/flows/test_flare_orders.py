"""The operator's orders, and rounds in which nobody waits, over the real engine with TLS on loopback."""

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from benchmarks.loopback import Loopback
from fedprompt.evaluation.column_map import BY_NAME
from fedprompt.federation.transports.flare.address import LEDGER, WORKER_SOCKET
from fedprompt.federation.transports.flare.engine import command
from fedprompt.federation.transports.flare.finished import clean_finished
from fedprompt.federation.transports.flare.link import LinkServer
from fedprompt.site.worker import Worker
from fedprompt.verbs.wire import unpack_task
from fedprompt.workspace.enrolled.engine_process import EngineProcess
from fedprompt.workspace.enrolled.site_folder import enrolled
from fedprompt.workspace.home import Home
from fedprompt.workspace.rounds.federated import FederatedResult
from fedprompt.workspace.rounds.federating import federate_flare
from fedprompt.workspace.rounds.gathering_now import runs_now
from fedprompt.workspace.rounds.given_orders import await_answer, give_order
from fedprompt.workspace.site.run import open_worker
from fedprompt.workspace.site.study import site_study_accept
from fedprompt.workspace.workspace import open_workspace
from tests.scripted_sites import TEXT, write_cases

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
SITES = ("ant", "bee", "cat")
ROUNDS = "rounds: {count: 2}"
LONG = 600.0


@dataclass
class Slow:
    """A site that tunes once it is told to."""

    worker: Worker
    may_tune: threading.Event = field(default_factory=threading.Event)

    def handle(self, header: object, task: bytes) -> tuple[dict[str, Any], bytes]:
        if unpack_task(task).message.verb == "tune":
            self.may_tune.wait(LONG)
        out = self.worker.handle(task)
        return {"head": out.head, "trail": list(out.trail)}, out.data


@dataclass
class Running:
    """Two sites that run as people run them, and one that takes its time."""

    loopback: Loopback
    study: Path
    buffered: Path
    cat: Slow


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    root = tmp_path_factory.mktemp("orders")
    study, buffered = root / "study.yaml", root / "buffered.yaml"
    study.write_text(TEXT.replace(ROUNDS, "rounds: {count: 1, quorum: 2, deadline: 500}"))
    strategy = "rounds: {count: 3, strategy: {name: fedbuff, options: {buffer: 2}}}"
    buffered.write_text(TEXT.replace("study: small", "study: buffered").replace(ROUNDS, strategy))
    files = {site: write_cases(root / f"{site}.csv", site) for site in SITES}
    with Loopback(root, seconds=LONG) as loopback, tempfile.TemporaryDirectory(prefix="fedprompt-") as sockets:
        loopback.enrol(SITES, study)
        loopback.start_hub()
        for site in ("ant", "bee"):
            loopback.launch_site(site, files[site])
        home = loopback.sites["cat"]
        own = enrolled(home, None)
        cat = Slow(open_worker(home, own, own.the_study(None), files["cat"], BY_NAME))
        where = {WORKER_SOCKET: f"{sockets}/w.sock", LEDGER: str(own.folder.ledger.path)}
        engine = EngineProcess(
            command("client", own.kit),
            cwd=own.kit,
            out=root / "cat.log",
            environment={**where, "PYTHONPATH": str(Path.cwd())},
        )
        with LinkServer(Path(sockets) / "w.sock", cat.handle), engine:
            engine.tend()
            for name in ("ant", "bee"):
                loopback.await_site(name)
            yield Running(loopback, study, buffered, cat)
            cat.may_tune.set()


def begun(home: Home, study: Path, *sites: str) -> Callable[[], FederatedResult]:
    """Begin a federation in a thread; return what waits for its result."""
    found: list[FederatedResult | BaseException] = []

    def work() -> None:
        try:
            with open_workspace(home.path) as ws:
                found.append(federate_flare(ws, study, sites, seed=1))
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()

    def result() -> FederatedResult:
        thread.join(LONG)
        assert found, "the federation did not end"
        if isinstance(found[0], BaseException):
            raise found[0]
        return found[0]

    return result


def cleaned(kit: Path) -> tuple[str, ...]:
    """Clear the folders of finished jobs away, as if they were long over."""
    for folder in kit.glob("*-*-*-*-*"):
        os.utime(folder, (0, 0))
    return clean_finished(kit, kept=0)


def test_a_round_is_closed_while_a_site_is_still_at_work(running: Running) -> None:
    home = running.loopback.hub
    result = begun(home, running.study)
    end = time.monotonic() + LONG
    while time.monotonic() < end:
        step = next((run.step for run in runs_now(home)), None)
        if step is not None and step.step == "tune" and len(step.came) == 2:
            break
        time.sleep(0.2)
    assert step is not None and step.waiting == ("cat",) and step.why_not_close is None
    kit = enrolled(running.loopback.sites["ant"], None).kit
    assert cleaned(kit) == ()  # the job runs, so its folder is held
    with open_workspace(home.path) as ws:
        run, order = give_order(ws, "close", by="ada")
        given = await_answer(ws, run, order, 30.0)
    assert given.done is True and given.said.endswith(" cat")
    running.cat.may_tune.set()
    found = result()
    (record,) = found.rounds
    assert [(one.site, one.step, one.why) for one in record.missing] == [("cat", "tune", "closed")]
    assert set(record.by_site) == set(SITES)  # it scored the round's prompt, once it was free
    assert runs_now(home) == ()
    end = time.monotonic() + LONG
    while not (gone := cleaned(kit)) and time.monotonic() < end:
        time.sleep(0.5)
    assert len(gone) == 1 and (kit / "startup").exists() and running.loopback.processes["ant"].poll() is None


def test_rounds_in_which_nobody_waits_run_among_machines(running: Running) -> None:
    for site in ("ant", "bee"):
        running.loopback.end(site)
        site_study_accept(running.loopback.sites[site], running.buffered)
        running.loopback.launch_site(site, running.loopback.root / f"{site}.csv", study="buffered")
        running.loopback.await_site(site)
    found = begun(running.loopback.hub, running.buffered, "ant", "bee")()
    assert [record.round for record in found.rounds] == [1, 2, 3]
    assert all(set(record.by_site) == {"ant", "bee"} and not record.missing for record in found.rounds)
    assert len({record.prompt for record in found.rounds}) == 3
