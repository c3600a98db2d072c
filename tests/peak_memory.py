"""How much more memory this process held at its highest while something ran; parsers' memory counts, as in Rust."""

import re
from collections.abc import Callable
from pathlib import Path

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def megabytes_beyond(call: Callable[[], object]) -> float:
    """Return the peak of the resident memory during ``call`` above what it was before, in MB (Linux)."""
    CLEAR.write_text("5")  # the peak begins anew at what is held now
    before = _peak()
    call()
    return (_peak() - before) / 1024


def _peak() -> int:
    found = re.search(r"VmHWM:\s*(\d+) kB", STATUS.read_text())
    assert found is not None
    return int(found[1])
