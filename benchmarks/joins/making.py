"""Stage 1: everything of a federation that needs the model, as tables on a shelf.

Names on the shelf: ``v-*`` soft prompts; ``N-home-*`` and ``N-test-*`` a member's [cases, labels] log-probabilities at
newcomer N. Members: ``t0``.. templates, ``d0-r4``.. donors' own prompts as they left the last round, ``f1``.. FedAvg
after each round, ``p`` tuned on the donors' pooled cases; at home with n labelled cases, ``own-n-steps``, ``fin-n``
finished from FedAvg, ``shot-n-a`` and ``shot-n-b`` few-shot with two sets of home cases; ``oof-n`` own prompt on home
cases that it was not tuned on.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.joins.asking import Asker, tuned
from benchmarks.joins.distilling import distilled
from benchmarks.joins.drawing import Drawn, Site, halves
from benchmarks.joins.pack import members_of
from benchmarks.joins.shelf import Shelf
from fedprompt.adapting.log_probabilities import normalised
from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.runner import true_labels
from fedprompt.models.protocols import Encoder
from fedprompt.tuning.metered import MeteredObjective
from fedprompt.tuning.pooled import PooledObjective
from fedprompt.tuning.some import SomeCases

__all__ = ["Recipe", "make"]

FOLDS = 4
EMPTY = ("", "N/A", "[MASK]")  # content-free cases (Zhao et al. 2021, arXiv 2102.09690)


@dataclass(frozen=True)
class Recipe:
    """How donors and homes tune.

    Args:
        own: steps of a prompt of one's own, its shortest first; FedAvg's first round ends with the first.
        distilled: whether one prompt is tuned towards a newcomer's mixture.
        prior_free: whether donors tune with their log class shares added to the scores.
        rounds: of FedAvg, ``own[0]`` steps each.
        momentum: FedAvg's at the hub (Hsu et al. 2019, arXiv 1909.06335), 0 for none.
        sizes: the n at which a newcomer tunes by itself.
        lengths: steps of a newcomer's own prompt, at the n of ``all_lengths``; elsewhere the second of them alone.
        folded: those of them with out-of-fold tables of the own prompt.
        finished: those at which FedAvg's prompt is finished at home.
        twice: those at which a second prompt of one's own is tuned from another seed.
        shown: those at which a template shows labelled cases.
        pooled: steps on the donors' pooled cases, 0 for none.
    """

    own: tuple[int, ...] = (8, 16)
    rounds: int = 3
    momentum: float = 0.0
    sizes: tuple[int, ...] = (4, 8, 16, 32, 64)
    lengths: tuple[int, ...] = (4, 8, 16)
    all_lengths: tuple[int, ...] = (16,)
    folded: tuple[int, ...] = (16,)
    finished: tuple[int, ...] = (16,)
    twice: tuple[int, ...] = (16,)
    shown: tuple[int, ...] = (4, 8, 16, 32, 64)
    pooled: int = 24
    batch: int = 16
    rate: float = 0.01
    home_rate: float = 0.01
    prior_free: bool = True
    distilled: bool = False
    slow: float = 0.003


class _Maker:
    def __init__(self, asker: Asker, drawn: Drawn, recipe: Recipe, shelf: Shelf, seed: int) -> None:
        self._ask, self._drawn, self._recipe, self._shelf, self._seed = asker, drawn, recipe, shelf, seed
        self._objectives: dict[str, MeteredObjective] = {}
        self._began = time.monotonic()

    def tell(self, what: str) -> None:
        print(f"{time.monotonic() - self._began:6.0f} s  {self._shelf.folder.name}: {what}", flush=True)

    def _objective(self, name: str, cases: Sequence[Case], *, prior_free: bool = False) -> MeteredObjective:
        if name not in self._objectives:
            self._objectives[name] = self._ask.objective(cases, prior_free=prior_free)
        return self._objectives[name]

    def _donor(self, place: int) -> MeteredObjective:
        return self._objective(f"d{place}", self._drawn.donors[place].known, prior_free=self._recipe.prior_free)

    def donors(self) -> None:
        """Tune every donor's own prompt, and FedAvg's rounds."""
        recipe, shelf = self._recipe, self._shelf
        first = recipe.own[0]
        for place in range(len(self._drawn.donors)):
            if shelf.has(f"v-d{place}-{recipe.own[-1]}"):
                continue
            found = tuned(
                self._donor(place), self._ask.start, recipe.own, recipe.rate, recipe.batch, [self._seed, place, 0]
            )
            for steps, vectors in found.items():
                shelf.keep(f"v-d{place}-{steps}", vectors)
            self.tell(f"donor {place} tuned")
        many = range(len(self._drawn.donors))
        before = self._ask.start.vectors
        common = shelf.get("v-f1", _mean, [shelf.read(f"v-d{place}-{first}") for place in many])
        for number in range(2, recipe.rounds + 1):
            moved = [shelf.get(f"v-d{place}-r{number}", self._step, place, common, number) for place in many]
            before, common = common, shelf.get(f"v-f{number}", _joined, moved, recipe.momentum, before, common)
            self.tell(f"round {number}")

    def _step(self, place: int, start: NDArray[np.float32], number: int) -> NDArray[np.float32]:
        recipe, soft = self._recipe, self._ask.soft(start)
        words = [self._seed, place, number]
        return tuned(self._donor(place), soft, recipe.own[:1], recipe.rate, recipe.batch, words)[recipe.own[0]]

    def pooled(self) -> None:
        """Tune on the donors' cases laid together, which no federation could."""
        recipe = self._recipe
        if not recipe.pooled:
            return

        def make() -> NDArray[np.float32]:
            whole = PooledObjective([self._donor(place) for place in range(len(self._drawn.donors))])
            return tuned(whole, self._ask.start, [recipe.pooled], recipe.rate, 32, [self._seed, 0, 99])[recipe.pooled]

        self._shelf.get("v-p", make)
        self.tell("pooled tuned")

    def free(self) -> None:
        """Let go of the keys and values kept."""
        self._objectives.clear()

    def newcomer(self, place: int) -> None:
        """Look at every member at a newcomer's, and tune what it tunes by itself."""
        site, name, shelf = self._drawn.newcomers[place], f"n{place}", self._shelf
        if shelf.has(f"{name}-done"):
            return
        self._plain(site, name)
        home = self._objective(f"{name}-home", site.known)
        test = self._objective(f"{name}-test", site.test)
        recipe = self._recipe
        donors, rounds = members_of(shelf)
        members = [*donors, *rounds[-2:]]
        members += ["p"] if recipe.pooled else []
        for member in members:
            vectors = shelf.read(f"v-{member}")
            shelf.get(f"{name}-home-{member}", _looked, home, vectors)
            shelf.get(f"{name}-test-{member}", _looked, test, vectors)
        self.tell(f"newcomer {place}: members looked at")
        for size in recipe.sizes:
            if size <= len(site.known):
                self._home(place, size, home, test)
                self.tell(f"newcomer {place}: n = {size}")
        self._objectives.pop(f"{name}-home")
        self._objectives.pop(f"{name}-test")
        shelf.keep(f"{name}-done", np.ones(1))

    def _plain(self, site: Site, name: str) -> None:
        """Ask the untuned templates, and the one that shows cases."""
        shelf, held = self._shelf, {"home": site.known, "test": site.test}
        for what, cases in held.items():
            shelf.get(f"{name}-{what}-true", true_labels, cases, self._ask.study.answer)
            if not shelf.has(f"{name}-{what}-t{len(self._ask.study.templates) - 1}"):
                for number, table in enumerate(self._ask.templates(cases)):
                    shelf.keep(f"{name}-{what}-t{number}", table)
        empty = [Case({"text": text}, self._ask.labels[0]) for text in EMPTY]
        for size in self._recipe.shown:
            if size > len(site.known):
                continue
            for half, rows in halves(size).items():
                shown = [site.known[row] for row in rows]
                shelf.get(f"{name}-test-shot-{size}-{half}", self._ask.shown, shown, site.test)
                # Of the cases that it shows too, which nobody reads: rows stay in their places.
                shelf.get(f"{name}-home-shot-{size}-{half}", self._ask.shown, shown, site.known[:size])
                shelf.get(f"{name}-empty-shot-{size}-{half}", self._ask.shown, shown, empty)

    def _home(self, place: int, size: int, home: MeteredObjective, test: MeteredObjective) -> None:
        recipe, shelf, name = self._recipe, self._shelf, f"n{place}"
        words, some = [self._seed, 1000 + place, size], SomeCases(home, range(size))

        def look(member: str, vectors: NDArray[np.float32]) -> None:
            shelf.keep(f"v-{name}-{member}", vectors)
            shelf.keep(f"{name}-test-{member}", normalised(test.loglikelihoods(vectors)))
            # Of its own cases alone: what the prompt was tuned on is known as such.
            shelf.keep(f"{name}-home-{member}", normalised(home.loglikelihoods(vectors))[:size])

        if not shelf.has(f"{name}-home-own-{size}-{recipe.lengths[1]}"):
            lengths = recipe.lengths if size in recipe.all_lengths else recipe.lengths[1:2]
            found = tuned(some, self._ask.start, lengths, recipe.home_rate, recipe.batch, [*words, 0])
            for steps, vectors in found.items():
                look(f"own-{size}-{steps}", vectors)
        if size in recipe.twice and not shelf.has(f"{name}-home-again-{size}"):
            steps = recipe.lengths[1]
            look(
                f"again-{size}",
                tuned(some, self._ask.start, [steps], recipe.home_rate, recipe.batch, [*words, 1])[steps],
            )
        if size in recipe.finished and not shelf.has(f"{name}-home-fin-{size}"):
            soft = self._ask.soft(shelf.read(f"v-f{recipe.rounds}"))
            look(f"fin-{size}", tuned(some, soft, [8], recipe.slow, recipe.batch, [*words, 2])[8])
        if size in recipe.folded and not shelf.has(f"{name}-oof-{size}"):
            shelf.keep(f"{name}-oof-{size}", self._folded(size, home, words))

    def _folded(self, size: int, home: MeteredObjective, words: Sequence[int]) -> NDArray[np.float64]:
        steps, found = self._recipe.lengths[1], np.zeros((size, len(self._ask.labels)))
        for fold in range(FOLDS):
            out = list(range(fold, size, FOLDS))
            rest = [row for row in range(size) if row % FOLDS != fold]
            vectors = tuned(
                SomeCases(home, rest),
                self._ask.start,
                [steps],
                self._recipe.home_rate,
                self._recipe.batch,
                [*words, 3, fold],
            )
            found[out] = normalised(home.loglikelihoods(vectors[steps]))[out]
        return found


def make(asker: Asker, encoder: Encoder, drawn: Drawn, recipe: Recipe, shelf: Shelf, seed: int) -> None:
    """Fill a federation's shelf; what is on it already is left as it is."""
    maker = _Maker(asker, drawn, recipe, shelf, seed)
    for place, site in enumerate(drawn.donors):
        shelf.get(f"e-d{place}", _encoded, encoder, site.known)
        shelf.get(f"true-d{place}", true_labels, site.known, asker.study.answer)
    for place, site in enumerate(drawn.newcomers):
        for what, cases in (("home", site.known), ("test", site.test)):
            shelf.get(f"n{place}-{what}-e", _encoded, encoder, cases)
    maker.donors()
    maker.pooled()
    maker.free()
    for place, site in enumerate(drawn.newcomers):
        maker.newcomer(place)
        if recipe.distilled:
            distilled(asker, site, shelf, f"n{place}", seed)
    shelf.keep("done", np.ones(1))


def _looked(objective: MeteredObjective, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    return normalised(objective.loglikelihoods(vectors))


def _encoded(encoder: Encoder, cases: Sequence[Case]) -> NDArray[np.float32]:
    return encoder.encode([case.fields["text"] for case in cases])


def _mean(vectors: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.asarray(np.mean(vectors, axis=0, dtype=np.float64), dtype=np.float32)


def _joined(
    moved: Sequence[NDArray[np.float32]], momentum: float, before: NDArray[np.float32], common: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return FedAvgM's next prompt at a learning rate of 1, where the velocity is the last step."""
    return _mean(moved) + np.float32(momentum) * (common - before)
