"""``hub run``: keeps the transport's server running until told to stop; rounds are started by ``federate``."""

import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from fedprompt.errors import FederationError
from fedprompt.workspace.enrolled.engine_process import EngineProcess
from fedprompt.workspace.enrolled.hub_folder import HubFolder
from fedprompt.workspace.home import Home
from fedprompt.workspace.json_file import now, write_json

if TYPE_CHECKING:
    from fedprompt.federation.transports.flare.address import RunningHub

__all__ = ["hub_run", "running_hub"]


def hub_run(home: Home, stop: threading.Event, say: Callable[[str], None]) -> None:
    """Run until ``stop`` is set.

    Raises:
        FederationError: this home is no hub, or it runs already.
    """
    from fedprompt.federation.transports.flare.address import HUB_SOCKETS
    from fedprompt.federation.transports.flare.engine import command

    folder = HubFolder(home)
    about = folder.about
    if folder.running is not None:
        raise FederationError(
            f"this hub is already running, as process {folder.running['pid']}; stop that process first",
            code="runs-already",
        )
    kit = folder.path / "kit-server"
    sockets = Path(tempfile.mkdtemp(prefix="fedprompt-"))  # short: a socket's path has a bound
    engine = EngineProcess(
        command("server", kit), cwd=kit, out=home.logs / "hub-engine.log", environment={HUB_SOCKETS: str(sockets)}
    )
    try:
        with engine:
            engine.tend()
            write_json(folder.path / "running.json", {"pid": os.getpid(), "sockets": str(sockets), "since": now()})
            say(
                f"the hub of '{about['federation']}' is listening at {about['host']}:{about['port']}; press Ctrl-C "
                "to stop"
            )
            while not stop.wait(0.5):
                engine.tend()
    finally:
        (folder.path / "running.json").unlink(missing_ok=True)
        shutil.rmtree(sockets, ignore_errors=True)


def running_hub(home: Home) -> "RunningHub":
    """Return where the engine of this home's hub runs.

    Raises:
        FederationError: it does not run.
    """
    from fedprompt.federation.transports.flare.address import RunningHub

    folder = HubFolder(home)
    folder.about  # noqa: B018 - says so if there is no hub at all
    running = folder.running
    if running is None:
        raise FederationError(
            "the hub is not running; start 'fedprompt hub run' in another terminal or as a service",
            code="hub-not-running",
        )
    return RunningHub(folder.path / "kit-admin", Path(running["sockets"]), folder.jobs)
