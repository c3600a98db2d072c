"""One filter for the ranking and for search: which prompts are wanted, as a condition on a column of prompt ids."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, select

from fedprompt.bank.schema import boards, entries, marks, prompts, records, standings
from fedprompt.bank.tags import prompts_tagged, retired_prompts
from fedprompt.errors import BankError

__all__ = ["Filter", "conditions"]


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
        since: they came then or later (an aware datetime).
        until: they came before.
        words: their name or text holds each of these.
        model: the digest of the model that a soft prompt is for.
        retired: with those that were retired.
        ids: these alone.
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

    def __post_init__(self) -> None:
        if self.kind not in (None, "template", "soft"):
            raise BankError(f"'{self.kind}' is neither template nor soft")
        if self.split not in ("tune", "validation", "test"):
            raise BankError(f"'{self.split}' is no split; one of tune, validation, test")


def conditions(wanted: Filter, prompt: Any, *, scored_here: bool = False) -> list[ColumnElement[bool]]:
    """Return what a column of prompt ids must satisfy.

    Each condition is ``prompt IN (SELECT ...)`` that does not look at the row it is asked of, so that a database
    computes it once.

    Args:
        wanted: the filter.
        prompt: the column.
        scored_here: the query reads ``standings`` of the filter's study and split itself, so leave these out.
    """
    found: list[ColumnElement[bool]] = []
    known = _recorded(wanted)
    if known and not (scored_here and not _beyond_study(wanted)):
        found.append(prompt.in_(select(records.c.prompt).where(*known)))
    if wanted.kind is not None or wanted.model is not None:
        query = select(prompts.c.id)
        if wanted.kind is not None:
            query = query.where(prompts.c.kind == wanted.kind)
        if wanted.model is not None:
            query = query.where(prompts.c.model == wanted.model)
        found.append(prompt.in_(query))
    if wanted.tag is not None:
        found.append(prompt.in_(prompts_tagged(wanted.tag)))
    if not scored_here:
        found += _scored(wanted, prompt)
    for word in (wanted.words or "").split():
        named = select(records.c.prompt).where(records.c.name.icontains(word, autoescape=True))
        texts = select(prompts.c.id).where(prompts.c.searched.icontains(word, autoescape=True))
        found.append(or_(prompt.in_(named), prompt.in_(texts)))
    if not wanted.retired:
        found.append(prompt.not_in(retired_prompts()))
    if wanted.ids is not None:
        found.append(prompt.in_(list(wanted.ids)))
    return found


def _beyond_study(wanted: Filter) -> bool:
    return any(value is not None for value in (wanted.origin, wanted.since, wanted.until))


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


def _scored(wanted: Filter, prompt: Any) -> list[ColumnElement[bool]]:
    bounded = wanted.minimum is not None or wanted.maximum is not None
    if wanted.site is None and not bounded:
        return []
    table, value = (standings, standings.c.mean) if wanted.site is None else (marks, marks.c.value)
    query = (
        select(entries.c.prompt)
        .join(table, table.c.entry == entries.c.number)
        .join(boards, boards.c.number == table.c.board)
        .where(boards.c.split == wanted.split)
    )
    if wanted.study is not None:
        query = query.where(boards.c.study == wanted.study)
    if wanted.site is not None:
        query = query.where(marks.c.site == wanted.site, marks.c.value.is_not(None))
    if wanted.minimum is not None:
        query = query.where(value >= wanted.minimum)
    if wanted.maximum is not None:
        query = query.where(value <= wanted.maximum)
    return [prompt.in_(query)]


def _text(time: datetime) -> str:
    """Return a time as the bank stores it."""
    if time.tzinfo is None:
        raise BankError(f"{time.isoformat()} has no time zone; write for example {time.isoformat()}+00:00")
    return time.astimezone(UTC).isoformat(timespec="microseconds")
