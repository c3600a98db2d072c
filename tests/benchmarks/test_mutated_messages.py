"""Messages bent by one who knows how they are built: no door takes what another reading of it forbids."""

import numpy as np
import pytest

from benchmarks.mutants.bending import bent
from benchmarks.mutants.honest import Exchange, exchanged
from benchmarks.mutants.oracle import fault

COUNT = 400


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> list[Exchange]:
    return exchanged(tmp_path_factory.mktemp("honest"))


@pytest.mark.parametrize("kind", ["task", "reply"])
def test_what_is_honest_passes_and_the_other_reading_finds_no_fault(honest: list[Exchange], kind: str) -> None:
    for one in honest:
        data = getattr(one, kind)
        assert one.taken(kind, data) and fault(data, kind, one) is None


@pytest.mark.parametrize("kind", ["task", "reply"])
def test_no_door_takes_what_is_forbidden_and_none_raises_anything_else(honest: list[Exchange], kind: str) -> None:
    rng = np.random.default_rng(1)
    refused = 0
    for _ in range(COUNT):
        one, other = (honest[int(rng.integers(len(honest)))] for _ in range(2))
        data = bent(getattr(one, kind), kind, getattr(other, kind), rng)
        if not one.taken(kind, data):
            refused += 1
        else:
            assert fault(data, kind, one) is None
    assert refused > COUNT / 2


def test_the_other_reading_finds_a_reply_over_cases_that_the_site_does_not_have(honest: list[Exchange]) -> None:
    one = next(one for one in honest if b'"verb":"score"' in one.task)
    assert fault(one.reply.replace(b'"n":40', b'"n":41'), "reply", one) is not None
