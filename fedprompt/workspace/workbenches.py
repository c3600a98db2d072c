"""Workbenches: what stands on the Playground, saved under a name and opened by a link that holds its id alone.

``drafts/OWNER/workbenches/ID.json`` in the home. Invariant: another person's is opened only where its owner shared it;
one that is gone and one that is not shared are told in the same words.
"""

import json
import re
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedprompt.boundary.checked import Unfit, plain_json
from fedprompt.errors import FedPromptError, PromptError
from fedprompt.private_file import write_private
from fedprompt.workspace.acting import needs
from fedprompt.workspace.drafts import BOUNDS, MAX_BYTES, MAX_DRAFT_MEGABYTES
from fedprompt.workspace.home import Home

__all__ = ["MOST_WORKBENCHES", "Workbench", "WorkbenchFolder"]

MOST_WORKBENCHES = 100
LONGEST_NAME = 80
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Workbench:
    """``values``: box -> what it holds; ``saved``: seconds since 1970; ``shared``: whether others may open it."""

    id: str
    name: str
    values: Mapping[str, Any]
    saved: float
    shared: bool


class WorkbenchFolder:
    """One person's workbenches. ``owner`` is a person's mark, empty for the user of a machine without sign-in."""

    def __init__(self, home: Home, owner: str) -> None:
        if owner and not _ID.fullmatch(owner):
            raise ValueError("an owner is a person's mark")
        self._all = home.path / "drafts"
        self._path = self._all / (owner or "local") / "workbenches"

    def saved(self) -> tuple[Workbench, ...]:
        """Return this person's workbenches, the one saved last first."""
        found = [one for path in self._path.glob("*.json") if (one := _read(path)) is not None]
        return tuple(sorted(found, key=lambda one: (-one.saved, one.id)))

    def open(self, bench: str) -> Workbench:
        """Return a workbench of this person, or one that another shared.

        Raises:
            FedPromptError: there is none with this id that this person may open.
        """
        if _ID.fullmatch(bench):
            if (mine := _read(self._path / f"{bench}.json")) is not None:
                return mine
            for path in self._all.glob(f"*/workbenches/{bench}.json"):
                if (other := _read(path)) is not None and other.shared:
                    return other
        raise FedPromptError(
            "this workbench does not exist any more, or its owner has not shared it; ask the person who gave "
            "you the link",
            code="no-such-workbench",
        )

    @needs("try")
    def save(self, name: str, values: Mapping[str, Any], *, over: str | None = None, shared: bool = False) -> Workbench:
        """Save a workbench under a name, in place of one of this person's where ``over`` is its id.

        Raises:
            PromptError: it has no name.
            FedPromptError: it is too large, there are too many, or it cannot be written.
        """
        if not name.strip() or len(name) > LONGEST_NAME:
            raise PromptError(f"give the workbench a name of at most {LONGEST_NAME} characters", code="name-missing")
        if over is None and len(self.saved()) >= MOST_WORKBENCHES:
            raise FedPromptError(f"there are already {MOST_WORKBENCHES} workbenches; delete one first", code="too-many")
        made = Workbench(over or uuid.uuid4().hex, name.strip(), dict(values), time.time(), shared)
        body = {"name": made.name, "values": made.values, "saved": made.saved, "shared": made.shared}
        data = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        if len(data) > MAX_BYTES:
            raise FedPromptError(
                f"this is larger than {MAX_DRAFT_MEGABYTES} MB; shorten the table before you save it", code="too-large"
            )
        path = self._file(made.id)
        try:
            for folder in (self._path.parent, self._path):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(path, data)
        except OSError as error:
            raise FedPromptError(
                f"{path} cannot be written ({error.strerror}); check the home folder", code="cannot-write"
            ) from error
        return made

    @needs("try")
    def share(self, bench: str, shared: bool) -> None:
        """Let others open one of this person's workbenches by its link, or no longer."""
        if (found := _read(self._file(bench))) is not None:
            self.save(found.name, found.values, over=bench, shared=shared)

    @needs("try")
    def forget(self, bench: str) -> None:
        """Delete one of this person's workbenches."""
        with suppress(OSError):
            self._file(bench).unlink()

    def _file(self, bench: str) -> Path:
        if not _ID.fullmatch(bench):
            raise ValueError("a workbench's id has 32 hexadecimal digits")
        return self._path / f"{bench}.json"


def _read(path: Path) -> Workbench | None:
    try:
        with path.open("rb") as file:
            found = plain_json(file.read(MAX_BYTES + 1), BOUNDS)
    except (OSError, Unfit):
        return None
    if not isinstance(found, dict) or not isinstance(found.get("values"), dict):
        return None
    saved = found.get("saved")
    at = float(saved) if isinstance(saved, int | float) else 0.0
    return Workbench(path.stem, str(found.get("name"))[:LONGEST_NAME], found["values"], at, found.get("shared") is True)
