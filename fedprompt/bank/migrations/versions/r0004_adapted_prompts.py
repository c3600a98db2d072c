"""Prompts that were adapted to a home's own cases: which members, at which weights, with which bias."""

import sqlalchemy as sa
from alembic import op

from fedprompt.bank.migrations.append_only import refuse_changes

__all__ = ["down_revision", "revision", "upgrade"]

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "adapted",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("study", sa.Text, sa.ForeignKey("studies.digest")),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("created", sa.Text, nullable=False),
    )
    op.create_index("adapted_id", "adapted", ["id"])
    op.create_index("adapted_name", "adapted", ["name"])
    refuse_changes(["adapted"])
