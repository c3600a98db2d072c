"""Evaluation sets of this machine: files in a site's own folder, and how each file's columns are read.

Invariant: a file is written under ``sites/SITE/data`` of the home, mode 0600, and nowhere else; a name given by a
visitor cannot lead out of that folder. The bank never holds a file's text.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints

from fedprompt.boundary.checked import Bounds, Unfit, checked_json
from fedprompt.boundary.closed import Closed
from fedprompt.errors import DataError
from fedprompt.evaluation.column_map import Columns
from fedprompt.evaluation.tables.opening import ENDINGS, open_table
from fedprompt.evaluation.tables.table import ReadLimits, column_of
from fedprompt.file_names import file_name
from fedprompt.private_file import write_private
from fedprompt.workspace.acting import needs
from fedprompt.workspace.cases.one_cut import own_site
from fedprompt.workspace.enrolled.hub_folder import NAME
from fedprompt.workspace.home import Home

__all__ = [
    "MAX_UPLOAD_MEGABYTES",
    "EvaluationSet",
    "Reading",
    "evaluation_sets",
    "keep_file",
    "keep_reading",
    "lacking_columns",
    "own_site",
    "remove_file",
    "why_unreadable",
]

MAX_UPLOAD_MEGABYTES = 200
MAX_READING_BYTES = 256 * 1024
_READING = Bounds(MAX_READING_BYTES, values=20_000, nested=3, members=100, depth=2)
READING = ".reading.json"
MOST_NAME = 1000
LOOKED_AT = 20  # lines that tell whether a file is a table at all
Column = Annotated[str, StringConstraints(min_length=1, max_length=MOST_NAME)]


class Reading(Closed):
    """How a file is read: ``fields`` are study field -> column, ``answer`` and ``group`` columns.

    ``labels`` is empty where the answer is free text. ``header`` is what was said of the file's first line: names, no
    names (columns then go by place, ``#1``), or None where nobody had to say.
    """

    fields: Annotated[dict[Column, Column], Field(max_length=64)]
    answer: Column
    group: Column | None = None
    labels: tuple[str, ...] = ()
    header: bool | None = None

    @property
    def columns(self) -> Columns:
        """What it says of the file's columns, as the readers of cases take it."""
        return self._columns_of(self.fields)

    @property
    def mapping(self) -> dict[str, str]:
        """Field or ``answer`` -> column, and what was said of the header, as a job takes it."""
        return self.columns.mapping

    def mapping_of(self, fields: Iterable[str]) -> dict[str, str]:
        """Return the mapping of some of the fields."""
        return self._columns_of(fields).mapping

    def _columns_of(self, fields: Iterable[str]) -> Columns:
        return Columns(
            {**{field: self.fields[field] for field in fields}, "answer": self.answer}, self.group, self.header
        )


@dataclass(frozen=True)
class EvaluationSet:
    """One file of a site; ``reading`` is None until its columns were chosen."""

    site: str
    path: Path
    bytes: int
    changed: int
    reading: Reading | None

    @property
    def id(self) -> str:
        """What it is called on the pages."""
        return f"{self.site} / {self.path.name}"

    @property
    def arguments(self) -> dict[str, object]:
        """What a job takes to read it."""
        reading = self.reading
        if reading is None:
            raise DataError(
                f"{self.path.name}: its columns are not confirmed yet; confirm them on the Data page",
                code="columns-not-chosen",
            )
        return {"data": str(self.path), "mapping": reading.mapping, "group": reading.group}


@needs("tune")
def keep_file(home: Home, site: str, name: str, content: bytes) -> Path:
    """Write a file into a site's folder and return where it lies; one of that name is replaced.

    Raises:
        DataError: the site's or the file's name cannot be used, it is empty or too large, or its first lines cannot be
            read; what was kept under that name before then stays.
    """
    if not NAME.fullmatch(site):
        raise DataError(
            f"'{site[:60]}' is not a valid site name; use at most 60 letters, digits, '-' and '_'",
            code="not-a-sites-name",
        )
    given = Path(name.replace("\\", "/").replace("\0", "-"))
    plain = file_name(given.stem, given.suffix.lower(), other="cases", apart=True)
    if given.suffix.lower() not in ENDINGS:
        raise DataError(f"{plain}: the file name must end in one of {', '.join(ENDINGS)}", code="unknown-ending")
    if not content:
        raise DataError(f"{plain} is empty; give a file with one case per line", code="empty")
    if len(content) > MAX_UPLOAD_MEGABYTES * 1024 * 1024:
        raise DataError(
            f"{plain} is larger than {MAX_UPLOAD_MEGABYTES} MB; use 'fedprompt data check' on the file itself",
            code="too-large",
        )
    path = home.sites / site / "data" / plain
    looked = path.with_name(f".{plain}")  # kept only once it can be read
    _write(looked, content)
    if (why := _first_lines(looked)) is not None:
        looked.unlink()
        raise DataError(str(why).replace(str(looked), plain), code=why.code)
    os.replace(looked, path)
    (path.parent / (path.name + READING)).unlink(missing_ok=True)
    return path


@needs("tune")
def keep_reading(found: EvaluationSet, reading: Reading) -> None:
    """Keep how a file's columns are read, beside the file."""
    _write(found.path.parent / (found.path.name + READING), reading.model_dump_json(indent=1).encode())


@needs("tune")
def remove_file(found: EvaluationSet) -> None:
    """Delete a file and what was chosen for it."""
    found.path.unlink(missing_ok=True)
    (found.path.parent / (found.path.name + READING)).unlink(missing_ok=True)


def why_unreadable(found: EvaluationSet) -> str | None:
    """Return in a sentence why a file's first lines cannot be read, None where they can."""
    error = _first_lines(found.path)
    return None if error is None else str(error).replace(str(found.path), found.path.name)


def lacking_columns(found: EvaluationSet, reading: Reading, fields: Iterable[str]) -> tuple[str, ...]:
    """Return the columns that a reading names for these fields, the answer and the group, and that a file has not.

    Raises:
        DataError: the file cannot be read.
    """
    wanted = reading.mapping_of(fields)
    named = [column for name, column in wanted.items() if not name.startswith("#")]
    header = True if reading.header is None else reading.header
    with open_table(found.path, ReadLimits(), header=header) as table:
        asked = [*named, *([reading.group] if reading.group else [])]
        return tuple(column for column in asked if column_of(table.columns, column) is None)


def evaluation_sets(home: Home) -> tuple[EvaluationSet, ...]:
    """Return the sets of all sites of this machine, the one that was changed last first."""
    found = []
    for path in home.sites.glob("*/data/*"):
        if path.name.startswith(".") or path.suffix.lower() not in ENDINGS or not path.is_file():
            continue
        state = path.stat()
        reading = _reading(path.parent / (path.name + READING))
        found.append(EvaluationSet(path.parent.parent.name, path, state.st_size, state.st_mtime_ns, reading))
    return tuple(sorted(found, key=lambda one: (-one.changed, one.id)))


def _first_lines(path: Path) -> DataError | None:
    """Return what is wrong with a file's first lines; what they hold, names or a case, is asked elsewhere."""
    try:
        with open_table(path, ReadLimits(), header=True) as table:
            for _ in islice(table.rows, LOOKED_AT):
                pass
    except DataError as error:
        return error
    return None


def _reading(path: Path) -> Reading | None:
    try:
        with path.open("rb") as file:
            return checked_json(Reading, file.read(MAX_READING_BYTES), _READING)
    except (OSError, Unfit):
        return None  # chosen anew on the Data page


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, content)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written ({error.strerror}); check the home folder", code="cannot-write"
        ) from error
