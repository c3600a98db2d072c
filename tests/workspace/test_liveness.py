"""A process counts as alive while it says so, whatever the machine's clock does."""

import os
import time
from pathlib import Path

from fedprompt.workspace.home import Home
from fedprompt.workspace.liveness import announce, is_alive


def test_a_mark_from_the_future_keeps_nobody_alive(tmp_path: Path) -> None:
    home = Home(tmp_path)
    announce(home, "quick", os.getpid())
    assert is_alive(home, "quick")
    (mark,) = (tmp_path / "workers").iterdir()
    os.utime(mark, (time.time() + 7200,) * 2)  # written before the clock went back two hours
    assert not is_alive(home, "quick")
    announce(home, "quick", os.getpid())
    assert is_alive(home, "quick")
