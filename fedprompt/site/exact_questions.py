"""How many exact questions and rounds the site's cases have answered, over their lifetime, and how many they may.

An exact question is a prompt's score on a split, or two prompts compared on it. The same one asked again tells nothing
new and is not counted; with other tune cases it is another one, since a prompt may show some of them. Counts belong to
a set of cases, whatever study or hub asked, and each case carries those of every set that it was ever in: a file that
grows, shrinks or is cut anew gives nothing back. A case is known by the texts that a study reads of it, and by its
whole row, so that a study which reads other columns asks the same cases.

As many independent exact sums over chosen questions as there are cases determine each case, and less exact ones nearly
so (Dinur and Nissim 2003, Revealing information while preserving privacy). The default is a fifteenth of that.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fedprompt.evaluation.splits.cutting import Splits
from fedprompt.prompts.ids import canonical_json, content_id
from fedprompt.site.known_cases import TAG_BYTES, KnownCases
from fedprompt.site.replies import ReplyStore
from fedprompt.site.tally import Tally
from fedprompt.study.allowed_rounds import most_updates
from fedprompt.study.schema import Study
from fedprompt.study.score import SplitName
from fedprompt.verbs.beside import Beside, Count, Kind, Value

__all__ = ["Answered", "CaseSet", "ExactQuestions", "case_sets"]


@dataclass(frozen=True)
class Answered:
    """Exact questions of one split: how many its cases have answered, and how many they may; None for no bound."""

    split: SplitName
    cases: int
    asked: int
    most: int | None

    @property
    def left(self) -> int | None:
        """How many more they may answer."""
        return None if self.most is None else max(0, self.most - self.asked)


@dataclass(frozen=True)
class CaseSet:
    """A set of cases that answered exact questions: how many, and under which study's bound at last.

    ``updates`` is how many rounds were tuned on it. ``split``, ``study``, ``cases`` and ``most`` are None where the
    store of replies was lost; ``most`` also where there was no bound.
    """

    id: str
    asked: int
    split: str | None = None
    study: str | None = None
    cases: int | None = None
    most: int | None = None
    updates: int = 0

    @property
    def sentence(self) -> str:
        """How many were asked and how many are left, for people."""
        tuned = f", {self.updates:,} rounds tuned on them" if self.updates else ""
        if self.cases is None:
            return f"a set of cases whose replies were lost: {self.asked:,} asked{tuned}"
        left = "no limit, because this machine holds every site's cases"
        if self.most is not None:
            left = f"{max(0, self.most - self.asked):,} of {self.most:,} left"
        return f"{self.split} of '{self.study}', {self.cases:,} cases: {self.asked:,} asked, {left}{tuned}"


def case_sets(tally: Tally, replies: ReplyStore) -> tuple[CaseSet, ...]:
    """Return every set of a site's cases that answered exact questions.

    Raises:
        LedgerError: the ledger's chain is broken, or the replies cannot be read.
    """
    found = []
    exact, updates = tally.numbers("exact"), tally.numbers("updates")
    for name in sorted({*exact, *updates}):
        terms, tags = replies.kept("terms", name), replies.kept("cases", name)
        body = {} if terms is None else json.loads(terms)
        cases = None if tags is None else len(tags) // TAG_BYTES
        one = CaseSet(
            id=name,
            asked=exact.get(name, 0),
            split=body.get("split"),
            study=body.get("study"),
            cases=cases,
            most=body.get("most"),
            updates=updates.get(name, 0),
        )
        found.append(one)
    return tuple(found)


class ExactQuestions:
    """Over one site's splits under one study.

    Args:
        key: the site's secret.
        splits: the cases.
        study: says how many there may be.
        model: the model's digest; another model is another question.
        tally: the numbers that were kept beside replies.
        replies: what else was.
        bounded: whether the count may stop an answer. It does not where whoever asks holds the cases.
    """

    def __init__(
        self,
        key: bytes,
        splits: Splits,
        study: Study,
        model: str,
        tally: Tally,
        replies: ReplyStore,
        *,
        bounded: bool = True,
    ) -> None:
        self._key, self._splits, self._study, self._tally, self._bounded = key, splits, study, tally, bounded
        self._replies = replies
        self._way = content_id("w1", canonical_json([study.answer.model_dump(mode="json"), model]))
        self._own = KnownCases(key, splits, replies)

    def answered(self, split: SplitName) -> Answered:
        """Return the count of a split."""
        most = self._study.questions(self._splits.units[split]) if self._bounded else None
        return Answered(split, len(self._splits.cases(split)), self._asked(split), most)

    def charge(self, asked: Sequence[tuple[SplitName, str]]) -> Beside | None:
        """Return what is to be kept beside the answer to these questions, None where there would be too many.

        Args:
            asked: split and name of each, from ``Verb.exact``.
        """
        beside: dict[Kind, dict[str, Value]] = {}
        for split in dict.fromkeys(split for split, _ in asked):
            names = {self._scope(split, name) for where, name in asked if where == split}
            new = sorted(names - self._replies.held("asked", names))
            if not new:
                continue
            found, own = self.answered(split), self._own.set_of(split)
            if found.left is not None and len(new) > found.left:
                return None
            # What is counted here is this set's own; the bound leaves room for what its cases answered elsewhere.
            elsewhere = found.asked - self._tally.number("exact", own)
            most = None if found.most is None else found.most - elsewhere
            beside.setdefault("exact", {})[own] = Count(len(new), most)
            for kind, kept in self._known(split).items():
                beside.setdefault(kind, {})[own] = kept
            beside.setdefault("asked", {}).update(dict.fromkeys(new, b""))
        return beside

    def charge_update(self) -> Beside | None:
        """Return what is to be kept beside an update, None where the tune cases would answer too many rounds."""
        own, asked = self._own.set_of("tune"), self._asked("tune", "updates")
        most = most_updates(self._study) if self._bounded else None
        if most is not None and asked >= most:
            return None
        elsewhere = asked - self._tally.number("updates", own)
        count = Count(1, None if most is None else most - elsewhere)
        return {"updates": {own: count}, **{kind: {own: kept} for kind, kept in self._known("tune").items()}}

    def _known(self, split: SplitName) -> dict[Kind, bytes]:
        """Return by what the cases of a split are known again, and under which terms they were asked."""
        most = self._study.questions(self._splits.units[split]) if self._bounded else None
        terms = {"split": split, "most": most, "study": self._study.study}
        return {**self._own.kept(split), "terms": canonical_json(terms)}

    def _asked(self, split: SplitName, kind: Kind = "exact") -> int:
        """Return the most that any case of a split has answered, in whatever sets it was."""
        found = np.zeros(self._own.count(split), dtype=np.int64)
        for name, count in self._tally.numbers(kind).items():
            found += count * self._own.inside(split, name)
        return int(found.max(initial=0))

    def _scope(self, split: SplitName, name: str) -> str:
        return (
            f"{self._own.set_of(split)} {content_id('q1', canonical_json([self._way, self._own.set_of('tune'), name]))}"
        )
