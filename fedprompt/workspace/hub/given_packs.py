"""What this hub gave out: the number of its newest release, and each pack with the sites that gave to it.

Invariant: a number is on disk before it is used, and rises; what is kept of a pack stays, so that once a
site has left, every later release names the packs that hold what it gave.
"""

import fcntl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from fedprompt.workspace.enrolled.hub_folder import HubFolder
from fedprompt.workspace.exchange.release import MOST_SUPERSEDED
from fedprompt.workspace.json_file import now, read_json, write_json

__all__ = ["left_sites", "next_number", "packs_of", "record_pack", "superseded_packs"]

FILE = "releases.json"


def next_number(folder: HubFolder) -> int:
    """Return a number above those of all releases so far; it is on disk before it is returned.

    It is the time in seconds where that is higher, so that a hub restored from a backup goes on above what it gave
    out since; a clock that goes back makes it rise by one.
    """
    with _changed(folder) as known:
        known["number"] = max(int(known.get("number", 0)) + 1, int(time.time()))
        return int(known["number"])


def record_pack(folder: HubFolder, pack: str, *, number: int, donors: Sequence[str]) -> None:
    """Keep that a release gave out a pack, and which sites gave to it; one that is known keeps all who ever did."""
    with _changed(folder) as known:
        packs = known.setdefault("packs", {})
        before = packs.get(pack, {"number": number, "donors": [], "at": now()})
        packs[pack] = {**before, "donors": sorted({*before["donors"], *donors})}


def packs_of(folder: HubFolder, site: str) -> tuple[str, ...]:
    """Return the packs that were given out and hold what a site gave, the newest first."""
    return _holding(folder, {site})


def superseded_packs(folder: HubFolder) -> tuple[str, ...]:
    """Return the packs that hold what a site gave before it left or was sent away, the newest first."""
    return _holding(folder, left_sites(folder))[:MOST_SUPERSEDED]


def left_sites(folder: HubFolder) -> set[str]:
    """Return the sites that were sent away or left."""
    return {*folder.sites("revoked"), *folder.sites("removed")}


def _holding(folder: HubFolder, sites: set[str]) -> tuple[str, ...]:
    packs: dict[str, Any] = (read_json(folder.path / FILE) or {}).get("packs", {})
    held = [(int(one["number"]), id) for id, one in packs.items() if sites & set(one["donors"])]
    return tuple(id for _, id in sorted(held, reverse=True))


@contextmanager
def _changed(folder: HubFolder) -> Iterator[dict[str, Any]]:
    """Give what is kept, to be changed; nobody else changes it meanwhile, and it is written at the end."""
    with (folder.path / "releases.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = read_json(folder.path / FILE) or {}
        yield known
        write_json(folder.path / FILE, known)
