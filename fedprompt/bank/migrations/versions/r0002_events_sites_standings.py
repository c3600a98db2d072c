"""Events (tags, approvals, retirements), who the sites are, and what makes ranking and search quick.

The derived tables are made empty; the store fills them when it opens the bank and finds that nobody has.
"""

import secrets

import sqlalchemy as sa
from alembic import op

from fedprompt.bank.migrations.append_only import refuse_changes

__all__ = ["down_revision", "revision", "upgrade"]

revision = "0002"
down_revision = "0001"


def _text(name: str, *, null: bool = False, key: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.Text, nullable=null, primary_key=key)


def _of(name: str, kind: "type[sa.Integer | sa.Double[float]]", *, null: bool = False) -> "sa.Column[float]":
    return sa.Column(name, kind, nullable=null)


def _keys() -> "list[sa.Column[int]]":
    return [sa.Column(name, sa.Integer, primary_key=True, autoincrement=False) for name in ("board", "entry")]


def upgrade() -> None:
    """Make the tables and give the bank an id."""
    about = op.create_table("about", _text("key", key=True), _text("value"))
    op.bulk_insert(about, [{"key": "bank", "value": f"b1:{secrets.token_hex(16)}"}])
    op.create_table(
        "sites",
        _text("identity", key=True),
        sa.Column("label", sa.Text, nullable=False, unique=True),
        _text("name"),
        _text("created"),
    )
    op.create_table(
        "events",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        _text("kind"),
        sa.Column("prompt", sa.Text, sa.ForeignKey("prompts.id"), nullable=False),
        _text("body"),
        _text("by"),
        _text("at"),
        _text("key"),
        _text("signature"),
        _text("via", null=True),
    )
    op.create_index("events_prompt", "events", ["prompt"])
    op.create_index("events_kind", "events", ["kind"])
    op.create_table("boards", sa.Column("number", sa.Integer, primary_key=True), _text("study"), _text("split"))
    op.create_index("boards_once", "boards", ["study", "split"], unique=True)
    op.create_table(
        "entries",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("prompt", sa.Text, nullable=False, unique=True),
    )
    op.create_table(
        "marks",
        *_keys(),
        _text("site", key=True),
        _of("score", sa.Integer),
        _of("n", sa.Integer),
        _of("total", sa.Double),
        _of("value", sa.Double, null=True),
        _text("at"),
        sqlite_with_rowid=False,
    )
    op.create_index("marks_site", "marks", ["board", "site", "value", "entry"])
    op.create_table(
        "standings",
        *_keys(),
        _of("sites", sa.Integer),
        _of("n", sa.Integer),
        _of("mean", sa.Double, null=True),
        _of("worst", sa.Double, null=True),
        _of("pooled", sa.Double, null=True),
        sqlite_with_rowid=False,
    )
    op.create_index("standings_rank", "standings", ["board", "mean", "worst", "entry"])
    op.create_table(
        "likenesses",
        sa.Column("prompt", sa.Text, sa.ForeignKey("prompts.id"), primary_key=True),
        _text("kind", key=True),
        _text("key"),
        sqlite_with_rowid=False,
    )
    op.create_index("likenesses_key", "likenesses", ["kind", "key"])
    op.create_index("prompts_kind", "prompts", ["kind", "id"])
    op.create_index("records_created", "records", ["created", "prompt"])
    op.drop_index("records_study", "records")
    op.create_index("records_study", "records", ["study", "prompt"])
    refuse_changes(("about", "sites", "events"))
