"""Prompts in the bank, by content id, and where each came from.

A prompt is kept once. Each coming (a study's candidate, a round's result, an import) is a record of its own,
because a name, a study and an origin are no part of what a prompt is.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, or_, select

from fedprompt.bank.adapter_files import AdapterFiles
from fedprompt.bank.database import Database
from fedprompt.bank.filters import Filter, conditions
from fedprompt.bank.inserting import insert_once
from fedprompt.bank.likeness import likeness_keys, prompt_text
from fedprompt.bank.rows import JSON, PromptPage, PromptRow
from fedprompt.bank.schema import likenesses, prompts, records, studies
from fedprompt.bank.standings import describe
from fedprompt.bank.tags import adapted_instead, given_names, tagged
from fedprompt.bank.texts import from_blob, from_json, from_time, now, plain, to_blob, to_json
from fedprompt.bank.wording import index_words
from fedprompt.errors import BankError, FedPromptError
from fedprompt.prompts.prompt import Prompt

__all__ = ["SHORTEST_PREFIX", "PromptShelf", "check_study", "likeness", "rebuild", "resolve"]

_ID = re.compile(r"(?:p1:)?([0-9a-f]{0,32})")
SHORTEST_PREFIX = 4
MOST_ALIKE = 20
FEW = 500
CHUNK = 5_000  # below SQLite's bound on variables


class PromptShelf:
    """The part of the bank that holds prompts."""

    _database: Database
    _files: AdapterFiles

    def record_prompt(
        self,
        prompt: Prompt,
        *,
        study: str | None,
        origin: str,
        parents: Sequence[str] = (),
        notes: Mapping[str, JSON] | None = None,
    ) -> str:
        """Keep a prompt and where it came from; return its id.

        Args:
            prompt: what to keep; the same content is kept once.
            study: the digest of the study it belongs to, if any.
            origin: ``study``, ``federated``, ``local:SITE``, ``centralised``, ``import`` or ``playground``.
            parents: ids of the prompts it was made from.
            notes: what else is to be known of it.

        Raises:
            BankError: the study is not in the bank, or the notes are not JSON.
        """
        (id,) = self.record_prompts([(prompt, notes or {})], study=study, origin=origin, parents=parents)
        return id

    def record_prompts(
        self,
        batch: Sequence[tuple[Prompt, Mapping[str, JSON]]],
        *,
        study: str | None,
        origin: str,
        parents: Sequence[str] = (),
    ) -> tuple[str, ...]:
        """Keep several prompts, each with its notes, all or none; otherwise like :meth:`record_prompt`.

        Raises:
            BankError: the study is not in the bank, or the notes are not JSON.
        """
        contents = [_content(prompt) for prompt, _ in batch]
        lineage = {
            "study": study,
            "origin": origin,
            "parents": to_json(list(parents), "a prompt's parents"),
            "created": now(),
        }
        comings = [
            {
                "prompt": prompt.id,
                "name": plain(prompt.name),
                "notes": to_json(notes, f"the notes of '{prompt.name}'"),
                **lineage,
            }
            for prompt, notes in batch
        ]
        if not batch:
            return ()
        self._files.keep(prompt.adapter for prompt, _ in batch if prompt.adapter is not None)
        with self._database.write() as connection:
            check_study(connection, study, "a prompt")
            connection.execute(insert_once(connection, prompts), contents)
            connection.execute(insert_once(connection, records), comings)
            connection.execute(insert_once(connection, likenesses), [row for one, _ in batch for row in likeness(one)])
            ids = list(dict.fromkeys(prompt.id for prompt, _ in batch))
            index_words(connection, ids)
            describe(connection, ids)
        return tuple(prompt.id for prompt, _ in batch)

    def prompt(self, reference: str) -> Prompt:
        """Return a prompt under the name that it first came with; by id, a unique beginning of one, or ``name@tag``.

        Raises:
            BankError: no prompt, or several, are meant, or the stored one is damaged.
        """
        with self._database.read() as connection:
            id = resolve(connection, reference)
            found = connection.execute(select(prompts).where(prompts.c.id == id)).one()
            first = select(records.c.name).where(records.c.prompt == id).order_by(records.c.number).limit(1)
            name = connection.execute(first).scalar() or id
        prompt = rebuild(str(name), found.body, found.vectors, id, self._files)
        if prompt.id != id:
            raise BankError(f"prompt {id} is damaged: its content has the id {prompt.id}", code="damaged")
        return prompt

    def prompts_of(self, ids: Sequence[str]) -> dict[str, Prompt]:
        """Return id -> prompt, under the names that they first came with, in this order; all in a few questions.

        Args:
            ids: whole ids.

        Raises:
            BankError: one is not there, or is damaged.
        """
        found: dict[str, Prompt] = {}
        wanted = list(dict.fromkeys(ids))
        with self._database.read() as connection:
            for at in range(0, len(wanted), FEW):
                chosen = wanted[at : at + FEW]
                names = {row.id: row.name for row in _rows(connection, [records.c.prompt.in_(chosen)])}
                for row in connection.execute(select(prompts).where(prompts.c.id.in_(chosen))):
                    prompt = rebuild(names.get(row.id, row.id), row.body, row.vectors, row.id, self._files)
                    if prompt.id != row.id:
                        raise BankError(
                            f"prompt {row.id} is damaged: its content has the id {prompt.id}", code="damaged"
                        )
                    found[row.id] = prompt
        if missing := [id for id in wanted if id not in found]:
            raise BankError(
                f"the bank has no prompt {missing[0]}; 'fedprompt bank list' shows its prompts",
                code="no-such-prompt",
            )
        return {id: found[id] for id in wanted}

    def prompt_row(self, id: str) -> PromptRow:
        """Return where a prompt first came from; ``id`` may be a unique beginning of one, or ``name@tag``.

        Raises:
            BankError: no prompt, or several, are meant.
        """
        with self._database.read() as connection:
            (row,) = _rows(connection, [records.c.prompt == resolve(connection, id)])
        return row

    def rows_of(self, ids: Sequence[str]) -> tuple[PromptRow, ...]:
        """Return where these prompts first came from, in that order; ids that are not there are left out."""
        found: list[PromptRow] = []
        with self._database.read() as connection:
            for at in range(0, len(ids), CHUNK):
                found += _rows(connection, [records.c.prompt.in_(ids[at : at + CHUNK])])
        return tuple(found)

    def near_duplicates(self, id: str) -> tuple[tuple[str, str], ...]:
        """Return (id, ``words`` or ``vectors``) of each other prompt that has the same of these in another order."""
        return self.near_duplicates_of([id]).get(id, ())

    def near_duplicates_of(self, ids: Sequence[str]) -> dict[str, tuple[tuple[str, str], ...]]:
        """Return id -> its :meth:`near_duplicates`, at most 20; prompts that have none are left out."""
        mine = likenesses.alias("mine")
        same = and_(likenesses.c.kind == mine.c.kind, likenesses.c.key == mine.c.key)
        query = select(mine.c.prompt.label("id"), likenesses.c.prompt, likenesses.c.kind).join(mine, same)
        query = query.where(likenesses.c.prompt != mine.c.prompt).order_by(likenesses.c.kind, likenesses.c.prompt)
        found: dict[str, tuple[tuple[str, str], ...]] = {}
        with self._database.read() as connection:
            for at in range(0, len(ids), FEW):
                for row in connection.execute(query.where(mine.c.prompt.in_(ids[at : at + FEW]))):
                    known = found.get(row.id, ())
                    if len(known) < MOST_ALIKE:
                        found[row.id] = (*known, (str(row.prompt), str(row.kind)))
        return found

    def children(self, id: str) -> tuple[PromptRow, ...]:
        """Return the prompts that say they were made from this one, in the order they came."""
        named = records.c.parents.contains(f'"{id}"', autoescape=True)
        with self._database.read() as connection:
            return _rows(connection, [named])

    def prompts_named(self, like: PromptRow, limit: int) -> tuple[PromptRow, ...]:
        """Return the newest prompts of a prompt's very name, the newest first; tuned ones of its study and origin."""
        wanted: list[ColumnElement[bool]] = [records.c.name == like.name, prompts.c.kind == like.kind]
        if like.kind != "template":  # they all bear the name of the study's template
            wanted += [records.c.study == like.study, records.c.origin == like.origin]
        with self._database.read() as connection:
            return _rows(connection, wanted, limit, newest=True)

    def count_prompts(self) -> int:
        """Return how many prompts there are."""
        with self._database.read() as connection:
            return int(connection.execute(select(func.count()).select_from(prompts)).scalar_one())

    def prompts_passing(self, wanted: Filter, *, limit: int = 50, offset: int = 0) -> PromptPage:
        """Return one page of the prompts that a filter lets through, the newest first.

        Raises:
            BankError: the filter's tag is none, or a page out of bounds.
        """
        if not 1 <= limit <= CHUNK or offset < 0:
            raise BankError(f"a page has 1 to {CHUNK:,} rows and begins at 0 or later", code="page-out-of-bounds")
        with self._database.read() as connection:
            let_through = conditions(connection, wanted)
            total = connection.execute(select(func.count()).select_from(prompts).where(*let_through)).scalar_one()
            page = select(prompts.c.id).where(*let_through).order_by(prompts.c.number.desc())
            ids = connection.execute(page.limit(limit).offset(offset)).scalars().all()
            rows = {row.id: row for row in _rows(connection, [records.c.prompt.in_(ids)])}
        return PromptPage(tuple(rows[id] for id in ids), int(total))

    def prompts(
        self,
        *,
        study: str | None = None,
        kind: str | None = None,
        search: str | None = None,
        limit: int | None = None,
        offset: int = 0,
        newest: bool = False,
    ) -> tuple[PromptRow, ...]:
        """Return prompts in the order they first came.

        Args:
            study: only prompts of this study (its digest).
            kind: only ``template``, only ``soft`` or only ``adapter`` prompts.
            search: only prompts whose id, name, origin or text hold each of these words (A is a).
            limit: at most so many.
            offset: leave out so many at the beginning.
            newest: count ``limit`` and ``offset`` from the newest, which comes first.
        """
        wanted: list[ColumnElement[bool]] = []
        if study is not None:
            wanted.append(records.c.study == study)
        if kind is not None:
            wanted.append(prompts.c.kind == kind)
        for word in (search or "").split():
            columns = (prompts.c.id, records.c.name, records.c.origin, prompts.c.searched)
            wanted.append(or_(*(column.icontains(word, autoescape=True) for column in columns)))
        if study is None and not (search or "").split():
            # Their numbers are in the order they came: a page of 100,000 then costs what a page of 50 does.
            order = prompts.c.number.desc() if newest else prompts.c.number
            page = select(prompts.c.id).where(*wanted).order_by(order).limit(limit).offset(offset or None)
            wanted, limit, offset = [records.c.prompt.in_(page)], None, 0
        with self._database.read() as connection:
            return _rows(connection, wanted, limit, offset, newest)


def check_study(connection: Connection, study: str | None, what: str) -> None:
    """Refuse a study that the bank does not hold; ``what`` was to be kept for it.

    Raises:
        BankError: it is not there.
    """
    if study is not None:
        known = select(studies.c.number).where(studies.c.digest == study)
        if connection.execute(known).first() is None:
            raise BankError(
                f"{what} cannot be saved: the bank has no study {study}; record it first", code="no-such-study"
            )


def rebuild(name: str, body: str, blob: bytes | None, id: str, files: AdapterFiles) -> Prompt:
    """Return a prompt from its columns, and an adapter from its file.

    Raises:
        BankError: they do not make a prompt.
    """
    try:
        canonical: Mapping[str, Any] = json.loads(body)
        vectors = None if blob is None else from_blob(blob, f"prompt {id}")
        adapter = canonical.get("adapter")
        arrays = None if adapter is None else files.read(str(adapter["file"]))
        return Prompt.from_canonical(name, canonical, vectors, arrays)
    except (FedPromptError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, BankError):
            raise
        raise BankError(
            f"prompt {id} is damaged ({error}); 'fedprompt bank verify' lists the damage", code="damaged"
        ) from error


def _rows(
    connection: Connection,
    wanted: Sequence[ColumnElement[bool]],
    limit: int | None = None,
    offset: int = 0,
    newest: bool = False,
) -> tuple[PromptRow, ...]:
    first = (
        select(func.min(records.c.number))
        .join(prompts, prompts.c.id == records.c.prompt)
        .where(*wanted)
        .group_by(records.c.prompt)
    )
    query = (
        select(records, prompts.c.kind, prompts.c.model)
        .join(prompts, prompts.c.id == records.c.prompt)
        .where(records.c.number.in_(first))
        .order_by(records.c.number.desc() if newest else records.c.number)
        .limit(limit)
        .offset(offset or None)
    )
    names = given_names(connection)
    return tuple(_row(row, names.get(row.prompt)) for row in connection.execute(query))


def _row(row: "Row[tuple[object, ...]]", given: str | None) -> PromptRow:
    return PromptRow(
        id=row.prompt,
        name=row.name,
        kind=row.kind,
        study=row.study,
        origin=row.origin,
        parents=tuple(from_json(row.parents)),
        model=row.model,
        notes=from_json(row.notes),
        created=from_time(row.created),
        given=given,
    )


def resolve(connection: Connection, reference: str) -> str:
    """Return the id that an id, a unique beginning of one, or ``name@tag`` stands for.

    Raises:
        BankError: it stands for none, or for several.
    """
    if "@" in reference:
        return tagged(connection, reference)
    if reference.strip().startswith("a1:"):
        raise adapted_instead(reference.strip())
    match = _ID.fullmatch(reference.strip())
    if match is None or len(match[1]) < SHORTEST_PREFIX:
        raise BankError(
            f"'{reference}' is not a prompt's id; give 'p1:' and at least its first {SHORTEST_PREFIX} digits "
            "(see 'fedprompt bank list'), or name@tag (see 'fedprompt bank tags')",
            code="not-a-prompts-id",
        )
    # A range and not LIKE: that reads an index on either database. 'g' comes after every digit.
    start = "p1:" + match[1]
    query = select(prompts.c.id).where(prompts.c.id >= start, prompts.c.id < start + "g").limit(3)
    found = connection.execute(query).scalars().all()
    if not found:
        raise BankError(
            f"the bank has no prompt {reference}; 'fedprompt bank list' shows its prompts", code="no-such-prompt"
        )
    if len(found) > 1:
        raise BankError(
            f"several prompts start with {reference} ({', '.join(found)}); give more of the id", code="several-prompts"
        )
    return str(found[0])


def likeness(prompt: Prompt) -> list[dict[str, str]]:
    """Return the rows of the table ``likenesses`` for one prompt."""
    return [{"prompt": prompt.id, "kind": kind, "key": key} for kind, key in likeness_keys(prompt).items()]


def _content(prompt: Prompt) -> dict[str, Any]:
    return {
        "id": prompt.id,
        "kind": prompt.kind,
        "model": None if prompt.tuned is None else prompt.tuned.model,
        "body": to_json(prompt.canonical(), f"prompt '{prompt.name}'"),
        "searched": plain(prompt_text(prompt)),
        "vectors": None if prompt.soft is None else to_blob(prompt.soft.vectors),
    }
