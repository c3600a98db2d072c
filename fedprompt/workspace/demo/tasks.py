"""The demo's tasks: whose text it is, how it is dealt to made-up sites, and which sizes the task was laid out for.

``questions`` are help desks that sort questions, with a newcomer that is in no round: what shared prompts are worth to
who has few labelled cases. ``sentiment`` is the case where little is left to gain, for a few cases nearly solve it.
Invariant: what a site gets follows from the task, the seed and the sizes alone.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fedprompt.errors import FedPromptError, did_you_mean
from fedprompt.evaluation.cases import Case
from fedprompt.workspace.demo.questions import deal, read_questions
from fedprompt.workspace.demo.settings import DemoSettings
from fedprompt.workspace.demo.text import SOURCES, draw_cases, read_source

__all__ = ["DESKS", "NEWCOMER", "TASKS", "Dealt", "DemoTask", "NewcomerSizes", "filled", "site_number", "task_of"]

DRAW = 1  # a stream of the demo's seed
DESKS = tuple(f"desk{number}" for number in range(1, 7))
NEWCOMER = "newcomer"


@dataclass(frozen=True)
class NewcomerSizes:
    """``n`` labelled cases are what the newcomer has; ``counts`` are the numbers that its curve is over.

    ``draws`` are taken of each number. ``spare`` further labelled cases are in no draw: on them it is decided which way
    alone is the strongest. ``asked`` are the test cases.
    """

    n: int
    counts: tuple[int, ...]
    spare: int
    draws: int
    asked: int

    @property
    def pool(self) -> int:
        """How many labelled cases there are to draw from, the spare ones among them."""
        return max(self.counts) + self.spare

    def draws_of(self, n: int) -> int:
        """Return how many draws of ``n`` cases are taken; without a case all draws are one."""
        return self.draws if n else 1


@dataclass(frozen=True)
class Dealt:
    """A made-up site: what its cases are, in words, and the cases."""

    title: str
    cases: tuple[Case, ...]


@dataclass(frozen=True)
class DemoTask:
    """A task of the demo.

    Attributes:
        name: as ``--task`` has it.
        study: the study's file.
        asset: the text's.
        sites: those that take part in rounds.
        deal: (the asset's folder, the settings) -> site -> what it gets, the newcomer among them where there is one.
        rounds, cases, held_out: where the settings leave them open.
        newcomer: sizes of the newcomer, None where there is none.
        pooled: whether a prompt is tuned on the cases of all sites at once, to compare.
    """

    name: str
    study: str
    asset: str
    sites: tuple[str, ...]
    deal: Callable[[Path, DemoSettings], Mapping[str, Dealt]]
    rounds: int
    cases: int
    held_out: int
    newcomer: NewcomerSizes | None
    pooled: bool

    def newcomer_of(self, settings: DemoSettings) -> NewcomerSizes | None:
        """Return the newcomer's sizes under settings that are filled in."""
        if self.newcomer is None or settings.draws is None or settings.asked is None:
            return None
        return replace(self.newcomer, draws=settings.draws, asked=settings.asked)


def task_of(settings: DemoSettings) -> DemoTask:
    """Return the task that the settings name.

    Raises:
        FedPromptError: there is none of this name.
    """
    if settings.task not in TASKS:
        raise FedPromptError(
            f"the demo has no task '{settings.task}'{did_you_mean(settings.task, TASKS)}; choose one of "
            f"{', '.join(TASKS)}",
            code="unknown-task",
        )
    return TASKS[settings.task]


def filled(settings: DemoSettings) -> DemoSettings:
    """Return the settings with the task's own numbers where nothing was said.

    Raises:
        FedPromptError: there is no such task.
    """
    task = task_of(settings)
    few = task.newcomer
    return replace(
        settings,
        rounds=task.rounds if settings.rounds is None else settings.rounds,
        cases=task.cases if settings.cases is None else settings.cases,
        held_out=task.held_out if settings.held_out is None else settings.held_out,
        draws=few.draws if few is not None and settings.draws is None else settings.draws,
        asked=few.asked if few is not None and settings.asked is None else settings.asked,
    )


def site_number(name: str) -> int:
    """Return the number that stands for a made-up site among those of a seed."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")


def _wanted(settings: DemoSettings) -> int:
    """Return how many cases a site of a round has in all."""
    assert settings.cases is not None and settings.held_out is not None, "preparing the settings"
    return settings.cases + 2 * settings.held_out


def _sentiment(folder: Path, settings: DemoSettings) -> dict[str, Dealt]:
    found = {}
    for source in SOURCES:
        stream = np.random.SeedSequence([settings.seed, site_number(source.site), DRAW])
        cases = draw_cases(read_source(folder, source), _wanted(settings), stream)
        found[source.site] = Dealt(source.title, cases)
    return found


def _questions(folder: Path, settings: DemoSettings) -> dict[str, Dealt]:
    sizes = TASKS["questions"].newcomer_of(settings)
    assert sizes is not None, "preparing the settings"
    # The newcomer first: it is asked for most, and no class is to run out before it.
    counts = {NEWCOMER: sizes.pool + sizes.asked, **dict.fromkeys(DESKS, _wanted(settings))}
    dealt = deal(read_questions(folder), counts, np.random.SeedSequence([settings.seed, DRAW]))
    return {desk: Dealt(_asked(cases), cases) for desk, cases in dealt.items()}


def _asked(cases: tuple[Case, ...]) -> str:
    """Return what a help desk is asked, in words."""
    shares = Counter(case.answer for case in cases).most_common(2)
    return "a help desk, asked most for a " + " or a ".join(label for label, _ in shares)


TASKS: Mapping[str, DemoTask] = {
    task.name: task
    for task in (
        DemoTask(
            name="questions",
            study="demo_questions.yaml",
            asset="trec-questions",
            sites=DESKS,
            deal=_questions,
            rounds=8,
            cases=48,
            held_out=30,
            newcomer=NewcomerSizes(n=16, counts=(0, 4, 8, 16, 32, 64), spare=32, draws=4, asked=150),
            pooled=False,
        ),
        DemoTask(
            name="sentiment",
            study="demo_study.yaml",
            asset="vader-text",
            sites=tuple(source.site for source in SOURCES),
            deal=_sentiment,
            rounds=3,
            cases=48,
            held_out=150,
            newcomer=None,
            pooled=True,
        ),
    )
}
