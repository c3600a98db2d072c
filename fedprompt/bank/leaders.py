"""The ranking of a study, page by page, out of the table that is kept up as scores come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Select, func, null, select

from fedprompt.bank.database import Database
from fedprompt.bank.filters import Filter, ranked_conditions
from fedprompt.bank.rows import Leader, LeaderPage
from fedprompt.bank.schema import boards, entries, marks, standings
from fedprompt.bank.standings import first_records
from fedprompt.bank.texts import from_time
from fedprompt.errors import BankError

__all__ = ["MOST", "LeaderShelf", "Order"]

Order = Literal["mean", "worst", "pooled", "site"]
MOST = 1_000


class LeaderShelf:
    """The part of the bank that ranks."""

    _database: Database

    def leaders(
        self,
        wanted: Filter,
        *,
        order: Order = "mean",
        coverage: Literal["full", "partial", "any"] = "full",
        limit: int = 50,
        offset: int = 0,
    ) -> LeaderPage:
        """Return one page of a study's ranking by the newest score of each site, the best first.

        Args:
            wanted: which prompts; it must name a study.
            order: by the unweighted mean over sites, the worst site, the mean by case, or the site of the filter.
            coverage: only prompts scored at every site of the study (which alone can be compared), only the others,
                or both.
            limit: how many rows, at most ``MOST``.
            offset: how many to leave out at the beginning.

        Raises:
            BankError: no study, or an order by site without a site.
        """
        if wanted.study is None:
            raise BankError("a ranking is of one study; name it by its digest", code="needs-one-study")
        if order == "site" and wanted.site is None:
            raise BankError("to rank by a site, name the site", code="needs-a-site")
        if not 1 <= limit <= MOST or offset < 0:
            raise BankError(f"a page has 1 to {MOST:,} rows and begins at 0 or later", code="page-out-of-bounds")
        with self._database.read() as connection:
            board = _board(connection, wanted.study, wanted.split)
            sites = len(_sites(connection, board))
            table, ranked = _ranked(order)
            found = [
                table.c.board == board,
                ranked[0].is_not(None),
                *_scored(wanted, order, coverage, board, sites),
                *ranked_conditions(connection, wanted, table),
            ]
            total = int(connection.execute(select(func.count()).select_from(table).where(*found)).scalar_one())
            chosen = _page(select(table.c.entry).where(*found), ranked, total, limit, offset)
            places = list(connection.execute(chosen.query).scalars()) if chosen is not None else []
            if chosen is not None and chosen.backwards:
                places.reverse()
            rows = _rows(connection, board, places, wanted.site)
            about = first_records(connection, wanted.study, [row.prompt for row in rows])
        return LeaderPage(tuple(_leader(row, about) for row in rows), total, sites)

    def scored_at(self, study: str, split: str = "validation") -> tuple[str, ...]:
        """Return the sites that scored a study on a split, by name."""
        with self._database.read() as connection:
            return _sites(connection, _board(connection, study, split))

    def means(self, study: str, split: str = "validation", *, everywhere: bool = False) -> dict[str, float]:
        """Return prompt -> mean over sites, of every prompt that a site of the study scored on the split.

        Args:
            study: a digest.
            split: which cases.
            everywhere: only of prompts that every site of the study scored.
        """
        with self._database.read() as connection:
            board = _board(connection, study, split)
            query = (
                select(entries.c.prompt, standings.c.mean)
                .join(standings, standings.c.entry == entries.c.number)
                .where(standings.c.board == board, standings.c.mean.is_not(None))
            )
            if everywhere:
                query = query.where(standings.c.sites == len(_sites(connection, board)))
            return {prompt: float(mean) for prompt, mean in connection.execute(query).all()}


@dataclass(frozen=True)
class _Page:
    query: "Select[Any]"
    backwards: bool


def _ranked(order: Order) -> tuple[Any, tuple[Any, ...]]:
    """Return the table to read, and the columns that rank: each an index, read backwards."""
    if order == "site":
        return marks, (marks.c.value, marks.c.entry)
    mean, worst, pooled, entry = (standings.c[name] for name in ("mean", "worst", "pooled", "entry"))
    return standings, {"mean": (mean, worst, entry), "worst": (worst, mean, entry), "pooled": (pooled, worst, entry)}[
        order
    ]


def _scored(wanted: Filter, order: Order, coverage: str, board: int, sites: int) -> list[ColumnElement[bool]]:
    """Return what is asked of scores."""
    if order == "site":
        found = [marks.c.site == wanted.site, *_between(wanted, marks.c.value)]
        if coverage == "any":
            return found
        partly = select(standings.c.entry).where(standings.c.board == board, standings.c.sites != sites)
        return [*found, marks.c.entry.not_in(partly) if coverage == "full" else marks.c.entry.in_(partly)]
    covered = {"full": [standings.c.sites == sites], "partial": [standings.c.sites < sites]}.get(coverage, [])
    if wanted.site is None:
        return [*covered, *_between(wanted, standings.c.mean)]
    here = [marks.c.board == board, marks.c.site == wanted.site, marks.c.value.is_not(None)]
    there = select(marks.c.entry).where(*here, *_between(wanted, marks.c.value))
    return [*covered, standings.c.entry.in_(there)]


def _between(wanted: Filter, value: Any) -> list[ColumnElement[bool]]:
    found = [] if wanted.minimum is None else [value >= wanted.minimum]
    return found if wanted.maximum is None else [*found, value <= wanted.maximum]


def _page(query: "Select[Any]", ranked: Sequence[Any], total: int, limit: int, offset: int) -> _Page | None:
    """Return the query of one page, from whichever end is nearer."""
    limit = min(limit, total - offset)
    if limit <= 0:
        return None
    if offset <= total // 2:
        return _Page(query.order_by(*(one.desc() for one in ranked)).limit(limit).offset(offset), False)
    return _Page(query.order_by(*ranked).limit(limit).offset(total - offset - limit), True)


def _rows(connection: Connection, board: int, places: Sequence[int], site: str | None) -> list[Any]:
    """Return the standings of these entries, in this order, with the value at the site."""
    joined = standings.join(entries, entries.c.number == standings.c.entry)
    here: Any = null()
    if site is not None:
        same = (marks.c.board == standings.c.board) & (marks.c.entry == standings.c.entry) & (marks.c.site == site)
        joined, here = joined.outerjoin(marks, same), marks.c.value
    names = ("sites", "n", "mean", "worst", "pooled", "entry")
    query = select(*(standings.c[name] for name in names), entries.c.prompt, here.label("here")).select_from(joined)
    found = connection.execute(query.where(standings.c.board == board, standings.c.entry.in_(places)))
    known = {row.entry: row for row in found}
    return [known[place] for place in places]


def _board(connection: Connection, study: str, split: str) -> int:
    """Return the number of a study's split, 0 where nothing was scored on it."""
    query = select(boards.c.number).where(boards.c.study == study, boards.c.split == split)
    return int(connection.execute(query).scalar() or 0)


def _sites(connection: Connection, board: int) -> tuple[str, ...]:
    """Return the sites that scored on a board: one step of the index a site, however many scores there are."""
    found: list[str] = []
    while True:
        here = (marks.c.board == board, marks.c.site > (found[-1] if found else ""))
        site = connection.execute(select(func.min(marks.c.site)).where(*here)).scalar()
        if site is None:
            return tuple(found)
        found.append(str(site))


def _leader(row: Any, about: Mapping[str, Any]) -> Leader:
    known = about[row.prompt]
    return Leader(
        id=row.prompt,
        name=known.name,
        kind=known.kind,
        origin=known.origin,
        created=from_time(known.created).astimezone(UTC),
        sites=row.sites,
        n=row.n,
        mean=row.mean,
        worst=row.worst,
        pooled=row.pooled,
        here=row.here,
    )
