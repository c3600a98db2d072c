"""Honest messages of every kind that a hub and a site exchange, as bytes, with what the hub asked for each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from fedprompt.errors import EgressRefused, FederationError
from fedprompt.evaluation.cases import Case
from fedprompt.federation.hub import Hub
from fedprompt.federation.transports.local import LocalTransport
from fedprompt.federation.transports.transport import Delivered
from fedprompt.models.scripted import ScriptedModel
from fedprompt.models.scripted_words import NEGATIVE, POSITIVE
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.site.folder import SiteFolder
from fedprompt.site.worker import Worker
from fedprompt.study.schema import Study
from fedprompt.study.score import SplitName
from fedprompt.verbs.describe import DescribeReply, ask_describe
from fedprompt.verbs.evaluate import ask_choice, ask_evaluate
from fedprompt.verbs.score import ask_score
from fedprompt.verbs.tune import ask_tune
from fedprompt.verbs.verb import Asks
from fedprompt.verbs.wire import pack_task, unpack_task
from fedprompt.workspace.cases.site_of_file import make_worker

__all__ = ["SITE", "Exchange", "exchanged", "open_worker"]

T = TypeVar("T")
Ask = Callable[[Asks], object]
SITE = "ant"
SPLITS: tuple[SplitName, ...] = ("validation", "test")
LABELS = ("positive", "negative")
BODY: Mapping[str, Any] = {
    "study": "mutants",
    "model": "scripted",
    "fields": ["text"],
    "answer": {"type": "choice", "labels": list(LABELS)},
    "templates": [
        {"name": "plain", "text": "Review: {text}\nSentiment:"},
        {"name": "verdict", "text": "{text}\nOverall this was", "words": {"positive": " good", "negative": " bad"}},
    ],
    "soft": {"template": "Review: {text}{soft}\nSentiment:", "tokens": 3, "init": "Overall the feeling is"},
    "tuning": {"steps": 4, "batch": 8, "lr": 0.05},
    "privacy": {"min_cases": 30, "questions": 1000, "details": "all"},
    "splits": {"tune": 40, "validation": 40, "test": 40},
}
WAYS: tuple[Mapping[str, Any], ...] = ({"update": "float32"}, {"update": "int8"}, {"personal": {"mixtures": [0.5]}})


@dataclass(frozen=True)
class Exchange:
    """One task and its reply, and all that is needed to ask the same again of whoever answers otherwise.

    ``described`` is what the site said of its cases, which a hub holds every other reply to; ``again`` asks once more.
    """

    study: Study
    digest: str
    described: DescribeReply | None
    again: Ask
    task: bytes
    reply: bytes

    def taken(self, kind: str, data: bytes) -> bool:
        """Return whether a door takes other bytes: the site's as this ``task``, the hub's as the ``reply`` to it."""
        try:
            if kind == "task":
                unpack_task(data)
            else:
                hub = Hub(_Says(data), self.digest, held_to=self.study)
                if self.described is not None:
                    hub.described[SITE] = self.described
                self.again(hub)
        except (EgressRefused, FederationError):
            return False
        return True


class _Says:
    """A site that answers everything with the same bytes."""

    concurrent, sites = False, (SITE,)

    def __init__(self, data: bytes) -> None:
        self._data = data

    def ask(self, site: str, task: bytes) -> Delivered:
        return Delivered(self._data, "0" * 64)


class _Asked:
    """A worker that is asked one thing after the other; what went both ways is kept."""

    concurrent, sites = False, (SITE,)

    def __init__(self, worker: Worker, study: Study) -> None:
        self._site, self._study, self._digest = LocalTransport({SITE: worker.handle}), study, worker.digest
        self._hub, self._last = Hub(self, worker.digest, held_to=study), (b"", b"")
        self.kept: list[Exchange] = []

    def ask(self, site: str, task: bytes) -> Delivered:
        found = self._site.ask(site, task)
        self._last = (task, found.data)
        return found

    def keep(self, ask: Callable[[Asks], T]) -> T:
        """Ask something and return the answer."""
        described = self._hub.described.get(SITE)
        found = ask(self._hub)
        sent, reply = unpack_task(self._last[0]), self._last[1]
        # As a hub asks that has seen nothing of the site's ledger: other workers are asked it too.
        task = pack_task(sent.message.model_copy(update={"known": None}), sent.arrays)
        self.kept.append(Exchange(self._study, self._digest, described, ask, task, reply))
        return found


def exchanged(folder: Path) -> list[Exchange]:
    """Return every exchange of a small federation, for each precision of updates and with a site's own choice."""
    return [one for place, rounds in enumerate(WAYS) for one in _of(folder / str(place), dict(rounds))]


def open_worker(folder: Path, study: Study) -> Worker:
    """Return the worker of a site that answered nothing yet."""
    home = SiteFolder(folder)
    home.prepare(b"m" * 32)
    return make_worker(name=SITE, folder=home, study=study, model=ScriptedModel(), cases=_cases(120), where=SITE)


def _of(folder: Path, rounds: Mapping[str, Any]) -> list[Exchange]:
    study = Study.model_validate({**BODY, "rounds": {"count": 2, **rounds}})
    asked, precision, personal = _Asked(open_worker(folder, study), study), study.rounds.update, study.rounds.personal
    prompts = [Prompt(template) for template in study.candidates()]
    ids, start = [one.id for one in prompts], ScriptedModel().text_init("Overall the feeling is", 3)
    asked.keep(lambda hub: ask_describe(hub, SITE))
    asked.keep(lambda hub: ask_score(hub, SITE, ids, ids[0]))
    for number in (1, 2):
        tune = partial(ask_tune, site=SITE, start=start.vectors, round=number, steps=4, seed=3, precision=precision)
        change = asked.keep(tune).delta
    soft = Prompt(study.soft_template(), SoftPrompt(start.vectors + change, start.model))
    every = [*prompts, soft]
    pairs = [(one.id, other.id) for one in every for other in every if one.id < other.id]
    for split in SPLITS:
        asked.keep(partial(ask_evaluate, site=SITE, prompts=every, split=split, pairs=pairs))
    if personal is not None:
        asked.keep(lambda hub: ask_choice(hub, SITE, ids, [soft], start.vectors, 5))
    return asked.kept


def _cases(count: int) -> tuple[Case, ...]:
    rng = np.random.default_rng(11)
    words = np.array([*sorted(POSITIVE), *sorted(NEGATIVE), *(f"word{number}" for number in range(40))])
    return tuple(
        Case({"text": f"{' '.join(rng.choice(words, 6))} {number}"}, LABELS[number % 2], line=number + 2)
        for number in range(count)
    )
