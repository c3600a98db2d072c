"""A secure sum is the plain mean to the quantisation step, whoever stays away, and nothing else comes out of it."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedprompt.errors import FederationError
from fedprompt.privacy.secure_sums.fixed_point import FixedPoint
from fedprompt.privacy.secure_sums.keys import Secrets
from fedprompt.privacy.secure_sums.neighbours import neighbourhoods
from fedprompt.privacy.secure_sums.occasion import Occasion
from fedprompt.privacy.secure_sums.participant import MISSING
from fedprompt.privacy.secure_sums.shares import recovered, split
from fedprompt.privacy.secure_sums.simulated import STEPS, Drop, simulated_sum
from fedprompt.privacy.secure_sums.sums import added, unmasked
from fedprompt.study.secure_sums import least_cohort
from fedprompt.trust.signing import Signer, fingerprint
from tests.coded import coded
from tests.privacy.sum_sites import OCCASION, SumSites, updates_of


@settings(max_examples=15, deadline=None)
@given(sites=st.integers(3, 9), seed=st.integers(0, 2**32 - 1), step=st.sampled_from(STEPS), share=st.floats(0, 0.49))
def test_the_sum_is_the_plain_mean_to_the_step_whoever_stays_away(
    sites: int, seed: int, step: Drop, share: float
) -> None:
    deltas, weights = updates_of(sites, seed=seed)
    rng = np.random.default_rng(seed)
    away = rng.choice(sites, min(int(share * sites), sites - least_cohort(sites)), replace=False)
    fixed = FixedPoint(2.0, 100, sites)
    found = simulated_sum(deltas, weights, fixed, drops={step: {int(one) for one in away}})
    late = step in ("confirm", "reveal")  # whose vectors had come by then
    assert set(found.sites) == set(range(sites)) - (set() if late else {int(one) for one in away})
    some = list(found.sites)
    counts = weights[some].astype(np.float64)
    plain = (deltas[some] * counts[:, None]).sum(axis=0) / counts.sum()
    assert found.weight == int(weights[some].sum())
    assert float(np.abs(found.mean - plain).max()) <= fixed.step(found.weight)


def test_some_may_stay_away_at_every_step_of_one_sum() -> None:
    deltas, weights = updates_of(11)
    drops: dict[Drop, set[int]] = {step: {place} for place, step in enumerate(STEPS)}
    assert simulated_sum(deltas, weights, FixedPoint(2.0, 100, 11), drops=drops).sites == tuple(range(3, 11))


@pytest.mark.parametrize("step", STEPS)
def test_a_cohort_that_became_too_small_gives_no_sum(step: Drop) -> None:
    deltas, weights = updates_of(6)
    with pytest.raises(FederationError, check=coded("cohort-too-small", "cohort-differs", "too-few-shares")):
        simulated_sum(deltas, weights, FixedPoint(2.0, 100, 6), drops={step: {0, 1, 2}})


def test_with_neighbours_alone_the_sum_is_the_same() -> None:
    deltas, weights = updates_of(16)
    fixed, away = FixedPoint(2.0, 100, 16), {1, 9}
    sparse = simulated_sum(deltas, weights, fixed, drops={"masked": away}, degree=6)
    whole = simulated_sum(deltas, weights, fixed, drops={"masked": away})
    assert sparse.mean.tolist() == whole.mean.tolist()
    assert sparse.up["shares"] * 2 < whole.up["shares"]


@given(keys=st.sets(st.from_regex(r"[0-9a-f]{4}", fullmatch=True), min_size=3, max_size=30), half=st.integers(1, 6))
def test_neighbours_are_neighbours_of_each_other(keys: set[str], half: int) -> None:
    near = neighbourhoods(sorted(keys), "digest", 2 * half)
    assert all(key in near[other] for key, others in near.items() for other in others)
    assert {len(others) for others in near.values()} == {min(len(keys), 2 * half + 1)}


@given(bound=st.floats(1e-3, 1e4), most=st.integers(1, 10**6), sites=st.integers(2, 2_000), negative=st.booleans())
def test_no_sum_within_the_bounds_wraps(bound: float, most: int, sites: int, negative: bool) -> None:
    fixed = FixedPoint(bound, most, sites)
    longest = np.zeros(3, np.float32)
    longest[0] = np.float32(-bound if negative else bound)
    vector = fixed.encoded(longest, most)
    total = (vector.astype(object) * sites) % 2**fixed.bits
    mean, weight = fixed.decoded(np.array([int(one) for one in total], fixed.dtype))
    assert weight == sites * most
    assert math.isclose(float(mean[0]), float(longest[0]), rel_tol=1e-3)


def test_a_sum_that_no_steps_can_make_is_refused() -> None:
    fixed = FixedPoint(1.0, 10, 3)
    with pytest.raises(FederationError, check=coded("wrong-sum")):
        fixed.decoded(np.full(5, 2**30, fixed.dtype))
    with pytest.raises(FederationError, check=coded("wrong-sum")):
        fixed.decoded(np.zeros(5, fixed.dtype))


@given(secret=st.binary(min_size=16, max_size=16), needed=st.integers(2, 5), more=st.integers(0, 3), data=st.data())
@settings(max_examples=20, deadline=None)
def test_any_shares_of_the_needed_number_give_the_secret_and_fewer_none(
    secret: bytes, needed: int, more: int, data: st.DataObject
) -> None:
    shares = dict(enumerate(split(secret, needed, needed + more), 1))
    some = data.draw(st.permutations(sorted(shares)))[:needed]
    assert recovered({place: shares[place] for place in some}, needed, lambda found: found == secret).secret == secret
    with pytest.raises(FederationError, check=coded("too-few-shares")):
        recovered({place: shares[place] for place in some[1:]}, needed, lambda found: found == secret)


def test_a_forged_share_is_found_and_its_giver_named() -> None:
    secret = bytes(range(16))
    shares = dict(enumerate(split(secret, 3, 6), 1))
    shares[2] = bytes(15) + b"1"
    found = recovered(shares, 3, lambda one: one == secret)
    assert (found.secret, found.forged) == (secret, (2,))
    for place in (1, 3, 4):
        shares[place] = bytes(15) + b"1"
    with pytest.raises(FederationError, check=coded("forged-share")):
        recovered(shares, 3, lambda one: one == secret)


def test_a_site_that_forges_shares_spoils_no_sum_and_is_named() -> None:
    sites = SumSites(6)
    sites.share()
    survivors = sites.keys[:5]
    sites.mask(survivors)
    shares = sites.reveal(sites.confirm(survivors), survivors)
    liar = survivors[0]
    shares[liar] = dict.fromkeys(shares[liar], b"x" * 16)
    total = added(sites.masked.values())
    found = unmasked(total, sites.members, sites.keys, survivors, shares, OCCASION, sites.least)
    assert found.liars == (liar,)
    mean, _ = sites.fixed.decoded(found.total)
    assert np.abs(mean - sites.plain(survivors)).max() <= sites.fixed.step(100)


def test_keys_that_another_signed_or_for_another_sum_are_refused() -> None:
    sites = SumSites(4)
    least, stranger = sites.least, Signer(b"h" * 32)
    site = sites.sites[sites.keys[0]]
    others = sites.members[1:]
    # The hub in the middle: its own keys in place of a site's, which it cannot sign for.
    own = Secrets.new().member(OCCASION, stranger)
    middle = [sites.members[0], *others[:-1], own.model_copy(update={"key": others[-1].key})]
    elsewhere = Secrets.new().member(Occasion(OCCASION.study, 2, 0), sites.signers[-1])
    doubled = [sites.members[0], others[0], *others[:-1]]
    sybil = sorted([*sites.members[:3], own], key=lambda one: one.key)
    accepted = {fingerprint(key) for key in sites.keys}
    for cohort in (middle, [*sites.members[:3], elsewhere], doubled, sybil):
        with pytest.raises(FederationError, check=coded("unknown-keys")):
            site.share(cohort, least, accepted)
    with pytest.raises(FederationError, check=coded("unknown-keys")):
        site.share(others, least)  # it is not among them itself
    with pytest.raises(FederationError, check=coded("cohort-too-small")):
        site.share(sites.members[:2], least)


def test_no_step_is_taken_twice_so_that_keys_are_used_once() -> None:
    sites = SumSites(4)
    sites.share()
    sites.mask()
    key = sites.keys[0]
    for again in (
        lambda: sites.share([key]),
        lambda: sites.mask([key]),
        lambda: sites.reveal({}, [key]),
    ):
        with pytest.raises(FederationError, check=coded("wrong-step")):
            again()
    signatures = sites.confirm(sites.keys)
    with pytest.raises(FederationError, check=coded("wrong-step")):
        sites.confirm(sites.keys[:3], [key])  # another cohort, one site smaller
    sites.reveal(signatures, [key])
    kept = sites.sites[key]
    assert (kept.masks, kept.own, kept.shares, kept.own_shares, dict(kept.received)) == ("", "", "", "", {})


def test_a_hub_that_tells_sites_of_different_survivors_gets_no_share() -> None:
    sites = SumSites(5)
    sites.share()
    sites.mask()
    one, other = sites.keys[:4], sites.keys[1:]
    signed = {**sites.confirm(one, sites.keys[:2]), **sites.confirm(other, sites.keys[2:4])}
    for key in sites.keys[:4]:
        with pytest.raises(FederationError, check=coded("cohort-differs")):
            sites.reveal(signed, [key])


def test_survivors_are_of_those_who_gave_shares_and_the_site_itself_is_among_them() -> None:
    sites = SumSites(5)
    sites.share(sites.keys[:4])
    sites.mask(sites.keys[:4])
    with pytest.raises(FederationError, check=coded("cohort-differs")):
        sites.confirm(sites.keys, [sites.keys[0]])
    with pytest.raises(FederationError, check=coded("cohort-differs")):
        sites.confirm(sites.keys[1:4], [sites.keys[0]])
    with pytest.raises(FederationError, check=coded("cohort-too-small")):
        sites.confirm(sites.keys[:2], [sites.keys[0]])


def test_a_share_that_was_changed_on_its_way_is_missing_and_the_sum_holds() -> None:
    sites = SumSites(5)
    sites.share()
    giver, taker = sites.keys[1], sites.keys[0]
    data = sites.given[giver][taker]
    sites.given[giver][taker] = bytes([data[0] ^ 1]) + data[1:]
    sites.mask()
    shares = sites.reveal(sites.confirm(sites.keys), sites.keys)
    assert shares[taker][giver] == MISSING
    found = unmasked(added(sites.masked.values()), sites.members, sites.keys, sites.keys, shares, OCCASION, sites.least)
    assert found.liars == ()
    assert np.abs(sites.fixed.decoded(found.total)[0] - sites.plain(sites.keys)).max() <= sites.fixed.step(100)


def test_a_share_is_given_of_the_own_mask_or_of_the_mask_key_never_of_both() -> None:
    sites = SumSites(5)
    sites.share()
    survivors = sites.keys[:4]
    sites.mask()  # the fifth's vector came, and the hub calls it missing
    shares = sites.reveal(sites.confirm(survivors), survivors)
    gone = sites.keys[4]
    halves = Counter(len(of[gone]) for of in shares.values())
    assert halves == {16: 4}  # one half each, and the steps are not taken again
    with pytest.raises(FederationError, check=coded("wrong-step")):
        sites.reveal({}, survivors[:1])


def test_the_least_cohort_is_three_and_more_than_half() -> None:
    assert [least_cohort(sites) for sites in (2, 3, 4, 5, 20, 21)] == [3, 3, 3, 3, 11, 11]
    assert least_cohort(20, 14) == 14
