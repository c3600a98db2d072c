"""Scores that count no more, since their site left and had them taken out: an event for each prompt that it scored.

The scores stay where they are, since nothing is ever taken away; what is asked of the bank, and what is derived, leaves
them out. Only what was said here counts: another bank's word on a site comes with a merge and changes nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, and_, exists, literal, select

from fedprompt.bank.schema import events
from fedprompt.bank.texts import from_json

__all__ = ["REMOVED", "counting", "still_counts", "taken_out"]

REMOVED = "remove-scores"  # its body is {"site": label}


def still_counts(site: "Column[str]", prompt: "Column[str]") -> ColumnElement[bool]:
    """Return the condition that a site's scores of a prompt were not taken out."""
    body = literal('{"site":"').concat(site).concat(literal('"}'))
    said = and_(events.c.prompt == prompt, events.c.kind == REMOVED, events.c.via.is_(None), events.c.body == body)
    return ~exists(select(events.c.number).where(said))


def counting(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the rows (with ``site`` and ``prompt``) that still count."""
    out = taken_out(connection)
    return [row for row in rows if (row["prompt"], row["site"]) not in out]


def taken_out(connection: Connection) -> frozenset[tuple[str, str]]:
    """Return prompt and site of all scores that count no more."""
    said = select(events.c.prompt, events.c.body).where(events.c.kind == REMOVED, events.c.via.is_(None))
    return frozenset((str(row.prompt), str(from_json(row.body)["site"])) for row in connection.execute(said))
