"""The ranking of a study, page by page, out of the table that is kept up as scores come."""

from datetime import UTC
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, func, select

from fedprompt.bank.database import Database
from fedprompt.bank.filters import Filter, conditions
from fedprompt.bank.rows import Leader, LeaderPage
from fedprompt.bank.schema import boards, entries, marks, prompts, records, standings
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
            raise BankError("a ranking is of one study; name it by its digest")
        if order == "site" and wanted.site is None:
            raise BankError("to rank by a site, name the site")
        if not 1 <= limit <= MOST or offset < 0:
            raise BankError(f"a page has 1 to {MOST:,} rows and begins at 0 or later")
        with self._database.read() as connection:
            board = _board(connection, wanted.study, wanted.split)
            sites = _sites(connection, board)
            found = self._where(wanted, board, coverage, sites)
            here = marks.c.value if wanted.site is not None else standings.c.mean
            value = {"mean": standings.c.mean, "worst": standings.c.worst, "pooled": standings.c.pooled, "site": here}
            joined = standings.join(entries, entries.c.number == standings.c.entry)
            if wanted.site is not None:
                same = (marks.c.board == standings.c.board) & (marks.c.entry == standings.c.entry)
                joined = joined.join(marks, same & (marks.c.site == wanted.site))
            query = select(standings, entries.c.prompt, here.label("here")).select_from(joined).where(*found)
            counted = select(func.count()).select_from(joined).where(*found)
            # One direction for all, so that an index read backwards is the order.
            ranked = (value[order].desc(), standings.c.worst.desc(), standings.c.entry.desc())
            page = query.order_by(*ranked).limit(limit).offset(offset)
            rows = connection.execute(page).all()
            total = int(connection.execute(counted).scalar_one())
            about = _about(connection, wanted.study, [row.prompt for row in rows])
        return LeaderPage(tuple(_leader(row, about, wanted.site is not None) for row in rows), total, sites)

    def means(self, study: str, split: str = "validation") -> dict[str, float]:
        """Return prompt -> mean over sites, of every prompt that a site of the study scored on the split."""
        with self._database.read() as connection:
            query = (
                select(entries.c.prompt, standings.c.mean)
                .join(standings, standings.c.entry == entries.c.number)
                .where(standings.c.board == _board(connection, study, split), standings.c.mean.is_not(None))
            )
            return {str(row.prompt): float(row.mean) for row in connection.execute(query)}

    def _where(self, wanted: Filter, board: int, coverage: str, sites: int) -> list[ColumnElement[bool]]:
        found = [
            standings.c.board == board,
            standings.c.mean.is_not(None),
            # What a site has not published is known by a hash alone, and has no place among the prompts.
            entries.c.prompt >= "p1:",
            *conditions(wanted, entries.c.prompt, scored_here=True),
        ]
        if coverage == "full":
            found.append(standings.c.sites == sites)
        elif coverage == "partial":
            found.append(standings.c.sites < sites)
        value: Any = standings.c.mean
        if wanted.site is not None:
            value = marks.c.value
            found.append(marks.c.value.is_not(None))
        if wanted.minimum is not None:
            found.append(value >= wanted.minimum)
        if wanted.maximum is not None:
            found.append(value <= wanted.maximum)
        return found


def _board(connection: Connection, study: str, split: str) -> int:
    """Return the number of a study's split, 0 where nothing was scored on it."""
    query = select(boards.c.number).where(boards.c.study == study, boards.c.split == split)
    return int(connection.execute(query).scalar() or 0)


def _sites(connection: Connection, board: int) -> int:
    """Return how many sites scored on a board: one step of the index a site, however many scores there are."""
    count, last = 0, ""
    while True:
        here = (marks.c.board == board, marks.c.site > last)
        found = connection.execute(select(func.min(marks.c.site)).where(*here)).scalar()
        if found is None:
            return count
        count, last = count + 1, found


def _about(connection: Connection, study: str, ids: list[str]) -> dict[str, Any]:
    """Return prompt -> its first record within the study, or its first of all."""
    query = select(records, prompts.c.kind).join(prompts, prompts.c.id == records.c.prompt)
    found: dict[str, Any] = {}
    for row in connection.execute(query.where(records.c.prompt.in_(ids)).order_by(records.c.number)):
        if row.prompt not in found or (found[row.prompt].study != study and row.study == study):
            found[row.prompt] = row
    return found


def _leader(row: Any, about: dict[str, Any], at_site: bool) -> Leader:
    known = about.get(row.prompt)
    return Leader(
        id=row.prompt,
        name=known.name if known else row.prompt,
        kind=known.kind if known else "template",
        origin=known.origin if known else "",
        created=None if known is None else from_time(known.created).astimezone(UTC),
        sites=row.sites,
        n=row.n,
        mean=row.mean,
        worst=row.worst,
        pooled=row.pooled,
        here=row.here if at_site else None,
    )
