"""What filters ask of a prompt stands beside its scores; its scores are found by number, its words by an index.

The derived tables are made empty; the store fills them when it opens the bank and finds that nobody has.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision = "0003"
down_revision = "0002"

FACTS = ("prompt", "soft", "came", "origin")


def _keys(*names: str) -> "list[sa.Column[int]]":
    return [sa.Column(name, sa.Integer, primary_key=True, autoincrement=False) for name in names]


def _of(name: str, kind: Any, *, null: bool = False) -> "sa.Column[Any]":
    return sa.Column(name, kind, nullable=null)


def _facts() -> "list[sa.Column[Any]]":
    kinds = (sa.Integer, sa.Integer, sa.BigInteger, sa.Text)
    return [_of(name, kind, null=True) for name, kind in zip(FACTS, kinds, strict=True)]


def upgrade() -> None:
    """Make the derived tables anew, in their new form."""
    op.drop_table("marks")
    op.drop_table("standings")
    op.drop_index("scores_prompt", "scores")
    op.create_index("prompts_model", "prompts", ["model"])
    op.create_table("scored", *_keys("entry", "score"), sqlite_with_rowid=False)
    op.create_table(
        "marks",
        *_keys("board", "entry"),
        sa.Column("site", sa.Text, primary_key=True),
        _of("score", sa.Integer),
        _of("n", sa.Integer),
        _of("total", sa.Double),
        _of("value", sa.Double, null=True),
        _of("at", sa.Text),
        *_facts(),
        sqlite_with_rowid=False,
    )
    op.create_index("marks_site", "marks", ["board", "site", "value", "entry", *FACTS])
    op.create_table(
        "standings",
        *_keys("board", "entry"),
        _of("sites", sa.Integer),
        _of("n", sa.Integer),
        _of("mean", sa.Double, null=True),
        _of("worst", sa.Double, null=True),
        _of("pooled", sa.Double, null=True),
        *_facts(),
        sqlite_with_rowid=False,
    )
    op.create_index("standings_mean", "standings", ["board", "mean", "worst", "entry", "sites", *FACTS])
    op.create_index("standings_worst", "standings", ["board", "worst", "mean", "entry", "sites", *FACTS])
    op.create_index("standings_pooled", "standings", ["board", "pooled", "worst", "entry", "sites", *FACTS])
    # Words are found by their beginning, in the order of their bytes.
    text = sa.Text(collation="C") if op.get_context().dialect.name == "postgresql" else sa.Text()
    op.create_table("words", sa.Column("word", text, primary_key=True), *_keys("prompt"), sqlite_with_rowid=False)
