"""What happens to an SQLite file on a machine whose disk or power fails, or where somebody copies the wrong file."""

import random
import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

__all__ = ["DAMAGES", "full_disk"]

PAGE = 4096


def _noise(count: int) -> bytes:
    return random.Random(18).randbytes(count)


def _written(begin: int, end: int | None = None) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        held = bytearray(path.read_bytes())
        held[begin:end] = _noise(len(held[begin:end]))
        path.write_bytes(held)

    return damage


def _of_another_program(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection, connection:
        for name in ("moz_places", "rows", "task", "answers", "sent"):
            connection.execute(f"CREATE TABLE {name} (z TEXT)")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut in half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "zeroed": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "its first page written over": _written(0, PAGE),
    "its tables' list written over": _written(100, PAGE),
    "all but its first page written over": _written(PAGE),
    "a text in its place": lambda path: path.write_text("not a database\n" * 500),
    "another program's": _of_another_program,
}


@contextmanager
def full_disk() -> Iterator[None]:
    """Let no file grow beyond a page, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (PAGE, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
