"""One filter for the ranking and for search: which prompts are wanted, as conditions on the rows that are read.

The ranking reads ``standings`` or ``marks``, which hold what is asked of a prompt, so one range of one index answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from fedprompt.bank.schema import boards, entries, marks, prompts, records, standings
from fedprompt.bank.tags import prompts_tagged, retired_prompts
from fedprompt.bank.wording import prompts_saying
from fedprompt.errors import BankError

__all__ = ["EPOCH", "KINDS", "Filter", "conditions", "microseconds", "ranked_conditions"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


KINDS = ("template", "soft", "adapter")  # a kind's place stands in the column ``soft`` of rankings


@dataclass(frozen=True)
class Filter:
    """Which prompts are wanted; what is None does not matter.

    Args:
        study: a study's digest: prompts that came with it.
        kind: ``template`` or ``soft``.
        origin: where they came from, such as ``federated``.
        tag: ``name@tag``, or the tag alone.
        site: scored there. With ``minimum`` or ``maximum``, it is that site's newest score that counts.
        minimum: the mean over sites on ``split`` is this or more.
        maximum: it is this or less.
        split: the split that scores are of.
        since: they came then or later (an aware datetime). A ranking goes by their first coming within the study,
            and so it does by ``origin``.
        until: they came before.
        words: each of these begins a word of their name or text.
        model: the digest of the model that a soft prompt is for.
        retired: with those that were retired.
        ids: these alone.
        begins: their id begins so, such as ``p1:3f9c``.
    """

    study: str | None = None
    kind: str | None = None
    origin: str | None = None
    tag: str | None = None
    site: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    split: str = "validation"
    since: datetime | None = None
    until: datetime | None = None
    words: str | None = None
    model: str | None = None
    retired: bool = False
    ids: Sequence[str] | None = None
    begins: str | None = None

    def __post_init__(self) -> None:
        if self.kind is not None and self.kind not in KINDS:
            raise BankError(
                f"'{self.kind}' is not a kind of prompt; use one of {', '.join(KINDS)}", code="unknown-kind-of-prompt"
            )
        if self.split not in ("tune", "validation", "test"):
            raise BankError(f"'{self.split}' is not a split; use tune, validation or test", code="unknown-split")


def conditions(connection: Connection, wanted: Filter) -> list[ColumnElement[bool]]:
    """Return what rows of ``prompts`` must satisfy.

    Each condition is ``column IN (SELECT ...)`` that does not look at the row it is asked of, so that a database
    computes it once. Ids choose the rows where ids are asked for, and numbers only where they are not: given both,
    SQLite would look up every id with every number.
    """
    id, number = prompts.c.id, prompts.c.number
    found: list[ColumnElement[bool]] = []
    if known := _recorded(wanted):
        found.append(id.in_(select(records.c.prompt).where(*known)))
    if wanted.kind is not None:
        found.append(prompts.c.kind == wanted.kind)
    if wanted.model is not None:
        found.append(prompts.c.model == wanted.model)
    if wanted.tag is not None:
        found.append(id.in_(prompts_tagged(wanted.tag)))
    if wanted.ids is not None:
        found.append(id.in_(list(wanted.ids)))
    if wanted.begins is not None:
        found += _beginning(id, wanted.begins)
    by_number: ColumnElement[int] = number + 0 if known or wanted.tag is not None or wanted.ids is not None else number
    found += _scored(wanted, by_number)
    if (saying := prompts_saying(connection, wanted.words or "")) is not None:
        found.append(by_number.in_(saying))
    if not wanted.retired:
        found.append(id.not_in(retired_prompts()))
    return found


def ranked_conditions(connection: Connection, wanted: Filter, table: Any) -> list[ColumnElement[bool]]:
    """Return what rows of ``standings`` or ``marks`` (``table``) must satisfy, beside study, site and score."""
    # What a site has not published is known by a hash alone, and has no place among the prompts.
    found: list[ColumnElement[bool]] = [table.c.prompt.is_not(None)]
    if wanted.kind is not None:
        found.append(table.c.soft == KINDS.index(wanted.kind))
    if wanted.origin is not None:
        found.append(table.c.origin == wanted.origin)
    if wanted.since is not None:
        found.append(table.c.came >= microseconds(wanted.since))
    if wanted.until is not None:
        found.append(table.c.came < microseconds(wanted.until))
    if wanted.model is not None:
        found.append(table.c.prompt.in_(select(prompts.c.number).where(prompts.c.model == wanted.model)))
    if (saying := prompts_saying(connection, wanted.words or "")) is not None:
        found.append(table.c.prompt.in_(saying))
    if wanted.tag is not None:
        found.append(table.c.entry.in_(_entries(prompts_tagged(wanted.tag))))
    if wanted.ids is not None:
        found.append(table.c.entry.in_(_entries(list(wanted.ids))))
    if wanted.begins is not None:
        found.append(table.c.entry.in_(select(entries.c.number).where(*_beginning(entries.c.prompt, wanted.begins))))
    if not wanted.retired:
        found.append(table.c.entry.not_in(_entries(retired_prompts())))
    return found


def microseconds(time: datetime) -> int:
    """Return a time as the derived tables hold it: microseconds since 1970, in UTC.

    Raises:
        BankError: it has no time zone.
    """
    _text(time)
    return (time - EPOCH) // timedelta(microseconds=1)


def _beginning(id: Any, start: str) -> list[ColumnElement[bool]]:
    """A range and not LIKE: that reads an index on either database. 'g' comes after every digit of an id."""
    return [id >= start, id < start + "g"]


def _entries(ids: Any) -> Any:
    return select(entries.c.number).where(entries.c.prompt.in_(ids))


def _recorded(wanted: Filter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.study is not None:
        found.append(records.c.study == wanted.study)
    if wanted.origin is not None:
        found.append(records.c.origin == wanted.origin)
    if wanted.since is not None:
        found.append(records.c.created >= _text(wanted.since))
    if wanted.until is not None:
        found.append(records.c.created < _text(wanted.until))
    return found


def _scored(wanted: Filter, number: Any) -> list[ColumnElement[bool]]:
    bounded = wanted.minimum is not None or wanted.maximum is not None
    if wanted.site is None and not bounded:
        return []
    table, value = (standings, standings.c.mean) if wanted.site is None else (marks, marks.c.value)
    query = select(table.c.prompt).join(boards, boards.c.number == table.c.board)
    query = query.where(boards.c.split == wanted.split, table.c.prompt.is_not(None))
    if wanted.study is not None:
        query = query.where(boards.c.study == wanted.study)
    if wanted.site is not None:
        query = query.where(marks.c.site == wanted.site, marks.c.value.is_not(None))
    if wanted.minimum is not None:
        query = query.where(value >= wanted.minimum)
    if wanted.maximum is not None:
        query = query.where(value <= wanted.maximum)
    return [number.in_(query)]


def _text(time: datetime) -> str:
    """Return a time as the bank stores it."""
    if time.tzinfo is None:
        raise BankError(
            f"{time.isoformat()} has no time zone; write for example {time.isoformat()}+00:00", code="no-time-zone"
        )
    return time.astimezone(UTC).isoformat(timespec="microseconds")
