"""Runs NVFLARE's own server or client in this process, and ends the whole group when whoever started it is gone.

    python -m fedprompt.federation.transports.flare.engine server|client KIT

It is started as the leader of a process group of its own, which goes with it; its job processes, which the engine puts
into sessions of their own, look whether it is there.
"""

import json
import os
import runpy
import sys
from pathlib import Path

from fedprompt.federation.transports.flare.address import ENGINE, require_engine
from fedprompt.federation.transports.flare.tether import end_with

__all__ = ["command", "main"]

MODULES = {
    "server": "nvflare.private.fed.app.server.server_train",
    "client": "nvflare.private.fed.app.client.client_train",
}


def command(kind: str, kit: Path) -> list[str]:
    """Return the command that runs the ``server`` or ``client`` of a kit.

    Raises:
        FederationError: NVFLARE is not installed.
    """
    require_engine()
    return [sys.executable, "-m", "fedprompt.federation.transports.flare.engine", kind, str(kit)]


def main() -> None:
    """Run until told to stop."""
    kind, kit = sys.argv[1], Path(sys.argv[2])
    end_with(os.getppid(), group=os.getpgrp() == os.getpid())
    os.environ[ENGINE] = str(os.getpid())  # its job processes end with it
    about = json.loads((kit / "fedprompt.json").read_text(encoding="utf-8"))
    words = [f"org={about['org']}", "secure_train=true", "config_folder="]
    if kind == "client":
        words.append(f"uid={about['name']}")
    sys.argv = [MODULES[kind], "-m", str(kit), "-s", f"fed_{kind}.json", "--set", *words]
    runpy.run_module(MODULES[kind], run_name="__main__")


if __name__ == "__main__":
    main()
