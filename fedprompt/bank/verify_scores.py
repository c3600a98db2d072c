"""Reads every score through its model, and in the same pass compares with the scores what rankings are made of."""

from collections.abc import Generator, Iterator
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, Select, func, or_, select

from fedprompt.bank.removed import taken_out
from fedprompt.bank.rows import Problem
from fedprompt.bank.schema import FACTS, boards, entries, marks, runs, scored, scores, standings
from fedprompt.bank.standings import NOTHING, facts_of, standing_of_marks
from fedprompt.study.score import Score

__all__ = ["REFILL", "find_score_problems"]

BATCH = 2_000
TOLERANCE = 1e-9
REFILL = "; 'fedprompt bank verify --repair' rebuilds it"
Newest = dict[tuple[int | None, int | None, str], tuple[str, int, int, float]]  # at: created, number, n, total


def find_score_problems(connection: Connection) -> Iterator[Problem]:
    """Yield what is wrong with scores, and with what repeats them: entries, marks and standings."""
    entry_of = {str(id): int(number) for number, id in connection.execute(select(entries.c.number, entries.c.prompt))}
    newest: Newest = {}
    paired = yield from _scores(connection, entry_of, newest)
    kept = sum(hash(tuple(row)) for row in _stream(connection, select(scored.c.entry, scored.c.score)))
    if kept != paired:
        yield Problem("scored", f"prompts and their scores are not paired correctly{REFILL}")
    prompt_of = {entry: id for id, entry in entry_of.items()}
    yield from _marks(connection, newest, prompt_of)
    yield from _standings(connection)
    yield from _facts(connection)


def _stream(connection: Connection, query: "Select[Any]") -> "Iterator[Any]":
    return iter(connection.execute(query, execution_options={"yield_per": BATCH}))


def _scores(connection: Connection, entry_of: dict[str, int], newest: Newest) -> Generator[Problem, None, int]:
    """Fill ``newest``; return the sum of the hashes of all pairs of an entry and a score."""
    studies = {str(run): str(study) for run, study in connection.execute(select(runs.c.id, runs.c.study))}
    board_of = {(str(row.study), str(row.split)): int(row.number) for row in connection.execute(select(boards))}
    names = ("number", "run", "site", "prompt", "split", "body", "created")
    out = taken_out(connection)
    read, paired = Score.__pydantic_validator__.validate_json, 0
    found = connection.execute(select(*(scores.c[name] for name in names)), execution_options={"yield_per": BATCH})
    for batch in found.partitions(BATCH):
        for number, run, site, prompt, split, body, created in batch:
            entry = entry_of.get(prompt)
            paired += hash((entry, number))
            if run not in studies:
                yield Problem(f"scores row {number}", "refers to something that is not in runs")
                continue
            try:
                value = read(body)
            except ValidationError:
                yield Problem(f"scores row {number} (run '{run}', site '{site}')", "its content is not a score")
                continue
            if value.prompt != prompt or value.split != split:
                where = f"scores row {number} (run '{run}', site '{site}')"
                yield Problem(where, "its content is about another prompt or split")
            key = (board_of.get((studies[run], split)), entry, site)
            before = newest.get(key)
            if (before is None or (created, number) > before[:2]) and (prompt, site) not in out:
                newest[key] = (created, number, value.n, value.total)
    return paired


def _marks(connection: Connection, newest: Newest, prompt_of: dict[int, str]) -> Iterator[Problem]:
    names = ("board", "entry", "site", "score", "n", "total", "value", "at")
    rows = _stream(connection, select(*(marks.c[name] for name in names)))
    for board, entry, site, score, n, total, value, at in rows:
        told = newest.pop((board, entry, site), None)
        where = f"marks of {prompt_of.get(entry, f'entry {entry}')}"
        if told is None:
            yield Problem(where, f"there is a mark without a score{REFILL}")
        elif told[1] != score:
            yield Problem(where, f"it does not point to its newest score at site '{site}'{REFILL}")
        elif (at, score, n, total) != told or value != (total / n if n else None):
            yield Problem(where, f"it is not the value that site '{site}' sent{REFILL}")
    for _, entry, site in newest:
        where = f"marks of {prompt_of.get(entry or 0, f'entry {entry}')}"
        yield Problem(where, f"it does not point to its newest score at site '{site}'{REFILL}")


def _standings(connection: Connection) -> Iterator[Problem]:
    found = standing_of_marks().subquery("found")
    same = [found.c[name] == standings.c[name] for name in ("board", "entry")]
    apart = [found.c[name] != standings.c[name] for name in ("sites", "n")]
    apart += [func.abs(found.c[name] - standings.c[name]) > TOLERANCE for name in ("mean", "worst", "pooled")]
    apart += [found.c[name].is_(None) != standings.c[name].is_(None) for name in ("mean", "worst", "pooled")]
    wrong = (
        select(entries.c.prompt)
        .select_from(found)
        .outerjoin(entries, entries.c.number == found.c.entry)
        .outerjoin(standings, same[0] & same[1])
        .where(or_(standings.c.entry.is_(None), *apart))
    )
    for row in _stream(connection, wrong):
        yield Problem(f"standing of {row.prompt}", f"it is not the mean of its marks{REFILL}")
    distinct = select(marks.c.board, marks.c.entry).distinct().subquery()
    if _count(connection, standings) != _count(connection, distinct):
        yield Problem("standings", f"there is a standing without marks{REFILL}")


def _facts(connection: Connection) -> Iterator[Problem]:
    """Compare what filters ask of a prompt with its records."""
    same = (marks.c.board == standings.c.board) & (marks.c.entry == standings.c.entry)
    both = standings.join(marks, same).join(entries, entries.c.number == marks.c.entry)
    apart = select(entries.c.prompt).select_from(both)
    apart = apart.where(or_(*(marks.c[name].is_distinct_from(standings.c[name]) for name in FACTS))).distinct()
    for row in _stream(connection, apart):
        yield Problem(f"standing of {row.prompt}", f"its marks are not indexed correctly{REFILL}")
    query = select(entries.c.prompt.label("id"), boards.c.study, *(standings.c[name] for name in FACTS))
    query = query.select_from(
        standings.join(entries, entries.c.number == standings.c.entry).join(
            boards, boards.c.number == standings.c.board
        )
    ).order_by(standings.c.board, standings.c.entry)
    for batch in connection.execute(query, execution_options={"yield_per": BATCH}).partitions(BATCH):
        for study in {row.study for row in batch}:
            here = [row for row in batch if row.study == study]
            facts = facts_of(connection, study, [row.id for row in here])
            for row in here:
                if facts.get(row.id, NOTHING) != {name: row._mapping[name] for name in FACTS}:
                    yield Problem(f"standing of {row.id}", f"it is not indexed under its prompt's time{REFILL}")


def _count(connection: Connection, table: Any) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())
