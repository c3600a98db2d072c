"""Federated tuning: rounds go as the schedule of the study's strategy says."""

import time
from collections.abc import Callable, Sequence

from fedprompt.errors import FederationError
from fedprompt.federation.asking import Asking
from fedprompt.federation.hub import Hub
from fedprompt.federation.kept_sums import SumKeeper
from fedprompt.federation.kept_updates import UpdateKeeper
from fedprompt.federation.orders import Controls
from fedprompt.federation.round_record import RoundRecord, RoundWriter
from fedprompt.federation.schedules.buffered import Buffered, Journal
from fedprompt.federation.schedules.in_rounds import InRounds
from fedprompt.federation.schedules.schedule import Course, Progress, Schedule
from fedprompt.prompts.template import Template
from fedprompt.prompts.tensors import Tensors
from fedprompt.stopping import NEVER, StopToken
from fedprompt.strategies.registry import strategy_named
from fedprompt.study.allowed_rounds import Among
from fedprompt.study.schema import Rounds, Tuning

__all__ = ["check_sites", "run_rounds"]

SCHEDULES: dict[str, Schedule] = {schedule.name: schedule for schedule in (InRounds(), Buffered())}


def run_rounds(
    hub: Hub,
    template: Template,
    start: Tensors,
    *,
    rounds: Rounds,
    tuning: Tuning,
    seed: int,
    writer: RoundWriter,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.monotonic,
    after: int = 0,
    keeper: UpdateKeeper | None = None,
    journal: Journal | None = None,
    controls: Controls | None = None,
    stop: StopToken = NEVER,
    pause_after: int | None = None,
    among: Among = "all",
    looked: bool = True,
    sums: SumKeeper | None = None,
) -> tuple[RoundRecord, ...]:
    """Run the rounds that are not written yet and return all of them; ``rounds.patience`` may end them early.

    What the arguments are is said at :class:`Course` and :class:`Asking`.

    Raises:
        FederationError: too few sites for the strategy, or fewer than the quorum answered.
        Stopped: it was to end, or to pause; the rounds that are done are written.
    """
    check_sites(rounds, hub.sites)
    asking = Asking(hub, rounds, controls, clock, stop)
    course = Course(
        asking,
        template,
        start,
        tuning,
        seed,
        writer,
        progress,
        after,
        keeper,
        journal,
        pause_after,
        among,
        looked,
        sums,
    )
    return SCHEDULES[strategy_named(rounds.strategy.name).schedule].run(course)


def check_sites(rounds: Rounds, sites: Sequence[str]) -> None:
    """Refuse a strategy that there is not, or sites that cannot carry it or the study's secure sums.

    Raises:
        FederationError: says how many sites it needs, or which site is not named.
    """
    strategy_named(rounds.strategy.name)
    least = rounds.strategy.least_sites
    if len(sites) < least:
        raise FederationError(
            f"strategy '{rounds.strategy.name}' with the study's options needs {least} sites, but there are "
            f"{len(sites)}; add sites, lower 'liars', or use 'median', which works with any number of sites",
            code="too-few-sites",
        )
    if (sums := rounds.secure_sums) is None:
        return
    if sums.sites is not None and (others := sorted(set(sites) ^ set(sums.sites))):
        raise FederationError(
            f"'{others[0]}' is not among both the sites that take part and those that the study names for secure sums "
            f"({', '.join(sorted(sums.sites))}); let all of those take part, and no others",
            code="unknown-site",
        )
    if len(sites) < sums.least_of(len(sites)):
        raise FederationError(
            f"a secure sum is over {sums.least_of(len(sites))} sites at least and there are {len(sites)}; let more "
            "sites join",
            code="too-few-sites",
        )
