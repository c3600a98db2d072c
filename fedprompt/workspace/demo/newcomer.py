"""The newcomer at home: what few labelled cases make of prompts that others share, beside what they give alone.

It is in no round, and nothing of it leaves: it has the shared prompts, as a site that pulled them, and its own cases.
Alone it has the ways of ``adapting.alone`` with every number of cases. At ``sizes.n`` it also shows cases in the prompt
and tunes one at home, from the study's start with few slow steps; both ask the model anew for each draw,
and all else is asked once. Invariant: a draw of more cases holds the same draw of fewer; what a draw gives follows from
the seed, the shared prompts and the cases; no test case plays a part in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedprompt.adapting.alone import alone_tables
from fedprompt.adapting.class_bias import fit_bias
from fedprompt.adapting.combining import combined
from fedprompt.adapting.encoded import regression
from fedprompt.adapting.few_shot import can_show, few_shot, shown_cases
from fedprompt.adapting.fitting import MemberKind, fit
from fedprompt.adapting.folds import stratified_folds
from fedprompt.adapting.given_weights import given_weights
from fedprompt.adapting.left_out import outside
from fedprompt.adapting.log_probabilities import normalised
from fedprompt.adapting.settings import DEFAULT_SETTINGS, AtN
from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.label_scores import label_scores
from fedprompt.evaluation.runs.runner import true_labels
from fedprompt.models.protocols import CausalModel, Encoder
from fedprompt.models.work import Work
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.schema import Study
from fedprompt.tuning.metered import prepare
from fedprompt.tuning.settings import settings_at_home
from fedprompt.tuning.some import SomeCases
from fedprompt.tuning.steps import tune_tensors
from fedprompt.workspace.demo.tasks import NEWCOMER, NewcomerSizes, site_number

__all__ = ["FIRST", "TUNED", "Drawn", "Newcomer", "SharedPrompts", "at_home", "shared_prompts"]

PICK, ORDER, CUT = 3, 4, 5  # streams of the demo's seed
FIRST, TUNED = "first", "tuned"  # ways beside those of ``adapting.alone``
FOLDS = 4
Table = NDArray[np.float64]


@dataclass(frozen=True)
class SharedPrompts:
    """What others share: prompts, what each is, and how heavy each is before a case is looked at (on the simplex)."""

    prompts: tuple[Prompt, ...]
    kinds: tuple[MemberKind, ...]
    weights: NDArray[np.float64]


@dataclass(frozen=True)
class Drawn:
    """One draw of ``n`` labelled cases: which test cases are answered right (1 or 0), ``shared`` and ``alone`` by way.

    ``spare``: way -> how many of the spare cases it answers right. ``weights`` are of the shared prompts.
    """

    n: int
    draw: int
    alone: Mapping[str, tuple[int, ...]]
    spare: Mapping[str, int]
    shared: tuple[int, ...]
    weights: tuple[float, ...]


def shared_prompts(own: Mapping[str, Prompt], federated: Prompt, templates: Mapping[Prompt, float]) -> SharedPrompts:
    """Return the templates, the prompt tuned together and the donors' own, each prompt once.

    Args:
        own: site -> its own prompt.
        federated: the prompt tuned together.
        templates: each with its mean over the sites on validation, by which it is given its weight.
    """
    soft = tuple({prompt.id: prompt for prompt in (federated, *own.values())}.values())
    kinds: list[MemberKind] = ["template"] * len(templates)
    kinds += ["shared"] * len(soft)
    weights = given_weights([*templates.values()], len(soft))
    return SharedPrompts((*templates, *soft), tuple(kinds), weights)


def at_home(n: int) -> AtN:
    """Return how shared prompts are used with ``n`` labelled cases.

    As the defaults say, without what would be tuned at home beside them, for which the demo has no time.
    """
    return DEFAULT_SETTINGS.for_n(n).model_copy(update={"own": False})


class Newcomer:
    """A site with few labelled cases, and as many test cases as tell something."""

    def __init__(
        self,
        model: CausalModel,
        study: Study,
        cases: Sequence[Case],
        sizes: NewcomerSizes,
        seed: int,
        shared: SharedPrompts,
        start: SoftPrompt,
        encoder: Encoder | None = None,
        stop: StopToken = NEVER,
    ) -> None:
        """Make ready; ``cases`` are those to draw from, then the test cases. Without ``encoder`` ways are fewer."""
        self._model, self._study, self._cases, self._sizes = model, study, list(cases), sizes
        self._seed, self.shared, self._start, self._encoder, self._stop = seed, shared, start, encoder, stop
        self._answers = true_labels(self._cases, study.answer)
        self._asked = np.arange(sizes.pool, len(self._cases))
        self._templates_work = Work()

    @property
    def work(self) -> Work:
        """What the model did for it so far."""
        return self._templates_work + (self._objective.work if "_objective" in self.__dict__ else Work())

    @cached_property
    def _objective(self) -> Any:
        return prepare(self._model, self._study, self._cases, stop=self._stop)

    @cached_property
    def tables(self) -> Table:
        """[members, cases, labels] log-probabilities of the shared prompts."""
        prompts = self.shared.prompts
        templates = [prompt for prompt in prompts if prompt.soft is None]
        scores, cost = label_scores(self._model, templates, self._cases, self._study.answer, stop=self._stop)
        self._templates_work += cost.work
        plain = {prompt.id: scores[:, place] for place, prompt in enumerate(templates)}
        return normalised(
            np.stack(
                [plain[p.id] if p.soft is None else self._objective.loglikelihoods(p.soft.vectors) for p in prompts]
            )
        )

    def draw(self, n: int, draw: int) -> Drawn:
        """Return what one draw of ``n`` labelled cases gives.

        Raises:
            Stopped: the work was to end.
        """
        order = self._rng(PICK, draw).permutation(self._sizes.pool)
        rows, spare = order[:n], order[self._sizes.pool - self._sizes.spare :]
        asked = np.concatenate([spare, self._asked])
        mixed = fit(at_home(n), self.tables[:, rows], self._answers[rows], self.shared.weights, kinds=self.shared.kinds)
        shared = combined(self.tables[:, asked], mixed.weights, mixed.bias)
        right = {way: self._right(table, asked) for way, table in self._alone(rows, asked, draw).items()}
        return Drawn(
            n=n,
            draw=draw,
            alone={way: _bits(found[len(spare) :]) for way, found in right.items()},
            spare={way: int(found[: len(spare)].sum()) for way, found in right.items()},
            shared=_bits(self._right(shared, asked)[len(spare) :]),
            weights=tuple(mixed.weights.tolist()),
        )

    @cached_property
    def _vectors(self) -> NDArray[np.float32] | None:
        texts = ["\n".join(case.fields.values()) for case in self._cases]
        return None if self._encoder is None else self._encoder.encode(texts)

    def _alone(self, rows: NDArray[np.int64], asked: NDArray[np.int64], draw: int) -> dict[str, Table]:
        """Return way -> [asked, labels] log-probabilities, of the ways that need nobody."""
        n, places = len(rows), np.flatnonzero(np.array(self.shared.kinds) == "template")
        plain = self.tables[places]
        if not n:  # nothing to choose by
            return {FIRST: plain[0, asked], "templates": plain[:, asked].mean(axis=0)}
        here = n == self._sizes.n
        by_way = alone_tables(
            at_home(n),
            plain,
            self._answers,
            rows,
            asked,
            shown=self._shown(rows, asked) if here else None,
            encoded=self._encoded(rows, asked, draw),
        )
        found: dict[str, Table] = {str(way): table for way, table in by_way.items()}
        if here:
            own = normalised(self._objective.loglikelihoods(self._tuned(rows, n, draw)))
            found[TUNED] = own[asked] + fit_bias(own[rows], self._answers[rows], precision=at_home(n).precision)
        return found

    def _shown(self, rows: NDArray[np.int64], asked: NDArray[np.int64]) -> Table | None:
        """Return [cases, labels] of the template that counts most at the donors, with drawn cases shown before it."""
        weighed = sorted(zip(self.shared.prompts, self.shared.weights, strict=True), key=lambda one: -one[1])
        template = next((one.template for one, _ in weighed if can_show(one.template)), None)
        shown = shown_cases([self._cases[row] for row in rows], len(rows))
        if template is None or not shown:
            return None
        made = few_shot(
            self._model, template, shown, [self._cases[row] for row in asked], self._study.answer, stop=self._stop
        )
        self._templates_work += made.cost.work
        found = np.zeros(self.tables.shape[1:])
        found[asked] = made.calibrated
        return found

    def _encoded(self, rows: NDArray[np.int64], asked: NDArray[np.int64], draw: int) -> Table | None:
        """Return [cases, labels] of the regression: asked cases by the drawn ones, these out of fold."""
        if self._vectors is None:
            return None
        vectors, answers, labels = self._vectors[rows], self._answers[rows], self.tables.shape[2]
        folds = stratified_folds(answers, FOLDS, self._rng(CUT, len(rows), draw))
        found = np.zeros(self.tables.shape[1:])
        found[asked] = regression(vectors, answers, self._vectors[asked], labels)
        found[rows] = outside(
            lambda known, held: regression(vectors[known], answers[known], vectors[held], labels), folds, labels
        )
        return found

    def _tuned(self, rows: NDArray[np.int64], n: int, draw: int) -> NDArray[np.float32]:
        study = self._study
        settings = settings_at_home(study)
        some, rng = SomeCases(self._objective, rows), self._rng(ORDER, n, draw)
        return tune_tensors(some, self._start, settings, rng=rng, stop=self._stop).end.vectors

    def _right(self, table: Table, asked: NDArray[np.int64]) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = table.argmax(axis=1) == self._answers[asked]
        return found

    def _rng(self, *stream: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence([self._seed, site_number(NEWCOMER), *stream]))


def _bits(right: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(int(one) for one in right)
