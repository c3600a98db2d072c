"""How a site's worker takes a task, whatever its study is of: refused, answered as before, or answered and sent.

What a worker logs names codes and counts, never a case.
"""

import logging
import threading
from abc import ABC, abstractmethod

from fedprompt.errors import EgressRefused, FedPromptError, LedgerError, TuningError
from fedprompt.models.sources import Source
from fedprompt.site.admission import not_now, question_of
from fedprompt.site.folder import SiteFolder
from fedprompt.site.gate import Gate, Outgoing
from fedprompt.site.ledger import Ledger
from fedprompt.verbs.forms import Parcel, Task
from fedprompt.verbs.refusals import Code
from fedprompt.verbs.verb import Answer, refused
from fedprompt.verbs.wire import unpack_task

__all__ = ["TaskWorker"]

logger = logging.getLogger(__name__)


class TaskWorker(ABC):
    """Answers the tasks of one accepted study, one at a time, through the gate.

    Attributes:
        digest: the accepted study's.
        failure: the last one, for who runs this process; the hub is told that it failed, no more.
    """

    def __init__(
        self,
        *,
        name: str,
        folder: SiteFolder,
        ledger: Ledger,
        digest: str,
        contents: str,
        replies: int,
        moved: tuple[int, ...] | None = None,
        source: Source | None = None,
        version: str,
    ) -> None:
        """Make ready.

        Args:
            ledger: of the folder; one object, which remembers what it checked.
            contents: an HMAC of what the site holds, so that other contents are another question.
            replies: how many the study allows; the site's policy may allow fewer.
            moved: the shape of an update, None where the study has no rounds of prompts.
            source: where the study's model comes from, None where the site's operator named the model.
        """
        self.name, self.digest = name, digest
        self.failure: FedPromptError | None = None
        self._folder, self._contents, self._source, self._version = folder, contents, source, version
        self._ledger = ledger
        budget = min(replies, folder.policy.replies)
        self._gate = Gate(ledger, folder.replies, study=digest, budget=budget, moved=moved)
        self._one = threading.Lock()  # one task at a time, whatever the transport

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
            code: Code | None = not_now(task, self.digest, self._folder, self._ledger, model=self._source)
            if code is None:
                code = self._unfit(parcel)
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

    def _unfit(self, parcel: Parcel[Task]) -> Code | None:
        """Take what a task brings, even where it was asked before; return the code if it does not fit."""
        return None

    @abstractmethod
    def _answer(self, parcel: Parcel[Task], question: str) -> Answer:
        """Answer a task that is new, and what is to be kept beside the answer."""

    def _failed(self, task: Task, error: FedPromptError) -> None:
        self.failure = error
        # Tuning's words are a step and a rate; those of others may name a line of the site's own file.
        said = str(error) if isinstance(error, TuningError) else type(error).__name__
        logger.warning("site %s: %s failed: %s", self.name, task.verb, said)
