"""Heads are asked for once, kept, and averaged; a site that gives none is left out with its reason."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fedprompt.adapting.heads import directions_of, same_directions
from fedprompt.errors import ModelError, StudyError
from fedprompt.evaluation.scorers.scorer import Resources
from fedprompt.federation.hub import Hub
from fedprompt.federation.transports.local import LocalTransport
from fedprompt.stopping import NEVER
from fedprompt.study.schema import Study
from fedprompt.workspace.progress import quiet
from fedprompt.workspace.rounds.federation_run import FederationRun
from fedprompt.workspace.rounds.gathering_heads import gather_heads, kept_heads, mean_head
from fedprompt.workspace.timing import Clock
from fedprompt.workspace.workspace import Workspace
from tests.coded import coded
from tests.hashed_encoder import EXAMPLES, HashedEncoder
from tests.new_bank import new_workspace
from tests.scripted_sites import MODEL, short_worker, study, worker

ASKED = study(head={"examples": EXAMPLES, "directions": 4}, rounds={"quorum": 2})
CLOCK = Clock(quiet, {"heads": 1.0}, NEVER)
SITES = ("ant", "bee", "cat")


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    with new_workspace(tmp_path / "home") as opened:
        yield opened


def run_of(ws: Workspace, path: Path, chosen: Study = ASKED) -> FederationRun:
    encoding = Resources(encoder=HashedEncoder)
    sites = {site: worker(path, site, chosen=chosen, resources=encoding).handle for site in SITES}
    sites["short"] = short_worker(path, 12, chosen).handle
    digest = chosen.digest(MODEL.info.digest)
    ws.bank.record_study(chosen, digest, MODEL.info.digest)
    ws.bank.start_run("r", kind="federate", study=digest, settings={})
    return FederationRun(ws.bank, "r", chosen, digest, Hub(LocalTransport(sites), digest, held_to=chosen), CLOCK)


def test_the_mean_is_over_those_that_gave_one_and_nobody_is_asked_again(ws: Workspace, tmp_path: Path) -> None:
    federation = run_of(ws, tmp_path / "sites")
    gather_heads(federation, ws.bank, ASKED, HashedEncoder, CLOCK)
    heads = kept_heads(ws.bank, "r")
    assert sorted(heads) == sorted(SITES) and list(federation.missing) == ["short"]
    assert "min_cases" in federation.missing["short"]["head"]
    found = mean_head(ws.bank, "r", ASKED, SITES, 3)
    assert found is not None and found[1] == 3
    assert found[0].weights == pytest.approx(np.mean([heads[site] for site in SITES], axis=0), abs=1e-6)
    assert same_directions(found[0].directions, directions_of(HashedEncoder().encode(EXAMPLES), 4))
    assert mean_head(ws.bank, "r", ASKED, SITES[:2], 3) is None
    gather_heads(run_of(ws, tmp_path / "others"), ws.bank, ASKED, None, CLOCK)  # needs no encoder any more
    again = kept_heads(ws.bank, "r")
    assert all(np.array_equal(heads[site], again[site]) for site in SITES)


def test_without_an_encoder_or_with_examples_that_are_alike_it_is_said(ws: Workspace, tmp_path: Path) -> None:
    with pytest.raises(ModelError, check=coded("assets-not-ready")):
        gather_heads(run_of(ws, tmp_path), ws.bank, ASKED, None, CLOCK)
    alike = study(head={"examples": [f"one{' ' * place}" for place in range(1, 9)], "directions": 4})
    with pytest.raises(StudyError, check=coded("too-few-examples")):
        gather_heads(run_of(ws, tmp_path), ws.bank, alike, HashedEncoder, CLOCK)
