"""What a site can do by itself with n labelled cases: each way's accuracy on its test cases.

All see the same n cases; nothing of the test cases but their texts. What is tuned here is tuned as donors tune.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.joins.drawing import halves
from benchmarks.joins.shelf import Shelf
from fedprompt.adapting.class_bias import fit_bias
from fedprompt.adapting.combining import combined
from fedprompt.adapting.encoded import regression
from fedprompt.adapting.log_probabilities import normalised
from fedprompt.adapting.mixture import fit_mixture

__all__ = ["alone", "left_out", "right", "shown"]

Table = NDArray[np.float64]
PRECISION = 1.0  # of home's biases, as of ours: the best of 1, 2 and 4 on the development task
TEMPLATES = 4


def right(table: Table, true: NDArray[np.int64]) -> float:
    """Return the share of right answers."""
    return float((table.argmax(axis=1) == true).mean())


def left_out(x: NDArray[Any], y: NDArray[np.int64], labels: int) -> Table:
    """Return each case's log-probabilities by the regression on the other cases; in 64 parts where there are more."""
    found, parts = np.zeros((len(y), labels)), min(len(y), 64)
    for part in range(parts if len(y) > 1 else 0):
        out = np.arange(len(y)) % parts == part
        found[out] = regression(x[~out], y[~out], x[out], labels)
    return normalised(found)


def alone(shelf: Shelf, name: str, n: int) -> Iterator[tuple[str, float]]:
    """Yield (way, accuracy) of what newcomer ``name`` can do by itself with its first ``n`` cases."""
    true, known = shelf.read(f"{name}-test-true"), shelf.read(f"{name}-home-true")[:n]
    tests = [shelf.read(f"{name}-test-t{k}") for k in range(TEMPLATES)]
    homes = [shelf.read(f"{name}-home-t{k}")[:n] for k in range(TEMPLATES)]
    labels = tests[0].shape[1]
    if not n:
        # Without a case no template can be told from another: the mean of them all.
        yield "any template", float(np.mean([right(table, true) for table in tests]))
        yield "templates averaged", right(np.mean(tests, axis=0), true)
        return
    yield "commonest label", float((true == np.bincount(known, minlength=labels).argmax()).mean())
    biases = [fit_bias(table, known, precision=PRECISION) for table in homes]
    losses = [_loss(table + bias, known) for table, bias in zip(homes, biases, strict=True)]
    best = int(np.argmin(losses))
    yield "best template, bias", right(tests[best] + biases[best], true)
    mixed = fit_mixture(np.stack(homes), known, np.full(TEMPLATES, 1 / TEMPLATES), pull=4.0, precision=PRECISION)
    yield "templates mixed, bias", right(combined(np.stack(tests), mixed.weights, mixed.bias), true)
    yield from _shown(shelf, name, n, true, known)
    yield from _own(shelf, name, n, true, known)
    vectors, asked = shelf.read(f"{name}-home-e")[:n], shelf.read(f"{name}-test-e")
    encoded = regression(vectors, known, asked, labels)
    yield "logistic regression on the encoder", right(encoded, true)
    folded = [_without(table, known) for table in homes]
    outside = left_out(vectors, known, labels)
    ways = [(_loss(outside, known), encoded)] + [
        (_loss(table, known), test + bias) for table, test, bias in zip(folded, tests, biases, strict=True)
    ]
    if shelf.has(f"{name}-oof-{n}"):
        own = shelf.read(f"{name}-test-own-{n}-8")
        ways.append((_loss(shelf.read(f"{name}-oof-{n}"), known), own))
    yield "chosen by cross-validation", right(min(ways, key=lambda way: way[0])[1], true)
    # The encoder's regression is one member among the site's templates, judged on cases that it was not fitted on.
    members, held = np.stack([normalised(encoded), *tests]), np.stack([normalised(outside), *homes])
    stack = fit_mixture(held, known, np.array([0.6, *[0.4 / TEMPLATES] * TEMPLATES]), pull=4.0, precision=PRECISION)
    yield "regression and templates mixed", right(combined(members, stack.weights, stack.bias), true)


def shown(shelf: Shelf, name: str, n: int) -> tuple[Table, Table] | None:
    """Return calibrated few-shot answers: of test cases, and of the first ``n`` home cases where they are not shown.

    Two prompts show a set of home cases each, and their log-probabilities are averaged; of a case that one shows the
    other alone answers. Calibration (Zhao et al. 2021, arXiv 2102.09690) takes out what is answered to empty cases.
    None where they were not asked.
    """
    if not shelf.has(f"{name}-test-shot-{n}-b"):
        return None
    tests, homes = [], []
    for half in halves(n):
        test, home, empty = (shelf.read(f"{name}-{what}-shot-{n}-{half}") for what in ("test", "home", "empty"))
        prior = np.log(np.exp(empty).mean(axis=0))
        tests.append(normalised(test - prior))
        homes.append(normalised(home - prior))
    home = np.mean(homes, axis=0)
    for other, rows in zip(reversed(homes), halves(n).values(), strict=True):
        home[rows] = other[rows]
    return np.mean(tests, axis=0), home


def _shown(
    shelf: Shelf, name: str, n: int, true: NDArray[np.int64], known: NDArray[np.int64]
) -> Iterator[tuple[str, float]]:
    both = shown(shelf, name, n)
    if both is None:
        return
    one, empty = (shelf.read(f"{name}-{what}-shot-{n}-a") for what in ("test", "empty"))
    yield "few-shot, calibrated", right(one - np.log(np.exp(empty).mean(axis=0)), true)
    test, home = both
    yield "few-shot, two sets of cases averaged, calibrated", right(test, true)
    yield "the same, bias", right(test + fit_bias(home, known, precision=PRECISION), true)


def _own(
    shelf: Shelf, name: str, n: int, true: NDArray[np.int64], known: NDArray[np.int64]
) -> Iterator[tuple[str, float]]:
    for steps in (4, 8, 16, 24):
        if shelf.has(f"{name}-home-own-{n}-{steps}"):
            test, held = (shelf.read(f"{name}-{what}-own-{n}-{steps}") for what in ("test", "home"))
            yield f"tuned, {steps} steps", right(test, true)
            yield f"tuned, {steps} steps, bias", right(test + fit_bias(held, known, precision=PRECISION), true)
    if shelf.has(f"{name}-home-again-{n}"):
        tests = [shelf.read(f"{name}-test-{member}") for member in (f"own-{n}-8", f"again-{n}")]
        yield "tuned, two seeds averaged", right(np.mean(tests, axis=0), true)


def _without(table: Table, known: NDArray[np.int64]) -> Table:
    """Return the table with, for each case, the bias that the others give."""
    found = np.empty_like(table)
    for row in range(len(known)):
        rest = np.arange(len(known)) != row
        found[row] = table[row] + fit_bias(table[rest], known[rest], precision=PRECISION)
    return found


def _loss(table: Table, known: NDArray[np.int64]) -> float:
    return float(-normalised(table)[np.arange(len(known)), known].sum())
