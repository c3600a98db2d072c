"""A verb: its task and reply forms, their arrays, what a site does, what the hub checks, and how people read of it.

A new verb is one file and one line in ``verbs.registry``. The wire, the gate, the worker, the policy, the ledger's
sentences and the rehearsal take it from there. Whoever asks it calls ``hub.ask`` with its task form.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from fedprompt.boundary.checked import Bounds
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.tensors import Tensors
from fedprompt.stopping import StopToken
from fedprompt.study.schema import Study
from fedprompt.study.score import Score, SplitName
from fedprompt.verbs.beside import Beside
from fedprompt.verbs.forms import SHORT, Allowed, Arrays, Parcel, Reply, Task
from fedprompt.verbs.private_side import PrivateSide
from fedprompt.verbs.refusals import Code, Refusal
from fedprompt.verbs.summing_side import SummingSide

if TYPE_CHECKING:  # whoever opens a ledger knows the verbs; who computes is at a site
    from fedprompt.evaluation.runs.runner import PromptRun
    from fedprompt.evaluation.splits.cutting import Splits
    from fedprompt.models.protocols import Encoder, SoftObjective
    from fedprompt.tuning.steps import Tuned

__all__ = ["ABOUT", "Answer", "Asks", "Rehearsal", "SiteSide", "Terms", "Update", "Verb", "refused"]

ABOUT = "about"  # beside a reply in the ledger: which prompt it is a change of


@dataclass(frozen=True)
class Answer:
    """What a site found for a task.

    Attributes:
        reply: it, or a refusal.
        arrays: what travels beside it.
        beside: state that belongs to the reply, kept with it or not at all.
        about: the id of the prompt that the reply is a change of; it stands in the ledger and does not leave.
        tells: whether the cases were asked, so that even a refusal says something of them and is charged.
    """

    reply: Reply
    arrays: Arrays = field(default_factory=dict)
    beside: Beside = field(default_factory=dict)
    about: str | None = None
    tells: bool = True


def refused(task: Task, code: Code, *, tells: bool = False) -> Answer:
    """Return the refusal of a task; ``tells`` where the cases were asked before it was refused."""
    return Answer(Refusal(task=task.task, code=code), tells=tells)


@dataclass(frozen=True, eq=False)
class Update:
    """A change as it is to leave: its arrays, and what rounding left over, to be kept beside it."""

    arrays: Arrays
    beside: Beside


class EncodedSide(Protocol):
    """What a site has for heads; its ``secret`` is what the noise follows from, and nobody else knows it."""

    secret: bytes

    def encoder(self) -> "Encoder":
        """Return the bundled sentence encoder, loaded here for the first time."""
        ...

    def encoded(self, split: SplitName) -> NDArray[np.float32]:
        """Return [cases, width], the encoder's vectors of a split's cases, each made once."""
        ...


class SiteSide(Protocol):
    """What a verb may use at a site. Whatever it returns is the site's own: only an ``Answer`` leaves."""

    @property
    def study(self) -> Study:
        """The accepted study."""
        ...

    @property
    def splits(self) -> "Splits":
        """The site's cases."""
        ...

    @property
    def templates(self) -> Mapping[str, Prompt]:
        """The study's templates by id."""
        ...

    @property
    def version(self) -> str:
        """The site's fedprompt."""
        ...

    @property
    def identity(self) -> str:
        """The fingerprint of the site's key."""
        ...

    @property
    def min_cases(self) -> int:
        """The fewest cases that a number may be over."""
        ...

    @property
    def min_cell(self) -> int:
        """The fewest cases that a cell, a bin or a label's count may be over, but for none."""
        ...

    @property
    def private(self) -> PrivateSide | None:
        """The site's noised numbers, None where the study has no budget of privacy."""
        ...

    @property
    def details(self) -> bool:
        """Whether confusion matrices and calibration bins leave of soft prompts too, not of templates alone."""
        ...

    def nearest(self, split: SplitName) -> int:
        """Return of what number right answers of a soft prompt leave as a multiple, 1 where exactly."""
        ...

    @property
    def words_only(self) -> bool:
        """Whether the model is a chat model elsewhere, which gives no gradient."""
        ...

    def short(self, split: SplitName) -> bool:
        """Say whether a split has too few cases to say anything of it."""
        ...

    def soft(self, vectors: NDArray[np.float32]) -> SoftPrompt | None:
        """Return a soft prompt that came, None if its width or norm is off."""
        ...

    def brought(self, values: NDArray[np.float32], rounds: int | None = None) -> Prompt | None:
        """Return the prompt that values which came stand for in the study's rounds, None if they are refused.

        Args:
            values: the numbers.
            rounds: how many rounds may lie between them and the study's start; all of the study's if None.
        """
        ...

    def run(self, prompts: Sequence[Prompt], split: SplitName) -> "dict[str, PromptRun]":
        """Run prompts on a split, by id; what is known is not computed again."""
        ...

    def scored(self, run: "PromptRun", split: SplitName) -> Score:
        """Return the sums of a run."""
        ...

    def clipped(self, split: SplitName) -> int:
        """Count the cases that were too long for some prompt."""
        ...

    def looks(self, split: SplitName) -> int:
        """Count how often test was looked at, this time included; 0 for other splits."""
        ...

    def not_taken(self, task: Any) -> Code | None:
        """Say why the steps of a tune task are not taken: they are not the study's, or its round was answered."""
        ...

    def take_steps(self, task: Any, start: Tensors, question: str) -> "Tuned[Tensors]":
        """Tune from ``start`` as a tune task says."""
        ...

    def update(self, task: Any, delta: NDArray[np.float32]) -> Update:
        """Clip and quantise a change, with what earlier rounds left over; its round is answered with it."""
        ...

    @property
    def has_chosen(self) -> bool:
        """Whether the site has said before what it keeps for itself, which it does once a study."""
        ...

    def choosing(self) -> Beside:
        """Return what is kept beside the site's choice, so that it is made once."""
        ...

    def tuned_alone(self, start: SoftPrompt, question: str, score: Callable[[Prompt], float]) -> Prompt:
        """Return the site's own prompt: the best of the rounds of one site."""
        ...

    def keep_own(self, prompt: Prompt) -> str:
        """Keep a prompt that the hub is not to have; return the id under which it hears of it."""
        ...

    def own(self, name: str) -> SoftPrompt | None:
        """Return what was kept under such an id, None if nothing was."""
        ...

    @property
    def stop(self) -> StopToken:
        """What long work looks at."""
        ...

    def table(self, prompt: Prompt, split: SplitName, *, once: bool = False) -> NDArray[np.float64]:
        """Return [cases, labels] log-likelihoods of a prompt on a split; with ``once`` it is not asked for again."""
        ...

    def answers(self, split: SplitName) -> NDArray[np.int64]:
        """Return [cases], the place of each case's label."""
        ...

    def few(self, n: int, draw: int) -> NDArray[np.int64]:
        """Return the places of ``n`` tune cases, drawn under the site's key."""
        ...

    def few_rng(self, n: int, draw: int) -> np.random.Generator:
        """Return the stream of random numbers in which such a draw is tuned on, begun anew."""
        ...

    def objective_of(self, rows: NDArray[np.int64]) -> "SoftObjective":
        """Return some tune cases prepared for the study's soft template."""
        ...

    def few_table(self, prompt: Prompt, rows: NDArray[np.int64], objective: "SoftObjective") -> NDArray[np.float64]:
        """Return [rows, labels] log-likelihoods of a soft prompt on some tune cases, which ``objective`` prepared."""
        ...

    def answered_round(self, task: Any) -> Beside:
        """Return what is kept beside the answer to a tune task, so that its round is answered once."""
        ...

    @property
    def for_heads(self) -> "EncodedSide":
        """The encoder, the cases' vectors, and the secret of the noise."""
        ...

    @property
    def for_sums(self) -> SummingSide:
        """The site's key, and what it keeps of secure sums."""
        ...

    def has_answered(self, what: str) -> bool:
        """Say whether something was answered that is answered once a study."""
        ...

    def once(self, what: str) -> Beside:
        """Return what is kept beside such an answer."""
        ...


@dataclass(frozen=True)
class Terms:
    """What a hub holds against a reply: the site's name, the study, and what the site described of itself."""

    site: str
    study: Study | None = None
    described: Reply | None = None


class Asks(Protocol):
    """Whoever asks sites: the hub."""

    @property
    def version(self) -> str:
        """The hub's fedprompt."""
        ...

    def ask(
        self,
        site: str,
        form: type[Task],
        fields: Mapping[str, Any],
        arrays: Arrays | None = None,
        *,
        named: Sequence[Any] | None = None,
    ) -> Parcel[Reply]:
        """Ask one thing and return the checked reply.

        Args:
            site: whom.
            form: the verb's task.
            fields: of the task, without ``task``, ``study`` and ``known``.
            arrays: what travels with it.
            named: what the task's id is made of; the fields and arrays if left out.

        Raises:
            SiteRefused: the site refused; says why.
            FederationError: it could not be asked, its answer is none, or the verb's check found it at fault.
        """
        ...


@dataclass
class Rehearsal:
    """Asking every verb of one site, with nothing sent.

    Attributes:
        asks: the hub of the rehearsal.
        site: its only site.
        study: the accepted one.
        start: makes what tuning starts from.
        tuned: what tuning made, for what comes after it.
        encoder: returns the sentence encoder, None where there is none.
    """

    asks: Asks
    site: str
    study: Study
    start: Callable[[], Tensors]
    tuned: Tensors | None = None
    encoder: "Callable[[], Encoder] | None" = None


class Verb:
    """One verb.

    Attributes:
        name: as in messages and policies.
        task, reply: its forms; None where it has none.
        task_bounds, reply_bounds: what their JSON may hold.
        flat: whether its arrays may be flat ([size]), as those of other tunables than soft prompts are.
        by_default: whether a site's policy allows it unless its operator says otherwise.
        rehearsed: whether a rehearsal asks it.
        unrehearsed: what of it a rehearsal leaves out, and why.
    """

    name: ClassVar[str]
    task: ClassVar[type[Task] | None] = None
    reply: ClassVar[type[Reply] | None] = None
    task_bounds: ClassVar[Bounds] = SHORT
    reply_bounds: ClassVar[Bounds] = SHORT
    flat: ClassVar[bool] = False
    by_default: ClassVar[bool] = True
    unrehearsed: ClassVar[str | None] = None

    def task_arrays(self, task: Any) -> Allowed:
        """Return the arrays that a task must have."""
        return {}

    def reply_arrays(self, reply: Any) -> Allowed:
        """Return the arrays that a reply must have."""
        return {}

    def exact(self, task: Any) -> Sequence[tuple[SplitName, str]]:
        """Return the exact questions that a task asks, each a split and a name; the same one has the same name."""
        return ()

    def answer(self, site: SiteSide, task: Any, arrays: Arrays, question: str) -> Answer:
        """Return what the site answers; ``question`` is the digest of what is asked, for what is kept on the way."""
        return refused(task, "not-supported")

    def failed(self, site: SiteSide, task: Any) -> Beside:
        """Return what is kept beside a refusal where answering failed on what a hub brought, so that it is spent."""
        return {}

    def check(self, terms: Terms, asked: Parcel[Any], given: Parcel[Any]) -> None:
        """Hold a reply, whose form is right, against what was asked.

        Raises:
            FederationError: it contradicts the task, the study or what the site described; names the site.
        """

    def sentence(self, message: Mapping[str, Any], arrays: Mapping[str, Sequence[int]]) -> str:
        """Return what a ledger's entry of a reply held, after "this left: "; any field may be missing or wrong."""
        return f"a reply to '{self.name}'"

    def rehearse(self, rehearsal: Rehearsal) -> bool:
        """Ask it of the site; say whether there was anything to ask."""
        return False

    def left_out(self, study: Study) -> str | None:
        """Return what of it a rehearsal of a study leaves out, and why."""
        return self.unrehearsed
