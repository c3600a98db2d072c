"""``site run``: one long-lived process that holds the model and the cases, and beside it the transport's client.

The client only dials out. It hands tasks' bytes to this process over a socket file and carries back what the gate
made; it is started again when it ends, and it ends when this process does, however that came about. Of what finished
jobs left in the client's folder, the last few are kept.
"""

import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fedprompt.errors import FederationError, FedPromptError, StudyError
from fedprompt.evaluation.column_map import BY_NAME, Columns
from fedprompt.evaluation.splits.assignments import load_assignment
from fedprompt.site.standing import notes
from fedprompt.site.task_worker import TaskWorker
from fedprompt.site.worker import Worker
from fedprompt.stopping import NEVER, StopToken
from fedprompt.workspace.answers.study_model import shared_model
from fedprompt.workspace.bills.judge_bill import judge_paid, told_calls
from fedprompt.workspace.bills.scorer_resources import scorer_resources
from fedprompt.workspace.cases.entered_cases import cases_now, entered_splits
from fedprompt.workspace.cases.one_cut import Cutter, cutter_of
from fedprompt.workspace.cases.site_of_file import cases_of, make_worker
from fedprompt.workspace.enrolled.engine_process import EngineProcess
from fedprompt.workspace.enrolled.site_folder import Accepted, EnrolledSite, enrolled
from fedprompt.workspace.home import Home
from fedprompt.workspace.json_file import now, write_json
from fedprompt.workspace.site.permitted import permitted
from fedprompt.workspace.site.pretraining import open_pretraining_worker
from fedprompt.workspace.site.pull import keep_release

__all__ = ["open_worker", "site_run"]

CLEAN_SECONDS = 60.0  # between looks at what finished jobs left in the kit
log = logging.getLogger(__name__)


def open_worker(
    home: Home,
    site: EnrolledSite,
    accepted: Accepted,
    data: Path,
    columns: Columns,
    *,
    stop: StopToken = NEVER,
) -> Worker:
    """Load the accepted study's model and the site's cases, without those that wait.

    ``stop`` ends the worker between two steps or batches.

    Raises:
        StudyError: with this machine's model the study is another than was accepted.
        ModelError: the site's policy does not list the model, or it cannot be loaded.
        DataError: the cases cannot be used, or some that were answered over are gone; says where and what to do.
    """
    source = permitted(home, site.folder.policy, accepted.study)
    model = shared_model(accepted.study, home.path)
    if accepted.study.digest(model.info.digest) != accepted.digest:
        raise StudyError(
            f"'{accepted.study.study}' was accepted with another model, or by another version of fedprompt; "
            "review it with 'fedprompt site study show FILE' and accept it again",
            code="other-model",
        )
    cases = cases_of(data, accepted.study, columns)
    before = load_assignment(site.folder.assignment(accepted.study.study)) or {}
    others = cutter_of(home, data, site.name).others
    splits = Cutter(site.folder, others).cut(accepted.study, cases)
    return make_worker(
        name=site.name,
        folder=site.folder,
        study=accepted.study,
        model=model,
        cases=cases,
        splits=entered_splits(site.folder, accepted.study, splits, before, str(data)),
        where=str(data),
        resources=scorer_resources(home.path),
        stop=stop,
        source=source,
    )


def site_run(
    home: Home,
    data: Path,
    stop: threading.Event,
    say: Callable[[str], None],
    *,
    columns: Columns = BY_NAME,
    site: str | None = None,
    study: str | None = None,
) -> None:
    """Answer tasks of an accepted study until ``stop`` is set.

    Raises:
        FederationError: the site has not joined, or runs already.
        StudyError, DataError, ModelError: says where and what to do.
    """
    from fedprompt.federation.transports.flare.address import LEDGER, WORKER_SOCKET
    from fedprompt.federation.transports.flare.engine import command
    from fedprompt.federation.transports.flare.finished import clean_finished
    from fedprompt.federation.transports.flare.link import Header, LinkServer

    chosen = enrolled(home, site)
    about = chosen.about
    if not chosen.kit.exists():
        raise FederationError(
            f"'{chosen.name}' has not joined yet; join with the hub's kit: 'fedprompt site join KIT'", code="not-joined"
        )
    if chosen.running is not None:
        raise FederationError(
            f"'{chosen.name}' is already running, as process {chosen.running['pid']}; stop that process first",
            code="runs-already",
        )
    accepted = chosen.the_study(study)
    say(f"loading {accepted.study.model} and {data.name}")
    for note in notes(chosen.folder):
        say(f"note: {note}")
    worker: TaskWorker
    if accepted.study.pretraining is not None:
        worker = open_pretraining_worker(home, chosen, accepted, data, columns)
    else:
        worker = open_worker(home, chosen, accepted, data, columns)
    cases = None if accepted.study.pretraining is not None else cases_now(chosen.folder, accepted.study.study)
    if cases is not None and any(cases.waiting.values()):
        say(cases.sentence)

    def answer(header: Header, task: bytes) -> tuple[dict[str, Any], bytes]:
        try:
            if header.get("kind") == "release":
                say(
                    f"received a release from the hub: {keep_release(chosen, task).name}; get it with 'fedprompt "
                    "site pull'"
                )
                return {}, b""
            out = worker.handle(task)
        except FedPromptError as error:  # nothing leaves but that it failed
            log.error("a task could not be answered: %s", error)
            return {"error": type(error).__name__}, b""
        except Exception:
            log.exception("a task could not be answered")
            return {"error": "failed"}, b""
        return {"head": out.head, "trail": list(out.trail)}, out.data

    clean_finished(chosen.kit)
    sockets = Path(tempfile.mkdtemp(prefix="fedprompt-"))  # short: a socket's path has a bound
    running = chosen.folder.path / "running.json"
    engine = EngineProcess(
        command("client", chosen.kit),
        cwd=chosen.kit,
        out=home.logs / f"site-{chosen.name}-engine.log",
        environment={WORKER_SOCKET: str(sockets / "w.sock"), LEDGER: str(chosen.folder.ledger.path)},
    )
    try:
        with LinkServer(sockets / "w.sock", answer), engine:
            engine.tend()
            write_json(running, {"pid": os.getpid(), "study": accepted.digest, "since": now()})
            say(
                f"'{chosen.name}' answers the study '{accepted.study.study}' and connects to "
                f"{about['host']}:{about['port']}; press Ctrl-C to stop"
            )
            cleaned = time.monotonic()
            while not stop.wait(0.5):
                engine.tend()
                if time.monotonic() - cleaned > CLEAN_SECONDS:
                    clean_finished(chosen.kit)
                    cleaned = time.monotonic()
        if (
            isinstance(worker, Worker)
            and (judge := judge_paid(home.path, accepted.study, [worker.side.resources])) is not None
        ):
            say(f"{told_calls(judge)} since this process started; 'fedprompt site status' has the total")
    finally:
        running.unlink(missing_ok=True)
        shutil.rmtree(sockets, ignore_errors=True)
