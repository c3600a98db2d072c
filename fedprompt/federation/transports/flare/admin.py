"""What the hub asks of its running engine as its operator: who is connected, which jobs run, begin one, bar a site.

NVFLARE raises many kinds of errors here; all of them leave as ``LinkDown``.
"""

import io
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any

from fedprompt.federation.transports.flare.address import HUB_CLASS, SITE_CLASS, RunningHub
from fedprompt.federation.transports.flare.enrol import ADMIN
from fedprompt.federation.transports.flare.link import LinkDown

__all__ = ["admin_session", "bar", "clients_of", "connected", "lives", "noted_jobs", "running_jobs", "submit"]

TASK_INTERVAL = 0.05  # how often an idle site asks for a task; NVFLARE's default is 2 s


def connected(hub: RunningHub) -> set[str]:
    """Return the sites that are connected to the hub's engine now.

    Raises:
        LinkDown: the engine does not answer.
    """
    with admin_session(hub) as session:
        return clients_of(session)


def lives(hub: RunningHub, job: str) -> bool:
    """Say whether the engine runs a job now.

    Raises:
        LinkDown: the engine does not answer.
    """
    with admin_session(hub) as session:
        try:
            return job in {one.job_id for one in session.get_system_info().job_info}
        except Exception as error:
            raise LinkDown(f"the engine does not report its jobs ({type(error).__name__})") from error


def running_jobs(hub: RunningHub) -> dict[str, set[str]]:
    """Return connected site -> jobs that its engine runs; sites that do not say are left out."""
    with admin_session(hub) as session:
        try:
            rows = session.get_client_job_status() or []
        except Exception as error:
            raise LinkDown(f"the engine does not report the sites' jobs ({type(error).__name__})") from error
    found: dict[str, set[str]] = {}
    for row in rows:
        if row.get("status") not in ("no_reply", "error"):
            found.setdefault(str(row.get("client_name")), set()).add(str(row.get("job_id", "")))
    return found


def bar(hub: RunningHub, site: str) -> None:
    """Tell the running engine to refuse a site from now on.

    Raises:
        LinkDown: the engine does not answer.
    """
    with admin_session(hub) as session:
        try:
            session.disable_client(site)
        except Exception as error:
            raise LinkDown(f"the engine did not exclude '{site}' ({type(error).__name__})") from error


def clients_of(session: Any) -> set[str]:
    """Return the sites that a session's engine is connected with.

    Raises:
        LinkDown: the engine does not say.
    """
    try:
        return {client.name for client in session.get_system_info().client_info}
    except Exception as error:
        raise LinkDown(f"the engine does not report the connected sites ({type(error).__name__})") from error


@contextmanager
def admin_session(hub: RunningHub) -> Iterator[Any]:
    """Open a session with the hub's engine, as its operator.

    Raises:
        LinkDown: the engine does not answer.
    """
    from nvflare.fuel.flare_api.flare_api import new_secure_session

    try:
        with redirect_stdout(io.StringIO()):  # it prints what people need not read
            session = new_secure_session(ADMIN, str(hub.kit), timeout=10.0, auto_login_max_tries=3)
    except Exception as error:  # NVFLARE raises many kinds
        raise LinkDown(f"no session with the hub's engine ({type(error).__name__})") from error
    try:
        yield session
    finally:
        with suppress(Exception):
            session.close()


def submit(session: Any, sites: Sequence[str], site_class: str = SITE_CLASS) -> str:
    """Begin a job among sites and return its id.

    Args:
        session: with the engine.
        sites: who takes part, by name.
        site_class: what runs there; a site runs no other than the one that it knows.

    Raises:
        LinkDown: the engine did not take the job.
    """
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "fedprompt" / "app" / "config"
        config.mkdir(parents=True)
        for path, body in (
            (
                config.parents[1] / "meta.json",
                {"name": "fedprompt", "resource_spec": {}, "deploy_map": {"app": ["server", *sites]}, "min_clients": 1},
            ),
            (
                config / "config_fed_server.json",
                {
                    "format_version": 2,
                    "server": {"task_request_interval": TASK_INTERVAL},
                    "workflows": [{"id": "hub", "path": HUB_CLASS, "args": {}}],
                },
            ),
            (
                config / "config_fed_client.json",
                {
                    "format_version": 2,
                    "executors": [{"tasks": ["ask", "release"], "executor": {"path": site_class, "args": {}}}],
                },
            ),
        ):
            path.write_text(json.dumps(body), encoding="utf-8")
        try:
            return str(session.submit_job(str(config.parents[1])))
        except Exception as error:
            raise LinkDown(f"the engine did not accept the job ({type(error).__name__})") from error


def noted_jobs(path: Path) -> dict[str, str]:
    """Return job -> last state, as the hub's table has it."""
    found: dict[str, str] = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            with suppress(ValueError, KeyError, TypeError):
                row = json.loads(line)
                found[row["job"]] = row["state"]
    return found
