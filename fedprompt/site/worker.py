"""The worker: holds the model and a site's cases, and answers a fixed list of verbs through the gate.

No code travels: a task names prompts of the accepted study, or brings a soft prompt whose shape, norm and values are
checked. What a worker logs names codes and counts, never a case.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import EgressRefused, FedPromptError, LedgerError, ModelError, TuningError
from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.chat_runner import ChatRun, score_chat
from fedprompt.evaluation.runs.label_pairs import label_pairs
from fedprompt.evaluation.runs.runner import (
    PromptRun,
    choice_run,
    compare_runs,
    run_prompts,
    to_score,
    true_labels,
)
from fedprompt.evaluation.scorers import judged_by
from fedprompt.evaluation.scorers.scorer import Resources
from fedprompt.evaluation.splits.cutting import Splits
from fedprompt.models.chat.through_langchain import LangChainChat
from fedprompt.models.protocols import CausalModel, SoftObjective
from fedprompt.models.work import Work
from fedprompt.privacy.quantise import with_feedback
from fedprompt.privacy.wire import Parcel, unpack_task
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.site.admission import contents_of, looks_at, not_now, question_of
from fedprompt.site.chat_runs import ChatAtSite
from fedprompt.site.folder import SiteFolder
from fedprompt.site.gate import Gate, Outgoing
from fedprompt.site.judge_calls import recorded
from fedprompt.site.local_steps import LocalSteps, round_rng
from fedprompt.site.personal import OwnPrompts, candidates, first_best, hidden_id, tuned_alone
from fedprompt.site.residual import pack_residual, residual_for
from fedprompt.study.messages import (
    Choice,
    DescribeReply,
    DescribeTask,
    EvaluateTask,
    Refusal,
    Reply,
    ScoreReply,
    ScoreTask,
    Task,
    TuneReply,
    TuneTask,
)
from fedprompt.study.schema import Study
from fedprompt.study.score import Method, Score, SplitName
from fedprompt.study.versions import OWN, misfit
from fedprompt.trust.signing import site_identity
from fedprompt.tuning.metered import MeteredObjective, prepare

__all__ = ["Worker"]

logger = logging.getLogger(__name__)
Arrays = Mapping[str, NDArray[np.float32]]
Progress = Callable[[float, float], None]
# Enough rows for a bank of candidates; a soft prompt's rows are of the size of embeddings, not of this.
MAX_SOFT_NORM = 1e4


class Worker:
    """One site's worker for one accepted study."""

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
    ) -> None:
        self.name, self.splits, self._version = name, splits, version
        self._study, self._folder = study, folder
        self._local = None if isinstance(model, LangChainChat) else model
        self.digest = study.digest(model.info.digest)
        billed, judged = (partial(folder.bill.add, self.digest, role) for role in ("model", "judge"))
        self._chat = (
            ChatAtSite(model, folder, study.answer, splits.tune, hear=billed)
            if isinstance(model, LangChainChat)
            else None
        )
        self.resources = recorded(resources, folder.ledger, self.digest, folder.chat_replies, judged)
        pairs = () if self._local is None else label_pairs(self._local, study)
        self._judged_by = judged_by(study.answer, self.resources, nested=bool(pairs))
        budget = min(study.privacy.replies, folder.policy.replies)
        self._ledger = folder.ledger  # one object, which remembers what it checked
        self._gate = Gate(self._ledger, folder.replies, study=self.digest, budget=budget)
        self._contents = contents_of(folder.key, splits)
        self._one = threading.Lock()  # one task at a time, whatever the transport
        self._cache = folder.scores
        self._templates = {prompt.id: prompt for prompt in map(Prompt, study.candidates())}
        self._objectives: dict[str, MeteredObjective] = {}
        self._work = Work()  # without the objectives' own
        # Values of single cases, so that a comparison asked for later computes nothing; they never leave this process.
        self._runs: dict[tuple[str, str], PromptRun] = {}
        self._steps = LocalSteps(name, folder, study)
        self._clipped: dict[SplitName, int] = {}  # split -> cases that were too long for some prompt
        self.failure: FedPromptError | None = None  # the last one
        self.on_progress: Progress | None = None
        self.on_step: Callable[[int, int, float], None] | None = None  # hears (round, local step, loss); stays here

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
        arrays: Arrays = {}
        residual: bytes | None = None
        about: str | None = None
        try:
            code = not_now(task, self.digest, self._folder, self._ledger)
            reply: Reply
            if code is not None:
                reply = Refusal(task=task.task, code=code)
            elif (kept := self._gate.again(question, task.known)) is not None:
                return kept
            elif isinstance(task, DescribeTask):
                reply = self._describe(task)
            elif isinstance(task, ScoreTask):
                reply = self._score(task)
            elif isinstance(task, TuneTask):
                reply, arrays, residual = self._tune(task, parcel.arrays, question)
                about = self._tuned_from(parcel.arrays) if isinstance(reply, TuneReply) else None
            elif isinstance(task, EvaluateTask):
                reply = self._evaluate(task, parcel.arrays, question)
            else:
                reply = Refusal(task=task.task, code="not-supported")
            return self._gate.send(reply, arrays, question=question, known=task.known, residual=residual, about=about)
        except (LedgerError, EgressRefused):
            raise
        except FedPromptError as error:
            self.failure = error  # for who runs this process; the hub is told that it failed, no more
            # Tuning's words are a step and a rate; those of others may name a line of the site's own file.
            said = str(error) if isinstance(error, TuningError) else type(error).__name__
            logger.warning("site %s: %s failed: %s", self.name, task.verb, said)
            return self._gate.send(Refusal(task=task.task, code="failed"), question=question, known=task.known)

    def _describe(self, task: DescribeTask) -> Reply:
        if sum(self.splits.units.values()) < self._min_cases:
            return Refusal(task=task.task, code="too-few-cases")
        everything = (*self.splits.tune, *self.splits.validation, *self.splits.test)
        counts = tuple(sum(case.answer == label for case in everything) for label in self._study.answer.labels)
        tune, validation, test = (len(self.splits.cases(s)) for s in ("tune", "validation", "test"))
        if (told := misfit(task.version, self._version)) is not None:
            logger.error("site %s: %s", self.name, told)  # the hub says the same, and goes on without this site
        return DescribeReply(
            task=task.task,
            tune=tune,
            validation=validation,
            test=test,
            labels=counts,
            version=self._version,
            identity=site_identity(self._folder.key),
        )

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

    def _tune(self, task: TuneTask, arrays: Arrays, question: str) -> tuple[Reply, Arrays, bytes | None]:
        if self._short("tune"):
            return Refusal(task=task.task, code="too-few-cases"), {}, None
        if task.steps > self._study.tuning.steps:  # no more than the operator accepted
            return Refusal(task=task.task, code="not-allowed"), {}, None
        if self._chat is not None:  # a server takes words and gives no gradient
            return Refusal(task=task.task, code="not-supported"), {}, None
        spec = self._study.soft
        start = self._checked(arrays["start"])
        if spec is None or start is None or start.tokens != spec.tokens:
            return Refusal(task=task.task, code="bad-soft-prompt"), {}, None
        tuned = self._steps.tune(task, start, self.objective("tune"), question, self._stepped)
        delta, precision = tuned.soft.vectors - start.vectors, self._study.rounds.update
        before = residual_for(task, self._folder.replies.residual(self.digest), delta.shape)
        sent = with_feedback(delta, before, precision, self._study.privacy.max_norm)
        reply = TuneReply(
            task=task.task,
            round=task.round,
            cases=len(self.splits.tune),
            loss=float(np.mean(tuned.loss)),
            precision=precision,
        )
        return reply, sent.arrays, None if precision == "float32" else pack_residual(task, sent.residual)

    def _tuned_from(self, arrays: Arrays) -> str | None:
        """Return the id of the prompt that a round starts from, for the ledger."""
        start = self._checked(arrays["start"])
        return None if start is None else Prompt(self._study.soft_template(), start).id

    def _evaluate(self, task: EvaluateTask, arrays: Arrays, question: str) -> Reply:
        if any(prompt not in self._templates for prompt in task.templates):
            return Refusal(task=task.task, code="unknown-prompt")
        if self._short(task.split):
            return Refusal(task=task.task, code="too-few-cases")
        prompts = [self._templates[prompt] for prompt in task.templates]
        for place, claimed in enumerate(task.soft):
            soft = self._checked(arrays[f"soft-{place}"])
            if soft is None or self._study.soft is None or soft.tokens != self._study.soft.tokens:
                return Refusal(task=task.task, code="bad-soft-prompt")
            prompt = Prompt(self._study.soft_template(), soft)
            if prompt.id != claimed:
                return Refusal(task=task.task, code="bad-soft-prompt")
            prompts.append(prompt)
        if task.choose is not None:
            return self._choose(task, task.choose, prompts, self._checked(arrays["start"]), question)
        kept = None if task.own is None else OwnPrompts(self._folder.path, self.digest).find(task.own)
        if task.own is not None and kept is None:
            return Refusal(task=task.task, code="unknown-prompt")
        # The hub knows what the site keeps for itself by a hidden id alone, so that is what its answer says.
        hidden = {} if kept is None else {task.own: Prompt(self._study.soft_template(), kept)}
        named: dict[str | None, Prompt] = {**{prompt.id: prompt for prompt in prompts}, **hidden}
        if not named or any(p not in named for pair in task.pairs for p in pair):
            return Refusal(task=task.task, code="unknown-prompt")
        found = self._run(list(named.values()), task.split)
        runs = {str(name): found[prompt.id] for name, prompt in named.items()}
        looks = looks_at(task.split, self.digest, self._ledger)
        return self._report("evaluate", task.task, runs, task.pairs, task.split, looks)

    def _choose(
        self, task: EvaluateTask, seed: int, given: Sequence[Prompt], start: SoftPrompt | None, question: str
    ) -> Reply:
        """Answer which of the prompts, the site's own and mixtures is best here, and how good; nothing else."""
        personal, spec = self._study.rounds.personal, self._study.soft
        soft = [prompt for prompt in given if prompt.soft is not None]
        if personal is None or task.split != "validation" or task.pairs or task.own is not None:
            return Refusal(task=task.task, code="not-allowed")
        if self._short("tune"):
            return Refusal(task=task.task, code="too-few-cases")
        if not 1 <= len(soft) <= 2 or spec is None or start is None or start.tokens != spec.tokens:
            return Refusal(task=task.task, code="bad-soft-prompt")

        def score(prompt: Prompt) -> float:
            run = self._run([prompt], "validation")[prompt.id]
            found = self._scored(run, self.splits.cases("validation"), "validation")
            return found.total / found.n if found.n else -1.0

        def rng(number: int) -> np.random.Generator:
            return round_rng(seed, self.name, number)

        own = tuned_alone(self.objective("tune"), start, self._study, rng, score, self._folder.path, question)
        templates = [prompt for prompt in given if prompt.soft is None]
        asked = candidates(templates, soft[0], soft[1] if len(soft) > 1 else None, own, personal.mixtures)
        chosen = first_best({one: score(one.prompt) for one in asked})
        name = chosen.prompt.id
        if chosen.hidden:
            name = hidden_id(self._folder.key, chosen.prompt)
            OwnPrompts(self._folder.path, self.digest).keep(name, chosen.prompt)
        runs = {name: self._run([chosen.prompt], "validation")[chosen.prompt.id]}
        reply = self._report("evaluate", task.task, runs, (), "validation")
        if not isinstance(reply, ScoreReply):
            return reply
        return reply.model_copy(update={"choice": Choice(kind=chosen.kind, prompt=name, share=chosen.share)})

    def objective(self, split: SplitName) -> SoftObjective:
        """Return a split prepared for the study's soft template, kept from one round to the next."""
        if split not in self._objectives:
            kind = self._study.tuning.objective if split == "tune" else "labels"
            cases, tune, folder = self.splits.cases(split), self.splits.tune, self._folder.path
            made = prepare(self._model, self._study, cases, tune=tune, kind=kind, folder=folder)
            self._objectives[split] = made
            self._clipped[split] = max(self._clipped.get(split, 0), made.clipped)
        return self._objectives[split]

    @property
    def work(self) -> Work:
        """What the model did for this worker's answers since it started; it never leaves."""
        return sum((made.work for made in self._objectives.values()), self._work)

    @property
    def clipped(self) -> Mapping[SplitName, int]:
        """Split -> cases that were too long for some prompt, of the splits that were looked at since it started."""
        return dict(self._clipped)

    def _run(self, prompts: Sequence[Prompt], split: SplitName) -> dict[str, PromptRun]:
        """Return the runs of these prompts, those that are known not computed again.

        A soft prompt alone on validation, as a round asks for it, goes through the split's objective and past the score
        cache. Keys and values of what stands before the slot are kept there, so that a look computes the slot and what
        follows; and a round's prompt is new, so that the cache would never know it. The numbers are the cached way's to
        1e-4, not to the bit: tokens are packed otherwise. What a process that is killed can lose is one look.
        """
        missing = [prompt for prompt in prompts if (split, prompt.id) not in self._runs]
        cases, answer = self.splits.cases(split), self._study.answer
        if self._chat is not None:
            method = self._method(cases)
            asked = self._chat.run(self.digest, missing, cases, method, self._tell, self.resources).runs
            self._runs.update({(split, one.run.prompt.id): one.run for one in asked})
            return {prompt.id: self._runs[split, prompt.id] for prompt in prompts}
        plain = answer.normalise == answer.prior == "none"
        if split == "validation" and len(missing) == 1 and missing[0].soft is not None and plain:
            table = self.objective(split).loglikelihoods(missing[0].soft.vectors)
            runs: tuple[PromptRun, ...] = (choice_run(missing[0], table, true_labels(cases, answer)),)
        else:
            runs, cost = run_prompts(
                self._model, missing, cases, answer, self.splits.tune, self._tell, self._cache, self.resources
            )
            self._clipped[split] = max(self._clipped.get(split, 0), cost.clipped)
            self._work += cost.work
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
        scores = tuple(
            self._scored(run, cases, split).model_copy(update={"prompt": name}) for name, run in runs.items()
        )
        compared = tuple(
            compare_runs(runs[a], runs[b], cases, split).model_copy(update={"first": a, "second": b}) for a, b in pairs
        )
        # Free text that a scorer could not judge is in no sum, so a sum may be over fewer cases than the split has.
        sizes = [score.n for score in scores] + [pair.n for pair in compared]
        if any(size < self._min_cases for size in sizes):
            return Refusal(task=task, code="too-few-cases")
        return ScoreReply(
            verb="score" if verb == "score" else "evaluate",
            task=task,
            scores=scores,
            comparisons=compared,
            looks=looks,
            clipped=self._clipped.get(split, 0),
        )

    def _scored(self, run: PromptRun, cases: Sequence[Case], split: SplitName) -> Score:
        answer, by = self._study.answer, self._judged_by
        if self._chat is not None:
            return score_chat(ChatRun(run), cases, split, answer, self._method(cases), by)
        return to_score(run, cases, split, answer).model_copy(update={"judged_by": by})

    def _method(self, cases: Sequence[Case]) -> Method | None:
        """Return how a chat model is asked, the same for all of the study's templates."""
        probe = None if self._chat is None else self._chat.method([*self._templates.values()], cases)
        return None if probe is None else probe.method

    @property
    def _model(self) -> CausalModel:
        if self._local is None:
            raise ModelError("a chat model takes words only: it cannot be tuned, nor given a soft prompt")
        return self._local

    def _checked(self, vectors: NDArray[np.float32]) -> SoftPrompt | None:
        if (
            vectors.shape[1] != self._model.info.width
            or float(np.linalg.norm(vectors.astype(np.float64))) > MAX_SOFT_NORM
        ):
            return None
        return SoftPrompt(vectors, self._model.info.digest)

    def _short(self, split: SplitName) -> bool:
        return self.splits.units[split] < self._min_cases

    @property
    def _min_cases(self) -> int:
        return max(self._study.privacy.min_cases, self._folder.policy.min_cases)

    def _stepped(self, task: TuneTask, step: int, loss: float) -> None:
        self._tell(step, task.steps)
        if self.on_step is not None:
            self.on_step(task.round, step, loss)

    def _tell(self, done: float, total: float) -> None:
        if self.on_progress is not None:
            self.on_progress(done, total)
