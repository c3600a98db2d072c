"""The first schema: studies, prompts and where they came from, runs with their scores and rounds, jobs."""

import sqlalchemy as sa
from alembic import op

from fedprompt.bank.migrations.append_only import refuse_changes

__all__ = ["down_revision", "revision", "upgrade"]

revision = "0001"
down_revision = None

APPEND_ONLY = (
    "studies",
    "prompts",
    "records",
    "runs",
    "results",
    "stages",
    "rounds",
    "scores",
    "comparisons",
)


def _number() -> "sa.Column[int]":
    return sa.Column("number", sa.Integer, primary_key=True)


def _text(name: str, *, null: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.Text, nullable=null)


def _to(name: str, target: str, *, null: bool = False, key: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.Text, sa.ForeignKey(target), nullable=null, primary_key=key)


def upgrade() -> None:
    """Make the tables, their indices, and the triggers that refuse changes to what was written."""
    op.create_table(
        "studies",
        _number(),
        sa.Column("digest", sa.Text, nullable=False, unique=True),
        _text("name"),
        _text("body"),
        _text("model_digest"),
        _text("created"),
    )
    op.create_table(
        "prompts",
        _number(),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        _text("kind"),
        _text("model", null=True),
        _text("body"),
        _text("searched"),
        sa.Column("vectors", sa.LargeBinary),
    )
    op.create_table(
        "records",
        _number(),
        _to("prompt", "prompts.id"),
        _text("name"),
        _to("study", "studies.digest", null=True),
        _text("origin"),
        _text("parents"),
        _text("notes"),
        _text("created"),
    )
    op.create_index("records_once", "records", ["prompt", sa.text("coalesce(study, '')"), "origin"], unique=True)
    op.create_index("records_study", "records", ["study"])
    op.create_table(
        "runs",
        _number(),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        _text("kind"),
        _to("study", "studies.digest"),
        _text("settings"),
        _text("created"),
    )
    op.create_index("runs_study", "runs", ["study"])
    op.create_table("results", _to("run", "runs.id", key=True), _text("body"), _text("created"))
    op.create_table("stages", _number(), _to("run", "runs.id"), _text("stage"), _text("body"), _text("created"))
    op.create_index("stages_once", "stages", ["run", "stage"], unique=True)
    op.create_table(
        "rounds",
        _to("run", "runs.id", key=True),
        sa.Column("round", sa.Integer, primary_key=True),
        _text("prompt"),
        _text("body"),
        _text("created"),
    )
    op.create_table(
        "scores",
        _number(),
        _to("run", "runs.id"),
        _text("site"),
        _text("prompt"),
        _text("split"),
        sa.Column("round", sa.Integer),
        _text("body"),
        _text("created"),
    )
    op.create_index(
        "scores_once",
        "scores",
        ["run", "site", "prompt", "split", sa.text("coalesce(round, -1)")],
        unique=True,
    )
    op.create_index("scores_prompt", "scores", ["prompt"])
    op.create_table(
        "comparisons",
        _number(),
        _to("run", "runs.id"),
        _text("site"),
        _text("first"),
        _text("second"),
        _text("split"),
        _text("body"),
        _text("created"),
    )
    op.create_index("comparisons_once", "comparisons", ["run", "site", "first", "second", "split"], unique=True)
    op.create_table(
        "jobs",
        _number(),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        _text("kind"),
        _text("arguments"),
        _text("state"),
        sa.Column("cancelled", sa.Integer, nullable=False),
        _text("progress", null=True),
        _text("result", null=True),
        _text("error", null=True),
        sa.Column("pid", sa.Integer),
        _text("created"),
        _text("updated"),
    )
    op.create_index("jobs_state", "jobs", ["state"])
    refuse_changes(APPEND_ONLY)
