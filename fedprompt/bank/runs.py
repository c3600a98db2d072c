"""Runs: what was started with which settings, the stages and rounds that are finished, and the result.

A run that was broken off goes on from what stands here, so a stage or round is written before the next one
begins, and what was written first stays.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, Select, select

from fedprompt.bank.database import Database
from fedprompt.bank.inserting import insert_once
from fedprompt.bank.rows import JSON, RoundRow, RunRow
from fedprompt.bank.schema import results, rounds, runs, stages, studies
from fedprompt.bank.scores import require_run
from fedprompt.bank.texts import from_json, from_time, now, to_json
from fedprompt.errors import BankError

__all__ = ["RunShelf"]


class RunShelf:
    """The part of the bank that holds runs."""

    _database: Database

    def start_run(self, run: str, *, kind: str, study: str, settings: Mapping[str, JSON]) -> RunRow:
        """Begin a run, or return the one of that name, with the settings it began with, to go on with it.

        Args:
            run: its id.
            kind: ``demo``, ``federate``, ``score`` or ``tune``.
            study: the digest of its study.
            settings: what it is reproduced from.

        Raises:
            BankError: the study is not in the bank, or a run of another kind or study has this id.
        """
        row = {
            "id": run,
            "kind": kind,
            "study": study,
            "settings": to_json(settings, f"the settings of run '{run}'"),
            "created": now(),
        }
        with self._database.write() as connection:
            if connection.execute(select(studies.c.number).where(studies.c.digest == study)).first() is None:
                raise BankError(f"run '{run}': the bank has no study {study}; record it first", code="no-such-study")
            connection.execute(insert_once(connection, runs).values(row))
            begun = _run(connection.execute(_runs().where(runs.c.id == run)).one())
        if (begun.kind, begun.study) != (kind, study):
            raise BankError(
                f"run '{run}' is a {begun.kind} run of study {begun.study}; give the new run another id",
                code="run-taken",
            )
        return begun

    def record_stage(self, run: str, stage: str, body: Mapping[str, JSON]) -> None:
        """Keep what a stage of a run found; one that is there already stays as it is.

        Raises:
            BankError: there is no such run, or the body is not JSON.
        """
        text = to_json(body, f"stage '{stage}' of run '{run}'")
        with self._database.write() as connection:
            require_run(connection, run)
            row = {"run": run, "stage": stage, "body": text, "created": now()}
            connection.execute(insert_once(connection, stages).values(row))

    def stages(self, run: str) -> dict[str, dict[str, JSON]]:
        """Return what each finished stage found, in the order they were finished."""
        with self._database.read() as connection:
            found = connection.execute(select(stages).where(stages.c.run == run).order_by(stages.c.number)).all()
        return {row.stage: from_json(row.body) for row in found}

    def record_round(self, run: str, number: int, *, prompt: str, body: Mapping[str, JSON]) -> None:
        """Keep a finished round; one that is there already stays as it is.

        Raises:
            BankError: there is no such run, or the body is not JSON.
        """
        text = to_json(body, f"round {number} of run '{run}'")
        with self._database.write() as connection:
            require_run(connection, run)
            row = {"run": run, "round": number, "prompt": prompt, "body": text, "created": now()}
            connection.execute(insert_once(connection, rounds).values(row))

    def rounds(self, run: str) -> tuple[RoundRow, ...]:
        """Return a run's finished rounds, in order."""
        with self._database.read() as connection:
            found = connection.execute(select(rounds).where(rounds.c.run == run).order_by(rounds.c.round)).all()
        return tuple(
            RoundRow(row.run, row.round, row.prompt, from_json(row.body), from_time(row.created)) for row in found
        )

    def finish_run(self, run: str, result: Mapping[str, JSON]) -> None:
        """Keep a run's result, after which it is done; a result that is there already stays as it is.

        Raises:
            BankError: there is no such run, or the result is not JSON.
        """
        text = to_json(result, f"the result of run '{run}'")
        with self._database.write() as connection:
            require_run(connection, run)
            row = {"run": run, "body": text, "created": now()}
            connection.execute(insert_once(connection, results).values(row))

    def runs(self, *, kind: str | None = None) -> tuple[RunRow, ...]:
        """Return runs, of one kind if given, the newest first."""
        query = _runs().order_by(runs.c.number.desc())
        if kind is not None:
            query = query.where(runs.c.kind == kind)
        with self._database.read() as connection:
            return tuple(_run(row) for row in connection.execute(query))

    def run(self, id: str) -> RunRow:
        """Return one run.

        Raises:
            BankError: there is no such run.
        """
        with self._database.read() as connection:
            found = connection.execute(_runs().where(runs.c.id == id)).first()
        if found is None:
            raise BankError(f"the bank has no run '{id}'", code="no-such-run")
        return _run(found)


def _runs() -> "Select[Any]":
    return select(runs, results.c.body, results.c.created.label("finished")).outerjoin(
        results, results.c.run == runs.c.id
    )


def _run(row: "Row[Any]") -> RunRow:
    return RunRow(
        id=row.id,
        kind=row.kind,
        study=row.study,
        settings=from_json(row.settings),
        state="running" if row.finished is None else "done",
        result=from_json(row.body),
        created=from_time(row.created),
        finished=None if row.finished is None else from_time(row.finished),
    )
