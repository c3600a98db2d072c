"""The derived tables of the ranking: each prompt's newest score at each site of a study, and the mean over sites.

Both are kept up in the transaction that records the scores, so a ranking of millions of scores reads one index. The
newest score of a site counts, whatever its run; one over no cases says nothing, and its site counts as not measured.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select, and_, case, delete, func, or_, select

from fedprompt.bank.inserting import execute_many, insert, insert_once
from fedprompt.bank.schema import boards, entries, marks, runs, scores, standings
from fedprompt.bank.texts import from_json

__all__ = ["fill_standings", "mark", "newest_scores", "standing_of_marks"]

BATCH = 5_000
CHUNK = 1_000


def mark(connection: Connection, study: str, added: Sequence[Mapping[str, Any]]) -> None:
    """Take scores that were just added into account.

    Args:
        connection: the transaction that added them.
        study: whose run they are of.
        added: rows with number, prompt, split, site, created, and the numbers ``n`` and ``total``.
    """
    by_split: dict[str, list[Mapping[str, Any]]] = {}
    for row in added:
        by_split.setdefault(row["split"], []).append(row)
    for split, found in by_split.items():
        board = _board(connection, study, split)
        numbers = _entries(connection, dict.fromkeys(row["prompt"] for row in found))
        _keep_newest(connection, [_mark(board, numbers[row["prompt"]], row) for row in found])
        chosen = sorted(numbers.values())
        for at in range(0, len(chosen), CHUNK):
            here = standing_of_marks().where(marks.c.board == board, marks.c.entry.in_(chosen[at : at + CHUNK]))
            _sum_up(connection, here)


def fill_standings(connection: Connection) -> None:
    """Derive the tables anew from all scores."""
    for table in (marks, standings, entries, boards):
        connection.execute(delete(table))
    first = select(scores.c.prompt).group_by(scores.c.prompt).order_by(func.min(scores.c.number))
    connection.execute(entries.insert().from_select(["prompt"], first))
    which = select(runs.c.study, scores.c.split).join(runs, runs.c.id == scores.c.run).distinct()
    connection.execute(boards.insert().from_select(["study", "split"], which))
    newest = newest_scores().add_columns(scores.c.body)
    for rows in connection.execute(newest, execution_options={"yield_per": BATCH}).partitions(BATCH):
        found = []
        for row in rows:
            body = from_json(row.body)
            found.append(_mark(row.board, row.entry, {**row._mapping, "n": body["n"], "total": body["total"]}))
        execute_many(connection, marks.insert(), found)
    _sum_up(connection, standing_of_marks().where(marks.c.board > 0))


def newest_scores() -> "Select[Any]":
    """Select board, entry (null where they have no number), prompt, site, number and created of each newest score."""
    keys = (runs.c.study, scores.c.split, scores.c.prompt, scores.c.site)
    place = func.row_number().over(partition_by=keys, order_by=(scores.c.created.desc(), scores.c.number.desc()))
    inner = (
        select(*keys, scores.c.number, scores.c.created, place.label("place"))
        .join(runs, runs.c.id == scores.c.run)
        .subquery("placed")
    )
    columns = [inner.c[name] for name in ("prompt", "site", "number", "created")]
    return (
        select(boards.c.number.label("board"), entries.c.number.label("entry"), *columns)
        .select_from(inner)
        .join(scores, scores.c.number == inner.c.number)
        .outerjoin(boards, and_(boards.c.study == inner.c.study, boards.c.split == inner.c.split))
        .outerjoin(entries, entries.c.prompt == inner.c.prompt)
        .where(inner.c.place == 1)
    )


def standing_of_marks() -> "Select[Any]":
    """Select what ``standings`` holds, computed from ``marks``."""
    n = func.sum(marks.c.n)
    return select(
        marks.c.board,
        marks.c.entry,
        func.count(marks.c.value).label("sites"),
        n.label("n"),
        func.avg(marks.c.value).label("mean"),
        func.min(marks.c.value).label("worst"),
        case((n > 0, func.sum(marks.c.total) / n), else_=None).label("pooled"),
    ).group_by(marks.c.board, marks.c.entry)


def _board(connection: Connection, study: str, split: str) -> int:
    known = select(boards.c.number).where(boards.c.study == study, boards.c.split == split)
    number = connection.execute(known).scalar()
    if number is None:
        connection.execute(insert_once(connection, boards).values(study=study, split=split))
        number = connection.execute(known).scalar_one()
    return int(number)


def _entries(connection: Connection, prompts: Iterable[str]) -> dict[str, int]:
    """Return prompt -> its number, given in this order where it has none."""
    wanted = list(prompts)
    found = _known(connection, wanted)
    if missing := [prompt for prompt in wanted if prompt not in found]:
        execute_many(connection, insert_once(connection, entries), [{"prompt": prompt} for prompt in missing])
        found |= _known(connection, missing)
    return found


def _known(connection: Connection, prompts: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for at in range(0, len(prompts), CHUNK):
        query = select(entries.c.prompt, entries.c.number).where(entries.c.prompt.in_(prompts[at : at + CHUNK]))
        found.update((row[0], row[1]) for row in connection.execute(query))
    return found


def _mark(board: int, entry: int, row: Mapping[Any, Any]) -> dict[str, Any]:
    n, total = int(row["n"]), float(row["total"])
    return {
        "board": board,
        "entry": entry,
        "site": row["site"],
        "score": row["number"],
        "n": n,
        "total": total,
        "value": total / n if n else None,
        "at": row["created"],
    }


def _keep_newest(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    statement = insert(connection, marks)
    new = statement.excluded
    newer = or_(new.at > marks.c.at, and_(new.at == marks.c.at, new.score > marks.c.score))
    changed = {name: new[name] for name in ("score", "n", "total", "value", "at")}
    keys = [marks.c.board, marks.c.entry, marks.c.site]
    execute_many(connection, statement.on_conflict_do_update(index_elements=keys, set_=changed, where=newer), rows)


def _sum_up(connection: Connection, found: "Select[Any]") -> None:
    names = [column.name for column in standings.c]
    statement = insert(connection, standings).from_select(names, found)
    changed = {name: statement.excluded[name] for name in names[2:]}
    keys = [standings.c.board, standings.c.entry]
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed))
