"""The bank's tables as they are after the newest migration. A test holds the two together.

Times are ISO 8601 texts in UTC, JSON is text, a soft prompt's vectors are a safetensors file as bytes. Every
table but ``jobs`` is append-only: triggers refuse UPDATE and DELETE.
"""

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, Text, text

__all__ = [
    "APPEND_ONLY",
    "HEAD",
    "comparisons",
    "jobs",
    "metadata",
    "prompts",
    "records",
    "results",
    "rounds",
    "runs",
    "scores",
    "stages",
    "studies",
]

HEAD = "0001"
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

metadata = MetaData()

studies = Table(
    "studies",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("digest", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("model_digest", Text, nullable=False),
    Column("created", Text, nullable=False),
)

prompts = Table(
    "prompts",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("model", Text),
    Column("body", Text, nullable=False),
    Column("searched", Text, nullable=False),
    Column("vectors", LargeBinary),
)

# Each time a prompt came: its name and origin are no part of what it is.
records = Table(
    "records",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("prompt", Text, ForeignKey("prompts.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("study", Text, ForeignKey("studies.digest")),
    Column("origin", Text, nullable=False),
    Column("parents", Text, nullable=False),
    Column("notes", Text, nullable=False),
    Column("created", Text, nullable=False),
    Index("records_once", "prompt", text("coalesce(study, '')"), "origin", unique=True),
    Index("records_study", "study"),
)

runs = Table(
    "runs",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("study", Text, ForeignKey("studies.digest"), nullable=False),
    Column("settings", Text, nullable=False),
    Column("created", Text, nullable=False),
    Index("runs_study", "study"),
)

results = Table(
    "results",
    metadata,
    Column("run", Text, ForeignKey("runs.id"), primary_key=True),
    Column("body", Text, nullable=False),
    Column("created", Text, nullable=False),
)

stages = Table(
    "stages",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("run", Text, ForeignKey("runs.id"), nullable=False),
    Column("stage", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created", Text, nullable=False),
    Index("stages_once", "run", "stage", unique=True),
)

rounds = Table(
    "rounds",
    metadata,
    Column("run", Text, ForeignKey("runs.id"), primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("prompt", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created", Text, nullable=False),
)

# A score may be of a prompt that its site never published (h1:), so prompts are not foreign keys here.
scores = Table(
    "scores",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("run", Text, ForeignKey("runs.id"), nullable=False),
    Column("site", Text, nullable=False),
    Column("prompt", Text, nullable=False),
    Column("split", Text, nullable=False),
    Column("round", Integer),
    Column("body", Text, nullable=False),
    Column("created", Text, nullable=False),
    Index("scores_once", "run", "site", "prompt", "split", text("coalesce(round, -1)"), unique=True),
    Index("scores_prompt", "prompt"),
)

comparisons = Table(
    "comparisons",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("run", Text, ForeignKey("runs.id"), nullable=False),
    Column("site", Text, nullable=False),
    Column("first", Text, nullable=False),
    Column("second", Text, nullable=False),
    Column("split", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created", Text, nullable=False),
    Index("comparisons_once", "run", "site", "first", "second", "split", unique=True),
)

jobs = Table(
    "jobs",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("arguments", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("cancelled", Integer, nullable=False),
    Column("progress", Text),
    Column("result", Text),
    Column("error", Text),
    Column("pid", Integer),
    Column("created", Text, nullable=False),
    Column("updated", Text, nullable=False),
    Index("jobs_state", "state"),
)
