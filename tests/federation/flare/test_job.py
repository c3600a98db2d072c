"""A job's process is started by a module that ends it with the engine."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from importlib.util import find_spec

import pytest

from fedprompt.workspace.liveness import is_running

pytestmark = pytest.mark.skipif(find_spec("nvflare") is None, reason="nvflare is not installed")

PARENT = """
import os, subprocess, sys, time
code = "import os, time; from fedprompt.federation.transports.flare.tether import end_with; "
code += "end_with(os.getppid()); print('ready', flush=True); time.sleep(60)"
child = subprocess.Popen([sys.executable, "-c", code], start_new_session=True, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""


def test_the_engines_command_runs_under_the_tether_and_keeps_its_arguments() -> None:
    from fedprompt.federation.transports.flare.job import HERE, tethered

    command = "/usr/bin/python3 -m nvflare.private.fed.app.client.worker_process -m /srv/kit -s fed_client.json"
    assert tethered(command).split() == [
        *("/usr/bin/python3", "-m", HERE, "nvflare.private.fed.app.client.worker_process"),
        *("-m", "/srv/kit", "-s", "fed_client.json"),
    ]


def test_a_process_in_a_session_of_its_own_ends_when_the_one_that_started_it_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(PARENT)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert is_running(child)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    end = time.monotonic() + 20
    while is_running(child) and time.monotonic() < end:
        time.sleep(0.1)
    try:
        assert not is_running(child)
    finally:
        if is_running(child):
            os.kill(child, signal.SIGKILL)
        parent.stdout.close()
