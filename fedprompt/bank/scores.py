"""What sites said of prompts: scores and comparisons, each kept once a run, site, prompt, split and round."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError
from sqlalchemy import Column, ColumnElement, Connection, Table, func, or_, select

from fedprompt.bank import schema
from fedprompt.bank.database import Database
from fedprompt.bank.inserting import execute_many, insert_once
from fedprompt.bank.removed import still_counts
from fedprompt.bank.rows import ComparisonRow, ScoreRow
from fedprompt.bank.schema import boards, entries, marks, runs, scored
from fedprompt.bank.standings import mark
from fedprompt.bank.texts import from_time, now
from fedprompt.errors import BankError
from fedprompt.study.score import Comparison, Score

__all__ = ["ScoreShelf", "add_scores", "require_run"]

V = TypeVar("V", Score, Comparison)
Numbers = dict[tuple[str, str, str], tuple[int, float]]  # (site, prompt, split) -> n, total


class ScoreShelf:
    """The part of the bank that holds scores and comparisons."""

    _database: Database

    def record_scores(self, run: str, site: str, scores: Sequence[Score], *, round: int | None = None) -> None:
        """Keep a site's scores; what is there already stays as it is, so a round may be recorded twice.

        Raises:
            BankError: there is no such run.
        """
        self.record_round_scores(run, {site: scores}, round=round)

    def record_round_scores(
        self, run: str, by_site: Mapping[str, Sequence[Score]], *, round: int | None = None
    ) -> None:
        """Keep several sites' scores in one transaction: one sync and one sum over sites, however many sites.

        Raises:
            BankError: there is no such run.
        """
        time = now()
        rows = [
            {
                "run": run,
                "site": site,
                "prompt": score.prompt,
                "split": score.split,
                "round": round,
                "body": score.model_dump_json(),
                "created": time,
            }
            for site, scores in by_site.items()
            for score in scores
        ]
        numbers: Numbers = {
            (site, score.prompt, score.split): (score.n, score.total)
            for site, scores in by_site.items()
            for score in reversed(scores)
        }
        with self._database.write() as connection:
            study = require_run(connection, run)
            if rows:
                mark(connection, study, [_marked(row, numbers) for row in add_scores(connection, rows)])

    def record_comparisons(self, run: str, site: str, comparisons: Sequence[Comparison]) -> None:
        """Keep a site's comparisons; what is there already stays as it is.

        Raises:
            BankError: there is no such run.
        """
        time = now()
        rows = [
            {
                "run": run,
                "site": site,
                "first": comparison.first,
                "second": comparison.second,
                "split": comparison.split,
                "body": comparison.model_dump_json(),
                "created": time,
            }
            for comparison in comparisons
        ]
        with self._database.write() as connection:
            require_run(connection, run)
            if rows:
                connection.execute(insert_once(connection, schema.comparisons), rows)

    def scores(
        self,
        *,
        run: str | None = None,
        study: str | None = None,
        prompts: Sequence[str] | None = None,
        split: str | None = None,
    ) -> tuple[ScoreRow, ...]:
        """Return scores in the order they came, of one run, study or split, or of some prompts only.

        Without those that were taken out when their site left.
        """
        wanted = _wanted(schema.scores, run, study, split)
        if prompts is not None:
            chosen = select(scored.c.score).join(entries, entries.c.number == scored.c.entry)
            wanted.append(schema.scores.c.number.in_(chosen.where(_among(entries.c.prompt, prompts))))
        return tuple(
            ScoreRow(row.run, row.study, row.site, row.round, _value(Score, row.body, row), from_time(row.created))
            for row in self._found(schema.scores, wanted)
        )

    def newest_scores(self, study: str, prompts: Sequence[str], split: str = "validation") -> tuple[ScoreRow, ...]:
        """Return the scores that a ranking counts: of each of these prompts the newest at each site of a study."""
        table = schema.scores
        board = select(boards.c.number).where(boards.c.study == study, boards.c.split == split).scalar_subquery()
        found: list[Any] = []
        with self._database.read() as connection:
            for at in range(0, len(prompts), 500):
                chosen = select(entries.c.number).where(entries.c.prompt.in_(list(prompts[at : at + 500])))
                places = list(connection.execute(chosen).scalars())
                here = select(marks.c.score).where(marks.c.board == board, marks.c.entry.in_(places))
                query = select(table, runs.c.study).join(runs, runs.c.id == table.c.run).where(table.c.number.in_(here))
                found += connection.execute(query.order_by(table.c.number)).all()
        return tuple(
            ScoreRow(row.run, row.study, row.site, row.round, _value(Score, row.body, row), from_time(row.created))
            for row in found
        )

    def comparisons(
        self,
        *,
        run: str | None = None,
        study: str | None = None,
        prompts: Sequence[str] | None = None,
        split: str | None = None,
    ) -> tuple[ComparisonRow, ...]:
        """Return comparisons in the order they came; with ``prompts``, those between two of them."""
        wanted = _wanted(schema.comparisons, run, study, split)
        if prompts is not None:
            wanted.append(_among(schema.comparisons.c.first, prompts))
            wanted.append(_among(schema.comparisons.c.second, prompts))
        return tuple(
            ComparisonRow(row.run, row.study, row.site, _value(Comparison, row.body, row), from_time(row.created))
            for row in self._found(schema.comparisons, wanted)
        )

    def _found(self, table: Table, wanted: Sequence[ColumnElement[bool]]) -> Sequence[Any]:
        query = select(table, runs.c.study).join(runs, runs.c.id == table.c.run).where(*wanted)
        with self._database.read() as connection:
            return connection.execute(query.order_by(table.c.number)).all()


def require_run(connection: Connection, run: str) -> str:
    """Return the study of a run.

    Raises:
        BankError: there is no such run.
    """
    study = connection.execute(select(runs.c.study).where(runs.c.id == run)).scalar()
    if study is None:
        raise BankError(f"the bank has no run '{run}'; start it first", code="no-such-run")
    return str(study)


def add_scores(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Insert rows of the table ``scores``, and return those that were not there yet, with their numbers."""
    table = schema.scores
    names = ("number", "run", "site", "prompt", "split", "round", "created")
    # The write lock is ours, so what has a higher number afterwards is what was added.
    last = connection.execute(select(func.coalesce(func.max(table.c.number), 0))).scalar_one()
    execute_many(connection, insert_once(connection, table), rows)
    added = select(*(table.c[name] for name in names)).where(table.c.number > last).order_by(table.c.number)
    return [dict(zip(names, row, strict=True)) for row in connection.execute(added)]


def _marked(row: Mapping[str, Any], numbers: Numbers) -> dict[str, Any]:
    n, total = numbers[row["site"], row["prompt"], row["split"]]
    return {**row, "n": n, "total": total}


def _wanted(table: Table, run: str | None, study: str | None, split: str | None) -> list[ColumnElement[bool]]:
    prompt = table.c.prompt if table is schema.scores else table.c.first
    wanted: list[ColumnElement[bool]] = [still_counts(table.c.site, prompt)]
    if run is not None:
        wanted.append(table.c.run == run)
    if study is not None:
        wanted.append(runs.c.study == study)
    if split is not None:
        wanted.append(table.c.split == split)
    return wanted


def _among(column: "Column[str]", values: Sequence[str]) -> ColumnElement[bool]:
    """Return ``column IN values`` in pieces that stay below SQLite's bound on variables."""
    chunks = [list(values[at : at + 500]) for at in range(0, max(len(values), 1), 500)]
    return or_(*(column.in_(chunk) for chunk in chunks))


def _value(kind: type[V], body: str, row: Any) -> V:
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise BankError(
            f"a {kind.__name__.lower()} of site '{row.site}' in run '{row.run}' is damaged; 'fedprompt bank "
            "verify' lists the damage",
            code="damaged",
        ) from error
