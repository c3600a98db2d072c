"""The newcomer at home: what few labelled cases make of prompts that others share, beside what they give alone.

It is in no round, and nothing of it leaves: it has the shared prompts, as a site that pulled them, and its own cases.
Alone it has two ways, each with a number for each label learnt too: the best template, or a prompt tuned at home from
the study's start with as many steps as a site takes. Invariant: a draw of more cases holds the same draw of fewer;
what a draw gives follows from the seed, the shared prompts and the cases; no test case plays a part in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedprompt.adapting.combining import combined
from fedprompt.adapting.fitting import Fitted, MemberKind, fit
from fedprompt.adapting.given_weights import given_weights
from fedprompt.adapting.log_probabilities import normalised
from fedprompt.adapting.settings import DEFAULT_SETTINGS, AtN
from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.label_scores import label_scores
from fedprompt.evaluation.runs.runner import true_labels
from fedprompt.models.protocols import CausalModel
from fedprompt.models.work import Work
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.schema import Study
from fedprompt.tuning.metered import prepare
from fedprompt.tuning.settings import settings_of
from fedprompt.tuning.soft import tune_soft
from fedprompt.tuning.some import SomeCases
from fedprompt.workspace.demo.tasks import NEWCOMER, NewcomerSizes, site_number

__all__ = ["Drawn", "Newcomer", "SharedPrompts", "at_home", "shared_prompts"]

PICK, ORDER = 3, 4  # streams of the demo's seed
Table = NDArray[np.float64]


@dataclass(frozen=True)
class SharedPrompts:
    """What others share: prompts, what each is, and how heavy each is before a case is looked at (on the simplex)."""

    prompts: tuple[Prompt, ...]
    kinds: tuple[MemberKind, ...]
    weights: NDArray[np.float64]


@dataclass(frozen=True)
class Drawn:
    """One draw of ``n`` labelled cases: which test cases each way answers right (1 or 0), and how many spare ones.

    ``tuned`` is empty for no case, where there is nothing to tune on. ``weights`` are of the shared prompts.
    """

    n: int
    draw: int
    template: tuple[int, ...]
    tuned: tuple[int, ...]
    shared: tuple[int, ...]
    template_spare: int
    tuned_spare: int
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
        stop: StopToken = NEVER,
    ) -> None:
        """Make ready; ``cases`` are those to draw from, then the test cases."""
        self._model, self._study, self._cases, self._sizes = model, study, list(cases), sizes
        self._seed, self.shared, self._start, self._stop = seed, shared, start, stop
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
        plain = np.flatnonzero(np.array(self.shared.kinds) == "template")
        alike = np.full(len(plain), 1 / len(plain))
        best = self._fitted(AtN(n=n, method="template"), self.tables[plain], rows, alike, ["template"] * len(plain))
        template = self._right(self.tables[plain], best)
        mixed = self._fitted(at_home(n), self.tables, rows, self.shared.weights, self.shared.kinds)
        shared = self._right(self.tables, mixed)
        tuned = np.zeros(0, dtype=bool)
        if n:
            own = normalised(self._objective.loglikelihoods(self._tuned(rows, n, draw)))[None]
            tuned = self._right(own, self._fitted(AtN(n=n, method="alone"), own, rows, np.ones(1), ["own"]))
        return Drawn(
            n=n,
            draw=draw,
            template=_bits(template[self._asked]),
            tuned=_bits(tuned[self._asked]) if n else (),
            shared=_bits(shared[self._asked]),
            template_spare=int(template[spare].sum()),
            tuned_spare=int(tuned[spare].sum()) if n else 0,
            weights=tuple(mixed.weights.tolist()),
        )

    def _tuned(self, rows: NDArray[np.int64], n: int, draw: int) -> NDArray[np.float32]:
        study = self._study
        settings = settings_of(study, steps=study.rounds.count * study.tuning.steps)
        some, rng = SomeCases(self._objective, rows), self._rng(ORDER, n, draw)
        return tune_soft(some, self._start, settings, rng=rng, stop=self._stop).soft.vectors

    def _fitted(
        self, settings: AtN, tables: Table, rows: NDArray[np.int64], towards: Table, kinds: Sequence[MemberKind]
    ) -> Fitted:
        return fit(settings, tables[:, rows], self._answers[rows], towards, kinds=kinds)

    def _right(self, tables: Table, fitted: Fitted) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = combined(tables, fitted.weights, fitted.bias).argmax(axis=1) == self._answers
        return found

    def _rng(self, *stream: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence([self._seed, site_number(NEWCOMER), *stream]))


def _bits(right: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(int(one) for one in right)
