"""Studies in the bank, by digest."""

from pydantic import ValidationError
from sqlalchemy import Row, func, select

from fedprompt.bank.database import Database
from fedprompt.bank.inserting import insert_once
from fedprompt.bank.rows import StudyRow
from fedprompt.bank.schema import boards, results, rounds, runs, studies
from fedprompt.bank.texts import from_json, from_time, now, to_json
from fedprompt.errors import BankError
from fedprompt.study.labels import KEPT
from fedprompt.study.schema import Study

__all__ = ["StudyShelf"]


class StudyShelf:
    """The part of the bank that holds studies."""

    _database: Database

    def record_study(self, study: Study, digest: str, model_digest: str) -> None:
        """Keep a study; one that is there already stays as it is.

        Raises:
            BankError: the digest is not that of the study and the model.
        """
        if study.digest(model_digest) != digest:
            raise BankError(
                f"study '{study.study}' cannot be saved as {digest}, because that is not the digest of its content",
                code="another-content",
            )
        row = {
            "digest": digest,
            "name": study.study,
            "body": to_json(study.model_dump(mode="json"), f"study '{study.study}'"),
            "model_digest": model_digest,
            "created": now(),
        }
        with self._database.write() as connection:
            connection.execute(insert_once(connection, studies).values(row))

    def studies(self) -> tuple[StudyRow, ...]:
        """Return every study, in the order they came."""
        with self._database.read() as connection:
            found = connection.execute(select(studies).order_by(studies.c.number)).all()
        return tuple(_row(row) for row in found)

    def study(self, digest: str) -> StudyRow:
        """Return one study.

        Raises:
            BankError: there is no such study.
        """
        with self._database.read() as connection:
            found = connection.execute(select(studies).where(studies.c.digest == digest)).first()
        if found is None:
            raise BankError(f"the bank has no study {digest}", code="no-such-study")
        return _row(found)

    def scored_studies(self, split: str = "validation") -> tuple[StudyRow, ...]:
        """Return the studies with scores on a split: first the one of which a run began, went on or ended last."""
        moves = (
            select(runs.c.study, func.max(runs.c.created)),
            select(runs.c.study, func.max(results.c.created)).join(results, results.c.run == runs.c.id),
            select(runs.c.study, func.max(rounds.c.created)).join(rounds, rounds.c.run == runs.c.id),
        )
        last: dict[str, str] = {}
        with self._database.read() as connection:
            for query in moves:
                for digest, at in connection.execute(query.group_by(runs.c.study)).all():
                    last[digest] = max(at, last.get(digest, ""))
            scored = select(studies).join(boards, boards.c.study == studies.c.digest).where(boards.c.split == split)
            found = connection.execute(scored.order_by(studies.c.number)).all()
        return tuple(_row(row) for row in sorted(found, key=lambda row: last.get(row.digest, ""), reverse=True))

    def find_study(self, reference: str) -> StudyRow:
        """Return the study of this digest, or the newest of this name.

        Raises:
            BankError: there is no such study.
        """
        found = [row for row in self.studies() if reference in (row.digest, row.name)]
        if not found:
            raise BankError(
                f"the bank has no study '{reference}'; give its name, or its digest (s1:...)", code="no-such-study"
            )
        return found[-1]


def _row(row: "Row[tuple[object, ...]]") -> StudyRow:
    try:
        study = Study.model_validate(from_json(row.body), context=KEPT)
    except (ValidationError, ValueError) as error:
        raise BankError(
            f"study {row.digest} is damaged; 'fedprompt bank verify' lists the damage", code="damaged"
        ) from error
    return StudyRow(row.digest, row.name, study, row.model_digest, from_time(row.created))
