"""The bank: one database that keeps studies, prompts, scores, rounds, events and jobs, and can prove its ids.

Nothing but a job's state is ever changed or taken away; what is recorded twice is kept once. Usable from
several processes and threads at a time.
"""

import json
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, delete, func, literal, select

from fedprompt.bank.adapted import EVERY, AdaptedShelf, rows_copied
from fedprompt.bank.adapter_files import FOLDER, AdapterFiles
from fedprompt.bank.copies import copy_to_file, kept_aside, new_file, replace_rows, working_copy
from fedprompt.bank.database import Database
from fedprompt.bank.finding import FindingShelf
from fedprompt.bank.inserting import insert_once
from fedprompt.bank.jobs import JobShelf
from fedprompt.bank.leaders import LeaderShelf
from fedprompt.bank.merging import merge_banks
from fedprompt.bank.postgres import postgres_at
from fedprompt.bank.prompts import likeness, rebuild
from fedprompt.bank.rows import Problem
from fedprompt.bank.runs import RunShelf
from fedprompt.bank.schema import (
    about,
    adapted,
    comparisons,
    events,
    jobs,
    likenesses,
    prompts,
    records,
    results,
    rounds,
    runs,
    scores,
    sites,
    stages,
    studies,
)
from fedprompt.bank.scores import ScoreShelf
from fedprompt.bank.sites import SiteShelf
from fedprompt.bank.sqlite import SQLiteFile
from fedprompt.bank.standings import fill_standings
from fedprompt.bank.studies import StudyShelf
from fedprompt.bank.tags import TagShelf
from fedprompt.bank.verify import find_problems
from fedprompt.bank.wording import fill_words
from fedprompt.errors import BankError

__all__ = ["Bank"]

_log = logging.getLogger(__name__)

# Raise it when the rule behind a derived table changes: banks are then derived anew when they are opened.
DERIVED_BY = "derived:2"
ADAPTER = "adapter"  # the kind of prompts whose content is a file
BATCH, MANY, SECONDS = 500, 20_000, 5.0
NUMBERED = (studies, prompts, records, runs, stages, scores, comparisons, events, jobs, adapted)


class Bank(
    StudyShelf,
    AdaptedShelf,
    ScoreShelf,
    RunShelf,
    TagShelf,
    SiteShelf,
    LeaderShelf,
    FindingShelf,
    JobShelf,
):
    """All shelves on one database."""

    def __init__(self, database: Database, files: AdapterFiles) -> None:
        """Open; ``files`` are the adapters that its rows name."""
        self._database, self._files = database, files
        try:
            self._derive()
        except BaseException:
            database.close()
            raise

    @classmethod
    def open(cls, path: Path, url: str | None = None) -> Self:
        """Open a bank, made where there is none (a file with mode 0600), its schema brought up to date.

        Args:
            path: the SQLite file.
            url: a PostgreSQL database in its place, ``postgresql://USER@HOST/DATABASE``.

        Raises:
            BankError: a newer schema, another program's database, no database at all, or one that cannot be written.
        """
        place = postgres_at(url) if url else SQLiteFile(path)
        return cls(Database(place), AdapterFiles(path.parent / FOLDER))

    @property
    def path(self) -> Path | None:
        """The file; None where the bank is a PostgreSQL database."""
        place = self._database.place
        return place.path if isinstance(place, SQLiteFile) else None

    @property
    def where(self) -> str:
        """The file or the database, as messages name it."""
        return self._database.place.name

    @property
    def id(self) -> str:
        """The bank's own id, made with it; a copy has the same."""
        with self._database.read() as connection:
            return str(connection.execute(select(about.c.value).where(about.c.key == "bank")).scalar_one())

    def stamp(self, *, of_jobs: bool = True) -> tuple[tuple[int, int], ...]:
        """Return what changes with every write, for whoever keeps what was computed from the bank.

        Args:
            of_jobs: with what is written of jobs, which happens all the time and changes no prompt and no score.
        """
        files = []
        if self.path is not None:
            for path in (self.path, self.path.with_name(self.path.name + "-wal")):
                with suppress(OSError):  # the log goes away with the last who has the bank open
                    state = path.stat()
                    files.append((state.st_mtime_ns, state.st_size) if of_jobs else (state.st_ino, 0))
            if of_jobs:
                return tuple(files)
        tables = [table for table in NUMBERED if of_jobs or table is not jobs]
        newest = [func.coalesce(select(func.max(table.c.number)).scalar_subquery(), 0) for table in tables]
        ended = [select(func.count()).select_from(table).scalar_subquery() for table in (results, rounds, sites)]
        changed = func.coalesce(select(func.max(jobs.c.updated)).scalar_subquery(), "")
        with self._database.read() as connection:
            *counts, time = connection.execute(select(*newest, *ended, changed if of_jobs else literal(""))).one()
        return (*files[:1], *((int(count), 0) for count in counts), (int.from_bytes(str(time).encode()), 0))

    def close(self) -> None:
        """Close the database; the bank is of no use afterwards."""
        self._database.close()

    def verify(self) -> tuple[Problem, ...]:
        """Derive every id anew, check every signature, and return what does not agree.

        Raises:
            BankError: the bank cannot be read at all.
        """
        return find_problems(self._database, self._files)

    def rederive(self) -> None:
        """Derive anew what only repeats other tables: rankings, words, and what finds near-duplicates."""
        with self._database.write() as connection:
            self._fill(connection)

    def backup(self, destination: Path, *, adapted: Sequence[str] = ()) -> tuple[str, ...]:
        """Write a copy of the bank; return the names of the adapted prompts that were left out.

        It is one state of the bank, while others go on writing, as an SQLite bank in one file. The files of adapters
        go into a folder ``adapters`` beside it.

        Args:
            destination: the file.
            adapted: the adapted prompts that go with it, or ``EVERY``; others are left out, since they were
                learnt from this home's own labels.

        Raises:
            BankError: there is such a file already, or it cannot be written; or no adapted prompt has such a name.
        """
        named = self._named(adapted)
        with new_file(destination) as temporary:
            copy_to_file(self._database, temporary, rows_copied(named))
            self._files.copy(self._adapters(), destination.parent / FOLDER)
        return () if EVERY in named else tuple(row.name for row in self.all_adapted() if row.name not in named)

    def restore(self, source: Path) -> Path:
        """Put a backup in this bank's place, in one transaction; return the backup of what was there until now.

        That holds every adapted prompt: those that the restored backup lacks come back with a merge.

        Raises:
            BankError: the file is no bank, is of a newer schema, or does not agree with itself; nothing is changed.
        """
        with working_copy(source) as copy, type(self)(copy, self._files_with(source)) as found:
            found.check(source)
            found._files.copy(found._adapters(), self._files.folder)
            kept = kept_aside(source if self.path is None else self.path)
            with new_file(kept) as temporary:  # the files of its adapters stay where they are
                copy_to_file(self._database, temporary, rows_copied([EVERY]))
            replace_rows(self._database, copy)
        return kept

    def merge(self, source: Path, *, adapted: Sequence[str] = ()) -> dict[str, int]:
        """Take over what another bank holds and this one does not; return how many rows of each kind came.

        What is here stays as it is. Whoever breaks a merge off may run it again.

        Args:
            source: the other bank's file.
            adapted: the adapted prompts that are taken over too, or ``EVERY``; a name that one has here, or
                that is a tag here, stays what it is.

        Raises:
            BankError: the file is no bank, is of a newer schema, does not agree with itself, or calls another run by
            the id of one that is here; nothing is changed.
        """
        with working_copy(source) as copy, type(self)(copy, self._files_with(source)) as found:
            found.check(source)
            found._files.copy(found._adapters(), self._files.folder)
            return merge_banks(self._database, copy, found._named(adapted))

    def check(self, shown: Path) -> None:
        """Refuse a bank that does not agree with itself.

        Raises:
            BankError: says the first thing that is wrong, and how many there are.
        """
        first, more = None, 0
        for problem in find_problems(self._database, self._files):
            first, more = first or problem, more + 1
        if first is not None:
            raise BankError(
                f"{shown} contradicts itself in {more} places ({first.where}: {first.what}); refused",
                code="bank-disagrees",
            )

    def _adapters(self) -> list[str]:
        """Return the digests of the adapters that the bank's rows name."""
        query = select(prompts.c.body).where(prompts.c.kind == ADAPTER)
        with self._database.read() as connection:
            return [str(json.loads(body)["adapter"]["file"]) for body in connection.execute(query).scalars()]

    def _files_with(self, source: Path) -> AdapterFiles:
        """Return this bank's files, and those beside another bank's file."""
        return AdapterFiles(self._files.folder, [source.parent / FOLDER])

    def _named(self, adapted: Sequence[str]) -> list[str]:
        """Return the names of these adapted prompts, and ``EVERY`` as it is."""
        return [one if one == EVERY else self.adapted_row(one).name for one in adapted]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _derive(self) -> None:
        """Fill the derived tables of a bank that an earlier version wrote."""
        known = select(about.c.key).where(about.c.key == DERIVED_BY)
        with self._database.read() as connection:
            if connection.execute(known).first() is not None:
                return
        with self._database.write() as connection:
            if connection.execute(known).first() is None:
                self._fill(connection)
                connection.execute(insert_once(connection, about).values(key=DERIVED_BY, value="filled"))

    def _fill(self, connection: Connection) -> None:
        count = int(connection.execute(select(func.count()).select_from(prompts)).scalar_one())
        if count >= MANY:
            _log.warning("the bank %s is updated once: %d prompts, which takes a while", self.where, count)
        told = time.monotonic()

        def heard(done: int) -> None:
            nonlocal told
            if count >= MANY and time.monotonic() - told > SECONDS:
                told = time.monotonic()
                _log.warning("the bank %s is updated: %d newest scores are indexed", self.where, done)

        fill_standings(connection, heard)
        _fill_likenesses(connection, self._files)
        fill_words(connection)


def _fill_likenesses(connection: Connection, files: AdapterFiles) -> None:
    connection.execute(delete(likenesses))
    found = connection.execute(select(prompts), execution_options={"yield_per": BATCH})
    for rows in found.partitions(BATCH):
        made = []
        for row in rows:
            try:
                made += likeness(rebuild(row.id, row.body, row.vectors, row.id, files))
            except BankError:
                continue  # 'verify' tells of it; the others are to be opened all the same
        if made:
            connection.execute(insert_once(connection, likenesses), made)
