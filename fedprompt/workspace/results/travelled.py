"""What travelled between the hub and each site over a whole run, whatever was asked: one count for every page.

It is kept after each step, so that a run that was stopped goes on from it. Runs of earlier versions counted their
rounds alone.
"""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from fedprompt.bank.store import Bank

__all__ = ["NOTHING", "RunTraffic", "SiteBytes", "Travelled", "travelled"]

STAGE = "traffic"


@dataclass(frozen=True)
class SiteBytes:
    """Bytes that a site ``sent`` through its gate, and that it ``received`` from the hub."""

    sent: int
    received: int


@dataclass(frozen=True)
class Travelled:
    """Bytes by site over a run; ``whole`` says whether every message was counted, or those of the rounds alone."""

    by_site: Mapping[str, SiteBytes]
    whole: bool

    def of(self, site: str) -> SiteBytes:
        """Return what a site sent and received."""
        return self.by_site.get(site, SiteBytes(0, 0))


NOTHING = Travelled({}, whole=False)


class RunTraffic:
    """Counts the bytes of one run by site, and keeps the count in the bank. Several threads may count."""

    def __init__(self, bank: Bank, run: str) -> None:
        before, self._number = _newest(bank, run)
        self._bank, self._run, self._whole = bank, run, before.whole
        self._sent: Counter[str] = Counter({site: one.sent for site, one in before.by_site.items()})
        self._received: Counter[str] = Counter({site: one.received for site, one in before.by_site.items()})
        self._lock = threading.Lock()
        self._changed = False

    def count(self, site: str, to_site: int, from_site: int) -> None:
        """Count a task of ``to_site`` bytes and a reply of ``from_site`` bytes."""
        with self._lock:
            self._received[site] += to_site
            self._sent[site] += from_site
            self._changed = True

    def keep(self) -> None:
        """Keep what was counted so far, where it has changed."""
        with self._lock:
            if not self._changed:
                return
            self._changed, self._number = False, self._number + 1
            sites = {site: {"sent": self._sent[site], "received": self._received[site]} for site in sorted(self._sent)}
            self._bank.record_stage(self._run, f"{STAGE} {self._number}", {"sites": sites, "whole": self._whole})


def travelled(bank: Bank, run: str) -> Travelled:
    """Return what each site of a run sent and received.

    Raises:
        BankError: the bank cannot be read.
    """
    return _newest(bank, run)[0]


def _newest(bank: Bank, run: str) -> tuple[Travelled, int]:
    """Return the newest count and how many were kept.

    Where none was, it is that of the rounds: not the whole of a run that had rounds before everything was counted.
    """
    kept = [body for name, body in bank.stages(run).items() if name.startswith(f"{STAGE} ")]
    if kept:
        by_site = {site: SiteBytes(**one) for site, one in kept[-1]["sites"].items()}
        return Travelled(by_site, whole=bool(kept[-1].get("whole", True))), len(kept)
    sent: Counter[str] = Counter()
    received: Counter[str] = Counter()
    rounds = bank.rounds(run)
    for row in rounds:
        sent.update(row.body.get("received", {}))  # the hub's "received" is what a site sent
        received.update(row.body.get("sent", {}))
    by_site = {site: SiteBytes(sent[site], received[site]) for site in sorted({*sent, *received})}
    return Travelled(by_site, whole=not rounds and not _began(bank, run)), 0


def _began(bank: Bank, run: str) -> bool:
    """Return whether a run had asked its sites anything before."""
    return "sites" in bank.stages(run)
