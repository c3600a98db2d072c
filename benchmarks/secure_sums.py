"""Secure sums against the plain mean: how far apart, how long, how many bytes; 20 sites of which 5 drop, and 1,000.

    python -m benchmarks.secure_sums [--sites 20] [--dropped 5] [--many 1000] [--degree 32] [--seed 0] [--json]

Updates of 8 x 576 numbers, made up, with a weight for each site of 30 to 144 cases. Time is the processor's, over all
sites one after the other on one thread, and the hub's: on machines of their own sites work side by side. Bytes are of
whole messages as they are packed, beside those of the plain verb, for a round without its score. Among 1,000 sites each
shares masks with ``--degree`` others (SecAgg+), which studies do not offer, and each signature
is verified once in the process, with a site's own time for them beside; ``--many 0`` leaves that out.
"""

import argparse
import time
from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from benchmarks.report import Row, report, show
from fedprompt.privacy.secure_sums import keys, participant
from fedprompt.privacy.secure_sums.fixed_point import FixedPoint
from fedprompt.privacy.secure_sums.simulated import STEPS, Drop, Simulated, simulated_sum
from fedprompt.study.files import parse_study
from fedprompt.trust.signing import Signer, is_signed
from fedprompt.verbs.tune import TuneReply, TuneTask
from fedprompt.verbs.wire import pack_reply, pack_task
from fedprompt.workspace.rounds.summed_bytes import TASK, summed_bytes

TOKENS, WIDTH, BOUND = 8, 576, 0.01 * 8 * float(np.sqrt(8 * 576))
MOST_SECONDS, MOST_TIMES = 1.0, 3.0
CPU = "s of the processor"
STUDY = (
    "study: s\nmodel: scripted\nfields: [text]\nanswer: {type: choice, labels: [a, b]}\n"
    'templates: [{name: t, text: "{text}"}]\nsoft: {template: "{text}{soft}", tokens: 8, init: a}\n'
    "rounds: {secure_sums: true}\n"
)


def main() -> None:
    """Add up, and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=20)
    parser.add_argument("--dropped", type=int, default=5)
    parser.add_argument("--many", type=int, default=1000)
    parser.add_argument("--degree", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows: list[Row] = []
    for step in STEPS:
        found, off = _added(options.sites, options.seed, {step: range(options.dropped)}, None)
        name = f"{options.sites} sites, {options.dropped} stay away from '{step}' on"
        took = found.seconds + found.hub_seconds
        rows += [
            Row(f"{name}: furthest from the plain mean", "quantisation steps", off, target=1.0, met=off <= 1.0),
            Row(
                f"{name}: all sites and the hub",
                CPU,
                took,
                target=MOST_SECONDS,
                met=took < MOST_SECONDS,
            ),
        ]
    rows += _bytes(options.sites)
    if options.many:
        _verify_once()
        away: Mapping[Drop, range] = {"masked": range(0, options.many, 10)}
        found, off = _added(options.many, options.seed, away, options.degree)
        name = f"{options.many} sites, each with {options.degree} others, a tenth drops"
        signatures = options.many + options.many // 2 + 1
        up, down = sum(found.up.values()) / options.many, sum(found.down.values()) / options.many
        rows += [
            Row(f"{name}: furthest from the plain mean", "quantisation steps", off, target=1.0, met=off <= 1.0),
            Row(f"{name}: a site, without signatures", CPU, found.seconds / options.many),
            Row(f"{name}: a site's {signatures} signatures", CPU, signatures * _signature_seconds()),
            Row(f"{name}: the hub", CPU, found.hub_seconds),
            Row(f"{name}: from a site", "bytes", up, TOKENS * WIDTH * 4, up / (TOKENS * WIDTH * 4)),
            Row(f"{name}: to a site, beside the prompt", "bytes", down),
        ]
    show(report("secure_sums", rows), as_json=options.json)


def _added(sites: int, seed: int, drops: Mapping[Drop, range], degree: int | None) -> tuple[Simulated, float]:
    """Return a secure sum, and how far it is from the plain mean in quantisation steps."""
    rng = np.random.default_rng(seed)
    deltas = rng.normal(0, 0.01, (sites, TOKENS * WIDTH)).astype(np.float32)
    weights = rng.integers(30, 145, sites)
    fixed = FixedPoint(BOUND, 144, sites)
    found = simulated_sum(deltas, weights, fixed, drops=drops, degree=degree)
    some = list(found.sites)
    counts = weights[some].astype(np.float64)
    plain = (deltas[some] * counts[:, None]).sum(axis=0) / counts.sum()
    return found, float(np.abs(found.mean - plain).max()) / fixed.step(found.weight)


def _verify_once() -> None:
    """Verify each signature once in this process, where each site would do so: a million of them take minutes."""
    keys.is_signed = participant.is_signed = lru_cache(maxsize=None)(is_signed)  # type: ignore[attr-defined]


def _signature_seconds() -> float:
    """Return the processor's time for one verification."""
    signer, began = Signer(b"k" * 32), time.process_time()
    signature = signer.sign(b"a message")
    for _ in range(200):
        is_signed(signer.key, b"a message", signature)
    return (time.process_time() - began) / 200


def _bytes(sites: int) -> list[Row]:
    """Return what a round takes at one site, beside a plain one."""
    study = parse_study(STUDY)
    vectors = np.random.default_rng(0).normal(0, 0.1, (TOKENS, WIDTH)).astype(np.float32)
    digest = "s1:" + "0" * 32
    task = TuneTask(task=TASK, study=digest, round=1, steps=8, seed=0, known="0" * 64)
    plain = (
        len(pack_task(task, {"start": vectors})),
        len(pack_reply(TuneReply(task=TASK, round=1, cases=100), {"delta": vectors})),
    )
    secure = summed_bytes(study, digest, vectors, sites)
    rows = [
        Row(f"{sites} sites, a round {way} a site", "bytes", ours, peer, ours / peer)
        for way, ours, peer in zip(("to", "from"), secure, plain, strict=True)
    ]
    both, ratio = sum(secure), sum(secure) / sum(plain)
    last = Row(f"{sites} sites, a round, both ways", "bytes", both, sum(plain), ratio, MOST_TIMES, ratio < MOST_TIMES)
    return [*rows, last]


if __name__ == "__main__":
    main()
