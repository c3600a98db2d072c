"""One liar of four: the round goes on without it, it is named, and the honest three lose nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.attackers.liars import LIES, Lie, lying
from fedprompt.federation.hub import Hub
from fedprompt.federation.transports.local import LocalTransport
from fedprompt.study.schema import Study
from fedprompt.verbs.describe import ask_describe
from fedprompt.workspace.progress import quiet
from fedprompt.workspace.rounds.federation_run import FederationRun
from fedprompt.workspace.rounds.start_prompt import start_prompt
from fedprompt.workspace.timing import Clock
from tests.new_bank import new_workspace
from tests.scripted_sites import MODEL, study, worker

HONEST, LIAR = ("bank", "clinic", "court"), "mill"
pytestmark = pytest.mark.whole
CHOSEN = study(rounds={"count": 1, "quorum": 3}, tuning={"steps": 4})


@dataclass(frozen=True)
class Outcome:
    """``named``: what is said of sites that a step went without; ``right``: of the honest sites' test cases."""

    named: dict[str, str]
    prompts: tuple[str, ...]
    right: float


def federation(path: Path, lie: Lie | None) -> Outcome:
    """Run a whole federation of the honest three, and the liar if there is a lie."""
    path.mkdir()
    handlers: dict[str, Callable[[bytes], Any]] = {name: worker(path, name, chosen=CHOSEN).handle for name in HONEST}
    if lie is not None:
        handlers[LIAR] = lying(worker(path, LIAR, chosen=CHOSEN).handle, lie)
    return _run(path, CHOSEN, LocalTransport(handlers))


def _run(path: Path, chosen: Study, transport: LocalTransport) -> Outcome:
    digest = chosen.digest(MODEL.info.digest)
    with new_workspace(path) as ws:
        ws.bank.record_study(chosen, digest, MODEL.info.digest)
        ws.bank.start_run("r1:x", kind="federate", study=digest, settings={})
        hub = Hub(transport, digest)
        run = FederationRun(ws.bank, "r1:x", chosen, digest, hub, Clock(quiet, {}))
        run.each("describe", partial(ask_describe, hub), lambda site, reply: None, lambda site: ("", 0.0))
        run.score_templates()
        records = run.tune(start_prompt(MODEL, chosen), 0)
        look = run.look_at_test([records[-1].prompt], {site: [] for site in hub.sites})
    named = {one.site: one.reason for record in records for one in record.missing}
    named |= {site: " ".join(why.values()) for site, why in run.missing.items()}
    scores = [look.scores[site][records[-1].prompt.id] for site in HONEST]
    return Outcome(named, tuple(r.prompt.id for r in records), float(np.mean([s.total / s.n for s in scores])))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return federation(tmp_path_factory.mktemp("alone") / "three", None)


@pytest.mark.parametrize("lie", LIES, ids=[lie.name for lie in LIES])
def test_the_round_goes_on_without_a_site_that(lie: Lie, tmp_path: Path, alone: Outcome) -> None:
    found = federation(tmp_path / "four", lie)
    assert set(found.named) == {LIAR}, found.named
    assert f"'{LIAR}'" in found.named[LIAR]
    assert abs(found.right - alone.right) <= 0.01
    if lie.verb == "tune":  # the honest three's prompts, to the bit
        assert found.prompts == alone.prompts
