"""The worker of a study of pre-training: the same gate, ledger and replies as any other, over a site's own text."""

import hashlib
import hmac
from dataclasses import replace
from typing import Literal

from fedprompt.errors import TuningError
from fedprompt.models.sources import Source
from fedprompt.site.folder import SiteFolder
from fedprompt.site.pretraining import PretrainingAtSite
from fedprompt.site.tally import Tally
from fedprompt.site.task_worker import TaskWorker
from fedprompt.study.versions import OWN
from fedprompt.trust.signing import site_identity
from fedprompt.verbs.beside import Beside, Count, Rise
from fedprompt.verbs.describe import DescribeReply, DescribeTask
from fedprompt.verbs.forms import Parcel, Task
from fedprompt.verbs.perplexity import DIGITS, MOST, PerplexityReply, PerplexityTask
from fedprompt.verbs.pretrain import PretrainReply, PretrainTask
from fedprompt.verbs.refusals import Code
from fedprompt.verbs.update import UpdateReply, UpdateTask
from fedprompt.verbs.verb import Answer, refused
from fedprompt.verbs.weights import WeightsReply, WeightsTask

__all__ = ["PretrainingWorker"]


class PretrainingWorker(TaskWorker):
    """One site's worker; ``side`` is what its verbs work with. ``bounded`` as for ``site.worker.Worker``."""

    def __init__(
        self,
        *,
        name: str,
        folder: SiteFolder,
        side: PretrainingAtSite,
        bounded: bool = True,
        source: Source | None = None,
        version: str = OWN,
    ) -> None:
        ledger = folder.ledger
        super().__init__(
            name=name,
            folder=folder,
            ledger=ledger,
            digest=side.digest,
            contents=hmac.new(folder.key, side.corpus.digest.encode(), hashlib.sha256).hexdigest(),
            replies=side.study.privacy.replies,
            source=source,
            version=version,
        )
        self.side, self._bounded = side, bounded
        self._tally = Tally(ledger, folder.replies)

    def _unfit(self, parcel: Parcel[Task]) -> Code | None:
        """Keep a part, though it may have come before: what came may have been removed since."""
        task = parcel.message
        if isinstance(task, WeightsTask) and not self.side.take_part(task.digest, task.part, parcel.arrays["start"]):
            return "bad-weights"
        return None

    def _answer(self, parcel: Parcel[Task], question: str) -> Answer:
        side, task = self.side, parcel.message
        counts, least = side.corpus.counts, max(side.study.privacy.min_cases, self._folder.policy.min_cases)
        if min(counts.kept, counts.held_out) < least:
            return refused(task, "too-few-cases")
        match task:
            case DescribeTask():
                return Answer(self._described(task))
            case WeightsTask():
                return Answer(WeightsReply(task=task.task, part=task.part))
            case PretrainTask():
                return self._pretrained(task, question, least)
            case UpdateTask():
                arrays = side.update_part(task.round, task.part) if task.round == self._answered else None
                if arrays is None:
                    return refused(task, "bad-task")
                return Answer(
                    UpdateReply(task=task.task, round=task.round, part=task.part, precision=side.precision), arrays
                )
            case PerplexityTask():
                return self._looked(task, least)
            case _:
                return refused(task, "not-supported")

    def _pretrained(self, task: PretrainTask, question: str, least: int) -> Answer:
        side = self.side
        if task.round > side.study.rounds.count:
            return refused(task, "not-allowed")
        if task.round <= self._answered:
            return refused(task, "round-answered")
        if side.documents_of(task.round) < least:
            return refused(task, "too-few-cases")
        if (weights := side.weights(task.digest)) is None:
            return refused(task, "bad-weights")
        most = side.study.privacy.updates or side.study.rounds.count
        if (charged := self._charge("trained", most)) is None:
            return refused(task, "updates-spent")
        spent: Beside = {"rounds": {self._scope: Rise(task.round)}, **charged}
        try:
            side.take_steps(task.round, weights, question)
        except TuningError as error:
            return self._failed_on(task, error, spent)
        return Answer(PretrainReply(task=task.task, round=task.round, documents=side.corpus.counts.kept), beside=spent)

    def _looked(self, task: PerplexityTask, least: int) -> Answer:
        """Answer for each round once, so that a hub cannot have the held-out text tell it weights of its choice."""
        scope, study = f"{self._scope} held out", self.side.study
        measured = (0, *study.rounds.scored_of(study.rounds.count))
        if task.round not in measured:
            return refused(task, "not-allowed")
        if task.round + 1 <= self._tally.number("rounds", scope):
            return refused(task, "round-answered")
        if (weights := self.side.weights(task.digest)) is None:
            return refused(task, "bad-weights")
        if (charged := self._charge("looks", study.privacy.questions or len(measured))) is None:
            return refused(task, "questions-spent")
        spent: Beside = {"rounds": {scope: Rise(task.round + 1)}, **charged}
        try:
            found = self.side.held_out(weights)
        except TuningError as error:
            return self._failed_on(task, error, spent)
        if found.documents < least:
            return refused(task, "too-few-cases")
        reply = PerplexityReply(
            task=task.task,
            loss=min(MOST, round(found.total / found.tokens, DIGITS)),
            tokens=found.tokens,
            documents=found.documents,
        )
        return Answer(reply, beside=spent)

    def _charge(self, kind: Literal["trained", "looks"], most: int) -> Beside | None:
        """Return what is to be kept beside an answer, None where the text has answered as often as it may."""
        if self._bounded and self._tally.number(kind, self._contents) >= most:
            return None
        return {kind: {self._contents: Count(1, most if self._bounded else None)}}

    def _failed_on(self, task: Task, error: TuningError, spent: Beside) -> Answer:
        """Answer what failed on the weights that came: one document may have made it fail, so it is charged."""
        if error.code != "not-finite":  # the disk, or a file of the site's own
            raise error
        self._failed(task, error)
        return replace(refused(task, "failed", tells=True), beside=spent)

    def _described(self, task: DescribeTask) -> DescribeReply:
        counts = self.side.corpus.counts
        return DescribeReply(
            task=task.task,
            tune=counts.kept,
            validation=counts.held_out,
            test=0,
            labels=(),
            version=self._version,
            identity=site_identity(self._folder.key),
        )

    @property
    def _scope(self) -> str:
        return self.side.drawing.scope(self.side.digest, "all")

    @property
    def _answered(self) -> int:
        """The highest round that was answered."""
        return self._tally.number("rounds", self._scope)
