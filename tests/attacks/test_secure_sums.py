"""A hub that keeps all traffic of a secure sum, and holds fewer sites than the least cohort, gets no update apart."""

import numpy as np
import pytest
from scipy import stats

from fedprompt.errors import FederationError
from fedprompt.privacy.secure_sums.fixed_point import FixedPoint
from fedprompt.privacy.secure_sums.sums import added, unmasked
from tests.coded import coded
from tests.privacy.sum_sites import OCCASION, SumSites


def test_a_masked_vector_passes_a_test_of_uniformity_whatever_it_hides() -> None:
    sites = SumSites(3)
    size = 8 * 576
    sites.fixed = FixedPoint(6.0, 100, 3)
    sites.deltas = np.zeros((3, size), np.float32)  # nothing could be less uniform
    sites.share()
    sites.mask()
    for hidden in sites.masked.values():
        bits = np.unpackbits(hidden.view(np.uint8))
        counts = np.bincount(hidden.view(np.uint8), minlength=256)
        assert stats.binomtest(int(bits.sum()), bits.size).pvalue > 1e-6
        assert stats.chisquare(counts).pvalue > 1e-6
    one, other, _ = sites.masked.values()
    assert abs(float(np.corrcoef(one.astype(np.float64), other.astype(np.float64))[0, 1])) < 6 / np.sqrt(size)


def test_taking_one_sites_answer_away_unmasks_nothing() -> None:
    sites = SumSites(5)
    sites.share()
    sites.mask()
    shares = sites.reveal(sites.confirm(sites.keys), sites.keys)
    whole = unmasked(
        added(sites.masked.values()), sites.members, sites.keys, sites.keys, shares, OCCASION, sites.least
    ).total
    for gone in sites.keys:
        rest = [key for key in sites.keys if key != gone]
        # The shares are of everybody's own mask: without one vector, its pairwise masks stand in the rest.
        less = added(sites.masked[key] for key in rest)
        for told in (rest, sites.keys):
            try:
                found = unmasked(less, sites.members, sites.keys, told, shares, OCCASION, sites.least).total
                apart, _ = sites.fixed.decoded(np.asarray(whole - found))
            except FederationError as error:
                assert coded("wrong-sum", "forged-share", "too-few-shares")(error)
            else:
                place = sites.keys.index(gone)
                assert np.abs(apart - sites.deltas[place]).max() > 1e-2


def test_fewer_sites_than_the_least_cohort_cannot_unmask_with_the_hub() -> None:
    sites = SumSites(6)
    sites.share()
    sites.mask()
    signed = sites.confirm(sites.keys)
    # Their shares and signatures, which is all that they hold: the hub has every message besides.
    held = sites.reveal(signed, sites.keys[: sites.least - 1])
    with pytest.raises(FederationError, check=coded("too-few-shares")):
        unmasked(added(sites.masked.values()), sites.members, sites.keys, sites.keys, held, OCCASION, sites.least)
