"""The noise is the Gaussian rounded to a grid, drawn from whole numbers, and follows from its bytes alone."""

import numpy as np
import pytest
from scipy.stats import chi2, norm

from fedprompt.privacy.rounded_noise import (
    WIDTH,
    _table,
    drawn_noise,
    from_secret,
    from_system,
    rounded_noise,
    sampled,
)


def test_the_table_is_the_gaussians_to_the_last_of_128_bits() -> None:
    from mpmath import mp, mpf, ncdf

    table = _table()
    with mp.workdps(60):
        for value in (-30_000, -1, 0, 1, 4096, 20_000, 50_000):
            exact = ncdf((mpf(value) + mpf(1) / 2) / WIDTH) * mpf(2) ** 128
            assert abs(table.whole[value + table.offset] - exact) < 2


def test_draws_are_spread_as_the_gaussian_is() -> None:
    drawn = rounded_noise(200_000, from_secret(b"a test", b"spread")) / WIDTH
    edges = np.concatenate([[-np.inf], np.linspace(-3, 3, 25), [np.inf]])
    counts = np.histogram(drawn, edges)[0]
    wanted = len(drawn) * np.diff(norm.cdf(edges))
    assert ((counts - wanted) ** 2 / wanted).sum() < chi2.ppf(0.999, len(wanted) - 1)


def test_a_draw_is_where_its_128_bits_fall_in_the_table() -> None:
    table = _table()
    for place in (table.offset - 40_000, table.offset, table.offset + 5_000):
        edge = table.whole[place]  # the first draw above the value of this place
        above, below = (one.to_bytes(16, "big") for one in (edge, edge - 1))
        assert rounded_noise(2, lambda _, a=above, b=below: a + b).tolist() == [
            place + 1 - table.offset,
            place - table.offset,
        ]


def test_the_same_secret_and_label_give_the_same_noise_and_others_other_noise() -> None:
    first, again, other = (rounded_noise(64, from_secret(b"key", label)) for label in (b"a", b"a", b"b"))
    assert (first == again).all() and (first != other).any()
    assert (rounded_noise(64, from_system) != rounded_noise(64, from_system)).any()
    going_on = from_secret(b"key", b"a")
    assert (rounded_noise(64, going_on) != rounded_noise(64, going_on)).any()


def test_noise_lies_on_its_grid() -> None:
    drawn = drawn_noise(1000, 0.3, from_secret(b"key", b"grid")) * (WIDTH / 0.3)
    assert np.abs(drawn - np.rint(drawn)).max() < 1e-6


@pytest.mark.parametrize("rate", [0.02, 0.5])
def test_a_poisson_sample_takes_each_by_itself(rate: float) -> None:
    stream = from_secret(b"key", b"sample")
    sizes = [len(sampled(400, rate, stream)) for _ in range(500)]
    assert abs(np.mean(sizes) - 400 * rate) < 5 * np.sqrt(400 * rate * (1 - rate) / 500)
    assert abs(np.var(sizes) / (400 * rate * (1 - rate)) - 1) < 0.4
    assert sampled(5, 1.0, stream).tolist() == [0, 1, 2, 3, 4]
