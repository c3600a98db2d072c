"""Runs one of NVFLARE's job processes in this process, tethered to the engine that started it.

    python -m fedprompt.federation.transports.flare.job MODULE ARGUMENTS

The engine starts a job in a session of its own, so nothing ends it when the engine is killed: it would wait for a
server that does not know it. The two launchers here are the engine's own but for what they start.
"""

import os
import runpy
import sys
from typing import Any

from nvflare.app_common.job_launcher.client_process_launcher import ClientProcessJobLauncher
from nvflare.app_common.job_launcher.server_process_launcher import ServerProcessJobLauncher

from fedprompt.federation.transports.flare.address import ENGINE
from fedprompt.federation.transports.flare.finished import hold_folder
from fedprompt.federation.transports.flare.tether import end_with

__all__ = ["ClientLauncher", "ServerLauncher", "main"]

HERE = "fedprompt.federation.transports.flare.job"


class ClientLauncher(ClientProcessJobLauncher):  # type: ignore[misc]
    """Starts a site's side of a job."""

    def get_command(self, job_meta: Any, fl_ctx: Any) -> str:
        """Return the engine's command, run by this module."""
        return tethered(super().get_command(job_meta, fl_ctx))


class ServerLauncher(ServerProcessJobLauncher):  # type: ignore[misc]
    """Starts the hub's side of a job."""

    def get_command(self, job_meta: Any, fl_ctx: Any) -> str:
        """Return the engine's command, run by this module."""
        return tethered(super().get_command(job_meta, fl_ctx))


def tethered(command: str) -> str:
    """Return the command ``PYTHON [-u] -m MODULE ...`` with this module before its own."""
    before, mark, after = command.partition(" -m ")
    return f"{before}{mark}{HERE} {after}" if mark else command


def main() -> None:
    """Run the module that is the first argument."""
    end_with(int(os.environ[ENGINE]))
    module = sys.argv.pop(1)
    hold_folder(sys.argv)  # until this process ends, so that nobody clears it away
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
