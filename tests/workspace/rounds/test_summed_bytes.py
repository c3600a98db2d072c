"""The bytes of a round of a secure sum, for as many sites as a study may name."""

import numpy as np

from fedprompt.study.secure_sums import MOST_SITES
from fedprompt.workspace.rounds.summed_bytes import summed_bytes
from tests.scripted_sites import study


def test_the_messages_of_the_largest_cohort_are_within_what_is_read() -> None:
    asked, vectors = study(rounds={"secure_sums": True}), np.zeros((3, 8), np.float32)
    few, many = (summed_bytes(asked, "s1:" + "0" * 32, vectors, sites) for sites in (3, MOST_SITES))
    assert few[0] < many[0] < 200_000 and few[1] < many[1] < 20_000
