"""A curious hub: it writes tasks of its own, hands their bytes to a real worker and reads what its gate lets out.

Nothing of the hub's own code stands between, so that whatever a message can say can be asked. Invariant: an attack
knows of a site what came through here, and what a study and fedprompt's source say to everybody.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import FedPromptError
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.study.allowed_rounds import Among
from fedprompt.study.schema import Study
from fedprompt.study.score import Score, SplitName
from fedprompt.verbs.evaluate import EvaluateTask
from fedprompt.verbs.forms import Parcel, Reply, Task
from fedprompt.verbs.refusals import Refusal
from fedprompt.verbs.score import ScoreReply
from fedprompt.verbs.tune import TuneReply, TuneTask
from fedprompt.verbs.wire import pack_task, unpack_reply

__all__ = ["CuriousHub", "Update"]

Vectors = NDArray[np.float32]


class _Carried(Protocol):
    @property
    def data(self) -> bytes: ...


class Update:
    """What one answer to ``tune`` told: the change of the vectors, and the loss where the site says one."""

    def __init__(self, parcel: Parcel[Reply]) -> None:
        from fedprompt.privacy.quantise import restore

        self.delta = restore(parcel.arrays)
        self.loss: float | None = getattr(parcel.message, "loss", None)


class CuriousHub:
    """Asks one site. ``answered`` counts what was answered by verb, ``refused`` the codes of the refusals."""

    def __init__(self, handle: Callable[[bytes], _Carried], study: Study, model: str) -> None:
        self._handle, self.study, self.model = handle, study, model
        self.digest = study.digest(model)
        self.answered: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    def ask(self, task: Task, arrays: Mapping[str, NDArray[Any]] | None = None) -> Parcel[Reply] | None:
        """Return what the site answered, None where it refused or the task cannot even be written."""
        try:
            parcel = unpack_reply(self._handle(pack_task(task, arrays or {})).data)
        except FedPromptError as error:
            self.refused[type(error).__name__] += 1
            return None
        if isinstance(parcel.message, Refusal):
            self.refused[parcel.message.code] += 1
            return None
        self.answered[parcel.message.verb] += 1
        return parcel

    def tune(self, start: Vectors, *, round: int, steps: int, seed: int, among: Among = "all") -> Update | None:
        """Ask for one update."""
        task = TuneTask(task=_new(), study=self.digest, round=round, steps=steps, seed=seed, among=among)
        parcel = self.ask(task, {"start": start})
        return Update(parcel) if parcel is not None and isinstance(parcel.message, TuneReply) else None

    def scores(self, soft: Sequence[Vectors], split: SplitName) -> tuple[Score, ...] | None:
        """Ask for the scores of soft prompts, in the order given; None where the site refuses them together."""
        prompts = [self.prompt(vectors) for vectors in soft]
        task = EvaluateTask(task=_new(), study=self.digest, split=split, soft=tuple(prompt.id for prompt in prompts))
        parcel = self.ask(task, {f"soft-{place}": vectors for place, vectors in enumerate(soft)})
        if parcel is None or not isinstance(parcel.message, ScoreReply):
            return None
        found = {score.prompt: score for score in parcel.message.scores}
        return tuple(found[prompt.id] for prompt in prompts)

    def prompt(self, vectors: Vectors) -> Prompt:
        """Return the prompt that these vectors make in the study's soft template."""
        return Prompt(self.study.soft_template(), SoftPrompt(vectors, self.model))


def _new() -> str:
    return f"t1:{uuid.uuid4().hex}"
