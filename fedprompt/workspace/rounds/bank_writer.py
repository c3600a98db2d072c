"""Rounds in the bank: planned before they begin, written when they end, read to go on."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from fedprompt.bank.store import Bank
from fedprompt.federation.gathering import Missing
from fedprompt.federation.round_record import RoundRecord
from fedprompt.federation.state import pack_state, unpack_state
from fedprompt.study.score import Score

__all__ = ["BankWriter"]


class BankWriter:
    """Writes rounds into the bank; fills the port that ``federation.rounds`` asks for.

    ``group`` says of which sites the rounds are, where they are not of all, and ``parent`` what they started from.
    """

    def __init__(
        self, bank: Bank, run: str, study: str, origin: str, group: Mapping[str, Any] | None = None, parent: str = ""
    ) -> None:
        self._bank, self._run, self._study, self._origin = bank, run, study, origin
        self._group, self._parent = group, parent

    def written(self) -> Sequence[RoundRecord]:
        """Return the rounds of this run that the bank holds."""
        return [
            RoundRecord(
                row.number,
                self._bank.prompt(row.prompt),
                {site: Score.model_validate(score) for site, score in row.body["scores"].items()},
                row.body["loss"],
                row.body["bytes"],
                row.body["heads"],
                missing=tuple(Missing(**one) for one in row.body.get("missing", ())),
                sent=row.body.get("sent", {}),
                received=row.body.get("received", {}),
                seconds=row.body.get("seconds", {}),
                steps=row.body.get("steps", {}),
                state=unpack_state(row.body.get("state", "")),
            )
            for row in self._bank.rounds(self._run)
        ]

    def begin(self, number: int, plan: Mapping[str, Any]) -> None:
        """Record with what a round begins, before any site is asked."""
        self._bank.record_stage(self._run, f"round {number}", plan)

    def write(self, record: RoundRecord) -> None:
        """Record the round's prompt, its scores and itself, in this order."""
        earlier = self._bank.rounds(self._run)
        parents = [earlier[-1].prompt] if earlier else [self._parent] if self._parent else []
        about = {} if self._group is None else {"group": dict(self._group)}
        notes = {"round": record.number, "run": self._run, **about}
        self._bank.record_prompt(record.prompt, study=self._study, origin=self._origin, parents=parents, notes=notes)
        by_site = {site: [score] for site, score in record.scores.items()}
        self._bank.record_round_scores(self._run, by_site, round=record.number)
        self._bank.record_round(
            self._run,
            record.number,
            prompt=record.prompt.id,
            body={
                "by_site": record.by_site,
                "mean": record.mean,
                "bytes": record.bytes,
                "loss": dict(record.loss),
                "heads": dict(record.heads),
                "missing": [asdict(one) for one in record.missing],
                "sent": dict(record.sent),
                "received": dict(record.received),
                "seconds": {step: dict(took) for step, took in record.seconds.items()},
                "steps": dict(record.steps),
                "orders": [one.shown() for one in record.orders],
                "state": pack_state(record.state),
                "scores": {site: score.model_dump(mode="json") for site, score in record.scores.items()},
                **about,
            },
        )
