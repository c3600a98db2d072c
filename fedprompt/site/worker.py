"""The worker: holds the model and a site's cases, and answers a fixed list of verbs through the gate.

No code travels: a task names prompts of the accepted study, or brings a soft prompt whose shape, norm and values are
checked. What a worker logs names codes and counts, never a case.
"""

import logging
import threading
from dataclasses import replace

from fedprompt.errors import EgressRefused, FedPromptError, LedgerError, TuningError
from fedprompt.evaluation.scorers.scorer import Resources
from fedprompt.evaluation.splits.cutting import SPLITS, Splits
from fedprompt.models.chat.through_langchain import LangChainChat
from fedprompt.models.protocols import CausalModel
from fedprompt.models.sources import Source
from fedprompt.site.admission import contents_of, not_now, question_of
from fedprompt.site.at_site import AtSite
from fedprompt.site.drawing import Drawing
from fedprompt.site.exact_questions import ExactQuestions
from fedprompt.site.folder import SiteFolder
from fedprompt.site.gate import Gate, Outgoing
from fedprompt.site.private_answers import limited, private_answers
from fedprompt.site.tally import Tally
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.schema import Study
from fedprompt.study.versions import OWN
from fedprompt.verbs.beside import merged
from fedprompt.verbs.forms import Parcel, Task
from fedprompt.verbs.registry import verb_named
from fedprompt.verbs.tune import StepsTask
from fedprompt.verbs.verb import Answer, refused
from fedprompt.verbs.wire import unpack_task

__all__ = ["Worker"]

logger = logging.getLogger(__name__)


class Worker:
    """One site's worker for one accepted study; ``side`` is what its verbs work with.

    ``bounded``: whether its cases' lifetime count of exact questions stops an answer, and whether the study's
    ``details`` hold; it is counted in any case. Not so where whoever asks holds the cases.
    """

    def __init__(
        self,
        *,
        name: str,
        folder: SiteFolder,
        study: Study,
        model: CausalModel | LangChainChat,
        splits: Splits,
        resources: Resources | None = None,
        version: str = OWN,
        stop: StopToken = NEVER,
        bounded: bool = True,
        drawing: Drawing | None = None,
        source: Source | None = None,
    ) -> None:
        """Make ready to answer; ``stop`` ends a task between two of its steps or batches, and nothing leaves then."""
        self.name, self._folder, self._version, self._source = name, folder, version, source
        self.digest = study.digest(model.info.digest)
        budget = min(study.privacy.replies, folder.policy.replies)
        self._ledger = folder.ledger  # one object, which remembers what it checked
        splits = limited(splits, study)
        self._contents = contents_of(folder.key, splits)
        tally = Tally(self._ledger, folder.replies)
        self.questions = ExactQuestions(
            folder.key, splits, study, model.info.digest, tally, folder.replies, bounded=bounded
        )
        drawing = drawing or Drawing(folder.key)
        private = private_answers(folder, study, self.digest, splits, tally, bounded=bounded, random=drawing.random)
        self._one = threading.Lock()  # one task at a time, whatever the transport
        self.failure: FedPromptError | None = None  # the last one
        self.side = AtSite(
            name=name,
            folder=folder,
            study=study,
            digest=self.digest,
            model=model,
            splits=splits,
            ledger=self._ledger,
            resources=resources,
            version=version,
            bounded=bounded,
            stop=stop,
            drawing=drawing,
            private=private,
        )
        self._gate = Gate(self._ledger, folder.replies, study=self.digest, budget=budget, moved=self.side.moved)

    def handle(self, data: bytes) -> Outgoing:
        """Answer one task; asked again, with the bytes that it was answered with.

        Raises:
            LedgerError: the ledger cannot be written, or is not the one that the hub has seen; nothing leaves.
            EgressRefused: the bytes are no task at all, so there is nothing to answer.
        """
        parcel = unpack_task(data)
        with self._one:
            return self._handle(parcel)

    def _handle(self, parcel: Parcel[Task]) -> Outgoing:
        task = parcel.message
        question = question_of(parcel, self._contents, self._version)
        if (other := self._gate.refuse_other(task.task, task.known)) is not None:
            return other
        try:
            code = not_now(task, self.digest, self._folder, self._ledger, model=self._source)
            if code is None and (kept := self._gate.again(question, task.known)) is not None:
                return kept
            found = self._answer(parcel, question) if code is None else refused(task, code)
            return self._gate.send(
                found.reply,
                found.arrays,
                question=question,
                known=task.known,
                beside=found.beside,
                about=found.about,
            )
        except (LedgerError, EgressRefused):
            raise
        except FedPromptError as error:
            self._failed(task, error)
            return self._gate.send(refused(task, "failed").reply, question=question, known=task.known)

    def _answer(self, parcel: Parcel[Task], question: str) -> Answer:
        task = parcel.message
        verb = verb_named(task.verb)
        if verb is None:
            return refused(task, "not-supported")
        private, exact = self.side.private, verb.exact(task)
        noised = [] if private is None else [one for one in exact if private.plan.covers(one[0])]
        if any(split == "tune" for split, _ in noised):  # tune cases answer steps alone
            return refused(task, "not-allowed")
        charged = self.questions.charge([one for one in exact if one not in noised])
        if charged is None:  # before anything is computed
            return refused(task, "questions-spent")
        if private is not None:
            steps = 0
            # Steps that the verb refuses, and says why, cost nothing: how many there are is the hub's to say.
            if isinstance(task, StepsTask) and private.plan.covers("tune") and self.side.not_taken(task) is None:
                steps = task.steps
            spent = private.charge(noised, steps, sizes=SPLITS if task.verb == "describe" else ())
            if spent is None:
                return refused(task, "privacy-spent")
            charged = merged(charged, spent)
        if isinstance(task, StepsTask) and (private is None or not private.plan.covers("tune")):
            update = self.questions.charge_update()
            if update is None and self.side.not_taken(task) is None:  # else the verb refuses, and says why
                return refused(task, "updates-spent")
            charged = merged(charged, update or {})

        def counted(found: Answer) -> Answer:
            return replace(found, beside=merged(found.beside, charged, {} if private is None else private.drawn))

        try:
            found = verb.answer(self.side, task, parcel.arrays, question)
        except (LedgerError, EgressRefused):
            raise
        except Exception as error:
            if not parcel.arrays:
                raise
            # Vectors that a hub brings may fail on one case alone, so that this is an answer, and is charged as one.
            found = counted(replace(refused(task, "failed", tells=True), beside=verb.failed(self.side, task)))
            if not isinstance(error, FedPromptError):  # a fault, which whoever runs this process is to see
                self._gate.send(found.reply, question=question, known=task.known, beside=found.beside)
                raise
            self._failed(task, error)
            return found
        return counted(found) if found.tells else found

    def _failed(self, task: Task, error: FedPromptError) -> None:
        self.failure = error  # for who runs this process; the hub is told that it failed, no more
        # Tuning's words are a step and a rate; those of others may name a line of the site's own file.
        said = str(error) if isinstance(error, TuningError) else type(error).__name__
        logger.warning("site %s: %s failed: %s", self.name, task.verb, said)
