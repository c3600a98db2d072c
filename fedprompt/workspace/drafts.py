"""Drafts: what a person typed on a page and has not taken further yet, one private file a page.

``drafts/OWNER/PAGE.json`` in the home. Invariant: a draft is replaced only by somebody who has seen it. Whoever writes
says which version was read; where another window wrote meanwhile, the newer version stays and the writer is told.
"""

import fcntl
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedprompt.boundary.checked import Bounds, Unfit, plain_json
from fedprompt.errors import FedPromptError
from fedprompt.private_file import write_private
from fedprompt.workspace.acting import needs
from fedprompt.workspace.home import Home

__all__ = ["BOUNDS", "MAX_BYTES", "MAX_DRAFT_MEGABYTES", "Draft", "DraftFolder"]

MAX_DRAFT_MEGABYTES = 8
MAX_BYTES = MAX_DRAFT_MEGABYTES * 1024 * 1024
BOUNDS = Bounds(MAX_BYTES, values=200_000, nested=20_000, members=2_000)
_OWNER = re.compile(r"[0-9a-f]{32}")
_PAGE = re.compile(r"[a-z_]{1,40}")


@dataclass(frozen=True)
class Draft:
    """``values``: box -> what it holds; ``saved``: seconds since 1970; ``version`` tells one writing from the next."""

    values: Mapping[str, Any]
    saved: float
    version: str


class DraftFolder:
    """One person's drafts. ``owner`` is a person's mark, empty for the user of a machine without sign-in."""

    def __init__(self, home: Home, owner: str) -> None:
        if owner and not _OWNER.fullmatch(owner):
            raise ValueError("an owner is a person's mark")
        self._path = home.path / "drafts" / (owner or "local")

    def read(self, page: str) -> Draft | None:
        """Return a page's draft, None where there is none that can be read."""
        path = self._file(page)
        try:
            with path.open("rb") as file:
                version = _version(os.fstat(file.fileno()))
                found = plain_json(file.read(MAX_BYTES + 1), BOUNDS)
        except (OSError, Unfit):
            return None
        if not isinstance(found, dict) or not isinstance(found.get("values"), dict):
            return None
        saved = found.get("saved")
        return Draft(found["values"], float(saved) if isinstance(saved, int | float) else 0.0, version)

    def version(self, page: str) -> str | None:
        """Return which version of a page's draft there is now, None where there is none."""
        try:
            return _version(self._file(page).stat())
        except OSError:
            return None

    @needs("try")
    def keep(self, page: str, values: Mapping[str, Any], over: str | None) -> Draft:
        """Write a page's draft in place of the version that was read last.

        Args:
            page: whose draft it is.
            values: box -> what it holds; anything that JSON holds.
            over: the version that was read, None where there was none.

        Raises:
            FedPromptError: another version is there now, it is too large, or it cannot be written.
        """
        saved = time.time()
        data = json.dumps({"saved": saved, "values": dict(values)}, ensure_ascii=False).encode("utf-8", "replace")
        if len(data) > MAX_BYTES:
            raise FedPromptError(
                f"this page has more than {MAX_DRAFT_MEGABYTES} MB and is not saved; shorten the table",
                code="too-large",
            )
        try:
            with self._alone():
                if self.version(page) != over:
                    raise FedPromptError(
                        "another window changed this draft; choose the version to keep",
                        code="changed-elsewhere",
                    )
                write_private(self._file(page), data)
                version = self.version(page) or ""
        except OSError as error:
            raise FedPromptError(
                f"{self._file(page)} cannot be written ({error.strerror}); check the home folder", code="cannot-write"
            ) from error
        return Draft(values, saved, version)

    @needs("try")
    def forget(self, page: str) -> None:
        """Delete a page's draft."""
        with suppress(OSError):
            self._file(page).unlink()

    def _file(self, page: str) -> Path:
        if not _PAGE.fullmatch(page):
            raise ValueError("a page's name has letters and underscores")
        return self._path / f"{page}.json"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other windows and processes from writing meanwhile."""
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _version(state: os.stat_result) -> str:
    return f"{state.st_ino:x}-{state.st_mtime_ns:x}-{state.st_size:x}"
