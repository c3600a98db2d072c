"""What privacy costs: the accountant beside published figures, and right answers of prompts tuned with noise.

    python -m benchmarks.privacy accountant
    python -m benchmarks.privacy curve [--home DIR] [--cases 50 500 2000] [--seeds 0] [--group 1] [--out FILE]

``curve``: rated sentences of at most 16 words, split alike over four sites with so many tune cases each. Sites take
steps of DP-SGD and the hub averages, as a study with ``dp:`` does it, at epsilon 8 and 3 (delta ``1 / n^1.1``) and
without noise, from the same start. Every step takes 64 cases on average (or all), so that larger sites need less noise
for the same epsilon. Each line of ``FILE`` is one federation, as JSON.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SITES, HELD_OUT, WORDS_AT_MOST = 4, 300, 16
TOKENS, INIT, TEXT = 2, " feeling:", "Review: {text}{soft}"
KEPT = 1000  # cases of a site up to which keys and values are kept from one step to the next
WORDS = {"positive": " positive", "negative": " negative"}
ROUNDS, STEPS, BATCH, RATE, CLIP = 4, 4, 64, 0.03, 1.0
Vectors = NDArray[np.float32]


def main() -> None:
    """Run one of the two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("accountant", "curve"))
    parser.add_argument("--home", type=Path)
    parser.add_argument("--cases", type=int, nargs="+", default=[50, 500, 2000])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--epsilons", type=float, nargs="+", default=[0.0, 8.0, 3.0], help="0 is none")
    parser.add_argument("--group", type=int, default=1, help="cases of a group, which is the unit where above 1")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.what == "accountant":
        show_accountant()
        return
    from fedprompt.models.protocols import RunSettings
    from fedprompt.models.registry import load
    from fedprompt.workspace.home import find_home

    home = find_home(options.home).path
    import torch

    torch.set_num_threads(1)
    model = load("smollm2-135m-instruct", home, RunSettings("float32", 1, "cpu", cache_dtype="bfloat16"))
    for seed in options.seeds:
        for cases in options.cases:
            for line in federations(model, home, cases, seed, options.epsilons, options.group):
                text = json.dumps(line)
                print(text, flush=True)
                if options.out is not None:
                    with options.out.open("a") as file:
                        file.write(text + "\n")


def show_accountant() -> None:
    """Print each published figure beside the same method's and ours."""
    from dp_accounting import dp_event
    from dp_accounting.rdp import RdpAccountant

    from fedprompt.privacy.accounting import Event, epsilon_of

    orders = [1 + x / 10 for x in range(1, 100)] + [float(order) for order in range(12, 64)]  # Opacus' own
    published: Sequence[tuple[str, Event, float]] = (
        ("Opacus, accountants_test.py, Renyi: 7.32911", Event(1.5, 0.04, 2250), 1e-5),
        ("Opacus, the same by its PRV accountant: 6.77740", Event(1.5, 0.04, 2250), 1e-5),
        ("Opacus, prv_accountant.py (Microsoft's values), PRV: 1.95385", Event(1.5, 0.05, 100), 1e-6),
        ("the same: 3.38122", Event(3.0, 0.2, 100), 1e-6),
        ("the same: 2.52757", Event(3.0, 0.05, 1000), 1e-6),
        ("the same: 0.437005", Event(1.5, 0.001, 20000), 1e-6),
        ("one Gaussian of noise 1, closed form: 4.37718", Event(1.0), 1e-5),
    )
    for what, event, delta in published:
        renyi = RdpAccountant(orders)
        gaussian = dp_event.GaussianDpEvent(event.noise)
        sampled = gaussian if event.rate == 1 else dp_event.PoissonSampledDpEvent(event.rate, gaussian)
        renyi.compose(sampled, event.count)
        print(f"{what}; Renyi here {renyi.get_epsilon(delta):.5f}, ours {epsilon_of([event], delta):.5f}")


class Lazy:
    """Cases of a site, prepared when they are first sampled; implements ``per_case`` and the mean loss' slope."""

    def __init__(self, model: Any, cases: Sequence[Any]) -> None:
        self._model, self._cases, self._known = model, cases, dict[int, tuple[Any, int]]()

    def __len__(self) -> int:
        return len(self._cases)

    def _ready(self, rows: Sequence[int]) -> list[tuple[Any, int]]:
        if len(self._cases) > KEPT:  # what is kept of so many cases would not fit the memory
            self._known = {}
        missing = [row for row in dict.fromkeys(rows) if row not in self._known]
        if missing:
            made = prepared(self._model, [self._cases[row] for row in missing])
            self._known.update({row: (made, place) for place, row in enumerate(missing)})
        return [self._known[row] for row in rows]

    def per_case(self, vectors: Vectors, rows: Sequence[int]) -> Any:
        """Return each case's loss and slope."""
        from fedprompt.models.protocols import PerCase

        parts: dict[int, list[int]] = {}
        found = self._ready(rows)
        for place, (made, _) in enumerate(found):
            parts.setdefault(id(made), []).append(place)
        losses, slopes = np.zeros(len(rows)), np.zeros((len(rows), *vectors.shape), np.float32)
        for places in parts.values():
            one = found[places[0]][0].per_case(vectors, [found[place][1] for place in places])
            losses[places], slopes[places] = one.losses, one.gradients
        return PerCase(losses, slopes)

    def loglikelihoods(self, vectors: Vectors) -> NDArray[np.float64]:
        """Return [cases, labels] log-likelihoods; all cases are prepared for it, and none is kept."""
        found: NDArray[np.float64] = prepared(self._model, self._cases).loglikelihoods(vectors)
        return found

    def loss_and_gradient(self, vectors: Vectors, rows: Sequence[int]) -> Any:
        """Return the mean loss and its slope."""
        from fedprompt.models.protocols import LossGradient

        found = self.per_case(vectors, rows)
        return LossGradient(float(found.losses.mean()), found.gradients.mean(axis=0))


def prepared(model: Any, cases: Sequence[Any]) -> Any:
    """Return an objective over some cases."""
    from fedprompt.models.protocols import ChoiceQuery
    from fedprompt.prompts.template import Template

    template = Template("private", text=TEXT, words=WORDS)
    asked = [ChoiceQuery(template.render({"text": case.fields["text"]}), tuple(WORDS.values())) for case in cases]
    return model.objective(asked, [list(WORDS).index(case.answer) for case in cases], TOKENS)


def federations(model: Any, home: Path, cases: int, seed: int, epsilons: Sequence[float], group: int) -> Any:
    """Yield a federation without noise and one for each epsilon, over the same cases from the same start."""
    from fedprompt.models.assets.catalogue import asset_folder
    from fedprompt.privacy.accounting import Event, least_noise, spent
    from fedprompt.workspace.demo.text import SOURCES, read_source

    text = asset_folder(home, "vader-text")
    every = [case for source in SOURCES for case in read_source(text, source)]
    every = [case for case in every if len(case.fields["text"].split()) <= WORDS_AT_MOST]
    order = np.random.default_rng([seed, 7]).permutation(len(every))
    drawn = [every[int(place)] for place in order[: SITES * cases + HELD_OUT]]
    test = prepared(model, drawn[:HELD_OUT])
    sites = [Lazy(model, drawn[HELD_OUT + cases * site : HELD_OUT + cases * (site + 1)]) for site in range(SITES)]
    start = model.text_init(INIT, TOKENS).vectors
    answers = np.array([list(WORDS).index(case.answer) for case in drawn[:HELD_OUT]])
    before = right(test, start, answers)
    units = -(-cases // group)
    rate, delta = min(1.0, BATCH / group / units), units**-1.1
    for epsilon in epsilons:
        began = time.monotonic()
        noise = least_noise(epsilon, delta, count=ROUNDS * STEPS, rate=rate) if epsilon else None
        vectors, ratio = tuned(sites, start, rate, noise, group, seed)
        yield {
            "cases": cases,
            "seed": seed,
            "group": group,
            "epsilon": epsilon,
            "delta": delta if epsilon else None,
            "noise": noise,
            "rate": rate,
            "guessed": spent([Event(noise, rate, ROUNDS * STEPS)], delta).guessed if noise else None,
            "start": before,
            "right": right(test, vectors, answers),
            "noise_to_slope": ratio,
            "held_out": HELD_OUT,
            "seconds": round(time.monotonic() - began, 1),
        }


def right(test: Any, vectors: Vectors, answers: NDArray[np.int64]) -> float:
    """Return the share of right answers."""
    return float((test.loglikelihoods(vectors).argmax(axis=1) == answers).mean())


def tuned(
    sites: Sequence[Lazy], start: Vectors, rate: float, noise: float | None, group: int, seed: int
) -> tuple[Vectors, float | None]:
    """Return the average prompt after all rounds, and how many times as long as a step's clipped slope its noise is."""
    import torch

    from fedprompt.privacy.rounded_noise import from_secret
    from fedprompt.tuning.private_slope import PrivateSteps, private_slope

    common, ratios = start, list[float]()
    for number in range(ROUNDS):
        made = []
        for place, site in enumerate(sites):
            rng = np.random.default_rng([seed, number, place])
            random = from_secret(b"benchmark", f"{seed} {number} {place} {noise}".encode())
            vectors = torch.nn.Parameter(torch.tensor(common))
            optimiser = torch.optim.AdamW([vectors], lr=RATE, weight_decay=0.0)
            units = [list(range(at, min(at + group, len(site)))) for at in range(0, len(site), group)]
            for _ in range(STEPS):
                now = vectors.detach().numpy().copy()
                if noise is None:
                    rows = [int(row) for row in rng.choice(len(site), min(BATCH, len(site)), replace=False)]
                    slope = site.loss_and_gradient(now, rows).gradient
                else:
                    steps = PrivateSteps(rate, CLIP, noise, rate * len(units))
                    slope = private_slope(site, now, units, steps, random).gradient
                    noised = CLIP * noise * float(np.sqrt(now.size)) / steps.expected
                    ratios.append(noised / max(1e-6, float(np.linalg.norm(slope)) ** 2 - noised**2) ** 0.5)
                vectors.grad = torch.from_numpy(np.array(slope, dtype=np.float32))
                optimiser.step()
            made.append(vectors.detach().numpy().copy())
        common = np.mean(made, axis=0).astype(np.float32)
    return common, float(np.median(ratios)) if ratios else None


if __name__ == "__main__":
    main()
