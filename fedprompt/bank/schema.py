"""The bank's tables as they are after the newest migration. A test holds the two together.

Times are ISO 8601 texts in UTC, JSON is text, a soft prompt's vectors are a safetensors file as bytes. Every
table is append-only (triggers refuse UPDATE and DELETE) but ``jobs`` and the derived ones, which only repeat what
others hold, for questions to be answered at once; ``verify`` compares them with what they repeat.
"""

from typing import Any

from sqlalchemy import BigInteger, Column, Double, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, Text, text

__all__ = [
    "APPEND_ONLY",
    "DERIVED",
    "FACTS",
    "HEAD",
    "about",
    "adapted",
    "boards",
    "comparisons",
    "entries",
    "events",
    "jobs",
    "likenesses",
    "marks",
    "metadata",
    "prompts",
    "records",
    "results",
    "rounds",
    "runs",
    "scored",
    "scores",
    "sites",
    "stages",
    "standings",
    "studies",
    "words",
]

HEAD = "0004"
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
    "about",
    "sites",
    "events",
    "adapted",
)
DERIVED = ("boards", "entries", "scored", "marks", "standings", "likenesses", "words")

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
    Index("prompts_kind", "kind", "id"),
    Index("prompts_model", "model"),
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
    Index("records_study", "study", "prompt"),
    Index("records_created", "created", "prompt"),
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

# What the bank says of itself: ``bank`` is its id, ``derived:N`` that the derived tables were filled by rule N.
about = Table("about", metadata, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))

# A site is who holds its key; ``label`` is what its scores are listed under here, one site a label.
sites = Table(
    "sites",
    metadata,
    Column("identity", Text, primary_key=True),
    Column("label", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("created", Text, nullable=False),
)

# ``via`` is the bank that an event was merged from, NULL for what was said here.
events = Table(
    "events",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("prompt", Text, ForeignKey("prompts.id"), nullable=False),
    Column("body", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("signature", Text, nullable=False),
    Column("via", Text),
    Index("events_prompt", "prompt"),
    Index("events_kind", "kind"),
)

# Prompts that were adapted to this home's own cases. What a name stands for is its newest row; ``body`` names the
# members, which are prompts.
adapted = Table(
    "adapted",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("study", Text, ForeignKey("studies.digest")),
    Column("body", Text, nullable=False),
    Column("created", Text, nullable=False),
    Index("adapted_id", "id"),
    Index("adapted_name", "name"),
)

# Short numbers for what the ranking is of: a study's split, and a prompt, in the order of their first scores. Ids are
# hashes; with them as keys every batch of scores would touch every page of the tables below.
boards = Table(
    "boards",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("study", Text, nullable=False),
    Column("split", Text, nullable=False),
    Index("boards_once", "study", "split", unique=True),
)
entries = Table(
    "entries",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("prompt", Text, nullable=False, unique=True),
)

# A prompt's scores. In place of an index over ``scores.prompt``, for the same reason.
scored = Table(
    "scored",
    metadata,
    Column("entry", Integer, primary_key=True, autoincrement=False),
    Column("score", Integer, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)


def _facts() -> "list[Column[Any]]":
    """What filters ask of a prompt, beside what it is ranked by, so that one range of an index answers.

    ``prompt`` is its number, NULL where no site published it; ``came`` in microseconds since 1970 (UTC) and ``origin``
    are of its first record within the study, or of its first of all.
    """
    return [
        Column("prompt", Integer),
        Column("soft", Integer),
        Column("came", BigInteger),
        Column("origin", Text),
    ]


FACTS = ("prompt", "soft", "came", "origin")

# The newest score of each prompt at each site of a study, whatever the run.
marks = Table(
    "marks",
    metadata,
    Column("board", Integer, primary_key=True, autoincrement=False),
    Column("entry", Integer, primary_key=True, autoincrement=False),
    Column("site", Text, primary_key=True),
    Column("score", Integer, nullable=False),
    Column("n", Integer, nullable=False),
    Column("total", Double, nullable=False),
    Column("value", Double),
    Column("at", Text, nullable=False),
    *_facts(),
    Index("marks_site", "board", "site", "value", "entry", *FACTS),
    sqlite_with_rowid=False,
)

# Over the sites of ``marks``: their unweighted mean, the worst, and the mean by case.
standings = Table(
    "standings",
    metadata,
    Column("board", Integer, primary_key=True, autoincrement=False),
    Column("entry", Integer, primary_key=True, autoincrement=False),
    Column("sites", Integer, nullable=False),
    Column("n", Integer, nullable=False),
    Column("mean", Double),
    Column("worst", Double),
    Column("pooled", Double),
    *_facts(),
    Index("standings_mean", "board", "mean", "worst", "entry", "sites", *FACTS),
    Index("standings_worst", "board", "worst", "mean", "entry", "sites", *FACTS),
    Index("standings_pooled", "board", "pooled", "worst", "entry", "sites", *FACTS),
    sqlite_with_rowid=False,
)

# The words of prompts' names and texts; ``prompt`` is a prompt's number.
words = Table(
    "words",
    metadata,
    Column("word", Text, primary_key=True),
    Column("prompt", Integer, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

# Prompts with one key are near-duplicates: the same words, or the same vectors, in another order.
likenesses = Table(
    "likenesses",
    metadata,
    Column("prompt", Text, ForeignKey("prompts.id"), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("key", Text, nullable=False),
    Index("likenesses_key", "kind", "key"),
    sqlite_with_rowid=False,
)
