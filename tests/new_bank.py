"""New, empty banks: the migrations run once a process, and every further bank is a copy with an id of its own.

That the migrations make the same bank each time is what tests/bank/test_database.py shows, which takes none of these.
"""

import os
import secrets
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from fedprompt.bank.store import Bank
from fedprompt.workspace.workspace import Workspace, open_workspace

__all__ = ["new_bank", "new_workspace", "put_bank"]


@cache
def _empty() -> tuple[bytes, bytes]:
    """Return a bank's bytes, and its id, which nothing may change in an open bank."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "bank.db"
        with Bank.open(path) as bank:
            identity = bank.id.encode()
        made = path.read_bytes()
    assert made.count(identity) == 1
    return made, identity


def put_bank(path: Path) -> None:
    """Write an empty bank; its folder is made."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    made, identity = _empty()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(made.replace(identity, f"b1:{secrets.token_hex(16)}".encode()))


def new_bank(path: Path) -> Bank:
    """Open a new bank."""
    put_bank(path)
    return Bank.open(path)


def new_workspace(home: Path) -> Workspace:
    """Open a new bank in a home, which may be there already."""
    put_bank(home / "bank.db")
    return open_workspace(home)
