"""Where the playground keeps runs and test sets: files under the home, readable by their owner alone, never the bank.

``playground/OWNER/runs/RUN/`` holds ``request.json``, ``cells.jsonl`` (a line a cell, the last of a cell counts),
``ratings.json`` once somebody rated the answers and, while text is written, ``live.json``.

Invariant: a run goes once it is older than ``KEPT_DAYS``, is not among the
``MOST_RUNS`` newest, or was not to be kept and ``LOOSE_SECONDS`` have passed.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from fedprompt.boundary.checked import Bounds, Unfit, plain_json
from fedprompt.errors import FedPromptError, JobError
from fedprompt.private_file import write_private
from fedprompt.workspace.acting import needs
from fedprompt.workspace.home import Home

__all__ = ["KEPT_DAYS", "MOST_RUNS", "MOST_SETS", "TrialFolder", "owner_folder", "prune_runs"]

KEPT_DAYS = 30
MOST_RUNS = 50
MOST_SETS = 100
LOOSE_SECONDS = 3600.0
MAX_BYTES = 64 * 1024 * 1024
_BOUNDS = Bounds(MAX_BYTES, values=500_000, nested=20_000, members=1_000)
_ID = re.compile(r"[0-9a-f]{32}")


def owner_folder(home: Home, who: str) -> "TrialFolder":
    """Return the folder of a visitor; ``who`` is empty where nobody signs in."""
    name = hashlib.blake2b(who.encode(), digest_size=16).hexdigest() if who else "local"
    return TrialFolder(home, name)


def prune_runs(home: Home) -> None:
    """Delete every visitor's runs that are no longer to be kept."""
    with suppress(OSError):
        for path in (home.path / "playground").iterdir():
            if path.name == "local" or _ID.fullmatch(path.name):
                TrialFolder(home, path.name).prune()


class TrialFolder:
    """One visitor's runs and test sets; ``owner`` is ``local`` or a hash of who signed in."""

    def __init__(self, home: Home, owner: str) -> None:
        if owner != "local" and not _ID.fullmatch(owner):
            raise JobError(f"'{owner[:40]}' is no owner of runs of the playground", code="no-such-owner")
        self.owner = owner
        self._path = home.path / "playground" / owner

    @needs("try")
    def add(self, run: str, request: Mapping[str, Any]) -> None:
        """Write a new run's request."""
        folder = self._run(run)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for above in (folder.parent, folder.parent.parent, folder.parent.parent.parent):
            above.chmod(0o700)
        _write(folder / "request.json", request)

    def request(self, run: str) -> Mapping[str, Any]:
        """Return a run's request.

        Raises:
            JobError: there is no such run any more.
        """
        found = _read(self._run(run) / "request.json")
        if found is None:
            raise JobError("this run is no longer saved; run it again", code="run-gone")
        return found

    def append(self, run: str, cell: Mapping[str, Any]) -> None:
        """Add a cell's line."""
        line = json.dumps(cell, ensure_ascii=False) + "\n"
        handle = os.open(self._run(run) / "cells.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(line)

    def cells(self, run: str) -> list[dict[str, Any]]:
        """Return the lines that were written, as far as they are whole."""
        found = []
        with suppress(OSError), (self._run(run) / "cells.jsonl").open(encoding="utf-8") as file:
            for line in file:
                with suppress(ValueError):
                    found.append(json.loads(line))
        return found

    def tell(self, run: str, live: Mapping[str, Any] | None) -> None:
        """Keep what is being written just now; None once nothing is."""
        path = self._run(run) / "live.json"
        if live is None:
            path.unlink(missing_ok=True)
        else:
            _write(path, live)

    def live(self, run: str) -> Mapping[str, Any]:
        """Return what is being written just now."""
        return _read(self._run(run) / "live.json") or {}

    def ratings(self, run: str, of: str) -> tuple[float, ...]:
        """Return the ratings of a run's answers in the order of its pairs; ``of`` says of which answers they are."""
        found = _read(self._run(run) / "ratings.json") or {}
        given = found.get("ratings") if found.get("of") == of else None
        return tuple(float(one) for one in given or () if isinstance(one, int | float))

    @needs("try")
    def rate(self, run: str, of: str, seen: Sequence[float], ratings: Sequence[float]) -> None:
        """Write ratings in place of those that were seen; a run that was rated is kept like one of the history.

        Raises:
            JobError: there are other ratings now, or the run is no longer kept.
        """
        request = self.request(run)
        handle = os.open(self._run(run) / "ratings.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if self.ratings(run, of) != tuple(seen):
                raise JobError(
                    "this pair was rated in another window. That rating is kept, and this is the next pair",
                    code="changed-elsewhere",
                )
            _write(self._run(run) / "ratings.json", {"of": of, "ratings": list(ratings)})
        finally:
            os.close(handle)
        if not request.get("keep", False):
            _write(self._run(run) / "request.json", {**request, "keep": True})

    @needs("try")
    def forget(self, run: str) -> None:
        """Delete a run."""
        shutil.rmtree(self._run(run), ignore_errors=True)

    def runs(self) -> tuple[str, ...]:
        """Return the runs there are, the newest first."""
        return tuple(path.name for _, path in self._listed())

    def prune(self) -> None:
        """Delete what is no longer to be kept."""
        now, kept = time.time(), 0
        for made, path in self._listed():
            request = _read(path / "request.json") or {}
            loose = not request.get("keep", False) and now - made > LOOSE_SECONDS
            kept += bool(request.get("keep", False))
            if loose or kept > MOST_RUNS or now - made > KEPT_DAYS * 86_400:
                shutil.rmtree(path, ignore_errors=True)

    def sets(self) -> dict[str, Mapping[str, Any]]:
        """Return the test sets by name."""
        found = (_read(path) for path in sorted(self._sets.glob("*.json")))
        return dict(sorted((str(one["name"]), one) for one in found if one is not None and "name" in one))

    @needs("try")
    def save_set(self, name: str, body: Mapping[str, Any]) -> None:
        """Keep a test set under a name; one of that name is replaced.

        Raises:
            JobError: there are too many.
        """
        path = self._set(name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists() and len(list(self._sets.glob("*.json"))) >= MOST_SETS:
            raise JobError(f"there are already {MOST_SETS} test sets; delete one first", code="too-many")
        _write(path, {**body, "name": name})

    @needs("try")
    def forget_set(self, name: str) -> None:
        """Delete a test set."""
        self._set(name).unlink(missing_ok=True)

    @property
    def _sets(self) -> Path:
        return self._path / "sets"

    def _set(self, name: str) -> Path:
        return self._sets / f"{hashlib.blake2b(name.encode(), digest_size=16).hexdigest()}.json"

    def _run(self, run: str) -> Path:
        if not _ID.fullmatch(run):
            raise JobError("this is not a run of the playground; run it again", code="no-such-run")
        return self._path / "runs" / run

    def _listed(self) -> list[tuple[float, Path]]:
        return sorted(_folders(self._path / "runs"), reverse=True)


def _folders(path: Path) -> Iterator[tuple[float, Path]]:
    with suppress(OSError):
        for folder in path.iterdir():
            with suppress(OSError):
                if _ID.fullmatch(folder.name):
                    yield (folder / "request.json").stat().st_mtime, folder


def _write(path: Path, body: Mapping[str, Any]) -> None:
    data = json.dumps(dict(body), ensure_ascii=False).encode()
    if len(data) > MAX_BYTES:
        raise JobError(f"this is larger than {MAX_BYTES // 1024**2} MB; run it in parts", code="too-large")
    try:
        write_private(path, data)
    except OSError as error:
        raise FedPromptError(
            f"{path} cannot be written ({error.strerror}); check the home folder", code="cannot-write"
        ) from error


def _read(path: Path) -> Mapping[str, Any] | None:
    try:
        with path.open("rb") as file:
            found = plain_json(file.read(MAX_BYTES + 1), _BOUNDS)
    except (OSError, Unfit):
        return None
    return found if isinstance(found, dict) else None
