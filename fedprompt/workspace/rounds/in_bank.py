"""Rounds in the bank: planned before they begin, written when they end, read to go on.

Beside them a run keeps its updates and arrivals, for leaving a site out later and for going on without rounds, and how
many cases of each site were too long for the model's window and lost their end.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from fedprompt.bank.store import Bank
from fedprompt.federation.arrivals import Arrival
from fedprompt.federation.gathering import Missing
from fedprompt.federation.kept_sums import SumStep
from fedprompt.federation.kept_updates import pack_updates, unpack_updates
from fedprompt.federation.round_record import RoundRecord
from fedprompt.federation.state import pack_state, unpack_state
from fedprompt.prompts.tensors import Tensors
from fedprompt.strategies.strategy import Update
from fedprompt.study.score import Score, SplitName

__all__ = ["BankJournal", "BankKeeper", "BankSums", "BankWriter", "ClippedCases"]


class BankWriter:
    """Writes rounds into the bank; fills the port that ``federation.rounds`` asks for.

    ``group`` says of which sites the rounds are, where they are not of all, and ``parent`` what they started from.
    ``wrote`` is called after each round.
    """

    def __init__(
        self,
        bank: Bank,
        run: str,
        study: str,
        origin: str,
        group: Mapping[str, Any] | None = None,
        parent: str = "",
        wrote: Callable[[], None] | None = None,
    ) -> None:
        self._bank, self._run, self._study, self._origin = bank, run, study, origin
        self._group, self._parent, self._wrote = group, parent, wrote

    def written(self) -> Sequence[RoundRecord]:
        """Return the rounds of this run that the bank holds."""
        return [
            RoundRecord(
                row.number,
                self._bank.prompt(row.prompt),
                {site: Score.model_validate(score) for site, score in row.body["scores"].items()},
                tuple(row.body.get("tuned", sorted(row.body.get("loss", {})))),  # once there was a loss by site
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
                **({} if record.mean is None else {"mean": record.mean}),
                "bytes": record.bytes,
                "tuned": list(record.tuned),
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
        if self._wrote is not None:
            self._wrote()


BEGAN = "began with"


class BankKeeper:
    """Fills ``federation.kept_updates.UpdateKeeper``."""

    def __init__(self, bank: Bank, run: str, study: str) -> None:
        self._bank, self._run, self._study = bank, f"{run}/updates", study
        self._read: dict[str, dict[str, Any]] | None = None

    def begin(self, start: Tensors) -> None:
        """Keep what round 1 starts from."""
        self._bank.start_run(self._run, kind="updates", study=self._study, settings={})
        body = {"model": start.model, **pack_updates([Update("", start.values, 0)])}
        self._bank.record_stage(self._run, BEGAN, body)

    def start(self, like: Tensors) -> Tensors | None:
        """Return what round 1 started from, in the form of what it made (``like``); None if nothing was kept.

        Raises:
            FederationError: what was kept is damaged.
        """
        body = self._bank.stages(self._run).get(BEGAN)
        return None if body is None else like.with_values(unpack_updates(body)[0].delta)

    def keep(self, number: int, prompt: str, updates: Sequence[Update]) -> None:
        """Keep the updates of which round ``number`` made ``prompt``."""
        self._read = None
        self._bank.record_stage(self._run, _place(number, prompt), pack_updates(updates))

    def kept(self, number: int, prompt: str) -> tuple[Update, ...] | None:
        """Return the updates of which round ``number`` made ``prompt``, None if they were not kept.

        Raises:
            FederationError: what was kept is damaged.
        """
        if self._read is None:
            self._read = self._bank.stages(self._run)
        body = self._read.get(_place(number, prompt))
        return None if body is None else unpack_updates(body)


class BankSums:
    """Fills ``federation.kept_sums.SumKeeper``."""

    def __init__(self, bank: Bank, run: str, study: str) -> None:
        self._bank, self._run = bank, f"{run}/sums"
        bank.start_run(self._run, kind="sums", study=study, settings={})

    def kept(self, number: int, step: SumStep) -> Mapping[str, Any] | None:
        """Return what was kept of a step of a round's sum, None where it was not done."""
        return self._bank.stages(self._run).get(f"round {number}: {step}")

    def keep(self, number: int, step: SumStep, body: Mapping[str, Any]) -> None:
        """Keep what a step found."""
        self._bank.record_stage(self._run, f"round {number}: {step}", body)


class BankJournal:
    """Fills ``federation.buffered.Journal``."""

    def __init__(self, bank: Bank, run: str, study: str) -> None:
        self._bank, self._run = bank, f"{run}/arrivals"
        bank.start_run(self._run, kind="arrivals", study=study, settings={})

    def arrived(self) -> Sequence[Arrival]:
        """Return the arrivals, in order.

        Raises:
            FederationError: what was kept is damaged.
        """
        found = []
        for body in self._bank.stages(self._run).values():
            updates = unpack_updates(body["update"])
            arrival = {name: value for name, value in body["arrival"].items() if name != "loss"}  # of earlier versions
            found.append(Arrival(**arrival, update=updates[0] if updates else None))
        return found

    def add(self, number: int, arrival: Arrival) -> None:
        """Keep one arrival."""
        shown = {name: value for name, value in vars(arrival).items() if name != "update"}
        updates = [] if arrival.update is None else [arrival.update]
        self._bank.record_stage(self._run, f"arrival {number}", {"arrival": shown, "update": pack_updates(updates)})


def _place(number: int, prompt: str) -> str:
    return f"round {number}: {prompt}"


STAGE = "clipped"


class ClippedCases:
    """The counts of one run; a run that was stopped and goes on has those from before."""

    def __init__(self, bank: Bank, run: str) -> None:
        self._bank, self._run = bank, run
        self._found: dict[tuple[str, str], int] = {}
        for name, body in bank.stages(run).items():
            if name.startswith(f"{STAGE} "):
                self._take(str(body["site"]), str(body["split"]), int(body["cases"]))

    def note(self, site: str, split: SplitName, cases: int) -> None:
        """Keep what a site said of a split."""
        if self._take(site, split, cases):
            body = {"site": site, "split": split, "cases": cases}
            self._bank.record_stage(self._run, f"{STAGE} {site} {split} {cases}", body)

    def of(self, site: str) -> int:
        """Return how many of a site's cases were cut, over its splits, which share no case."""
        return sum(cases for (name, _), cases in self._found.items() if name == site)

    def _take(self, site: str, split: str, cases: int) -> bool:
        more = cases > self._found.get((site, split), 0)
        if more:
            self._found[site, split] = cases
        return more
