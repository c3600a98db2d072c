"""Updates and arrivals of a run, in the bank: for leaving a site out later, and for going on without rounds.

Each is a stage of a run of its own beside the run (``RUN/updates``, ``RUN/arrivals``), so that pages which read a run's
stages never load them. A bank holds about ``5.4 x tokens x width`` bytes an update: 25 kB for 8 x 576.
"""

from collections.abc import Sequence
from typing import Any

from fedprompt.bank.store import Bank
from fedprompt.federation.arrivals import Arrival
from fedprompt.federation.keeping import pack_updates, unpack_updates
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.strategies.strategy import Update

__all__ = ["BankJournal", "BankKeeper"]

BEGAN = "began with"


class BankKeeper:
    """Fills ``federation.keeping.UpdateKeeper``."""

    def __init__(self, bank: Bank, run: str, study: str) -> None:
        self._bank, self._run, self._study = bank, f"{run}/updates", study
        self._read: dict[str, dict[str, Any]] | None = None

    def begin(self, start: SoftPrompt) -> None:
        """Keep what round 1 starts from."""
        self._bank.start_run(self._run, kind="updates", study=self._study, settings={})
        body = {"model": start.model, **pack_updates([Update("", start.vectors, 0)])}
        self._bank.record_stage(self._run, BEGAN, body)

    def start(self) -> SoftPrompt | None:
        """Return what round 1 started from, None if nothing was kept.

        Raises:
            FederationError: what was kept is damaged.
        """
        body = self._bank.stages(self._run).get(BEGAN)
        return None if body is None else SoftPrompt(unpack_updates(body)[0].delta, str(body["model"]))

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
            found.append(Arrival(**body["arrival"], update=updates[0] if updates else None))
        return found

    def add(self, number: int, arrival: Arrival) -> None:
        """Keep one arrival."""
        shown = {name: value for name, value in vars(arrival).items() if name != "update"}
        updates = [] if arrival.update is None else [arrival.update]
        self._bank.record_stage(self._run, f"arrival {number}", {"arrival": shown, "update": pack_updates(updates)})


def _place(number: int, prompt: str) -> str:
    return f"round {number}: {prompt}"
