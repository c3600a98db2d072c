"""What a training needs of memory and disk, told before it begins."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedprompt.errors import TuningError
from fedprompt.tuning.pretraining.settings import PretrainSettings

__all__ = ["Need", "check_room", "free_memory", "needed"]

STATES = 4  # of the disk: weights and two moments of a round, and the file that replaces it
ARRAYS = 6  # of the memory: weights, gradient, two moments, the round's start, and a copy on its way to the disk
PER_LAYER = 20  # numbers a token, layer and width that are held for the way back
MEMINFO = Path("/proc/meminfo")


@dataclass(frozen=True)
class Need:
    """Bytes of memory and of disk."""

    memory: int
    disk: int


def needed(config: Any, numbers: int, settings: PretrainSettings) -> Need:
    """Return about what a training of a model of ``numbers`` weights takes at one site."""
    inner = config.get_text_config()
    part = -(-settings.batch // settings.accumulate) * settings.window
    width, layers = int(inner.hidden_size), int(inner.num_hidden_layers)
    wide = int(getattr(inner, "intermediate_size", None) or 4 * width)
    held = part * layers * (PER_LAYER * width + 4 * wide)
    last = settings.rows * int(inner.vocab_size) + width * int(inner.vocab_size)
    return Need(4 * (ARRAYS * numbers + held + last), 4 * 3 * STATES * numbers)


def check_room(need: Need, folder: Path, sites: int = 1) -> None:
    """Refuse a training for which there is no room.

    Args:
        need: of one site.
        folder: where states are written.
        sites: that write to this disk; they train one after another.

    Raises:
        TuningError: there is too little memory or disk; says how much there is and is needed.
    """
    free = free_memory()
    if free is not None and need.memory > free:
        raise TuningError(
            f"training needs about {_told(need.memory)} of memory and {_told(free)} are free; take a smaller "
            "model, or raise 'accumulate', so that fewer windows are computed together",
            code="no-memory",
        )
    at = next(one for one in (folder, *folder.parents) if one.exists())
    room = shutil.disk_usage(at).free
    if need.disk * sites > room:
        raise TuningError(
            f"{at}: training needs about {_told(need.disk * sites)} of disk and {_told(room)} are free; make room, or "
            "put the home elsewhere with --home",
            code="no-disk",
        )


def free_memory() -> int | None:
    """Return the bytes that are free for a process, None where the system does not say."""
    try:
        for line in MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None


def _told(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(1, round(size / 1e6)):,} MB"
