"""The orders of a hub's operator, from a page or a command to the process that gathers, and its answers back.

They lie in the bank, as stages of a run of its own beside the run (``RUN/orders``): each order once, each answer once,
in their order. So every order is on record with its author and its time, and what was left out stays left out when the
federation goes on in another process.
"""

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from fedprompt.bank.store import Bank
from fedprompt.boundary.checked import Bounds, Unfit, checked_value, first_fault
from fedprompt.errors import BankError, FederationError
from fedprompt.federation.orders import Order, Taken, What, said_left_out
from fedprompt.workspace.acting import needs
from fedprompt.workspace.json_file import now
from fedprompt.workspace.people import machine_person
from fedprompt.workspace.rounds.gathering_now import RunNow, StepNow, Teller, run_now, runs_now
from fedprompt.workspace.workspace import Workspace

__all__ = [
    "BankDesk",
    "GivenOrder",
    "RoundShown",
    "ShownOrder",
    "ShownStep",
    "What",
    "await_answer",
    "give_order",
    "left_out_of",
    "orders_of",
    "round_shown",
]

MOST = 1000  # orders of one run
POLL_SECONDS = 0.1
ORDER, ANSWER = "order ", "answer "
KIND = "orders"
_BOUNDS = Bounds(64 * 1024, values=50, nested=1, members=20, depth=1)


@dataclass(frozen=True)
class ShownOrder:
    """An order by its id: about which ``site``, or for how many ``seconds``; by whom and when; and what came of it."""

    order: str
    what: What
    site: str | None
    seconds: float | None
    by: str
    at: str
    done: bool | None
    said: str


@dataclass(frozen=True)
class GivenOrder:
    """An order and what came of it: ``done`` is None while nobody has taken it."""

    order: Order
    done: bool | None
    said: str

    def shown(self) -> ShownOrder:
        """Return it as people are shown it."""
        of = self.order
        return ShownOrder(of.id, of.what, of.site, of.seconds, of.by, of.at, self.done, self.said)


@dataclass(frozen=True)
class ShownStep:
    """A step that gathers: who is ``waiting``, for how many seconds (None: waits its turn), who came, who is missing.

    ``seconds`` is how long the sites have, None where they are waited for as long as it takes.
    """

    round: int
    step: str
    quorum: int
    answered: int
    seconds: float | None
    waiting: Mapping[str, float | None]
    came: tuple[str, ...]
    missing: Mapping[str, str]


@dataclass(frozen=True)
class RoundShown:
    """A federation, whether it runs, the step that gathers now, who is left out and why, and its orders."""

    run: str
    running: bool
    step: ShownStep | None
    left_out: Mapping[str, str]
    orders: tuple[ShownOrder, ...]


class BankDesk:
    """Fills ``federation.orders.Desk``."""

    def __init__(self, bank: Bank, run: str, study: str, teller: Teller) -> None:
        self._bank, self._run, self._teller = bank, f"{run}/orders", teller
        bank.start_run(self._run, kind=KIND, study=study, settings={})

    def new(self) -> Sequence[Order]:
        """Return the orders without an answer."""
        return [one.order for one in _read(self._bank, self._run) if one.done is None]

    def left_out(self) -> Mapping[str, Order]:
        """Return site -> the order by which it is left out."""
        return _left_out(_read(self._bank, self._run))

    def answer(self, taken: Taken) -> None:
        """Keep what came of an order."""
        body = {"done": taken.done, "said": taken.said, "at": now()}
        self._bank.record_stage(self._run, ANSWER + taken.order.id, body)

    def show(self, state: Mapping[str, Any] | None) -> None:
        """Show what gathers now."""
        self._teller.tell(state)


@needs("federate")
def give_order(
    ws: Workspace,
    what: What,
    *,
    run: str | None = None,
    site: str | None = None,
    seconds: float | None = None,
    by: str = "",
) -> tuple[str, Order]:
    """Give an order to a federation and return its run and the order; who gathers takes it at the next look.

    Args:
        ws: where the federation runs.
        what: ``wait`` and ``close`` are for the step that gathers now, the others also for a run that is paused.
        run: its id; the one that runs now if left out, or the newest that is not finished.
        site: whom to leave out or to take back.
        seconds: how much longer to wait; as long again as the sites have, if left out.
        by: who orders it; this machine's user if left out.

    Raises:
        FederationError: nothing gathers now, there is no such run or site, or there were too many orders already.
    """
    chosen = _the_run(ws, run)
    known = ws.bank.run(chosen)
    live = run_now(ws.home, chosen)
    sites = list(known.settings.get("sites") or ())
    token = None
    if what in ("wait", "close"):
        if live is None or live.step is None:
            raise FederationError(
                "no step is waiting for sites now, so it cannot be extended or closed", code="nothing-gathers"
            )
        token = live.step.token
        if what == "wait":
            seconds = seconds or live.step.seconds or 600.0
    elif site not in sites:
        raise FederationError(
            f"there is no site '{site}' in this run; its sites are {', '.join(sites[:20])}", code="unknown-site"
        )
    orders = f"{chosen}/orders"
    ws.bank.start_run(orders, kind=KIND, study=known.study, settings={})
    if len(ws.bank.stages(orders)) >= 2 * MOST:
        raise FederationError(f"this run has had {MOST} orders, which is the limit; start another run", code="too-many")
    try:
        order = Order(
            id=f"o-{uuid.uuid4().hex}",
            what=what,
            token=token,
            site=site if what in ("leave-out", "take-back") else None,
            seconds=seconds if what == "wait" else None,
            by=(by or machine_person().label)[:200],
            at=now(),
        )
    except ValidationError as error:
        fault = first_fault(error)
        where = ".".join(map(str, fault.place)) or "the order"
        raise FederationError(f"{where}: {fault.reason}", code="not-well-formed") from None
    ws.bank.record_stage(orders, ORDER + order.id, json.loads(order.model_dump_json()))
    return chosen, order


def await_answer(ws: Workspace, run: str, order: Order, timeout: float) -> GivenOrder:
    """Return the order with its answer, or without one if none came in time; a step in one process may be long."""
    end = time.monotonic() + timeout
    while True:
        found = next(one for one in orders_of(ws, run) if one.order.id == order.id)
        if found.done is not None or time.monotonic() > end:
            return found
        time.sleep(POLL_SECONDS)


def orders_of(ws: Workspace, run: str) -> tuple[GivenOrder, ...]:
    """Return the orders that a run was given, the oldest first."""
    return _read(ws.bank, f"{run}/orders")


def left_out_of(ws: Workspace, run: str) -> Mapping[str, Order]:
    """Return site -> the order by which it is left out of a run now."""
    return _left_out(orders_of(ws, run))


def round_shown(ws: Workspace, run: str | None = None) -> RoundShown:
    """Return what gathers now, and which orders were given.

    Raises:
        FederationError: no federation runs here or is paused.
    """
    chosen = _the_run(ws, run)
    live = run_now(ws.home, chosen)
    return RoundShown(
        run=chosen,
        running=live is not None,
        step=None if live is None or live.step is None else _step(live.step),
        left_out={site: said_left_out(order) for site, order in left_out_of(ws, chosen).items()},
        orders=tuple(one.shown() for one in orders_of(ws, chosen)),
    )


def _step(step: StepNow) -> ShownStep:
    passed = {site: round(max(0.0, time.time() - since), 1) for site, since in step.asked.items()}
    return ShownStep(
        round=step.round,
        step=step.step,
        quorum=step.quorum,
        answered=step.answered,
        seconds=step.seconds,
        waiting={site: passed.get(site) for site in step.waiting},
        came=step.came,
        missing=step.missing,
    )


def _read(bank: Bank, orders: str) -> tuple[GivenOrder, ...]:
    stages = bank.stages(orders)
    found = []
    for name, body in stages.items():
        if not name.startswith(ORDER):
            continue
        try:
            order = checked_value(Order, body, _BOUNDS)
        except Unfit as error:
            raise BankError(
                f"run '{orders}' has an invalid order; restore the bank from a backup", code="damaged"
            ) from error
        answer = stages.get(ANSWER + order.id)
        waits = "not carried out yet; this happens before the next answer, or when the federation resumes"
        found.append(GivenOrder(order, *((None, waits) if answer is None else (answer["done"], str(answer["said"])))))
    return tuple(found)


def _left_out(orders: Sequence[GivenOrder]) -> dict[str, Order]:
    found: dict[str, Order] = {}
    for one in orders:
        if one.done and one.order.site is not None:
            if one.order.what == "leave-out":
                found[one.order.site] = one.order
            else:
                found.pop(one.order.site, None)
    return found


def _the_run(ws: Workspace, run: str | None) -> str:
    if run is not None:
        if (found := ws.bank.run(run)).kind != "federate":
            raise FederationError(
                f"'{run}' is a {found.kind} run, but orders are for federations", code="no-federation"
            )
        if found.result is not None:
            raise FederationError(f"'{run}' is finished, so it takes no orders", code="run-finished")
        return run
    live: tuple[RunNow, ...] = runs_now(ws.home)
    if len(live) > 1:
        raise FederationError(
            f"{len(live)} federations are running; choose one with --run: {', '.join(o.run for o in live)}",
            code="which-run",
        )
    if live:
        return live[0].run
    waiting = next((one.id for one in ws.bank.runs(kind="federate") if one.result is None), None)
    if waiting is None:
        raise FederationError(
            "no federation is running or paused on this machine; start one with 'fedprompt federate'",
            code="no-federation",
        )
    return waiting
