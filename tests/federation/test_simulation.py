"""Made-up sites go through the real hub: the same seed is the same run, the late are left out, liars are withstood."""

import numpy as np
import pytest

from fedprompt.errors import FederationError
from fedprompt.federation.hub import Hub
from fedprompt.federation.round_record import RoundRecord
from fedprompt.federation.rounds import run_rounds
from fedprompt.federation.simulation import Population, SimulatedSites
from fedprompt.prompts.soft import SoftPrompt
from tests.coded import coded
from tests.federation.test_rounds import Memory
from tests.scripted_sites import MODEL, study

DIGEST = "s1:" + "0" * 32


def run(sites: SimulatedSites, strategy: str = "fedavg", **rounds: object) -> tuple[RoundRecord, ...]:
    chosen = study(rounds={"count": 3, "quorum": 15, "strategy": {"name": strategy}, **rounds})
    start = SoftPrompt(np.zeros((3, 16), np.float32), MODEL.info.digest)
    return run_rounds(
        Hub(sites, DIGEST),
        chosen.soft_template(),
        start,
        rounds=chosen.rounds,
        tuning=chosen.tuning,
        seed=0,
        writer=Memory(),
        clock=sites.clock,
    )


def population(**changes: object) -> Population:
    return Population(**{"count": 25, "tokens": 3, "width": 16, **changes})  # type: ignore[arg-type]


def away(sites: SimulatedSites, records: tuple[RoundRecord, ...]) -> float:
    soft = records[-1].prompt.soft
    assert soft is not None
    return float(np.linalg.norm(soft.vectors - sites.optimum))


def test_the_same_seed_is_the_same_run() -> None:
    one, same, other = (run(SimulatedSites(population(seed=seed))) for seed in (1, 1, 2))
    assert [record.prompt.id for record in one] == [record.prompt.id for record in same]
    assert one == same
    assert one[-1].prompt.id != other[-1].prompt.id


def test_rounds_come_nearer_to_what_the_sites_have_in_common() -> None:
    sites = SimulatedSites(population())
    records = run(sites)
    assert away(sites, records) < 0.5 * float(np.linalg.norm(sites.optimum))
    assert records[-1].mean > records[0].mean


def test_who_does_not_answer_is_listed_and_comes_back() -> None:
    records = run(SimulatedSites(population(dropout=0.2)))
    assert all(one.why == "failed" for record in records for one in record.missing)
    gone = [{one.site for one in record.missing if one.step == "tune"} for record in records]
    assert gone[0] and gone[0] != gone[1], "it is not always the same sites"


def test_slow_sites_are_late_where_the_deadline_is_short() -> None:
    records = run(SimulatedSites(population(dropout=0.0, spread=1.0)), deadline=8.0)
    late = [{one.site for one in record.missing if one.why == "late"} for record in records]
    assert all(late)
    for record, sites in zip(records, late, strict=True):
        assert all(record.seconds["tune"][site] > 8.0 for site in sites if site not in record.tuned)


def test_liars_spoil_the_mean_and_not_the_median() -> None:
    found = {}
    for strategy in ("fedavg", "median", "multi-krum"):
        sites = SimulatedSites(population(liars=0.15, seed=3, dropout=0.0))
        found[strategy] = away(sites, run(sites, strategy, count=8))
    assert found["median"] < 0.5 * found["fedavg"] and found["multi-krum"] < 0.5 * found["fedavg"]


def test_a_quorum_that_does_not_come_ends_the_run() -> None:
    with pytest.raises(FederationError, match=r"round 1: .*of 25.*15", check=coded("too-few-answers")):
        run(SimulatedSites(population(dropout=0.9)))
