"""The triggers that refuse UPDATE and DELETE on a table, in the words of SQLite and of PostgreSQL.

Frozen like a migration, since numbered migrations call it: what it makes on either database is never edited.
"""

from collections.abc import Iterable

from alembic import op

__all__ = ["refuse_changes"]

FUNCTION = """
CREATE FUNCTION fedprompt_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$
"""


def refuse_changes(tables: Iterable[str]) -> None:
    """Make each table append-only."""
    postgres = op.get_context().dialect.name == "postgresql"
    if postgres and not op.get_bind().exec_driver_sql("SELECT to_regproc('fedprompt_append_only')").scalar():
        op.execute(FUNCTION)
    for table in tables:
        for verb in ("UPDATE", "DELETE"):
            if postgres:
                op.execute(
                    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                    "FOR EACH STATEMENT EXECUTE FUNCTION fedprompt_append_only()"
                )
            else:
                op.execute(
                    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )
