"""The words of prompts' names and texts, for filters: each is kept once a prompt, found by its beginning.

A plain table, the same in both databases: SQLite's FTS5 is not built in everywhere, and PostgreSQL's extensions need
rights. What is asked for is ordered by how rare it is, and each word is looked for only among what the rarer left.
"""

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, delete, func, select

from fedprompt.bank.inserting import execute_many, insert_once
from fedprompt.bank.schema import prompts, records, words

__all__ = ["fill_words", "index_words", "prompts_saying", "words_of"]

LONGEST, MOST, CHUNK, COUNTED = 40, 5_000, 500, 20_000
_WORD = re.compile(r"[^\W_]+")


def words_of(*texts: str) -> list[str]:
    """Return the distinct words of texts, without case, each cut at 40 characters, the first 5,000 of them."""
    found = dict.fromkeys(word[:LONGEST] for text in texts for word in _WORD.findall(text.casefold()))
    return list(found)[:MOST]


def index_words(connection: Connection, ids: Sequence[str]) -> None:
    """Index the texts and names of prompts; what is indexed already stays."""
    for at in range(0, len(ids), CHUNK):
        rows = connection.execute(_said().where(prompts.c.id.in_(ids[at : at + CHUNK])))
        _keep(connection, rows)


def fill_words(connection: Connection) -> None:
    """Index all prompts anew."""
    connection.execute(delete(words))
    found = connection.execute(_said().order_by(prompts.c.number), execution_options={"yield_per": CHUNK})
    for rows in found.partitions(CHUNK):
        _keep(connection, rows)


def prompts_saying(connection: Connection, text: str) -> "Select[Any] | None":
    """Select the numbers of the prompts of which each word of a text begins a word; None where it has no word."""
    ranges = [words.c.word.between(word, word + "\U0010ffff") for word in words_of(text)]

    def often(here: Any) -> int:
        some = select(words.c.prompt).where(here).limit(COUNTED).subquery()
        return int(connection.execute(select(func.count()).select_from(some)).scalar_one())

    if not ranges and text.strip():
        return select(words.c.prompt).where(words.c.word == "")  # signs alone: nobody says them
    found: Select[Any] | None = None
    for here in sorted(ranges, key=often):
        chosen = select(words.c.prompt).where(here)
        found = chosen if found is None else chosen.where(words.c.prompt.in_(found))
    return found


def _said() -> "Select[Any]":
    return select(prompts.c.number, prompts.c.searched, records.c.name).join(records, records.c.prompt == prompts.c.id)


def _keep(connection: Connection, rows: Any) -> None:
    found = {(word, int(row.number)) for row in rows for word in words_of(row.searched, row.name)}
    made = [{"word": word, "prompt": prompt} for word, prompt in sorted(found)]
    execute_many(connection, insert_once(connection, words), made)
