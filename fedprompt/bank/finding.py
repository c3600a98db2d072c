"""What search asks of the store: the texts and vectors to index, and which prompts a filter lets through."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, and_, func, select

from fedprompt.bank.database import Database
from fedprompt.bank.filters import Filter, conditions
from fedprompt.bank.rows import Indexable
from fedprompt.bank.schema import boards, entries, events, marks, prompts
from fedprompt.bank.texts import from_blob

__all__ = ["FindingShelf"]

TEXTS, VECTORS, CHUNK = 2_000, 100, 5_000


class FindingShelf:
    """The part of the bank that search reads."""

    _database: Database

    def texts_after(self, number: int) -> Iterator[list[Indexable]]:
        """Yield the texts of the prompts that came after this number, in batches, in order."""
        query = select(prompts.c.number, prompts.c.id, prompts.c.searched).where(prompts.c.number > number)
        with self._database.read() as connection:
            found = connection.execute(query.order_by(prompts.c.number), execution_options={"yield_per": TEXTS})
            for rows in found.partitions(TEXTS):
                yield [Indexable(row.number, row.id, row.searched) for row in rows]

    def soft_after(self, model: str, number: int) -> Iterator[tuple[list[Indexable], NDArray[np.float32]]]:
        """Yield a model's soft prompts that came after this number, in batches, in order.

        Each batch has [rows, width] float32: of each soft prompt the mean of its vectors, so that prompts with other
        numbers of tokens can be compared, and the order of the tokens counts for nothing.

        Raises:
            BankError: one is damaged.
        """
        query = select(prompts.c.number, prompts.c.id, prompts.c.body, prompts.c.vectors).where(
            prompts.c.model == model, prompts.c.kind == "soft"
        )
        with self._database.read() as connection:
            found = connection.execute(
                query.where(prompts.c.number > number).order_by(prompts.c.number),
                execution_options={"yield_per": VECTORS},
            )
            for rows in found.partitions(VECTORS):
                means = [from_blob(row.vectors, f"prompt {row.id}").mean(axis=0, dtype=np.float64) for row in rows]
                yield [Indexable(row.number, row.id, "") for row in rows], np.asarray(means, np.float32)

    def numbers(self, wanted: Filter) -> NDArray[np.int64] | None:
        """Return the numbers of the prompts that a filter lets through, rising; None where it lets all through."""
        with self._database.read() as connection:
            if wanted == Filter(split=wanted.split) and not _retired_any(connection):
                return None
            query = select(prompts.c.number).where(*conditions(connection, wanted)).order_by(prompts.c.number)
            return np.fromiter(connection.execute(query).scalars(), np.int64)

    def count(self, wanted: Filter) -> int:
        """Return how many prompts a filter lets through."""
        with self._database.read() as connection:
            query = select(func.count()).select_from(prompts).where(*conditions(connection, wanted))
            return int(connection.execute(query).scalar_one())

    def count_by_model(self) -> dict[str, int]:
        """Return how many soft prompts there are of each model (its digest); under ``""``, how many templates."""
        query = select(prompts.c.model, func.count()).where(prompts.c.kind != "adapter").group_by(prompts.c.model)
        with self._database.read() as connection:
            return {str(model or ""): int(count) for model, count in connection.execute(query).all()}

    def newest_of(self, model: str | None) -> tuple[int, str]:
        """Return how many prompts there are of a model, or templates, and the id of the newest ("" without any)."""
        of = prompts.c.model.is_(None) if model is None else and_(prompts.c.model == model, prompts.c.kind == "soft")
        with self._database.read() as connection:
            count = connection.execute(select(func.count()).select_from(prompts).where(of)).scalar_one()
            newest = select(prompts.c.id).where(of).order_by(prompts.c.number.desc()).limit(1)
            return int(count), str(connection.execute(newest).scalar() or "")

    def best_sites(self, study: str, ids: Sequence[str], split: str = "validation") -> dict[str, str]:
        """Return prompt -> the site of a study where its newest score is highest; of equals, the first by name."""
        board = select(boards.c.number).where(boards.c.study == study, boards.c.split == split).scalar_subquery()
        known = select(entries.c.number, entries.c.prompt)
        query = select(marks.c.entry, marks.c.site, marks.c.value).where(marks.c.board == board)
        best: dict[str, tuple[float, str]] = {}
        with self._database.read() as connection:
            # By entry, in two steps: in one, a database may read every mark of the board by its value.
            for at in range(0, len(ids), CHUNK):
                chosen = known.where(entries.c.prompt.in_(ids[at : at + CHUNK]))
                names = {int(row.number): str(row.prompt) for row in connection.execute(chosen)}
                for row in connection.execute(query.where(marks.c.entry.in_(list(names)))):
                    if row.value is not None:
                        id = names[row.entry]
                        best[id] = min(best.get(id, (1.0, "")), (-float(row.value), str(row.site)))
        return {id: site for id, (_, site) in best.items()}

    def soft_width(self, model: str) -> int | None:
        """Return the width of a model's soft prompts, None where there is none."""
        query = (
            select(prompts.c.id, prompts.c.vectors).where(prompts.c.model == model, prompts.c.kind == "soft").limit(1)
        )
        with self._database.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else int(from_blob(row.vectors, f"prompt {row.id}").shape[1])

    def number_of(self, id: str) -> int | None:
        """Return a prompt's number, None where it is not there."""
        with self._database.read() as connection:
            found = connection.execute(select(prompts.c.number).where(prompts.c.id == id)).scalar()
        return None if found is None else int(found)

    def ids_of(self, numbers: Sequence[int]) -> dict[int, str]:
        """Return number -> id."""
        found: dict[int, str] = {}
        with self._database.read() as connection:
            for at in range(0, len(numbers), CHUNK):  # below SQLite's bound on variables
                query = select(prompts.c.number, prompts.c.id).where(prompts.c.number.in_(numbers[at : at + CHUNK]))
                found |= {number: prompt for number, prompt in connection.execute(query).all()}
        return found


def _retired_any(connection: Connection) -> bool:
    return connection.execute(select(events.c.number).where(events.c.kind == "retire").limit(1)).first() is not None
