"""INSERT that leaves alone what is there already, in the words of SQLite and of PostgreSQL."""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, any_, bindparam, column, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import ARRAY

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
    PostgreSQL gets each column as one array, in one statement instead of one for each row; so where the statement
    updates what is there, no two rows may have one key.
    """
    if not rows:
        return
    names = list(rows[0])
    if connection.dialect.name == "postgresql":
        types = [(name, statement.table.c[name].type) for name in names]
        arrays = [bindparam(f"all_{name}", [row[name] for row in rows], ARRAY(type_)) for name, type_ in types]
        columns = func.unnest(*arrays).table_valued(*(column(name, type_) for name, type_ in types)).render_derived()
        connection.execute(statement.from_select(names, select(columns)))
        return
    compiled = statement.compile(dialect=connection.dialect, column_keys=names)
    order = compiled.positiontup
    values = itemgetter(*order) if len(order) > 1 else lambda row: (row[order[0]],)
    connection.exec_driver_sql(str(compiled), list(map(values, rows)))


def among(connection: Connection, which: "Column[Any]", values: Sequence[Any]) -> ColumnElement[bool]:
    """Return ``which IN values`` without SQLAlchemy looking at each value; SQLite takes 32,766 at most."""
    if connection.dialect.name == "postgresql":
        return which == any_(bindparam(None, list(values), ARRAY(which.type)))
    return which.in_(bindparam(None, list(values), which.type, expanding=True))
