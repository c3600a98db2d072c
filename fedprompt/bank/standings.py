"""The derived tables of the ranking: each prompt's newest score at each site of a study, and the mean over sites.

Both are kept up in the transaction that records the scores, so a ranking of millions of scores reads one index. The
newest score of a site counts, whatever its run; one over no cases says nothing, and its site counts as not measured.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Select, and_, case, delete, func, or_, select, update

from fedprompt.bank import schema
from fedprompt.bank.filters import KINDS, microseconds
from fedprompt.bank.inserting import among, execute_many, insert, insert_once
from fedprompt.bank.removed import counting, still_counts
from fedprompt.bank.schema import FACTS, boards, entries, marks, records, runs, scored, scores, standings
from fedprompt.bank.texts import from_json, from_time

__all__ = ["describe", "facts_of", "fill_standings", "first_records", "mark", "newest_scores", "standing_of_marks"]

NOTHING: Mapping[str, Any] = dict.fromkeys(FACTS)

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
        known = _entries(connection, board, study, dict.fromkeys(row["prompt"] for row in found))
        places = [{"entry": known[row["prompt"]]["entry"], "score": row["number"]} for row in found]
        execute_many(connection, scored.insert(), sorted(places, key=lambda row: row["entry"]))
        _keep_newest(connection, [_mark(board, known[row["prompt"]], row) for row in counting(connection, found)])
        chosen = sorted(one["entry"] for one in known.values())
        for at in range(0, len(chosen), CHUNK):
            here = standing_of_marks().where(
                marks.c.board == board, among(connection, marks.c.entry, chosen[at : at + CHUNK])
            )
            _sum_up(connection, here)


def describe(connection: Connection, prompts: Sequence[str]) -> None:
    """Take into account what was just recorded of prompts that had been scored before."""
    for at in range(0, len(prompts), CHUNK):
        ids = list(prompts[at : at + CHUNK])
        stand = (
            select(boards.c.study, standings.c.board, standings.c.entry, entries.c.prompt.label("id"))
            .select_from(entries.join(standings, standings.c.entry == entries.c.number))
            .join(boards, boards.c.number == standings.c.board)
            .add_columns(*(standings.c[name] for name in FACTS))
            .where(entries.c.prompt.in_(ids))
        )
        by_study: dict[str, list[Any]] = {}
        for row in connection.execute(stand):
            by_study.setdefault(row.study, []).append(row)
        for study, rows in by_study.items():
            facts = facts_of(connection, study, [row.id for row in rows])
            for row in rows:
                now = facts.get(row.id, NOTHING)
                if now != {name: row._mapping[name] for name in FACTS}:
                    for table in (marks, standings):
                        here = (table.c.board == row.board) & (table.c.entry == row.entry)
                        connection.execute(update(table).where(here).values(now))


def facts_of(connection: Connection, study: str, prompts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return prompt -> the columns ``FACTS``; prompts that the bank does not hold are left out."""
    found: dict[str, dict[str, Any]] = {}
    for id, row in first_records(connection, study, prompts).items():
        came = microseconds(from_time(row.created))
        found[id] = {"prompt": row.place, "soft": KINDS.index(row.kind), "came": came, "origin": row.origin}
    return found


def first_records(connection: Connection, study: str, prompts: Sequence[str]) -> dict[str, Any]:
    """Return prompt -> its first record within the study, or its first of all, with its number and kind."""
    found: dict[str, Any] = {}
    table = schema.prompts
    columns = [records.c[name] for name in ("prompt", "name", "study", "origin", "created")]
    query = select(*columns, table.c.number.label("place"), table.c.kind).join(table, table.c.id == records.c.prompt)
    for at in range(0, len(prompts), CHUNK):
        chosen = query.where(among(connection, records.c.prompt, prompts[at : at + CHUNK])).order_by(records.c.number)
        for row in connection.execute(chosen):
            if row.prompt not in found or (found[row.prompt].study != study and row.study == study):
                found[row.prompt] = row
    return found


def fill_standings(connection: Connection, heard: Callable[[int], None]) -> None:
    """Derive the tables anew from all scores; ``heard`` hears how many newest scores are filed so far."""
    for table in (scored, marks, standings, entries, boards):
        connection.execute(delete(table))
    first = select(scores.c.prompt).group_by(scores.c.prompt).order_by(func.min(scores.c.number))
    connection.execute(entries.insert().from_select(["prompt"], first))
    which = select(runs.c.study, scores.c.split).join(runs, runs.c.id == scores.c.run).distinct()
    connection.execute(boards.insert().from_select(["study", "split"], which))
    pairs = select(entries.c.number, scores.c.number.label("score")).join(scores, scores.c.prompt == entries.c.prompt)
    ordered = pairs.order_by(entries.c.number, scores.c.number)
    connection.execute(scored.insert().from_select(["entry", "score"], ordered))
    studies = {int(row.number): str(row.study) for row in connection.execute(select(boards))}
    newest = newest_scores().add_columns(scores.c.body).order_by("board", "entry")
    done = 0
    for rows in connection.execute(newest, execution_options={"yield_per": BATCH}).partitions(BATCH):
        found = []
        for board in {int(row.board) for row in rows}:
            here = [row for row in rows if row.board == board]
            facts = facts_of(connection, studies[board], list(dict.fromkeys(row.prompt for row in here)))
            for row in here:
                body = from_json(row.body)
                known = {"entry": row.entry, **facts.get(row.prompt, NOTHING)}
                found.append(_mark(board, known, {**row._mapping, "n": body["n"], "total": body["total"]}))
        execute_many(connection, marks.insert(), found)
        done += len(found)
        heard(done)
    _sum_up(connection, standing_of_marks().where(marks.c.board > 0))


def newest_scores() -> "Select[Any]":
    """Select board, entry (null where they have no number), prompt, site, number and created of each newest score."""
    keys = (runs.c.study, scores.c.split, scores.c.prompt, scores.c.site)
    place = func.row_number().over(partition_by=keys, order_by=(scores.c.created.desc(), scores.c.number.desc()))
    inner = (
        select(*keys, scores.c.number, scores.c.created, place.label("place"))
        .join(runs, runs.c.id == scores.c.run)
        .where(still_counts(scores.c.site, scores.c.prompt))
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
        *(func.max(marks.c[name]).label(name) for name in FACTS),
    ).group_by(marks.c.board, marks.c.entry)


def _board(connection: Connection, study: str, split: str) -> int:
    known = select(boards.c.number).where(boards.c.study == study, boards.c.split == split)
    number = connection.execute(known).scalar()
    if number is None:
        connection.execute(insert_once(connection, boards).values(study=study, split=split))
        number = connection.execute(known).scalar_one()
    return int(number)


def _entries(connection: Connection, board: int, study: str, prompts: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return prompt -> ``entry``, its number, given in this order where it has none, and ``FACTS``."""
    wanted = list(prompts)
    found = _known(connection, board, wanted)
    if missing := [prompt for prompt in wanted if prompt not in found]:
        execute_many(connection, insert_once(connection, entries), [{"prompt": prompt} for prompt in missing])
        found |= _known(connection, board, missing)
    facts = facts_of(connection, study, [prompt for prompt, one in found.items() if one["prompt"] is None])
    return {prompt: {**one, **facts.get(prompt, {})} for prompt, one in found.items()}


def _known(connection: Connection, board: int, prompts: Sequence[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    here = (standings.c.board == board) & (standings.c.entry == entries.c.number)
    query = select(entries.c.prompt, entries.c.number, *(standings.c[name] for name in FACTS)).select_from(
        entries.outerjoin(standings, here)
    )
    for at in range(0, len(prompts), CHUNK):
        for id, *known in connection.execute(
            query.where(among(connection, entries.c.prompt, prompts[at : at + CHUNK]))
        ):
            found[id] = dict(zip(("entry", *FACTS), known, strict=True))
    return found


def _mark(board: int, known: Mapping[str, Any], row: Mapping[Any, Any]) -> dict[str, Any]:
    n, total = int(row["n"]), float(row["total"])
    return {
        **known,
        "board": board,
        "site": row["site"],
        "score": row["number"],
        "n": n,
        "total": total,
        "value": total / n if n else None,
        "at": row["created"],
    }


def _keep_newest(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    newest: dict[tuple[int, int, str], Mapping[str, Any]] = {}
    for row in sorted(rows, key=itemgetter("at", "score")):
        newest[row["board"], row["entry"], row["site"]] = row
    statement = insert(connection, marks)
    new = statement.excluded
    newer = or_(new.at > marks.c.at, and_(new.at == marks.c.at, new.score > marks.c.score))
    changed = {name: new[name] for name in ("score", "n", "total", "value", "at")}
    keys = [marks.c.board, marks.c.entry, marks.c.site]
    execute_many(
        connection,
        statement.on_conflict_do_update(index_elements=keys, set_=changed, where=newer),
        list(newest.values()),
    )


def _sum_up(connection: Connection, found: "Select[Any]") -> None:
    names = [column.name for column in standings.c]
    statement = insert(connection, standings).from_select(names, found)
    changed = {name: statement.excluded[name] for name in names[2:]}
    keys = [standings.c.board, standings.c.entry]
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed))
