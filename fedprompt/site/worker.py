"""The worker: holds the model and a site's cases, and answers a fixed list of verbs through the gate.

No code travels: a task names prompts of the accepted study, or brings a soft prompt whose shape, norm and values are
checked. What a worker logs names codes and counts, never a case.
"""

from dataclasses import replace

from fedprompt.errors import EgressRefused, FedPromptError, LedgerError
from fedprompt.evaluation.scorers.scorer import Resources
from fedprompt.evaluation.splits.cutting import SPLITS, Splits
from fedprompt.models.chat.through_langchain import LangChainChat
from fedprompt.models.protocols import CausalModel
from fedprompt.models.sources import Source
from fedprompt.site.admission import contents_of
from fedprompt.site.at_site import AtSite
from fedprompt.site.drawing import Drawing
from fedprompt.site.exact_questions import ExactQuestions
from fedprompt.site.folder import SiteFolder
from fedprompt.site.private_answers import limited, private_answers
from fedprompt.site.tally import Tally
from fedprompt.site.task_worker import TaskWorker
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.schema import Study
from fedprompt.study.versions import OWN
from fedprompt.verbs.beside import merged
from fedprompt.verbs.forms import Parcel, Task
from fedprompt.verbs.registry import verb_named
from fedprompt.verbs.tune import StepsTask
from fedprompt.verbs.verb import Answer, refused

__all__ = ["Worker"]


class Worker(TaskWorker):
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
        splits = limited(splits, study)
        digest = study.digest(model.info.digest)
        ledger = folder.ledger  # one object, which remembers what it checked
        tally = Tally(ledger, folder.replies)
        drawing = drawing or Drawing(folder.key)
        private = private_answers(folder, study, digest, splits, tally, bounded=bounded, random=drawing.random)
        self.questions = ExactQuestions(
            folder.key, splits, study, model.info.digest, tally, folder.replies, bounded=bounded
        )
        self.side = AtSite(
            name=name,
            folder=folder,
            study=study,
            digest=digest,
            model=model,
            splits=splits,
            ledger=ledger,
            resources=resources,
            version=version,
            bounded=bounded,
            stop=stop,
            drawing=drawing,
            private=private,
        )
        super().__init__(
            name=name,
            folder=folder,
            ledger=ledger,
            digest=digest,
            contents=contents_of(folder.key, splits),
            replies=study.privacy.replies,
            moved=self.side.moved,
            source=source,
            version=version,
        )

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
