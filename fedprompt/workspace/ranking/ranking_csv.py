"""The whole ranking as a CSV file (RFC 4180, UTF-8): what the page shows of each prompt, read from the store in parts.

Prompts that were not scored at every site come last, without a place and a mean. Invariant: test scores are of
nominated prompts, and only where they are asked for, as on the page.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO
from zlib import crc32

from fedprompt.bank.filters import Filter
from fedprompt.bank.leaders import MOST as PART
from fedprompt.errors import BankError
from fedprompt.evaluation.statistics.intervals import Interval
from fedprompt.private_file import private_file
from fedprompt.stopping import NEVER, StopToken
from fedprompt.workspace.progress import Progress, Report, quiet
from fedprompt.workspace.ranking.ranking_page import (
    Contenders,
    Coverage,
    Order,
    RankingPage,
    contenders,
    ranking_page,
    standing_of,
)
from fedprompt.workspace.results.views import LeaderRow
from fedprompt.workspace.workspace import Workspace

__all__ = ["RankingFile", "RankingWritten", "ranking_csv", "run_ranking_csv", "write_ranking"]

COLUMNS = (
    *("place", "name", "kind", "origin", "tags", "mean", "mean_low", "mean_high", "worst_site", "pooled"),
    *("standing", "probability_best", "sites", "cases"),
)
TEST = ("test_mean", "test_low", "test_high")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run


@dataclass(frozen=True)
class RankingFile:
    """What a file of the ranking holds: which prompts of a study, in which order, with test scores or without."""

    wanted: Filter
    order: Order = "mean"
    show_test: bool = False


def write_ranking(
    ws: Workspace, asked: RankingFile, out: TextIO, report: Report = quiet, stop: StopToken = NEVER
) -> int:
    """Write the ranking; return how many prompts it holds. ``stop`` is looked at before each page.

    Raises:
        BankError: no study, or an order by site without a site.
    """
    study = asked.wanted.study or ""
    rivals, sites = contenders(ws, study, asked.wanted.split), ws.bank.scored_at(study, asked.wanted.split)
    writer = csv.writer(out, lineterminator="\r\n")
    test = TEST if asked.show_test else ()
    writer.writerow([*COLUMNS, *(f"at {site}" for site in sites), *test, "id"])
    done = 0
    coverages: tuple[Coverage, ...] = ("full", "partial")
    for coverage in coverages:
        first = done
        for page in _pages(ws, asked, coverage, rivals):
            stop.check()
            for row in page.rows:
                done += 1
                writer.writerow(_line(done if coverage == "full" else None, row, page, sites, asked.show_test))
            report(Progress("csv", f"{done:,} prompts written", done - first, page.total))
    return done


def ranking_csv(ws: Workspace, asked: RankingFile) -> bytes:
    """Return the file's content, of a ranking of which that takes no time. Raises as :func:`write_ranking`."""
    text = io.StringIO(newline="")
    write_ranking(ws, asked, text)
    return text.getvalue().encode()


@dataclass(frozen=True)
class RankingWritten:
    """A ranking's file, and how many ``prompts`` stand in it."""

    path: str
    prompts: int


def run_ranking_csv(
    ws: Workspace, arguments: Mapping[str, Any], report: Report = quiet, stop: StopToken = NEVER
) -> RankingWritten:
    """Write the ranking that ``wanted``, ``order`` and ``show_test`` ask for into the home's exports, as a job.

    Raises:
        BankError: as :func:`write_ranking`, or the file cannot be written.
    """
    asked = RankingFile(Filter(**arguments["wanted"]), arguments["order"], bool(arguments["show_test"]))
    path = ws.home.exports / f"leaderboard-{crc32(repr(asked).encode()):08x}.csv"
    try:
        ws.home.exports.mkdir(mode=0o700, parents=True, exist_ok=True)
        with private_file(path) as file:
            text = io.TextIOWrapper(file, encoding="utf-8", newline="")
            prompts = write_ranking(ws, asked, text, report, stop)
            text.detach()
    except OSError as error:
        raise BankError(
            f"{path}: the ranking cannot be written ({error.strerror}); check the disk", code="cannot-write"
        ) from error
    return RankingWritten(str(path), prompts)


def _pages(ws: Workspace, asked: RankingFile, coverage: Coverage, rivals: Contenders) -> Iterator[RankingPage]:
    number, more = 0, True
    while more:
        page = ranking_page(
            ws,
            asked.wanted,
            page=number,
            size=PART,
            order=asked.order,
            coverage=coverage,
            show_test=asked.show_test,
            rivals=rivals,
        )
        yield page
        number += 1
        more = number * PART < page.total


def _line(place: int | None, row: LeaderRow, page: RankingPage, sites: Sequence[str], test: bool) -> list[object]:
    here = [row.sites.get(site) for site in sites]
    measured = [one for one in here if one is not None]
    tested = [_number(row.test_mean), *_ends(row.test_interval)] if test else []
    return [
        place if row.mean is not None else None,
        _text(row.name),
        row.kind,
        _text(row.origin),
        _text(", ".join((page.tags or {}).get(row.id, ()))),
        _number(row.mean),
        *_ends(row.interval),
        _number(row.worst),
        _number(row.pooled),
        standing_of(row, page.best),
        _number(row.probability_best),
        len(measured),
        row.cases,
        *(None if one is None else _number(one.value) for one in here),
        *tested,
        row.id,
    ]


def _ends(interval: Interval | None) -> tuple[str | None, str | None]:
    return (None, None) if interval is None else (_number(interval.low), _number(interval.high))


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.6f}"


def _text(text: str) -> str:
    """Return a text that a spreadsheet shows and does not run."""
    return f"'{text}" if text.startswith(FORMULA) else text
