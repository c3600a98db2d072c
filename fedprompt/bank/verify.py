"""Derives every id in the bank anew and reads every value through its model; says what does not agree."""

import json
from collections.abc import Iterator

from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection, Table, select

from fedprompt.bank.database import Database
from fedprompt.bank.prompts import rebuild
from fedprompt.bank.rows import Problem
from fedprompt.bank.schema import (
    comparisons,
    jobs,
    prompts,
    records,
    results,
    rounds,
    runs,
    scores,
    stages,
    studies,
)
from fedprompt.errors import BankError
from fedprompt.study.schema import Study
from fedprompt.study.score import Comparison, Score

__all__ = ["find_problems"]

_JSON_COLUMNS = (
    (records, "parents"),
    (records, "notes"),
    (runs, "settings"),
    (results, "body"),
    (stages, "body"),
    (rounds, "body"),
    (jobs, "arguments"),
)


def find_problems(database: Database) -> Iterator[Problem]:
    """Yield what is wrong, in the file, then in studies, prompts, scores, comparisons and JSON."""
    with database.read() as connection:
        for row in connection.exec_driver_sql("PRAGMA quick_check"):
            if row[0] != "ok":
                yield Problem("file", str(row[0]))
        for row in connection.exec_driver_sql("PRAGMA foreign_key_check"):
            yield Problem(f"{row[0]} row {row[1]}", f"refers to something that is not in {row[2]}")
        yield from _studies(connection)
        yield from _prompts(connection)
        yield from _values(connection, scores, Score)
        yield from _values(connection, comparisons, Comparison)
        yield from _json(connection)


def _studies(connection: Connection) -> Iterator[Problem]:
    for row in connection.execute(select(studies)):
        try:
            digest = Study.model_validate_json(row.body).digest(row.model_digest)
        except ValidationError:
            yield Problem(f"study {row.digest}", "its content is not a study")
            continue
        if digest != row.digest:
            yield Problem(f"study {row.digest}", f"its content has the digest {digest}")


def _prompts(connection: Connection) -> Iterator[Problem]:
    # One prompt at a time: the vectors of all of them need not fit into memory.
    for id in connection.execute(select(prompts.c.id).order_by(prompts.c.number)).scalars().all():
        row = connection.execute(select(prompts).where(prompts.c.id == id)).one()
        try:
            prompt = rebuild(id, row.body, row.vectors, id)
        except BankError as error:
            yield Problem(f"prompt {id}", str(error))
            continue
        if prompt.id != id:
            yield Problem(f"prompt {id}", f"its content has the id {prompt.id}")
        if (prompt.kind, None if prompt.soft is None else prompt.soft.model) != (row.kind, row.model):
            yield Problem(f"prompt {id}", "its kind or model is not that of its content")
    named = select(records.c.prompt)
    for id in connection.execute(select(prompts.c.id).where(prompts.c.id.not_in(named))).scalars():
        yield Problem(f"prompt {id}", "nothing says where it came from")


def _values(connection: Connection, table: Table, kind: type[BaseModel]) -> Iterator[Problem]:
    for row in connection.execute(select(table)):
        where = f"{table.name} row {row.number} (run '{row.run}', site '{row.site}')"
        try:
            value = kind.model_validate_json(row.body)
        except ValidationError:
            yield Problem(where, f"its content is not a {kind.__name__.lower()}")
            continue
        keys = [name for name in ("prompt", "first", "second", "split") if name in kind.model_fields]
        if any(getattr(value, key) != row._mapping[key] for key in keys):
            yield Problem(where, "its content is about another prompt or split")


def _json(connection: Connection) -> Iterator[Problem]:
    for table, column in _JSON_COLUMNS:
        for number, text in enumerate(connection.execute(select(table.c[column])).scalars(), 1):
            try:
                json.loads(text)
            except ValueError:
                yield Problem(f"{table.name} row {number}", f"its {column} is not JSON")
