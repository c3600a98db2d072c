"""Derives every id in the bank anew, checks every signature, and reads every value through its model.

Everything is streamed, so memory does not grow with the bank. What is derived is compared with what it repeats.
"""

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection, Row, Select, Table, func, or_, select

from fedprompt.bank.database import Database
from fedprompt.bank.prompts import likeness, rebuild
from fedprompt.bank.rows import Problem
from fedprompt.bank.schema import (
    comparisons,
    entries,
    events,
    jobs,
    likenesses,
    marks,
    metadata,
    prompts,
    records,
    results,
    rounds,
    runs,
    scores,
    stages,
    standings,
    studies,
)
from fedprompt.bank.standings import newest_scores, standing_of_marks
from fedprompt.bank.tags import SIGNED, event_content
from fedprompt.errors import BankError
from fedprompt.prompts.ids import content_id
from fedprompt.site.signing import fingerprint, is_signed
from fedprompt.study.schema import Study, study_digest
from fedprompt.study.score import Comparison, Score

__all__ = ["find_problems"]

BATCH = 1_000
TOLERANCE = 1e-9
_JSON_COLUMNS = (
    (records, "parents"),
    (records, "notes"),
    (runs, "settings"),
    (results, "body"),
    (stages, "body"),
    (rounds, "body"),
    (jobs, "arguments"),
)
REFILL = "; 'fedprompt bank verify --repair' derives it anew"


def find_problems(database: Database) -> Iterator[Problem]:
    """Yield what is wrong: in the file, in references, studies, prompts, events, scores, comparisons and JSON."""
    with database.read() as connection:
        for sentence in database.place.damages(connection):
            yield Problem("file", sentence)
        yield from _references(connection)
        yield from _studies(connection)
        yield from _prompts(connection)
        yield from _events(connection)
        yield from _values(connection, scores, Score)
        yield from _values(connection, comparisons, Comparison)
        yield from _json(connection)
        yield from _derived(connection)


def _stream(connection: Connection, query: "Select[Any]", batch: int = BATCH) -> "Iterator[Row[Any]]":
    return iter(connection.execute(query, execution_options={"yield_per": batch}))


def _references(connection: Connection) -> Iterator[Problem]:
    for table in metadata.sorted_tables:
        for column in table.columns:
            for key in column.foreign_keys:
                there = select(key.column).where(key.column == column).exists()
                query = select(_place_of(table)).where(column.is_not(None), ~there)
                for row in _stream(connection, query):
                    told = f"refers to something that is not in {key.column.table.name}"
                    yield Problem(f"{table.name} row {row[0]}", told)


def _place_of(table: Table) -> Any:
    return table.c.number if "number" in table.c else next(iter(table.primary_key.columns))


def _studies(connection: Connection) -> Iterator[Problem]:
    for row in _stream(connection, select(studies)):
        try:
            Study.model_validate_json(row.body)
            digest = study_digest(json.loads(row.body), row.model_digest)  # as written: a later version adds defaults
        except (ValidationError, ValueError):
            yield Problem(f"study {row.digest}", "its content is not a study")
            continue
        if digest != row.digest:
            yield Problem(f"study {row.digest}", f"its content has the digest {digest}")


def _prompts(connection: Connection) -> Iterator[Problem]:
    keys = likenesses.alias()
    query = select(prompts, keys.c.kind.label("alike"), keys.c.key).outerjoin(keys, keys.c.prompt == prompts.c.id)
    # Vectors of up to 64 MB a prompt: few at a time.
    for row in _stream(connection, query.order_by(prompts.c.number), 16):
        try:
            prompt = rebuild(row.id, row.body, row.vectors, row.id)
        except BankError as error:
            yield Problem(f"prompt {row.id}", str(error))
            continue
        if prompt.id != row.id:
            yield Problem(f"prompt {row.id}", f"its content has the id {prompt.id}")
            continue
        if (prompt.kind, None if prompt.soft is None else prompt.soft.model) != (row.kind, row.model):
            yield Problem(f"prompt {row.id}", "its kind or model is not that of its content")
        if {"prompt": row.id, "kind": row.alike, "key": row.key} not in likeness(prompt):
            yield Problem(f"prompt {row.id}", f"what finds its near-duplicates is wrong{REFILL}")
    named = select(records.c.prompt).where(records.c.prompt == prompts.c.id).exists()
    for row in _stream(connection, select(prompts.c.id).where(~named)):
        yield Problem(f"prompt {row.id}", "nothing says where it came from")


def _events(connection: Connection) -> Iterator[Problem]:
    for row in _stream(connection, select(events)):
        where = f"event {row.id} ({row.kind} of {row.prompt})"
        try:
            content = event_content(row._mapping)
            signer, signature = fingerprint(row.key), bytes.fromhex(row.signature)
        except (ValueError, RecursionError):
            yield Problem(where, "its content or its signature is damaged")
            continue
        if content_id("e1", content) != row.id:
            yield Problem(where, f"its content has the id {content_id('e1', content)}")
        elif not is_signed(row.key, SIGNED + content, signature):
            yield Problem(where, f"its signature is not that of the key {signer}")


def _values(connection: Connection, table: Table, kind: type[BaseModel]) -> Iterator[Problem]:
    keys = [name for name in ("prompt", "first", "second", "split") if name in kind.model_fields]
    columns = [table.c[name] for name in ("number", "run", "site", "body", *keys)]
    read = kind.__pydantic_validator__.validate_json
    for row in _stream(connection, select(*columns)):
        number, run, site, body, *known = tuple(row)
        try:
            value = read(body)
        except ValidationError:
            yield Problem(
                f"{table.name} row {number} (run '{run}', site '{site}')",
                f"its content is not a {kind.__name__.lower()}",
            )
            continue
        if [getattr(value, key) for key in keys] != known:
            where = f"{table.name} row {number} (run '{run}', site '{site}')"
            yield Problem(where, "its content is about another prompt or split")


def _json(connection: Connection) -> Iterator[Problem]:
    for table, column in _JSON_COLUMNS:
        for number, row in enumerate(_stream(connection, select(table.c[column])), 1):
            try:
                json.loads(row[0])
            except (ValueError, RecursionError):
                yield Problem(f"{table.name} row {number}", f"its {column} is not JSON")


def _derived(connection: Connection) -> Iterator[Problem]:
    """Compare ``marks`` with the newest scores, and ``standings`` with ``marks``."""
    newest = newest_scores().subquery("newest")
    same = [newest.c[name] == marks.c[name] for name in ("board", "entry", "site")]
    wrong = (
        select(newest.c.prompt, newest.c.site)
        .outerjoin(marks, same[0] & same[1] & same[2])
        .where(or_(marks.c.score.is_(None), marks.c.score != newest.c.number))
    )
    for row in _stream(connection, wrong):
        yield Problem(f"marks of {row.prompt}", f"it does not stand at its newest score at site '{row.site}'{REFILL}")
    if _count(connection, marks) != _count(connection, newest):
        yield Problem("marks", f"there is a mark without a score{REFILL}")
    told = select(marks, scores.c.body, scores.c.prompt).join(scores, scores.c.number == marks.c.score)
    for row in _stream(connection, told):
        try:
            body = json.loads(row.body)
            agrees = (body["n"], body["total"]) == (row.n, row.total)
        except (ValueError, KeyError, TypeError):
            continue  # told of above
        value = row.total / row.n if row.n else None
        if not agrees or value != row.value:
            yield Problem(f"marks of {row.prompt}", f"it is not what site '{row.site}' said{REFILL}")
    yield from _standings(connection)


def _standings(connection: Connection) -> Iterator[Problem]:
    found = standing_of_marks().subquery("found")
    same = [found.c[name] == standings.c[name] for name in ("board", "entry")]
    apart = [found.c[name] != standings.c[name] for name in ("sites", "n")]
    apart += [func.abs(found.c[name] - standings.c[name]) > TOLERANCE for name in ("mean", "worst", "pooled")]
    apart += [found.c[name].is_(None) != standings.c[name].is_(None) for name in ("mean", "worst", "pooled")]
    wrong = (
        select(entries.c.prompt)
        .select_from(found)
        .outerjoin(entries, entries.c.number == found.c.entry)
        .outerjoin(standings, same[0] & same[1])
        .where(or_(standings.c.entry.is_(None), *apart))
    )
    for row in _stream(connection, wrong):
        yield Problem(f"standing of {row.prompt}", f"it is not the mean of its marks{REFILL}")
    if _count(connection, standings) != _count(connection, found):
        yield Problem("standings", f"there is a standing without marks{REFILL}")


def _count(connection: Connection, table: Any) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())
