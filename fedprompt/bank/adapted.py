"""Adapted prompts in the bank: which members, at which weights, with which bias, under a name of the home's own.

They are learnt from a home's own labels, and may hold some of its cases, so they stay with it: a copy of the bank and a
merge leave them out unless they are named. Invariant: a name stands for what this home recorded last under it, and no
tag of this home has that name; no row that is listed holds a case.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, ValidationError
from sqlalchemy import Row, Select, func, select

from fedprompt.bank.prompts import SHORTEST_PREFIX, PromptShelf, check_study
from fedprompt.bank.rows import JSON, AdaptedRow
from fedprompt.bank.schema import adapted, prompts
from fedprompt.bank.tags import split_tag, stands_for
from fedprompt.bank.texts import from_time, now, to_json
from fedprompt.boundary.closed import Closed
from fedprompt.errors import BankError, PromptError, did_you_mean
from fedprompt.prompts.adapted import (
    MOST_CASES_SHOWN,
    MOST_LABELS,
    MOST_MEMBERS,
    Adapted,
    Case,
    adapted_id,
    check_head,
    check_numbers,
)
from fedprompt.prompts.head import Head, HeadBody
from fedprompt.prompts.origins import SHARED
from fedprompt.prompts.prompt import Prompt

__all__ = ["EVERY", "AdaptedBody", "AdaptedShelf", "read_body", "rows_copied", "rows_named"]

EVERY = "all"  # in place of names: every adapted prompt


class AdaptedBody(Closed):
    """The column ``body``; ``about`` is what else is to be known: how many cases it was learnt from, which pack."""

    members: Annotated[tuple[str, ...], Field(min_length=1, max_length=MOST_MEMBERS)]
    weights: Annotated[tuple[float, ...], Field(max_length=MOST_MEMBERS)]
    labels: Annotated[tuple[str, ...], Field(max_length=MOST_LABELS)]
    bias: Annotated[tuple[float, ...], Field(max_length=MOST_LABELS)]
    about: dict[str, JSON]
    shown: Annotated[tuple[tuple[dict[str, str], str], ...], Field(max_length=MOST_CASES_SHOWN)] = ()
    head: HeadBody | None = None
    part: float = 0.0

    @property
    def id(self) -> str:
        """The id of this content."""
        head = None if (made := self.made_head()) is None else made.id
        return adapted_id(self.members, self.weights, self.labels, self.bias, self.shown, head, self.part)

    def made_head(self) -> Head | None:
        """Return its head, None where it has none.

        Raises:
            PromptError: its numbers cannot be those of one.
        """
        return None if self.head is None else self.head.head()


class AdaptedShelf(PromptShelf):
    """The part of the bank that holds prompts, and adapted prompts that are made of them."""

    def record_adapted(self, prompt: Adapted, *, name: str, study: str | None, about: Mapping[str, JSON]) -> str:
        """Keep an adapted prompt under a name, which stands for it from now on; return its id.

        Members that the bank does not hold yet are kept as prompts that came with a pack.

        Args:
            prompt: what to keep.
            name: ``study@name``, such as ``questions@home``.
            study: the digest of the study it belongs to, if the bank holds one.
            about: what else is to be known of it.

        Raises:
            BankError: a name that is none or that a tag has, a study that is not in the bank, or no plain JSON.
        """
        shown = "@".join(split_tag(name))
        body = to_json({**prompt.canonical(), "about": dict(about)}, f"the adapted prompt '{shown}'")
        with self._database.read() as connection:
            found = connection.execute(select(prompts.c.id).where(prompts.c.id.in_(prompt.member_ids)))
            known = set(found.scalars())
            check_study(connection, study, f"the adapted prompt '{shown}'")
        missing: list[tuple[Prompt, dict[str, JSON]]] = [
            (member, {}) for member in prompt.members if member.id not in known
        ]
        self.record_prompts(missing, study=study, origin=SHARED.key)
        row = {"id": prompt.id, "name": shown, "study": study, "body": body, "created": now()}
        with self._database.write() as connection:
            if stands_for(connection, shown) is not None:
                raise BankError(
                    f"'{shown}' is already the tag of a prompt; choose another name",
                    code="name-taken",
                )
            connection.execute(adapted.insert().values(row))
        return prompt.id

    def adapted(self, reference: str | AdaptedRow) -> Adapted:
        """Return an adapted prompt with its members.

        Args:
            reference: ``study@name``, its id, a unique beginning of the id, or what :meth:`adapted_row` returned.

        Raises:
            BankError: there is none or several are meant, or what is stored is damaged.
        """
        row = self.adapted_row(reference) if isinstance(reference, str) else reference
        members = self.prompts_of(row.members)
        try:
            found = tuple(members.values())
            return Adapted(found, row.weights, row.labels, row.bias, self._shown(row), row.head, row.part)
        except PromptError as error:
            raise _damaged(row.id, str(error)) from error

    def adapted_row(self, reference: str) -> AdaptedRow:
        """Return what is known of an adapted prompt; ``reference`` as for :meth:`adapted`.

        Raises:
            BankError: there is none or several are meant, or what is stored is damaged.
        """
        reference = reference.strip()
        with self._database.read() as connection:
            found = connection.execute(_matching(reference)).all()
            names = sorted(set(connection.execute(select(adapted.c.name)).scalars())) if not found else []
        if not found:
            raise BankError(
                f"the bank has no adapted prompt '{reference}'{did_you_mean(reference, names)}; create one "
                "with 'fedprompt adapt'",
                code="no-such-adapted",
            )
        if len(ids := sorted({row.id for row in found})) > 1:
            raise BankError(
                f"several adapted prompts start with {reference} ({', '.join(ids[:3])}); give more of the id",
                code="several-adapted",
            )
        return _row(found[0])

    def _shown(self, row: AdaptedRow) -> tuple[Case, ...]:
        """Return the cases that an adapted prompt holds."""
        if not row.shows:
            return ()
        with self._database.read() as connection:
            body = connection.execute(select(adapted.c.body).where(adapted.c.id == row.id).limit(1)).scalar_one()
        return read_body(row.id, body).shown

    def all_adapted(self) -> tuple[AdaptedRow, ...]:
        """Return what each name stands for now, by name.

        Raises:
            BankError: one is damaged.
        """
        with self._database.read() as connection:
            found = connection.execute(rows_named((EVERY,)).order_by(adapted.c.name)).all()
        return tuple(map(_row, found))

    def is_adapted(self, reference: str) -> bool:
        """Return whether ``study@name``, an id or its beginning stands for an adapted prompt."""
        with self._database.read() as connection:
            return connection.execute(_matching(reference.strip()).limit(1)).first() is not None


def rows_named(names: Sequence[str]) -> "Select[Any]":
    """Select the newest row of each of these names, or of every name where ``EVERY`` is among them."""
    newest = select(func.max(adapted.c.number)).group_by(adapted.c.name)
    if EVERY not in names:
        newest = newest.where(adapted.c.name.in_(names))
    return select(adapted).where(adapted.c.number.in_(newest))


def rows_copied(names: Sequence[str]) -> "Select[Any]":
    """Select what a copy of the bank takes along: the newest row of each of these names; with ``EVERY``, all rows."""
    return select(adapted) if EVERY in names else rows_named(names)


def read_body(id: str, text: str) -> AdaptedBody:
    """Return the content of a row, once it was seen to agree with its id.

    Raises:
        BankError: it is damaged.
    """
    try:
        body = AdaptedBody.model_validate_json(text)
        check_numbers(len(body.members), body.weights, body.labels, body.bias)
        check_head(body.made_head(), body.part, body.labels)
    except ValidationError as error:
        raise _damaged(id, "its content is not an adapted prompt") from error
    except PromptError as error:
        raise _damaged(id, str(error)) from error
    if body.id != id:
        raise _damaged(id, f"its content has the id {body.id}")
    return body


def _matching(reference: str) -> "Select[Any]":
    newest = select(adapted).order_by(adapted.c.number.desc())
    if not reference.startswith("a1:"):
        return newest.where(adapted.c.name == reference).limit(1)
    if len(reference) < len("a1:") + SHORTEST_PREFIX:
        return newest.where(adapted.c.id == reference)
    # A range, as for prompts: 'g' comes after every digit.
    return newest.where(adapted.c.id >= reference, adapted.c.id < reference + "g")


def _row(row: "Row[Any]") -> AdaptedRow:
    body = read_body(row.id, row.body)
    return AdaptedRow(
        id=row.id,
        name=row.name,
        study=row.study,
        members=body.members,
        weights=body.weights,
        labels=body.labels,
        bias=body.bias,
        head=body.made_head(),
        part=body.part,
        about=body.about,
        created=from_time(row.created),
        shows=len(body.shown),
    )


def _damaged(id: str, why: str) -> BankError:
    return BankError(
        f"the adapted prompt {id} is damaged: {why}; 'fedprompt bank verify' lists the damage", code="damaged"
    )
