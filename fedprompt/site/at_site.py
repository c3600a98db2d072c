"""What a site's verbs work with: its cases, its model, what it has computed and what it keeps for itself.

Everything here is the site's own. Only what a verb makes an answer of leaves, through the gate.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import ModelError
from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.chat_runner import ChatRun, score_chat
from fedprompt.evaluation.runs.label_pairs import label_pairs
from fedprompt.evaluation.runs.label_scores import label_scores
from fedprompt.evaluation.runs.runner import PromptRun, choice_run, run_prompts, to_score, true_labels
from fedprompt.evaluation.scorers import judged_by
from fedprompt.evaluation.scorers.scorer import Resources
from fedprompt.evaluation.splits.cutting import Splits
from fedprompt.models.chat.through_langchain import LangChainChat
from fedprompt.models.protocols import CaseObjective, CausalModel, SoftObjective
from fedprompt.models.work import Work
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.tensors import Tensors
from fedprompt.site.admission import looks_at
from fedprompt.site.brought import brought_prompt
from fedprompt.site.chat_runs import ChatAtSite
from fedprompt.site.drawing import Drawing
from fedprompt.site.folder import SiteFolder
from fedprompt.site.for_heads import ForHeads
from fedprompt.site.for_sums import ForSums, weight_of
from fedprompt.site.judge_calls import recorded
from fedprompt.site.ledger import Ledger
from fedprompt.site.local_steps import LocalSteps
from fedprompt.site.personal import OwnPrompts, hidden_id, tuned_alone
from fedprompt.site.prepared import PreparedSplits
from fedprompt.site.private_answers import PrivateAnswers
from fedprompt.site.residual import rounded
from fedprompt.site.tally import Tally
from fedprompt.stopping import StopToken
from fedprompt.study.allowed_rounds import FOLDS
from fedprompt.study.rounding import nearest_of
from fedprompt.study.schema import Study
from fedprompt.study.score import Method, Score, SplitName
from fedprompt.study.update_bound import longest_update
from fedprompt.trust.signing import site_identity
from fedprompt.tuning.steps import Tuned
from fedprompt.tuning.tunables.registry import tunable_of
from fedprompt.tuning.tunables.soft import soft_of
from fedprompt.verbs.beside import Beside, Rise
from fedprompt.verbs.refusals import Code
from fedprompt.verbs.tune import StepsTask
from fedprompt.verbs.verb import Update

__all__ = ["AtSite"]

Progress = Callable[[float, float], None]
CHOICE = "choice"  # is answered once a study, as a round is


class AtSite:
    """One site under one accepted study; implements ``verbs.verb.SiteSide``."""

    def __init__(
        self,
        *,
        name: str,
        folder: SiteFolder,
        study: Study,
        digest: str,
        model: CausalModel | LangChainChat,
        splits: Splits,
        ledger: Ledger,
        resources: Resources | None,
        version: str,
        bounded: bool,
        stop: StopToken,
        drawing: Drawing,
        private: PrivateAnswers | None = None,
    ) -> None:
        self._stop, self.private = stop, private
        self.name, self.study, self.splits, self.version = name, study, splits, version
        self._bounded = bounded
        self._folder, self._digest, self._ledger = folder, digest, ledger
        self._local = None if isinstance(model, LangChainChat) else model
        billed, judged = (partial(folder.bill.add, digest, role) for role in ("model", "judge"))
        self._chat = (
            ChatAtSite(model, folder, study.answer, splits.tune, hear=billed)
            if isinstance(model, LangChainChat)
            else None
        )
        self.resources = recorded(resources, folder.ledger, digest, folder.chat_replies, judged)
        pairs = () if self._local is None else label_pairs(self._local, study)
        self._judged_by = judged_by(study.answer, self.resources, nested=bool(pairs))
        self._cache = folder.scores
        self.templates: Mapping[str, Prompt] = {prompt.id: prompt for prompt in map(Prompt, study.candidates())}
        self._tunable = tunable_of(study)
        self._prepared = (
            None if self._tunable is None else PreparedSplits(study, self._tunable, splits, folder.path, stop)
        )
        self._work = Work()  # without the objectives' own
        # Values of single cases, so that a comparison asked for later computes nothing; they never leave this process.
        self._runs: dict[tuple[str, str], PromptRun] = {}
        self._tables: dict[tuple[str, str], NDArray[np.float64]] = {}  # of the same kind
        self._drawing = drawing
        self.for_heads = ForHeads(self.resources, splits, study, self._drawing.noise(digest))
        self._steps = LocalSteps(folder, study, digest, splits, drawing, private)
        self._tally = Tally(ledger, folder.replies)
        self.for_sums = ForSums(folder, study, digest, self._drawing, self._tally, weight_of(splits, study), bounded)
        self._clipped: dict[SplitName, int] = {}  # split -> cases that were too long for some prompt
        self.on_progress: Progress | None = None
        self.on_step: Callable[[int, int, float], None] | None = None  # hears (round, local step, loss); stays here
        self.on_tuned: Callable[[int, Sequence[float]], None] | None = None  # hears (round, each step's loss)

    @property
    def identity(self) -> str:
        """The fingerprint of the site's key."""
        return site_identity(self._folder.key)

    @property
    def min_cases(self) -> int:
        """The fewest cases that a number may be over: the study's or the operator's bound, whichever is higher."""
        return max(self.study.privacy.min_cases, self._folder.policy.min_cases)

    @property
    def min_cell(self) -> int:
        """The fewest cases that a cell, a bin or a label's count may be over, but for none."""
        return self.study.privacy.min_cell

    @property
    def details(self) -> bool:
        """Whether confusion matrices and calibration bins leave of soft prompts too, not of templates alone."""
        return not self._bounded or self.study.privacy.details == "all"

    def nearest(self, split: SplitName) -> int:
        """Return of what number right answers of a soft prompt leave as a multiple, 1 where exactly."""
        exact = not self._bounded or self.study.privacy.details != "templates"
        return 1 if exact else nearest_of(len(self.splits.cases(split)))

    @property
    def words_only(self) -> bool:
        """Whether the model is a chat model elsewhere, which gives no gradient."""
        return self._chat is not None

    def short(self, split: SplitName) -> bool:
        """Say whether a split has too few cases to say anything of it."""
        return self.splits.units[split] < self.min_cases

    def soft(self, vectors: NDArray[np.float32]) -> SoftPrompt | None:
        """Return a soft prompt that came, None if its width or norm is off.

        Raises:
            ModelError: the model takes words only.
        """
        return soft_of(self._model, vectors)

    def brought(self, values: NDArray[np.float32], rounds: int | None = None) -> Prompt | None:
        """Return the prompt that values which came stand for in the study's rounds, None if they are refused."""
        if self._tunable is None:
            return None
        return brought_prompt(self._tunable, self._model, self.study, self._folder.policy, values, rounds)

    @property
    def moved(self) -> tuple[int, ...] | None:
        """The shape of what the study's rounds move, None where they move nothing here."""
        return self._tunable.shape(self._local, self.study) if self._tunable and self._local else None

    def scored(self, run: PromptRun, split: SplitName) -> Score:
        """Return the sums of a run."""
        answer, cases = self.study.answer, self.splits.cases(split)
        if self._chat is not None:
            return score_chat(ChatRun(run), cases, split, answer, self._method(cases), self._judged_by)
        return to_score(run, cases, split, answer).model_copy(update={"judged_by": self._judged_by})

    def looks(self, split: SplitName) -> int:
        """Count how often test was looked at, this time included; 0 for other splits."""
        return looks_at(split, self._digest, self._ledger)

    def clipped(self, split: SplitName) -> int:
        """Count the cases that were too long for some prompt."""
        return self._clipped.get(split, 0)

    @property
    def all_clipped(self) -> Mapping[SplitName, int]:
        """Split -> cases that were too long for some prompt, of the splits that were looked at since it started."""
        return dict(self._clipped)

    def not_taken(self, task: StepsTask) -> Code | None:
        """Say why the steps of a tune task are not taken: they are not the study's, or its round was answered."""
        if math.prod(self.moved or ()) > self._folder.policy.parameters:
            return "not-allowed"
        answered = self._tally.number("rounds", self._drawing.scope(self._digest, task.among))
        # A site is in one of the folds: of the others alone it takes part in the rounds.
        others = sum(self.has_answered(fold) for fold in FOLDS if fold != task.among)
        if task.among in FOLDS and self.study.worth is not None and others >= self.study.worth.folds - 1:
            return "not-allowed"
        return self._steps.not_taken(task, answered, self.min_cases)

    def take_steps(self, task: StepsTask, start: Tensors, question: str) -> Tuned[Tensors]:
        """Tune from ``start`` as a tune task says.

        Raises:
            TuningError: the loss is no number.
        """
        moving = None if self._tunable is None else self._tunable.moving(self._model, self.study, task.round)
        tuned = self._steps.tune(task, start, self.objective("tune"), moving, question, self._stepped, self._stop)
        if self.on_tuned is not None:
            self.on_tuned(task.round, tuned.loss)
        return tuned

    def update(self, task: StepsTask, delta: NDArray[np.float32]) -> Update:
        """Clip and quantise a change (float32), with what earlier rounds left over.

        The round is answered with it.
        """
        precision, scope = self.study.rounds.update, self._drawing.scope(self._digest, task.among)
        most, kept = longest_update(self.study, delta.size, task.steps), self._folder.replies.kept("residual", scope)
        arrays, left = rounded(task, delta, precision, most, kept, feeds=self.private is None)
        return Update(arrays, {"residual": {} if left is None else {scope: left}, **self.answered_round(task)})

    def answered_round(self, task: StepsTask) -> Beside:
        """Return what is kept beside the answer to a tune task, so that its round is answered once."""
        return {"rounds": {self._drawing.scope(self._digest, task.among): Rise(task.round)}}

    @property
    def has_chosen(self) -> bool:
        """Whether the site has said before what it keeps for itself, which it does once a study."""
        return self.has_answered(CHOICE)

    def choosing(self) -> Beside:
        """Return what is kept beside the site's choice, so that it is made once."""
        return self.once(CHOICE)

    def has_answered(self, what: str) -> bool:
        """Say whether something was answered that is answered once a study."""
        return self._tally.number("rounds", self._drawing.scope(self._digest, what)) > 0

    def once(self, what: str) -> Beside:
        """Return what is kept beside such an answer, so that it is given once."""
        return {"rounds": {self._drawing.scope(self._digest, what): Rise(1)}}

    @property
    def stop(self) -> StopToken:
        """What long work looks at."""
        return self._stop

    def answers(self, split: SplitName) -> NDArray[np.int64]:
        """Return [cases], the place of each case's label."""
        return true_labels(self.splits.cases(split), self.study.answer)

    def few(self, n: int, draw: int) -> NDArray[np.int64]:
        """Return the places of ``n`` tune cases, drawn under the site's key; all labels as they come."""
        rng = self._drawing.few(self._digest, n, draw, "which")
        return np.sort(rng.choice(len(self.splits.tune), size=n, replace=False)).astype(np.int64)

    def few_rng(self, n: int, draw: int) -> np.random.Generator:
        """Return the stream of random numbers in which such a draw is tuned on, begun anew."""
        return self._drawing.few(self._digest, n, draw, "order")

    def objective_of(self, rows: NDArray[np.int64]) -> SoftObjective:
        """Return some tune cases prepared for the study's soft template."""
        assert self._prepared is not None
        return self._prepared.some(self._model, [self.splits.tune[row] for row in rows.tolist()])

    def table(self, prompt: Prompt, split: SplitName, *, once: bool = False) -> NDArray[np.float64]:
        """Return [cases, labels] log-likelihoods of a prompt on a split.

        A tuned prompt goes through the split's objective where its likelihoods are plain, as in :meth:`run`.

        Args:
            once: do not keep it, since it is not asked for again.
        """
        if (found := self._tables.get((split, prompt.id))) is not None:
            return found
        if prompt.tuned is not None and self._plain:
            found = self.objective(split).loglikelihoods(prompt.tuned.values)
        else:
            found = self.run([prompt], split)[prompt.id].table
        assert found is not None  # of a model of this machine and a choice it is there
        if not once:
            self._tables[split, prompt.id] = found
        return found

    def few_table(self, prompt: Prompt, rows: NDArray[np.int64], objective: SoftObjective) -> NDArray[np.float64]:
        """Return [rows, labels] log-likelihoods of a soft prompt on some tune cases, read as :meth:`table` reads them.

        Args:
            objective: what prepared these cases.
        """
        if self._plain:
            assert prompt.soft is not None
            return objective.loglikelihoods(prompt.soft.vectors)
        cases = [self.splits.tune[int(row)] for row in rows]
        scores, cost = label_scores(self._model, [prompt], cases, self.study.answer, self.splits.tune, stop=self._stop)
        self._work += cost.work
        return scores[:, 0]

    @property
    def _plain(self) -> bool:
        """Whether a choice is by the likelihoods as they are."""
        return self.study.answer.normalise == self.study.answer.prior == "none"

    def tuned_alone(self, start: SoftPrompt, question: str, score: Callable[[Prompt], float]) -> Prompt:
        """Return the site's own prompt: the best of the rounds of one site."""

        def rng(number: int) -> np.random.Generator:
            return self._drawing.rng(self._digest, number)

        objective, folder = self.objective("tune"), self._folder.path
        return tuned_alone(objective, start, self.study, rng, score, folder, question, self._stop)

    def keep_own(self, prompt: Prompt) -> str:
        """Keep a prompt that the hub is not to have; return the id under which it hears of it.

        Raises:
            DataError: it cannot be written.
        """
        name = hidden_id(self._folder.key, prompt)
        OwnPrompts(self._folder.path, self._digest).keep(name, prompt)
        return name

    def own(self, name: str) -> SoftPrompt | None:
        """Return what was kept under such an id, None if nothing was.

        Raises:
            DataError: the file is damaged.
        """
        return OwnPrompts(self._folder.path, self._digest).find(name)

    def objective(self, split: SplitName) -> CaseObjective:
        """Return a split prepared for what the study's rounds move, kept from one round to the next."""
        assert self._prepared is not None
        made = self._prepared.of(self._model, split)
        self._clipped[split] = max(self._clipped.get(split, 0), made.clipped)
        return made

    @property
    def work(self) -> Work:
        """What the model did for this worker's answers since it started; it never leaves."""
        return self._work if self._prepared is None else self._work + self._prepared.work

    def run(self, prompts: Sequence[Prompt], split: SplitName) -> dict[str, PromptRun]:
        """Return the runs of these prompts, those that are known not computed again.

        A tuned prompt alone on validation, as a round asks for it, goes through the split's objective and past the
        score cache. Keys and values of what stands before a slot are kept there, so that a look computes the slot and
        what follows; and a round's prompt is new, so that the cache would never know it. The numbers are the cached
        way's to 1e-4, not to the bit: tokens are packed otherwise. A process that is killed can lose one look.
        """
        missing = [prompt for prompt in prompts if (split, prompt.id) not in self._runs]
        cases, answer = self.splits.cases(split), self.study.answer
        if self._chat is not None:
            method = self._method(cases)
            asked = self._chat.run(self._digest, missing, cases, method, self._tell, self.resources, self._stop).runs
            self._runs.update({(split, one.run.prompt.id): one.run for one in asked})
            return {prompt.id: self._runs[split, prompt.id] for prompt in prompts}
        if split == "validation" and len(missing) == 1 and (tuned := missing[0].tuned) is not None and self._plain:
            table = self.objective(split).loglikelihoods(tuned.values)
            runs: tuple[PromptRun, ...] = (choice_run(missing[0], table, true_labels(cases, answer)),)
        else:
            runs, cost = run_prompts(
                self._model,
                missing,
                cases,
                answer,
                self.splits.tune,
                self._tell,
                self._cache,
                self.resources,
                stop=self._stop,
            )
            self._clipped[split] = max(self._clipped.get(split, 0), cost.clipped)
            self._work += cost.work
        self._runs.update({(split, run.prompt.id): run for run in runs})
        return {prompt.id: self._runs[split, prompt.id] for prompt in prompts}

    def _method(self, cases: Sequence[Case]) -> Method | None:
        """Return how a chat model is asked, the same for all of the study's templates."""
        probe = None if self._chat is None else self._chat.method([*self.templates.values()], cases)
        return None if probe is None else probe.method

    @property
    def _model(self) -> CausalModel:
        if self._local is None:
            raise ModelError(
                "a chat model reads only text: it cannot be tuned and takes no soft prompt", code="words-only"
            )
        return self._local

    def _stepped(self, task: StepsTask, step: int, loss: float) -> None:
        self._tell(step, task.steps)
        if self.on_step is not None:
            self.on_step(task.round, step, loss)

    def _tell(self, done: float, total: float) -> None:
        if self.on_progress is not None:
            self.on_progress(done, total)
