"""A site as if it had few labelled cases: what is learnt from a draw of them, judged on all validation cases.

Invariant: which cases are drawn follows from the site's key, the study and their number alone. Every way is over the
same draws. Nothing of a single draw or case is returned, only right answers averaged over draws, in whole numbers.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fedprompt.adapting.combining import combined
from fedprompt.adapting.finishing import finishing_settings, interpolated
from fedprompt.adapting.fitting import MemberKind, fit, with_home_members
from fedprompt.adapting.folds import stratified_folds
from fedprompt.adapting.heads import head_table
from fedprompt.adapting.log_probabilities import normalised
from fedprompt.adapting.settings import AtN
from fedprompt.models.protocols import SoftObjective
from fedprompt.prompts.head import Head
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.stopping import Stopped
from fedprompt.study.score import SplitName
from fedprompt.tuning.settings import TuningSettings, settings_at_home
from fedprompt.tuning.steps import tune_tensors
from fedprompt.verbs.verb import SiteSide

__all__ = ["Pace", "Played", "play"]

Table = NDArray[np.float64]
FOLDS = 4  # in which a prompt of one's own is judged on drawn cases that it was not tuned on


@dataclass(frozen=True)
class Pace:
    """``seconds`` that the study allows, from when this was made."""

    seconds: float
    clock: Callable[[], float] = time.monotonic
    began: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "began", self.clock())

    @property
    def over(self) -> bool:
        """Whether the time is over."""
        return self.clock() - self.began > self.seconds

    def check(self) -> None:
        """End the draw here if its time is over.

        Raises:
            OutOfTime: it is.
        """
        if self.over:
            raise OutOfTime


class OutOfTime(Exception):
    """A draw was not finished in time, and counts for nothing."""


@dataclass(frozen=True)
class Played:
    """Right answers in each way, averaged over so many draws."""

    right: tuple[int, ...]
    draws: int


@dataclass(frozen=True)
class _Member:
    """A prompt's log-probabilities: of the drawn cases (where it learns), and of validation; each [cases, labels]."""

    kind: MemberKind
    drawn: Table
    judged: Table


def play(
    site: SiteSide,
    ways: Sequence[AtN],
    prompts: Sequence[Prompt],
    weights: Sequence[float],
    start: SoftPrompt | None,
    draws: int,
    pace: Pace,
    head: Head | None = None,
) -> Played | None:
    """Return how many validation cases are answered right in each way; None where time was too short.

    Args:
        ways: all for one number of cases.
        prompts: what is shared.
        weights: of each, and then of the head.
        start: from where a prompt is tuned here, where a way asks for one.
        draws: how many times the cases are drawn; once where there is none to draw.
        pace: no draw begins, and no step is taken, once it is over; the draws that were finished count.
        head: what is shared beside the prompts.
    """
    n, right = ways[0].n, list[list[int]]()
    try:
        known = [_known(site, prompt, pace) for prompt in prompts]
        known += [] if head is None else [_headed(site, head, pace)]
        for draw in range(draws if n else 1):
            rows = site.few(n, draw)
            members = [_Member(one.kind, one.drawn[rows], one.judged) for one in known]
            home = _Home(site, rows, partial(site.few_rng, n, draw), _finished_from(prompts), start, pace)
            right.append([_right(site, way, members, np.array(weights), home) for way in ways])
    except OutOfTime:
        pass
    if not right:
        return None
    return Played(tuple(round(float(mean)) for mean in np.mean(right, axis=0)), len(right))


def _known(site: SiteSide, prompt: Prompt, pace: Pace) -> _Member:
    """Return a shared prompt over all tune and validation cases."""
    tune, validation = (normalised(site.table(prompt, split)) for split in ("tune", "validation"))
    pace.check()
    return _Member("template" if prompt.soft is None else "shared", tune, validation)


def _headed(site: SiteSide, head: Head, pace: Pace) -> _Member:
    """Return a shared head over all tune and validation cases."""
    splits: tuple[SplitName, ...] = ("tune", "validation")
    tune, validation = (head_table(head.weights, head.directions, site.for_heads.encoded(split)) for split in splits)
    pace.check()
    return _Member("shared", tune, validation)


def _finished_from(prompts: Sequence[Prompt]) -> SoftPrompt | None:
    """Return what is finished at home: the first soft prompt that is shared."""
    return next((prompt.soft for prompt in prompts if prompt.soft is not None), None)


def _right(site: SiteSide, way: AtN, members: Sequence[_Member], given: NDArray[np.float64], home: "_Home") -> int:
    """Return how many validation cases a way answers right, learnt from the drawn ones."""
    made = home.made(way)
    if way.method == "template":  # at home nobody tells which template is good
        given = np.array([float(member.kind == "template") for member in members])
        given = given / given.sum()
    everyone = [*members, *made]
    towards = with_home_members(given, len(made)) if made else given
    kinds = [member.kind for member in everyone]
    drawn = np.stack([member.drawn for member in everyone])
    fitted = fit(way, drawn, home.answers, towards, kinds=kinds)
    answered = combined(np.stack([member.judged for member in everyone]), fitted.weights, fitted.bias)
    return int((answered.argmax(axis=1) == site.answers("validation")).sum())


class _Home:
    """What is tuned here on the drawn cases, each prompt once."""

    def __init__(
        self,
        site: SiteSide,
        rows: NDArray[np.int64],
        rng: Callable[[], np.random.Generator],
        shared: SoftPrompt | None,
        start: SoftPrompt | None,
        pace: Pace,
    ) -> None:
        self._site, self._rows, self._rng, self._shared, self._start, self._pace = site, rows, rng, shared, start, pace
        self.answers = site.answers("tune")[rows]
        self._tuned: dict[tuple[object, ...], _Member] = {}

    def made(self, way: AtN) -> list[_Member]:
        """Return the prompts of one's own that a way has beside what is shared."""
        if not len(self._rows):
            return []
        found = []
        if self._start is not None and (way.method == "alone" or way.own):
            # Alone there is nothing that its weight is learnt against, so that it need not be judged out of fold.
            found.append(self._once(("own", way.own), lambda: self._own(out_of_fold=way.own)))
        if self._shared is not None and way.method == "finished":
            of = ("finished", way.steps, way.rate, way.mu, way.share)
            found.append(self._once(of, lambda: self._finished(way)))
        return found

    def _once(self, of: tuple[object, ...], make: Callable[[], _Member]) -> _Member:
        if of not in self._tuned:
            self._tuned[of] = make()
        return self._tuned[of]

    def _own(self, *, out_of_fold: bool) -> _Member:
        """Tune from the study's start, as a home with few cases does."""
        study, start = self._site.study, self._start
        assert start is not None
        settings = settings_at_home(study)
        objective = self._site.objective_of(self._rows)
        tuned = self._steps(objective, start, settings)
        drawn = self._drawn(tuned, objective)
        if out_of_fold:
            folds = stratified_folds(self.answers, FOLDS, self._rng())
            for fold in range(int(folds.max()) + 1) if folds.max() else ():
                left = self._steps(self._site.objective_of(self._rows[folds != fold]), start, settings)
                inside = folds == fold
                drawn[inside] = self._drawn(left, objective)[inside]
        return _Member("own", drawn, self._judged(tuned))

    def _finished(self, way: AtN) -> _Member:
        """Take a few slow steps from what is shared."""
        shared = self._shared
        assert shared is not None
        objective = self._site.objective_of(self._rows)
        tuned = self._steps(objective, shared, finishing_settings(settings_at_home(self._site.study), way))
        kept = SoftPrompt(interpolated(shared.vectors, tuned.vectors, way.share), shared.model)
        return _Member("finished", self._drawn(kept, objective), self._judged(kept))

    def _drawn(self, soft: SoftPrompt, objective: SoftObjective) -> Table:
        self._pace.check()
        return normalised(self._site.few_table(self._prompt(soft), self._rows, objective))

    def _judged(self, soft: SoftPrompt) -> Table:
        self._pace.check()
        return normalised(self._site.table(self._prompt(soft), "validation", once=True))

    def _prompt(self, soft: SoftPrompt) -> Prompt:
        return Prompt(self._site.study.soft_template(), soft)

    def _steps(self, objective: SoftObjective, start: SoftPrompt, settings: TuningSettings) -> SoftPrompt:
        stop = self._site.stop.or_when(lambda: "ending" if self._pace.over else None)
        try:
            return tune_tensors(objective, start, settings, rng=self._rng(), stop=stop).end
        except Stopped:
            self._site.stop.check()  # the whole work is to end, not this draw alone
            raise OutOfTime from None
