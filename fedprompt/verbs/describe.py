"""describe: how many cases there are. Every run begins with it, so hub and site also tell their versions here."""

import logging
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from fedprompt.errors import FederationError, ReplyUntrue
from fedprompt.evaluation.splits.cutting import Splits
from fedprompt.privacy.coarse import coarse_counts
from fedprompt.study.schema import Study
from fedprompt.study.score import Count, SplitName
from fedprompt.study.sharing import absent
from fedprompt.study.versions import OWN, Version, misfit
from fedprompt.verbs.forms import Arrays, Parcel, Reply, Task
from fedprompt.verbs.sentences import counted
from fedprompt.verbs.verb import Answer, Asks, Rehearsal, SiteSide, Terms, Verb, refused

__all__ = ["Describe", "DescribeReply", "DescribeTask", "ask_describe", "size_told"]

logger = logging.getLogger(__name__)


class DescribeTask(Task):
    """How many cases are there? ``version`` is the hub's fedprompt."""

    verb: Literal["describe"] = "describe"
    version: Version = OWN


class DescribeReply(Reply):
    """Cases in each split and, in the study's order of labels, by label: 0 where there are fewer than ``min_cell``.

    With a budget of privacy, sizes carry noise, and of labels nothing is told.

    ``units`` are the independent cases of each split (distinct inputs, or groups), by which exact questions are
    bounded; it is left out where all are. ``version`` is the site's fedprompt; ``identity`` the fingerprint of its key,
    by which banks tell sites apart.
    """

    verb: Literal["describe"] = "describe"
    tune: Count
    validation: Count
    test: Count
    labels: Annotated[tuple[Count, ...], Field(max_length=256)]
    units: Annotated[tuple[Count, Count, Count] | None, Field(exclude_if=absent)] = None
    version: Version = OWN
    identity: Annotated[str, Field(pattern=r"^k1:[0-9a-f]{32}$")] | None = None

    @property
    def cases(self) -> int:
        """How many there are in all splits."""
        return self.tune + self.validation + self.test


def ask_describe(hub: Asks, site: str) -> DescribeReply:
    """Ask for the sizes of a site's splits.

    Raises:
        SiteRefused: the site refused; says why.
        FederationError: it could not be asked, its answer is none, or its version is too far from the hub's.
    """
    reply = hub.ask(site, DescribeTask, {"version": hub.version}, named=[]).message
    assert isinstance(reply, DescribeReply)
    return reply


class Describe(Verb):
    """Cases by split and by label."""

    name = "describe"
    task = DescribeTask
    reply = DescribeReply

    def answer(self, site: SiteSide, task: DescribeTask, arrays: Arrays, question: str) -> Answer:
        """Count the cases."""
        splits = site.splits
        if sum(splits.units.values()) < site.min_cases:
            return refused(task, "too-few-cases")
        private = site.private
        everything = (*splits.tune, *splits.validation, *splits.test)
        if (told := misfit(task.version, site.version)) is not None:
            logger.error("%s", told)  # the hub says the same, and goes on without this site
        return Answer(
            DescribeReply(
                task=task.task,
                tune=size_told(site, "tune"),
                validation=size_told(site, "validation"),
                test=size_told(site, "test"),
                labels=coarse_counts(
                    [
                        0 if private is not None else sum(case.answer == label for case in everything)
                        for label in site.study.answer.labels
                    ],
                    site.min_cell,
                ),
                units=None if private is not None else _units(splits),
                version=site.version,
                identity=site.identity,
            )
        )

    def check(self, terms: Terms, asked: Parcel[DescribeTask], given: Parcel[DescribeReply]) -> None:
        """Refuse a site whose version is too far away, and counts that do not fit the study or each other."""
        if (told := misfit(asked.message.version, given.message.version)) is not None:
            raise FederationError(f"site '{terms.site}': {told}", code="other-version")
        if terms.study is not None and (fault := _fault(terms.study, given.message)) is not None:
            raise ReplyUntrue(f"site '{terms.site}' sent a contradictory description of its cases: {fault}")

    def sentence(self, message: Mapping[str, Any], arrays: Mapping[str, Sequence[int]]) -> str:
        """Tell the counts."""
        counts = ", ".join(f"{counted(message.get(split))} {split}" for split in ("tune", "validation", "test"))
        return f"the number of cases ({counts}) and the number per label"

    def rehearse(self, rehearsal: Rehearsal) -> bool:
        """Ask it once."""
        ask_describe(rehearsal.asks, rehearsal.site)
        return True


def size_told(site: SiteSide, split: SplitName) -> int:
    """Return how many cases a split has, as a site tells it: with noise where a budget of privacy covers it."""
    private = site.private
    covered = private is not None and private.plan.covers(split)
    return private.size(split) if private is not None and covered else len(site.splits.cases(split))


def _units(splits: Splits) -> tuple[int, int, int] | None:
    """Return the independent cases of tune, validation and test; None where each case is one."""
    units = splits.units["tune"], splits.units["validation"], splits.units["test"]
    return None if units == (len(splits.tune), len(splits.validation), len(splits.test)) else units


def _fault(study: Study, reply: DescribeReply) -> str | None:
    """Return what cannot be in a description, in a phrase; None if it can."""
    labels = study.answer.labels
    if len(reply.labels) != len(labels):
        return f"it counts {len(reply.labels)} labels, but the study has {len(labels)}"
    if study.dp is not None:  # then sizes carry noise, and no label is counted
        return "it counts labels, but the study has a privacy budget" if any(reply.labels) else None
    cell = study.privacy.min_cell
    if small := [count for count in reply.labels if 0 < count < cell]:
        return f"a label has {small[0]} cases, which is below the study's min_cell"
    told, silent = sum(reply.labels), reply.labels.count(0) * (cell - 1)  # of labels with a few cases none are told
    if labels and not told <= reply.cases <= told + silent:
        return f"{told:,} cases have a label, but its splits have {reply.cases:,}"
    of_splits = zip(reply.units or (), (reply.tune, reply.validation, reply.test), strict=False)
    if any(units > cases or (units == 0 and cases) for units, cases in of_splits):
        return "a split has no independent case, or more of them than cases"
    if reply.cases < study.privacy.min_cases:
        return f"it has {reply.cases} cases, which is below the study's min_cases"
    return None
