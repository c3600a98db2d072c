"""INSERT that leaves alone what is there already, in the words of SQLite and of PostgreSQL."""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, bindparam
from sqlalchemy.dialects import postgresql, sqlite

__all__ = ["among", "execute_many", "insert", "insert_once"]


def insert(connection: Connection, table: Table) -> Any:
    """Return the dialect's own INSERT, which knows ON CONFLICT; the two are written alike."""
    return (postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert)(table)


def insert_once(connection: Connection, table: Table) -> Any:
    """Return an INSERT that skips every row that is there already."""
    return insert(connection, table).on_conflict_do_nothing()


def execute_many(connection: Connection, statement: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Execute an INSERT for each of many rows of plain values, handing them to the driver as they are.

    SQLAlchemy would look at each value of each row; for ten thousand scores that takes longer than the database does.
    """
    if not rows:
        return
    compiled = statement.compile(dialect=connection.dialect, column_keys=list(rows[0]))
    if compiled.positional:
        names = compiled.positiontup
        values = itemgetter(*names) if len(names) > 1 else lambda row: (row[names[0]],)
        connection.exec_driver_sql(str(compiled), list(map(values, rows)))
    else:
        connection.exec_driver_sql(str(compiled), [dict(row) for row in rows])


def among(column: "Column[Any]", values: Sequence[Any]) -> ColumnElement[bool]:
    """Return ``column IN values`` without SQLAlchemy looking at each value; SQLite takes 32,766 at most."""
    return column.in_(bindparam(None, list(values), column.type, expanding=True))
