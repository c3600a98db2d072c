"""The order of cases follows from the site's key, the study and the round, and from nothing that a hub says."""

import hashlib
import hmac
import json
from itertools import product

import numpy as np

from fedprompt.site.drawing import Drawing, drawing_of_run

KEY, STUDY = b"k" * 32, "s1:" + "a" * 32


def order(drawing: Drawing, study: str = STUDY, number: int = 1) -> tuple[int, ...]:
    return tuple(int(n) for n in drawing.rng(study, number).permutation(40))


def test_the_order_is_an_hmac_of_study_and_round_under_the_sites_key() -> None:
    said = b"order of cases\0" + json.dumps([STUDY, 3], separators=(",", ":")).encode()
    number = int.from_bytes(hmac.new(KEY, said, hashlib.sha256).digest(), "big")
    expected = np.random.default_rng(np.random.SeedSequence(number)).permutation(40)
    assert order(Drawing(KEY), number=3) == tuple(expected)


def test_another_key_study_or_round_is_another_order() -> None:
    found = {
        order(Drawing(key), study, number)
        for key, study, number in product((KEY, b"l" * 32), (STUDY, "s1:" + "b" * 32), (1, 2, 3))
    }
    assert len(found) == 12


def test_a_run_of_one_process_has_the_sites_own_order_at_seed_0_and_another_at_another_seed() -> None:
    assert order(drawing_of_run(KEY, 0, "x")) == order(drawing_of_run(KEY, 0, "y")) == order(Drawing(KEY))
    assert len({order(drawing_of_run(KEY, seed, "x")) for seed in range(5)}) == 5
    assert order(drawing_of_run(KEY, 4, "x")) == order(drawing_of_run(KEY, 4, "x"))


def test_rounds_are_kept_apart_by_whom_they_are_among_and_by_the_run_of_one_process() -> None:
    drawings = [Drawing(KEY), *(drawing_of_run(KEY, seed, files) for seed in (0, 1) for files in ("x", "y"))]
    scopes = {one.scope(STUDY, among) for one in drawings for among in ("all", "group", "alone", "choice")}
    assert len(scopes) == 20
    # A site whose key is another one after a restore has answered what it has answered.
    assert Drawing(KEY).scope(STUDY, "all") == Drawing(b"l" * 32).scope(STUDY, "all") == STUDY


def test_the_key_is_not_shown() -> None:
    assert "kkk" not in repr(Drawing(KEY))
