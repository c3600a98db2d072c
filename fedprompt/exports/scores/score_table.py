"""The scores behind prompts as a table: one row a prompt, site, split, run and round, for CSV and Parquet."""

from collections.abc import Sequence
from typing import Any

from fedprompt.exports.protocol import Exported

__all__ = ["COLUMNS", "score_rows"]

COLUMNS = (
    ("prompt", str),
    ("name", str),
    ("kind", str),
    ("study", str),
    ("run", str),
    ("site", str),
    ("round", int),
    ("split", str),
    ("metric", str),
    ("n", int),
    ("value", float),
    ("total", float),
    ("squares", float),
    ("groups", int),
    ("group_squares", float),
    ("created", str),
)


def score_rows(items: Sequence[Exported]) -> list[dict[str, Any]]:
    """Return the rows, in the order of prompt, run, site, split and round; ``value`` is None over no cases."""
    rows = [
        {
            "prompt": item.prompt.id,
            "name": item.name,
            "kind": item.prompt.kind,
            "study": line.study,
            "run": line.run,
            "site": line.site,
            "round": line.round,
            "split": line.score.split,
            "metric": line.score.metric,
            "n": line.score.n,
            "value": line.score.value,
            "total": line.score.total,
            "squares": line.score.squares,
            "groups": line.score.groups,
            "group_squares": line.score.group_squares,
            "created": line.created,
        }
        for item in items
        for line in item.lines
    ]
    order = ("prompt", "run", "site", "split", "round", "created")
    return sorted(rows, key=lambda row: tuple((row[key] is not None, row[key]) for key in order))
