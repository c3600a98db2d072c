"""What a site can do with what the donors share and n labelled cases of its own: each way's accuracy on its test cases.

``with shared prompts`` is the product's way, one composition (``fedprompt.adapting.fit``) under the settings for n that
were fixed on the development task. The rest is named for what it is: the same with home's unlabelled texts, with
home's own regression on the encoder as one more member, without donors' own prompts, and references.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.joins.home import TEMPLATES, left_out, right, shown
from benchmarks.joins.shelf import Shelf
from fedprompt.adapting.class_bias import fit_bias
from fedprompt.adapting.combining import combined
from fedprompt.adapting.encoded import regression
from fedprompt.adapting.fitting import Fitted, fit
from fedprompt.adapting.label_shift import shift_bias, target_shares
from fedprompt.adapting.log_probabilities import normalised
from fedprompt.adapting.settings import DEFAULT_SETTINGS, Settings

__all__ = ["DISTILLED", "HEADED", "JOINED", "REGRESSION", "members_of", "mixture_of", "references", "shared", "weights"]

Table = NDArray[np.float64]
JOINED = "with shared prompts"
REGRESSION = "with shared prompts and home's regression"
FEW = "with shared prompts and home's few-shot"
HEADED = "with shared prompts and a shared head on the encoder"
DISTILLED = "one prompt distilled from the mixture"
PRECISION = 1.0  # of references' biases: as ours
HEAD = 0.5  # the part of a head that the donors share: the best of 0.3 to 1 on the development task
SHOTS = 0.2  # the part of home's few-shot prompts
UNLABELLED = 64  # home texts without their labels
FEDERATED = 0.5  # the federated prompt's part of the pack; donors' own prompts share the rest
ENCODER = {0: 0.0, 4: 0.2, 8: 0.2, 16: 0.2, 32: 0.4, 64: 0.4}  # the part of the home's own regression, by n


def members_of(shelf: Shelf) -> tuple[list[str], list[str]]:
    """Return the names of donors' own prompts, as they left the last round, and of FedAvg's rounds on a shelf."""
    many = range(len(list(shelf.folder.glob("true-d*.npy"))))
    rounds = len(list(shelf.folder.glob("v-f[0-9]*.npy")))
    if shelf.has(f"v-d0-r{rounds}"):
        own = f"r{rounds}"
    else:
        own = str(max(int(path.stem.rsplit("-", 1)[1]) for path in shelf.folder.glob("v-d0-[0-9]*.npy")))
    return [f"d{place}-{own}" for place in many], [f"f{number}" for number in range(1, rounds + 1)]


def shared(shelf: Shelf, name: str, n: int, settings: Settings = DEFAULT_SETTINGS) -> Iterator[tuple[str, float]]:
    """Yield (way, accuracy) of what newcomer ``name`` gets from the pack and its first ``n`` cases."""
    true, known = shelf.read(f"{name}-test-true"), shelf.read(f"{name}-home-true")[:n]
    donors, rounds = members_of(shelf)
    common = rounds[-1]
    pack = weights(len(donors))
    tests = _tables(shelf, name, "test", [*donors, common])
    _, homes, mixture = mixture_of(shelf, name, n, settings)
    yield JOINED, right(combined(tests, mixture.weights, mixture.bias), true)
    of_test, of_home = _head(shelf, name)
    held, asked = np.concatenate([homes, of_home[None]]), np.concatenate([tests, of_test[None]])
    found = fit(settings.for_n(n), held[:, :n], known, np.append(pack * (1 - HEAD), HEAD))
    yield HEADED, right(combined(asked, found.weights, found.bias), true)
    if shelf.has(f"{name}-test-dis-{n}"):
        yield DISTILLED, right(shelf.read(f"{name}-test-dis-{n}"), true)
    templates, rounds = [f"t{number}" for number in range(TEMPLATES)], rounds[-2:]
    parts = [*[0.9 / len(rounds)] * len(rounds), *[0.1 / TEMPLATES] * TEMPLATES]
    held, asked = (_tables(shelf, name, what, [*rounds, *templates]) for what in ("home", "test"))
    found = fit(settings.for_n(n), held[:, :n], known, np.array(parts))
    yield "with federated prompts and templates alone", right(combined(asked, found.weights, found.bias), true)
    if not n:
        labels = tests.shape[-1]
        even = np.full(labels, 1 / labels)
        unlabelled = combined(homes, pack, np.zeros(labels))[:UNLABELLED]
        bias = shift_bias(even, target_shares(unlabelled, even, pull=UNLABELLED))
        yield f"with shared prompts and {UNLABELLED} unlabelled texts", right(combined(tests, pack, bias), true)
        return
    vectors, texts, part = shelf.read(f"{name}-home-e")[:n], shelf.read(f"{name}-test-e"), ENCODER.get(n, 0.4)
    own, outside = regression(vectors, known, texts, tests.shape[-1]), left_out(vectors, known, tests.shape[-1])
    found = fit(
        settings.for_n(n), np.concatenate([homes[:, :n], outside[None]]), known, np.append(pack * (1 - part), part)
    )
    answered = combined(np.concatenate([tests, own[None]]), found.weights, found.bias)
    yield REGRESSION, right(answered, true)
    few = shown(shelf, name, n)
    if few is not None:
        asked, held = np.concatenate([tests, few[0][None]]), np.concatenate([homes[:, :n], few[1][None]])
        found = fit(settings.for_n(n), held, known, np.append(pack * (1 - SHOTS), SHOTS))
        yield FEW, right(combined(asked, found.weights, found.bias), true)


def mixture_of(
    shelf: Shelf, name: str, n: int, settings: Settings = DEFAULT_SETTINGS
) -> tuple[list[str], Table, Fitted]:
    """Return the pack's members, their tables of all home texts, and the mixture that the first ``n`` cases give."""
    donors, rounds = members_of(shelf)
    members = [*donors, rounds[-1]]
    homes, known = _tables(shelf, name, "home", members), shelf.read(f"{name}-home-true")[:n]
    return members, homes, fit(settings.for_n(n), homes[:, :n], known, weights(len(donors)))


def references(shelf: Shelf, name: str, n: int) -> Iterator[tuple[str, float]]:
    """Yield (way, accuracy) of what else could be done with what the donors know, or with their cases."""
    true, known = shelf.read(f"{name}-test-true"), shelf.read(f"{name}-home-true")[:n]
    common = members_of(shelf)[1][-1]
    for member, called in ((common, "FedAvg"), ("p", "tuned on the pooled cases")):
        if shelf.has(f"{name}-test-{member}"):
            test, home = shelf.read(f"{name}-test-{member}"), shelf.read(f"{name}-home-{member}")[:n]
            yield called, right(test, true)
            yield f"{called}, bias", right(test + fit_bias(home, known, precision=PRECISION), true)
    if shelf.has(f"{name}-home-fin-{n}"):
        test, home = shelf.read(f"{name}-test-fin-{n}"), shelf.read(f"{name}-home-fin-{n}")
        yield "FedAvg, finished at home", right(test, true)
        yield "FedAvg, finished at home, bias", right(test + fit_bias(home, known, precision=PRECISION), true)
    test, home = _head(shelf, name)
    yield "federated logistic head on the encoder", right(test, true)
    yield (
        "federated logistic head on the encoder, bias",
        right(test + fit_bias(home[:n], known, precision=PRECISION), true),
    )


def weights(donors: int) -> NDArray[np.float64]:
    """Return what the pack's members weigh before a case is looked at: donors' own prompts, then the federated one."""
    return np.array([*[(1 - FEDERATED) / donors] * donors, FEDERATED])


def _tables(shelf: Shelf, name: str, what: str, members: list[str]) -> Table:
    return normalised(np.stack([shelf.read(f"{name}-{what}-{member}") for member in members]))


def _head(shelf: Shelf, name: str) -> tuple[Table, Table]:
    """Return a logistic regression's answers that was fitted on all donors' sentence vectors.

    A federation that averages the head's gradients over all donors at every step comes to the same minimum.
    """
    many = range(len(members_of(shelf)[0]))
    x: NDArray[Any] = np.concatenate([shelf.read(f"e-d{place}") for place in many])
    y = np.concatenate([shelf.read(f"true-d{place}") for place in many])
    labels = shelf.read(f"{name}-test-t0").shape[1]
    both = [shelf.read(f"{name}-{what}-e") for what in ("test", "home")]
    test, home = (regression(x, y, vectors, labels) for vectors in both)
    return test, home
