"""The worker: holds the model and a site's cases, and answers a fixed list of verbs through the gate.

No code travels: a task names prompts of the accepted study, or brings a soft prompt whose shape, norm and values are
checked. What a worker logs names codes and counts, never a case.
"""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import EgressRefused, FedPromptError, LedgerError, PromptError
from fedprompt.evaluation.runner import (
    PromptRun,
    choice_run,
    compare_runs,
    query,
    run_prompts,
    to_score,
    true_labels,
)
from fedprompt.evaluation.splits import Splits
from fedprompt.models.protocols import CausalModel, SoftObjective
from fedprompt.privacy.clipping import clip
from fedprompt.privacy.egress import unpack_task
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Template
from fedprompt.site.folder import SiteFolder
from fedprompt.site.gate import Gate, Outgoing
from fedprompt.study.messages import (
    DescribeReply,
    DescribeTask,
    EvaluateTask,
    Refusal,
    Reply,
    ScoreReply,
    ScoreTask,
    TuneReply,
    TuneTask,
)
from fedprompt.study.schema import Study
from fedprompt.study.score import SplitName
from fedprompt.tuning.soft import tune_soft

__all__ = ["Worker", "site_seed"]

logger = logging.getLogger(__name__)
Arrays = Mapping[str, NDArray[np.float32]]
Progress = Callable[[float, float], None]
# Enough rows for a bank of candidates; a soft prompt's rows are of the size of embeddings, not of this.
MAX_SOFT_NORM = 1e4


class Worker:
    """One site's worker for one accepted study."""

    def __init__(self, *, name: str, folder: SiteFolder, study: Study, model: CausalModel, splits: Splits) -> None:
        self.name, self.splits = name, splits
        self._study, self._model, self._folder = study, model, folder
        self.digest = study.digest(model.info.digest)
        self._gate = Gate(folder.ledger, study=self.digest, budget=study.privacy.replies)
        self._templates = {prompt.id: prompt for prompt in map(Prompt, study.candidates())}
        self._objectives: dict[str, SoftObjective] = {}
        # Values of single cases, so that a comparison asked for later computes nothing; they never leave this process.
        self._runs: dict[tuple[str, str], PromptRun] = {}
        self.on_progress: Progress | None = None

    def handle(self, data: bytes) -> Outgoing:
        """Answer one task.

        Raises:
            LedgerError: the ledger cannot be written, so nothing leaves.
            EgressRefused: the bytes are no task at all, so there is nothing to answer.
        """
        parcel = unpack_task(data)
        task = parcel.message
        try:
            if task.study != self.digest:
                return self._gate.send(Refusal(task=task.task, code="unknown-study"))
            if isinstance(task, DescribeTask):
                return self._gate.send(self._describe(task))
            if isinstance(task, ScoreTask):
                return self._gate.send(self._score(task))
            if isinstance(task, TuneTask):
                reply, arrays = self._tune(task, parcel.arrays)
                return self._gate.send(reply, arrays)
            return self._gate.send(self._evaluate(task, parcel.arrays))
        except (LedgerError, EgressRefused):
            raise
        except FedPromptError as error:
            logger.warning("site %s: %s failed: %s", self.name, task.verb, type(error).__name__)
            return self._gate.send(Refusal(task=task.task, code="failed"))

    def _describe(self, task: DescribeTask) -> Reply:
        if sum(self.splits.units.values()) < self._study.privacy.min_cases:
            return Refusal(task=task.task, code="too-few-cases")
        everything = (*self.splits.tune, *self.splits.validation, *self.splits.test)
        counts = tuple(sum(case.answer == label for case in everything) for label in self._study.answer.labels)
        tune, validation, test = (len(self.splits.cases(s)) for s in ("tune", "validation", "test"))
        return DescribeReply(task=task.task, tune=tune, validation=validation, test=test, labels=counts)

    def _score(self, task: ScoreTask) -> Reply:
        wanted = tuple(dict.fromkeys([*task.prompts, *([] if task.reference is None else [task.reference])]))
        if any(prompt not in self._templates for prompt in wanted):
            return Refusal(task=task.task, code="unknown-prompt")
        if self._short("validation"):
            return Refusal(task=task.task, code="too-few-cases")
        runs = self._run([self._templates[prompt] for prompt in wanted], "validation")
        reference = task.reference
        pairs = [] if reference is None else [(prompt, reference) for prompt in task.prompts if prompt != reference]
        return self._report("score", task.task, runs, pairs, "validation")

    def _tune(self, task: TuneTask, arrays: Arrays) -> tuple[Reply, Arrays]:
        if self._short("tune"):
            return Refusal(task=task.task, code="too-few-cases"), {}
        spec = self._study.soft
        start = self._checked(arrays["start"])
        if spec is None or start is None or start.tokens != spec.tokens:
            return Refusal(task=task.task, code="bad-soft-prompt"), {}
        tuned = tune_soft(
            self.objective("tune"),
            start,
            steps=task.steps,
            batch=self._study.tuning.batch,
            lr=self._study.tuning.lr,
            rng=np.random.default_rng(np.random.SeedSequence([task.seed, site_seed(self.name), task.round])),
            progress=None if self.on_progress is None else lambda step, loss: self._tell(step, task.steps),
        )
        delta = clip(tuned.soft.vectors - start.vectors, self._study.privacy.max_norm)
        loss = float(np.mean(tuned.loss))
        reply = TuneReply(task=task.task, round=task.round, cases=len(self.splits.tune), loss=loss)
        return reply, {"delta": delta}

    def _evaluate(self, task: EvaluateTask, arrays: Arrays) -> Reply:
        if any(prompt not in self._templates for prompt in task.templates):
            return Refusal(task=task.task, code="unknown-prompt")
        if self._short(task.split):
            return Refusal(task=task.task, code="too-few-cases")
        prompts = [self._templates[prompt] for prompt in task.templates]
        if task.soft and self._study.soft is None:
            return Refusal(task=task.task, code="bad-soft-prompt")
        for place, claimed in enumerate(task.soft):
            soft = self._checked(arrays[f"soft-{place}"])
            if soft is None:
                return Refusal(task=task.task, code="bad-soft-prompt")
            prompt = Prompt(self._study.soft_template(), soft)
            if prompt.id != claimed:
                return Refusal(task=task.task, code="bad-soft-prompt")
            prompts.append(prompt)
        known = {prompt.id for prompt in prompts}
        if not prompts or any(p not in known for pair in task.pairs for p in pair):
            return Refusal(task=task.task, code="unknown-prompt")
        runs = self._run(prompts, task.split)
        looks = self._look(task.split)
        return self._report("evaluate", task.task, runs, task.pairs, task.split, looks)

    def objective(self, split: SplitName) -> SoftObjective:
        """Return a split prepared for the study's soft template, kept from one round to the next."""
        if split not in self._objectives:
            template: Template = self._study.soft_template()
            if self._study.soft is None:
                raise PromptError("the study has no soft slot")
            slot = Prompt(template, SoftPrompt(np.zeros((1, 1), np.float32), "slot"))
            cases, labels = self.splits.cases(split), self._study.answer.labels
            queries = [query(slot, case, labels, ()) for case in cases]
            answers = true_labels(cases, self._study.answer).tolist()
            self._objectives[split] = self._model.objective(queries, answers, self._study.soft.tokens)
        return self._objectives[split]

    def _run(self, prompts: Sequence[Prompt], split: SplitName) -> dict[str, PromptRun]:
        missing = [prompt for prompt in prompts if (split, prompt.id) not in self._runs]
        cases, answer = self.splits.cases(split), self._study.answer
        if split == "validation" and len(missing) == 1 and missing[0].soft is not None:
            table = self.objective(split).loglikelihoods(missing[0].soft.vectors)
            runs: tuple[PromptRun, ...] = (choice_run(missing[0], table, true_labels(cases, answer)),)
        else:
            runs, _ = run_prompts(self._model, missing, cases, answer, self.splits.tune, self._tell)
        self._runs.update({(split, run.prompt.id): run for run in runs})
        return {prompt.id: self._runs[split, prompt.id] for prompt in prompts}

    def _report(
        self,
        verb: str,
        task: str,
        runs: Mapping[str, PromptRun],
        pairs: Sequence[tuple[str, str]],
        split: SplitName,
        looks: int = 0,
    ) -> Reply:
        cases = self.splits.cases(split)
        return ScoreReply(
            verb="score" if verb == "score" else "evaluate",
            task=task,
            scores=tuple(to_score(run, cases, split, self._study.answer) for run in runs.values()),
            comparisons=tuple(compare_runs(runs[a], runs[b], cases, split) for a, b in pairs),
            looks=looks,
        )

    def _checked(self, vectors: NDArray[np.float32]) -> SoftPrompt | None:
        if (
            vectors.shape[1] != self._model.info.width
            or float(np.linalg.norm(vectors.astype(np.float64))) > MAX_SOFT_NORM
        ):
            return None
        return SoftPrompt(vectors, self._model.info.digest)

    def _short(self, split: SplitName) -> bool:
        return self.splits.units[split] < self._study.privacy.min_cases

    def _look(self, split: SplitName) -> int:
        """Count how often test was looked at, this time included."""
        if split != "test":
            return 0
        earlier = sum(
            entry.study == self.digest and entry.decision == "sent" and int(entry.message.get("looks", 0)) > 0
            for entry in self._folder.ledger.entries()
        )
        return earlier + 1

    def _tell(self, done: float, total: float) -> None:
        if self.on_progress is not None:
            self.on_progress(done, total)


def site_seed(name: str) -> int:
    """Return the number that stands for a site in ``SeedSequence([seed, site, round])``."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")
