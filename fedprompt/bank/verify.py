"""Derives every id in the bank anew, checks every signature, and reads every value through its model.

Everything is streamed once, in the order in which it lies, while the database checks its own pages. What is derived is
compared with what it repeats: of each prompt's newest score at each site a line is kept in memory until then, some 300
bytes; sets of pairs are compared by the sums of their hashes.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, Select, Table, func, select

from fedprompt.bank.adapted import read_body
from fedprompt.bank.adapter_files import AdapterFiles
from fedprompt.bank.database import Database
from fedprompt.bank.likeness import likeness_keys, prompt_text
from fedprompt.bank.prompts import rebuild
from fedprompt.bank.rows import Problem
from fedprompt.bank.schema import (
    adapted,
    comparisons,
    events,
    jobs,
    likenesses,
    metadata,
    prompts,
    records,
    results,
    rounds,
    runs,
    scores,
    stages,
    studies,
    words,
)
from fedprompt.bank.tags import SIGNED, event_content
from fedprompt.bank.texts import plain
from fedprompt.bank.verify_scores import REFILL, find_score_problems
from fedprompt.bank.wording import words_of
from fedprompt.errors import BankError
from fedprompt.prompts.ids import content_id
from fedprompt.study.labels import KEPT
from fedprompt.study.schema import Study, study_digest
from fedprompt.study.score import Comparison
from fedprompt.trust.signing import fingerprint, is_signed

__all__ = ["find_problems"]

BATCH = 1_000
_JSON_COLUMNS = (
    (records, "parents"),
    (records, "notes"),
    (runs, "settings"),
    (results, "body"),
    (stages, "body"),
    (rounds, "body"),
    (jobs, "arguments"),
)


def find_problems(database: Database, files: AdapterFiles) -> tuple[Problem, ...]:
    """Return what is wrong: in the file, in references, studies, prompts, events, scores, adapted prompts and JSON."""
    with ThreadPoolExecutor(1, "verify") as beside:
        # One long call into SQLite, which lets go of the interpreter: the rest is read meanwhile.
        damages = beside.submit(_damages, database)
        with database.read() as connection:
            found = [
                *_references(connection),
                *_studies(connection),
                *_prompts(connection, files),
                *_events(connection),
                *find_score_problems(connection),
                *_comparisons(connection),
                *_adapted(connection),
                *_json(connection),
            ]
    return (*damages.result(), *found)


def _damages(database: Database) -> list[Problem]:
    with database.read() as connection:
        return [Problem("file", sentence) for sentence in database.place.damages(connection)]


def _stream(connection: Connection, query: "Select[Any]", batch: int = BATCH) -> "Iterator[Any]":
    return iter(connection.execute(query, execution_options={"yield_per": batch}))


def _references(connection: Connection) -> Iterator[Problem]:
    for table in metadata.sorted_tables:
        for column in table.columns:
            for key in column.foreign_keys if table is not scores else ():  # those of scores are looked at with them
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
            Study.model_validate_json(row.body, context=KEPT)
            digest = study_digest(json.loads(row.body), row.model_digest)  # as written: a later version adds defaults
        except (ValidationError, ValueError):
            yield Problem(f"study {row.digest}", "its content is not a study")
            continue
        if digest != row.digest:
            yield Problem(f"study {row.digest}", f"its content has the digest {digest}")


def _prompts(connection: Connection, files: AdapterFiles) -> Iterator[Problem]:
    keys, said = likenesses.alias(), 0
    named = select(func.count()).select_from(records).where(records.c.prompt == prompts.c.id).scalar_subquery()
    name = select(func.min(records.c.name)).where(records.c.prompt == prompts.c.id).scalar_subquery()
    columns = (*prompts.c, keys.c.kind, keys.c.key, named, name)
    query = select(*columns).outerjoin(keys, keys.c.prompt == prompts.c.id).order_by(prompts.c.number)
    # Vectors of up to 64 MB a prompt: few at a time.
    for number, id, kind, model, body, searched, vectors, alike, key, comings, called in _stream(connection, query, 16):
        if not comings:
            yield Problem(f"prompt {id}", "its origin is unknown")
        else:
            names = [called] if comings == 1 else _names(connection, id)
            said += sum(hash((word, number)) for word in {one for name in names for one in words_of(searched, name)})
        try:
            prompt = rebuild(id, body, vectors, id, files)
        except BankError as error:
            yield Problem(f"prompt {id}", str(error))
            continue
        if prompt.id != id:
            yield Problem(f"prompt {id}", f"its content has the id {prompt.id}")
            continue
        if (prompt.kind, None if prompt.tuned is None else prompt.tuned.model) != (kind, model):
            yield Problem(f"prompt {id}", "its kind or model does not match its content")
        text = plain(prompt_text(prompt))
        if searched != text and sorted(searched.split("\n")) != sorted(text.split("\n")):  # words may be reordered
            yield Problem(f"prompt {id}", "its search text does not match its content")
        if likeness_keys(prompt) != {alike: key}:
            yield Problem(f"prompt {id}", f"its near-duplicate index is wrong{REFILL}")
    kept = sum(hash((word, number)) for word, number in _stream(connection, select(words.c.word, words.c.prompt)))
    if kept != said:
        yield Problem("words", f"the search words do not match the prompts' names and texts{REFILL}")


def _names(connection: Connection, id: str) -> list[str]:
    return list(connection.execute(select(records.c.name).where(records.c.prompt == id)).scalars())


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
            yield Problem(where, f"its signature was not made with the key {signer}")


def _comparisons(connection: Connection) -> Iterator[Problem]:
    keys = ("first", "second", "split")
    columns = [comparisons.c[name] for name in ("number", "run", "site", "body", *keys)]
    for number, run, site, body, *known in _stream(connection, select(*columns)):
        where = f"comparisons row {number} (run '{run}', site '{site}')"
        try:
            value = Comparison.__pydantic_validator__.validate_json(body)
        except ValidationError:
            yield Problem(where, "its content is not a comparison")
            continue
        if [getattr(value, key) for key in keys] != known:
            yield Problem(where, "its content is about another prompt or split")


def _adapted(connection: Connection) -> Iterator[Problem]:
    for row in _stream(connection, select(adapted)):
        where = f"adapted row {row.number} ('{row.name}')"
        try:
            members = read_body(row.id, row.body).members
        except BankError as error:
            yield Problem(where, str(error))
            continue
        held = set(connection.execute(select(prompts.c.id).where(prompts.c.id.in_(members))).scalars())
        if missing := [id for id in members if id not in held]:
            yield Problem(where, f"its member {missing[0]} is not in prompts")


def _json(connection: Connection) -> Iterator[Problem]:
    for table, column in _JSON_COLUMNS:
        for number, row in enumerate(_stream(connection, select(table.c[column])), 1):
            try:
                json.loads(row[0])
            except (ValueError, RecursionError):
                yield Problem(f"{table.name} row {number}", f"its {column} is not JSON")
