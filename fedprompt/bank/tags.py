"""What people say of prompts, as events that are only ever added: tags and who asked for them, names, retirements.

An event's id is a digest of its content, and its content is signed by the home that said it. What holds now is the
newest event: of those said here by their number, and only where nothing was said here, of those that came with a
merge, by their time. So a merge never moves a tag, and the history is never lost.

The body of a tag's event is canonical JSON that ends in the name and the tag; what else is said of it (who asked, who
approved) stands before them, so that all events of ``name@tag`` end alike.
"""

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Integer, Row, Select, case, func, literal, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from fedprompt.bank.database import Database
from fedprompt.bank.inserting import insert_once
from fedprompt.bank.removed import REMOVED
from fedprompt.bank.rows import JSON, EventRow, TagRow
from fedprompt.bank.schema import adapted, events, prompts
from fedprompt.bank.texts import from_json, from_time, now, plain, to_json
from fedprompt.errors import BankError, did_you_mean
from fedprompt.prompts.ids import canonical_json, content_id
from fedprompt.trust.signing import Signer, fingerprint

__all__ = [
    "EVENTS",
    "SAID_OF_TAGS",
    "SIGNED",
    "TagShelf",
    "adapted_instead",
    "event_content",
    "given_names",
    "prompts_tagged",
    "retired_prompts",
    "split_tag",
    "stands_for",
    "tag_body",
    "tagged",
]

EVENTS = ("tag", "untag", "ask", "decline", "approve", "retire", "revive", "rename", REMOVED)
SAID_OF_TAGS = ("approved_as", "approved_by", "asked", "asked_as", "asked_by", "confirmed")  # all sort before "name"
SIGNED = b"fedprompt bank event 1\n"
LONGEST_BY, LONGEST_NOTE = 200, 10_000
_NAME = '"name":"'
_TAG = re.compile(r"([^@\s][^@\n]{0,99})@([a-z0-9][a-z0-9._-]{0,39})")


class TagShelf:
    """The part of the bank that holds events."""

    _database: Database

    def record_event(self, kind: str, prompt: str, body: Mapping[str, JSON], *, by: str, signer: Signer) -> EventRow:
        """Add an event.

        Args:
            kind: one of ``EVENTS``.
            prompt: the id of the prompt it is about.
            body: ``name``, ``tag`` and any of ``SAID_OF_TAGS`` for ``tag``, ``untag``, ``ask`` (for a tag) and
                ``decline`` (what was asked); ``site`` for ``remove-scores``; ``called`` for ``rename``, None for the
                name that it came with; else ``note``.
            by: the person who says so.
            signer: the home's key.

        Raises:
            BankError: no such kind or prompt, a body that is not JSON or too long, or a tag that is the name of an
                adapted prompt.
        """
        if kind not in EVENTS:
            raise BankError(
                f"there is no event '{kind}'{did_you_mean(kind, EVENTS) or '; one of ' + ', '.join(EVENTS)}",
                code="unknown-event",
            )
        text = to_json(body, f"the event of {prompt}")
        if len(by) > LONGEST_BY or len(text) > LONGEST_NOTE:
            raise BankError(
                f"a name has at most {LONGEST_BY} characters and a note at most {LONGEST_NOTE:,}", code="too-long"
            )
        row: dict[str, Any] = {
            "kind": kind,
            "prompt": prompt,
            "body": text,
            "by": plain(by),
            "at": now(),
            "key": signer.key,
        }
        content = event_content(row)
        row |= {"id": content_id("e1", content), "signature": signer.sign(SIGNED + content).hex(), "via": None}
        with self._database.write() as connection:
            if connection.execute(select(prompts.c.number).where(prompts.c.id == prompt)).first() is None:
                raise BankError(
                    f"the bank has no prompt {prompt}; 'fedprompt bank list' shows its prompts",
                    code="no-such-prompt",
                )
            if kind == "tag" and _is_adapted(connection, f"{body['name']}@{body['tag']}"):
                raise BankError(
                    f"'{body['name']}@{body['tag']}' is already the name of an adapted prompt; choose another tag",
                    code="name-taken",
                )
            connection.execute(insert_once(connection, events).values(row))
            found = connection.execute(select(events).where(events.c.id == row["id"])).one()
        return _row(found)

    def tag_prompt(
        self, prompt: str, tag: str, *, by: str, signer: Signer, said: Mapping[str, JSON] | None = None
    ) -> EventRow:
        """Make ``name@tag`` stand for a prompt from now on; ``said`` are any of ``SAID_OF_TAGS``.

        Raises:
            BankError: it is not ``name@tag``, or there is no such prompt.
        """
        return self.record_event("tag", prompt, tag_body(tag, said), by=by, signer=signer)

    def tags(self) -> tuple[TagRow, ...]:
        """Return what each ``name@tag`` stands for now, by name."""
        with self._database.read() as connection:
            found = connection.execute(_in_force(("tag", "untag"), _named())).all()
        rows = []
        for row in found:
            if row.kind == "tag":
                body = from_json(row.body)
                shown = f"{body['name']}@{body['tag']}"
                rows.append(TagRow(shown, row.prompt, row.by, _signer(row), row.via, from_time(row.at)))
        return tuple(sorted(rows, key=lambda row: row.tag))

    def events(self, prompt: str | None = None, *, limit: int | None = None) -> tuple[EventRow, ...]:
        """Return what was said, of one prompt if given, the newest first."""
        query = select(events).order_by(events.c.number.desc()).limit(limit)
        if prompt is not None:
            query = query.where(events.c.prompt == prompt)
        with self._database.read() as connection:
            return tuple(_row(row) for row in connection.execute(query))

    def asked(self, prompt: str | None = None) -> tuple[EventRow, ...]:
        """Return who asked here for tags and waits for an answer, of one prompt if given, the oldest first."""
        query = select(events).where(events.c.kind.in_(("ask", "decline", "tag")), events.c.via.is_(None))
        if prompt is not None:
            query = query.where(events.c.prompt == prompt)
        with self._database.read() as connection:
            rows = [_row(row) for row in connection.execute(query.order_by(events.c.number))]
        settled = {row.body.get("asked") for row in rows if row.kind != "ask"}
        return tuple(row for row in rows if row.kind == "ask" and row.id not in settled)

    def is_retired(self, prompt: str) -> bool:
        """Return whether a prompt is retired now."""
        with self._database.read() as connection:
            return connection.execute(retired_prompts(events.c.prompt == prompt)).first() is not None


def split_tag(text: str) -> tuple[str, str]:
    """Return name and tag of ``name@tag``.

    Raises:
        BankError: it is not of that form.
    """
    match = _TAG.fullmatch(text.strip())
    if match is None:
        raise BankError(
            f"'{text}' is not a valid tag; write name@tag, such as sentiment@production: a name of at most 100 "
            "characters, and a tag of lower-case letters, digits, '.', '_' and '-'",
            code="not-a-tag",
        )
    return match[1], match[2]


def tag_body(tag: str, said: Mapping[str, JSON] | None = None) -> dict[str, JSON]:
    """Return the body of an event of ``name@tag``.

    Raises:
        BankError: it is not of that form, or something else is said than ``SAID_OF_TAGS``.
    """
    name, word = split_tag(tag)
    if odd := sorted(set(said or {}) - set(SAID_OF_TAGS)):
        raise BankError(
            f"'{odd[0]}' is not a detail of a tag; use one of {', '.join(SAID_OF_TAGS)}", code="unknown-detail"
        )
    return {**(said or {}), "name": name, "tag": word}


def tagged(connection: Connection, text: str) -> str:
    """Return the id of the prompt that ``name@tag`` stands for.

    Raises:
        BankError: it stands for none, or for an adapted prompt where one prompt is wanted.
    """
    name, tag = split_tag(text)
    if _is_adapted(connection, f"{name}@{tag}"):
        raise adapted_instead(f"{name}@{tag}")
    if (found := stands_for(connection, text)) is None:
        raise BankError(f"no prompt is tagged {name}@{tag}; 'fedprompt bank tags' shows the tags", code="no-such-tag")
    return found


def stands_for(connection: Connection, text: str) -> str | None:
    """Return the id of the prompt that is tagged ``name@tag``, None where none is.

    Raises:
        BankError: it is not of that form.
    """
    name, tag = split_tag(text)
    found = connection.execute(_in_force(("tag", "untag"), _named(), _named() == _ending(name, tag))).first()
    return None if found is None or found.kind != "tag" else str(found.prompt)


def adapted_instead(reference: str) -> BankError:
    """Return the error for an adapted prompt where a single one is wanted."""
    return BankError(
        f"'{reference}' is an adapted prompt, but a single prompt is needed here; give its id (see 'fedprompt "
        "bank list')",
        code="adapted-prompt",
    )


def _is_adapted(connection: Connection, name: str) -> bool:
    return connection.execute(select(adapted.c.number).where(adapted.c.name == name).limit(1)).first() is not None


def retired_prompts(*wanted: Any) -> "Select[Any]":
    """Select the ids of the prompts that are retired now, of those events that are ``wanted``."""
    newest = _in_force(("retire", "revive"), events.c.prompt, *wanted).subquery()
    return select(newest.c.prompt).where(newest.c.kind == "retire")


def given_names(connection: Connection) -> dict[str, str]:
    """Return prompt -> the name that a person gave it."""
    rows = connection.execute(_in_force(("rename",), events.c.prompt)).all()
    found = {str(row.prompt): from_json(row.body).get("called") for row in rows}
    return {prompt: name for prompt, name in found.items() if isinstance(name, str) and name}


def prompts_tagged(tag: str) -> "Select[Any]":
    """Select the ids of the prompts that ``name@tag``, or any name with this tag, stands for now.

    Raises:
        BankError: it is neither.
    """
    if "@" in tag:
        name, word = split_tag(tag)
        wanted = _named() == _ending(name, word)
    else:
        _, word = split_tag(f"any@{tag}")
        # Canonical JSON ends in the tag, and a tag has no character that JSON would write otherwise.
        wanted = events.c.body.endswith(f',"tag":"{word}"}}', autoescape=True)
    newest = _in_force(("tag", "untag"), _named(), wanted).subquery()
    return select(newest.c.prompt).where(newest.c.kind == "tag")


def event_content(row: Mapping[Any, Any]) -> bytes:
    """Return the bytes that an event's id and signature are made of."""
    content = {name: row[name] for name in ("kind", "prompt", "by", "at", "key")}
    return canonical_json({**content, "body": from_json(row["body"])})


class _position(FunctionElement[int]):
    """Where a text begins in another, counted from 1; databases call it differently."""

    inherit_cache = True
    name = "position_in"
    type = Integer()


@compiles(_position)
def _instr(element: Any, compiler: Any, **keywords: Any) -> str:
    return f"instr({compiler.process(element.clauses, **keywords)})"


@compiles(_position, "postgresql")
def _strpos(element: Any, compiler: Any, **keywords: Any) -> str:
    return f"strpos({compiler.process(element.clauses, **keywords)})"


def _named() -> Any:
    """Return the end of an event's body from its name on; in a JSON string the quotes of the mark would be escaped."""
    return func.substr(events.c.body, _position(events.c.body, literal(_NAME)))


def _ending(name: str, tag: str) -> str:
    return to_json({"name": name, "tag": tag}, "a tag").removeprefix("{")


def _in_force(kinds: tuple[str, ...], about: Any, *wanted: Any) -> "Select[Any]":
    placed = select(events, _place(about)).where(events.c.kind.in_(kinds), *wanted).subquery()
    return select(placed).where(placed.c.place == 1)


def _place(about: Any) -> Any:
    here = events.c.via.is_(None)
    order = (case((here, 1), else_=0).desc(), case((here, events.c.number), else_=0).desc())
    newest = (*order, events.c.at.desc(), events.c.id.desc())
    return func.row_number().over(partition_by=about, order_by=newest).label("place")


def _signer(row: "Row[Any]") -> str:
    return fingerprint(row.key)


def _row(row: "Row[Any]") -> EventRow:
    return EventRow(
        id=row.id,
        kind=row.kind,
        prompt=row.prompt,
        body=from_json(row.body),
        by=row.by,
        signer=_signer(row),
        via=row.via,
        at=from_time(row.at),
    )
