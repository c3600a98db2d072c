"""A site's budget of privacy: what its cases have answered with noise, what that adds up to, and what they may.

Charges belong to a set of cases, over all studies, hubs and restarts, as exact questions do: each case carries those of
every set that it was ever in, and they are kept with the reply and again in the ledger. So a lost or older store of
replies gives nothing back, and where it is lost which cases a set had, every case counts as in it. A charge is a number
of answers of one kind (noise and sampling), and what all kinds add up to says ``privacy.accounting``.

A noised number is drawn once and kept. The same question gets the same number and costs nothing.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from fedprompt.errors import DataError
from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.splits.cutting import SPLITS, Splits
from fedprompt.privacy.accounting import Event, Spent, spent
from fedprompt.privacy.noised_counts import CountNoise, noised_counts
from fedprompt.privacy.plan import Plan, plan_of
from fedprompt.privacy.rounded_noise import RandomBytes
from fedprompt.prompts.ids import canonical_json, content_id
from fedprompt.site.folder import SiteFolder
from fedprompt.site.known_cases import KnownCases
from fedprompt.site.replies import ReplyStore
from fedprompt.site.tally import Tally
from fedprompt.study.schema import Study
from fedprompt.study.score import SplitName
from fedprompt.tuning.private_slope import PrivateSteps
from fedprompt.verbs.beside import Beside, Count, Kind, Value

__all__ = ["Charges", "PrivateAnswers", "as_unit", "charges_of", "limited", "private_answers"]

Randomness = Callable[[bytes], RandomBytes]
"""Makes a stream of random bytes for what is named, or the operating system's, whatever the name."""


@dataclass(frozen=True)
class Charges:
    """What a set of cases has answered with noise.

    Attributes:
        set: its id.
        unit: whom the noise hides, a case or a group.
        event: how often, with how much noise.
    """

    set: str
    unit: str
    event: Event


def charges_of(tally: Tally) -> tuple[Charges, ...]:
    """Return all that a site's cases have answered with noise, by its ledger and its store, whichever says more.

    Raises:
        LedgerError: the ledger's chain is broken, or the replies cannot be read.
    """
    found = []
    for scope, count in tally.numbers("privacy").items():
        name, unit, noise, rate = scope.split(" ")
        found.append(Charges(name, unit, Event(float(noise), float(rate), count)))
    return tuple(found)


class PrivateAnswers:
    """One site's noised answers under one study.

    Args:
        known: its cases.
        splits: them too, cut to the study's cases of a group.
        study: the accepted one.
        digest: its digest.
        plan: the study's.
        tally: the numbers that were kept beside replies.
        replies: what else was.
        most: what the same cases may spend in all studies together; None where nothing stops an answer.
        random: where noise comes from.

    Raises:
        DataError: the cases form groups, and the study hides single cases; or there are too many for its delta.
    """

    def __init__(
        self,
        known: KnownCases,
        splits: Splits,
        study: Study,
        digest: str,
        plan: Plan,
        tally: Tally,
        replies: ReplyStore,
        *,
        most: float | None,
        random: Randomness,
    ) -> None:
        if plan.dp.unit == "case" and any(case.group is not None for split in SPLITS for case in splits.cases(split)):
            raise DataError(
                "the cases form groups, such as the notes of one patient, and the study's 'dp' hides single cases; ask "
                "the hub's operator for 'dp: {unit: group}'",
                code="unit-is-a-group",
            )
        for split in (one for one in SPLITS if plan.covers(one)):
            units = len(_units(splits.cases(split)))
            if plan.dp.at_delta * units >= 1:
                raise DataError(
                    f"the study's delta of {plan.dp.at_delta:.2g} is for sites of about {plan.dp.cases:,} cases. This "
                    f"site has {units:,} in {split}, so that whole ones could leave within it; ask the hub's operator "
                    "for a smaller 'dp: {delta: ...}' or for more 'cases'",
                    code="delta-too-large",
                )
        self._known, self._splits, self._study, self.plan = known, splits, digest, plan
        self._named, self._round = study.study, study.tuning.steps
        self._tally, self._replies, self._most, self._random = tally, replies, most, random
        self._drawn: dict[str, bytes] = {}

    @property
    def noise(self) -> CountNoise:
        """What scores carry."""
        return CountNoise(self.plan.sizes, self.plan.count, self.plan.dp.longest)

    @property
    def steps(self) -> PrivateSteps:
        """How steps are noised."""
        plan = self.plan
        return PrivateSteps(plan.rate, plan.dp.clip, plan.step, plan.rate * plan.dp.cases)

    @property
    def units(self) -> Sequence[Sequence[int]]:
        """The rows of each tune unit."""
        return _units(self._splits.tune)

    def random(self, *what: object) -> RandomBytes:
        """Return the stream of random bytes for something."""
        return self._random(canonical_json([self._study, *map(str, what)]))

    def charge(
        self, asked: Sequence[tuple[SplitName, str]], steps: int = 0, *, sizes: Sequence[SplitName] = ()
    ) -> Beside | None:
        """Return what is to be kept beside an answer, None where the budget does not bear it.

        What was drawn for earlier answers and not kept is forgotten.

        Args:
            asked: split and name of each question that is to be noised.
            steps: of tuning.
            sizes: the splits whose size is told, beside those of ``asked`` and tune where there are steps.
        """
        self._drawn = {}
        new: dict[SplitName, list[Event]] = {}
        told: list[SplitName] = [*sizes, *(split for split, _ in asked)]
        if steps:
            told.append("tune")
        for split in (one for one in dict.fromkeys(told) if self.plan.covers(one)):
            events = [] if self._kept(self._size_scope(split)) is not None else [self.plan.of_sizes]
            scopes = {self._scope(split, name) for where, name in asked if where == split}
            if count := len(scopes - self._replies.held("noised", scopes)):
                events.append(self.plan.of_counts(count))
            if split == "tune" and steps:
                events.append(self.plan.of_steps(steps))
            if events:
                new[split] = events
        beside: dict[Kind, dict[str, Value]] = {}
        for split, events in new.items():
            if self._most is not None and self.cost(split, events).epsilon > self._most:
                return None
            own = self._known.set_of(split)
            for one in events:
                scope = f"{own} {self.plan.dp.unit} {one.noise!r} {one.rate!r}"
                before = beside.setdefault("privacy", {}).get(scope)
                by = one.count + (before.by if isinstance(before, Count) else 0)
                beside["privacy"][scope] = Count(by)
            # Charged one after the other: another process of this site that was first has made this number rise.
            beside.setdefault("turns", {})[own] = Count(1, self._tally.number("turns", own) + 1)
            for kind, kept in self._known.kept(split).items():
                beside.setdefault(kind, {})[own] = kept
            beside.setdefault("budget", {})[own] = self._terms(split)
        return beside

    def _terms(self, split: SplitName) -> bytes:
        """Return what is kept of the terms under which a set of cases was asked last, for ``site.budgets``."""
        plan = self.plan
        step = [plan.step, plan.rate, self._round] if split == "tune" else None
        terms = {"split": split, "study": self._named, "unit": plan.dp.unit, "most": self._most, "round": step}
        return canonical_json({**terms, "delta": plan.dp.at_delta})

    def cost(self, split: SplitName, more: Sequence[Event] = ()) -> Spent:
        """Return what a split's cases have spent at most, whichever case it is, with ``more``."""
        delta, worst = self.plan.dp.at_delta, Spent(0.0, self.plan.dp.at_delta, 0.5)
        charges = charges_of(self._tally)
        inside = {name: self._known.inside(split, name) for name in dict.fromkeys(one.set for one in charges)}
        rows = np.stack(list(inside.values()), axis=1) if inside else np.zeros((1, 0), dtype=np.bool_)
        for row in np.unique(rows, axis=0):  # few: cases that were in the same sets
            sets = {name for name, within in zip(inside, row, strict=True) if within}
            events = as_unit([one for one in charges if one.set in sets], self.plan.dp.unit)
            found = Spent(inf, delta, 1.0) if events is None else spent([*more, *events], delta)
            worst = max(worst, found, key=lambda one: one.epsilon)
        return worst

    def size(self, split: SplitName) -> int:
        """Return how many cases a split has, as it is told: with noise, the same at each asking."""
        scope = self._size_scope(split)
        if (kept := self._kept(scope)) is None:
            kept = noised_counts([len(self._splits.cases(split))], self.plan.sizes, self.random("size", split))
            self._keep(scope, kept)
        return max(1, kept[0])

    def counts(self, split: SplitName, name: str, values: Sequence[int]) -> tuple[int, ...]:
        """Return counts with noise, the same at each asking; one unit changes them by ``dp.longest`` at most.

        Args:
            split: whose cases are counted.
            name: of the question, as ``Verb.exact`` has it.
            values: exact.
        """
        scope = self._scope(split, name)
        if (kept := self._kept(scope)) is None:
            kept = noised_counts(values, self.plan.count, self.random("count", split, name))
            self._keep(scope, kept)
        return kept

    @property
    def drawn(self) -> Beside:
        """The numbers that were drawn since the last charge, to be kept with the reply."""
        return {"noised": dict(self._drawn)} if self._drawn else {}

    def _kept(self, scope: str) -> tuple[int, ...] | None:
        found = self._drawn.get(scope) or self._replies.kept("noised", scope)
        return None if found is None else tuple(json.loads(found))

    def _keep(self, scope: str, values: Sequence[int]) -> None:
        self._drawn[scope] = canonical_json(list(values))

    def _size_scope(self, split: SplitName) -> str:
        return f"{self._known.set_of(split)} size {self._study} {split}"

    def _scope(self, split: SplitName, name: str) -> str:
        return f"{self._known.set_of(split)} {content_id('q1', canonical_json([self._study, name]))}"


def private_answers(
    folder: SiteFolder, study: Study, digest: str, splits: Splits, tally: Tally, *, bounded: bool, random: Randomness
) -> PrivateAnswers | None:
    """Return a site's noised answers under a study, None where the study has no budget.

    Args:
        folder: the site's.
        study: the accepted one, whose digest is ``digest``.
        splits: its cases.
        tally: what they have answered.
        bounded: whether a spent budget stops an answer.
        random: where noise comes from.

    Raises:
        StudyError: no noise keeps the budget.
        DataError: the cases form groups, and the study hides single cases.
    """
    plan = plan_of(study)
    if plan is None:
        return None
    known = KnownCases(folder.key, splits, folder.replies, by_group=plan.dp.unit == "group")
    own = folder.policy.epsilon
    most = plan.dp.lifetime if own is None else min(own, plan.dp.lifetime)
    return PrivateAnswers(
        known, splits, study, digest, plan, tally, folder.replies, most=most if bounded else None, random=random
    )


def limited(splits: Splits, study: Study) -> Splits:
    """Return splits with as many cases of each group as a study that hides groups uses, others left out."""
    if study.dp is None or study.dp.unit == "case":
        return splits
    most = study.dp.per_group

    def kept(cases: Sequence[Case]) -> tuple[Case, ...]:
        rows = sorted(row for unit in _units(cases) for row in unit[:most])
        return tuple(cases[row] for row in rows)

    return replace(splits, tune=kept(splits.tune), validation=kept(splits.validation), test=kept(splits.test))


def _units(cases: Sequence[Case]) -> tuple[tuple[int, ...], ...]:
    """Return the rows of each group, a case without one by itself."""
    found: dict[object, list[int]] = {}
    for row, case in enumerate(cases):
        found.setdefault(("case", row) if case.group is None else ("group", case.group), []).append(row)
    return tuple(map(tuple, found.values()))


def as_unit(charges: Sequence[Charges], unit: str) -> list[Event] | None:
    """Return charges as they count for a unit; None where they hide nothing of it.

    A case more or less makes another group of its group: one goes and one comes, so that a group's noise counts half.
    Noise that hides cases does not hide a group, however large.
    """
    if unit == "group" and any(one.unit == "case" for one in charges):
        return None
    factor: Mapping[str, float] = {"case": 1.0, "group": 0.5 if unit == "case" else 1.0}
    return [Event(one.event.noise * factor[one.unit], one.event.rate, one.event.count) for one in charges]
