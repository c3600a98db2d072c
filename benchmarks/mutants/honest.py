"""Honest messages of every kind that a hub and a site exchange, as bytes, with what the hub asked for each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

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
from fedprompt.verbs.describe import DescribeReply, ask_describe
from fedprompt.verbs.evaluate import ask_choice, ask_evaluate
from fedprompt.verbs.forms import Arrays, Parcel, Reply, Task
from fedprompt.verbs.score import ask_score
from fedprompt.verbs.tune import ask_tune
from fedprompt.verbs.wire import pack_reply, pack_task
from fedprompt.workspace.cases.site_of_file import make_worker

__all__ = ["SITE", "Exchange", "exchanged", "open_worker"]

SITE = "ant"
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

    ``described`` is what the site said of its cases, which a hub holds every other reply to.
    """

    study: Study
    digest: str
    described: DescribeReply | None
    form: type[Task]
    fields: Mapping[str, Any]
    arrays: Arrays | None
    named: Sequence[Any] | None
    task: bytes
    reply: bytes

    def answered(self, data: bytes) -> Parcel[Reply]:
        """Return what a hub makes of other bytes as the answer to this task.

        Raises:
            FederationError: it refuses them.
        """
        hub = Hub(_Says(data), self.digest, held_to=self.study)
        if self.described is not None:
            hub.described[SITE] = self.described
        return hub.ask(SITE, self.form, self.fields, self.arrays, named=self.named)


class _Says:
    """A site that answers everything with the same bytes."""

    concurrent, sites = False, (SITE,)

    def __init__(self, data: bytes) -> None:
        self._data = data

    def ask(self, site: str, task: bytes) -> Delivered:
        return Delivered(self._data, "0" * 64)


class _Keeping(Hub):
    """A hub that keeps what it asked, and what went both ways."""

    def __init__(self, worker: Worker, study: Study) -> None:
        self._worker, self.kept = worker, list[Exchange]()
        super().__init__(LocalTransport({SITE: worker.handle}), worker.digest, held_to=study)

    def ask(
        self,
        site: str,
        form: type[Task],
        fields: Mapping[str, Any],
        arrays: Arrays | None = None,
        *,
        named: Sequence[Any] | None = None,
    ) -> Parcel[Reply]:
        described = self.described.get(site)
        found = super().ask(site, form, fields, arrays, named=named)
        assert self.held_to is not None
        task = pack_task(form(task=found.message.task, study=self._study, **fields), arrays or {})
        reply = pack_reply(found.message, found.arrays)
        self.kept.append(Exchange(self.held_to, self._study, described, form, fields, arrays, named, task, reply))
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
    model, worker = ScriptedModel(), open_worker(folder, study)
    hub = _Keeping(worker, study)
    prompts = [Prompt(template) for template in study.candidates()]
    start = model.text_init("Overall the feeling is", 3)
    ask_describe(hub, SITE)
    ask_score(hub, SITE, [one.id for one in prompts], prompts[0].id)
    for number in (1, 2):
        change = ask_tune(hub, SITE, start.vectors, round=number, steps=4, seed=3, precision=study.rounds.update).delta
    prompts.append(Prompt(study.soft_template(), SoftPrompt(start.vectors + change, start.model)))
    pairs = [(one.id, other.id) for one in prompts for other in prompts if one.id < other.id]
    for split in ("validation", "test"):
        ask_evaluate(hub, SITE, prompts, split, pairs)
    if study.rounds.personal is not None:
        ask_choice(hub, SITE, [one.id for one in prompts[:2]], prompts[2:], start.vectors, 5)
    return hub.kept


def _cases(count: int) -> tuple[Case, ...]:
    rng = np.random.default_rng(11)
    words = np.array([*sorted(POSITIVE), *sorted(NEGATIVE), *(f"word{number}" for number in range(40))])
    return tuple(
        Case({"text": f"{' '.join(rng.choice(words, 6))} {number}"}, LABELS[number % 2], line=number + 2)
        for number in range(count)
    )
