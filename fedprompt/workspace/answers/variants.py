"""One way of asking: a template, a model, a soft prompt and settings; and what came of one row.

A prompt of the bank is a variant on the model that it was scored with, its answers got as its study gets them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Protocol

from pydantic import Field, StringConstraints

from fedprompt.evaluation.runs.likelihoods import Normalise, Prior
from fedprompt.models.protocols import Decoding
from fedprompt.models.registry import DEFAULT_MODEL
from fedprompt.prompts.template import Template
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.schema import Closed
from fedprompt.workspace.answers.adapted_answers import answer_of_adapted, model_of_adapted
from fedprompt.workspace.answers.answering import model_name_of
from fedprompt.workspace.answers.composing import MOST_EXAMPLES, MOST_TURNS, Example, SaidTurn, composed, own_rows
from fedprompt.workspace.answers.contributions import Contribution
from fedprompt.workspace.bills.session_servers import SessionServer
from fedprompt.workspace.workspace import Workspace

__all__ = ["CalledTool", "Heard", "Ready", "RowResult", "Variant", "Writing", "bank_variant"]

Label = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Heard = Callable[[int, "RowResult", float], None]
Writing = Callable[[int, str], None]


class Variant(Closed):
    """A template's canonical JSON and its name, the model, and how an answer is got.

    ``labels`` empty asks for no probabilities; ``normalise`` and ``prior`` say how their likelihoods are compared, as a
    study does. ``soft`` is the id of a prompt in the bank whose soft prompt is to
    stand in the template's slot. ``adapted`` is the id of an adapted prompt: its members answer, and the template is
    that of the one which counts most, to be looked at. ``server`` is where a chat model of this session alone is asked.
    ``constants`` are variables with one value for every row, ``examples`` are shown before each text, and ``turns``
    continue the template's messages.
    """

    name: Annotated[str, StringConstraints(min_length=1, max_length=80)] = "playground"
    template: dict[str, Any]
    labels: Annotated[tuple[Label, ...], Field(max_length=256)] = ()
    constants: Annotated[
        dict[Annotated[str, StringConstraints(max_length=200)], Annotated[str, StringConstraints(max_length=100_000)]],
        Field(max_length=64),
    ] = Field(default_factory=dict)
    examples: Annotated[tuple[Example, ...], Field(max_length=MOST_EXAMPLES)] = ()
    turns: Annotated[tuple[SaidTurn, ...], Field(max_length=MOST_TURNS)] = ()
    soft: str | None = None
    adapted: Annotated[str, StringConstraints(max_length=40)] | None = None
    model: Annotated[str, StringConstraints(min_length=1, max_length=300)] = DEFAULT_MODEL
    server: SessionServer | None = None
    normalise: Normalise = "none"
    prior: Prior = "none"
    generate: bool = False
    max_tokens: Annotated[int, Field(ge=1, le=1024)] = 64
    stop: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=80)], ...], Field(max_length=16)
    ] = ()
    temperature: Annotated[float, Field(ge=0, le=10)] = 0.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    @property
    def decoding(self) -> Decoding:
        """How text is written."""
        return Decoding(self.max_tokens, self.stop, self.temperature, self.top_p, self.seed)

    @property
    def variables(self) -> tuple[str, ...]:
        """The template's variables, constants included.

        Raises:
            PromptError: the template is not well formed.
        """
        return Template.from_canonical(self.name, self.template).variables

    def made(self) -> Template:
        """Return the template as it is asked: a word for every label, constants, examples and turns written out.

        Raises:
            PromptError: it is not well formed.
        """
        template = Template.from_canonical(self.name, self.template)
        template = template.with_words(self.labels) if self.labels else template
        return composed(template, self.constants, self.examples, self.turns)

    def own_rows(self, rows: Sequence[Mapping[str, str]]) -> frozenset[int]:
        """Return the places of the rows that are among this variant's own examples.

        Raises:
            PromptError: the template is not well formed.
        """
        template = Template.from_canonical(self.name, self.template).filled(self.constants)
        return own_rows(template, self.examples, rows)


class CalledTool(Closed):
    """A tool that the model asks for, and its arguments as it wrote them."""

    name: Annotated[str, StringConstraints(max_length=200)]
    arguments: Annotated[str, StringConstraints(max_length=100_000)]


class RowResult(Closed):
    """One row: the text the model saw, the labels' probabilities (which sum to 1), and what it wrote.

    ``tokens`` went through the model or were written; ``read`` is how long the prompt is, ``written`` how long the
    text. ``cost`` in ``currency``: by this machine's price of a chat model, None without one.
    ``calls``: the tools that the model asks for, which nothing runs.
    ``contributions``: how much each word spoke for the answer. ``code`` is that of the ``error``, where it has one.
    """

    text: str
    probabilities: dict[str, float] | None = None
    answer: str | None = None
    generated: str | None = None
    tokens: int = 0
    read: int = 0
    written: int = 0
    cost: float | None = None
    currency: str = ""
    contributions: tuple[Contribution, ...] = ()
    calls: tuple[CalledTool, ...] = ()
    error: str | None = None
    code: str | None = None


class Ready(Protocol):
    """A variant whose model is loaded."""

    model_name: str

    def run(
        self,
        rows: Sequence[Mapping[str, str]],
        heard: Heard,
        writing: Writing,
        *,
        explain: bool = False,
        stop: StopToken = NEVER,
    ) -> None:
        """Run rows. ``heard`` gets (row, result, seconds) as each ends, ``writing`` (row, text so far) meanwhile.

        Both are called from the caller's thread. ``stop`` is looked at between two rows and while text is written.
        """
        ...


MOST_TOKENS, MOST_STOPS, LONGEST_STOP = 1024, 16, 80  # a variant's bounds, which a study's may pass


def bank_variant(ws: Workspace, prompt: str, name: str) -> Variant:
    """Return the variant that runs a prompt of the bank; a choice among its labels, or text where it has none.

    Args:
        ws: the workspace.
        prompt: an id, a beginning of one, ``name@tag``, or an adapted prompt's name.
        name: what the variant is called.

    Raises:
        BankError: the bank has no such prompt.
    """
    if ws.bank.is_adapted(prompt):
        return _adapted_variant(ws, prompt, name)
    found, row = ws.bank.prompt(prompt), ws.bank.prompt_row(prompt)
    study = None if row.study is None else ws.bank.study(row.study).study
    labels = tuple(found.template.words or {})
    writing: dict[str, Any] = {"generate": not labels}
    if study is not None and labels:
        writing |= {"normalise": study.answer.normalise, "prior": study.answer.prior}
    elif study is not None:
        answer = study.answer
        writing |= {
            "max_tokens": min(answer.max_tokens, MOST_TOKENS),
            "stop": tuple(stop[:LONGEST_STOP] for stop in answer.stop[:MOST_STOPS]),
            "temperature": answer.temperature,
            "top_p": answer.top_p,
            "seed": answer.seed,
        }
    return Variant(
        name=name[:80],
        template=found.template.canonical(),
        labels=labels,
        soft=found.id if found.tuned is not None else None,
        model=model_name_of(ws, found, study),
        **writing,
    )


def _adapted_variant(ws: Workspace, reference: str, name: str) -> Variant:
    row = ws.bank.adapted_row(reference)
    adapted = ws.bank.adapted(row)
    answer = answer_of_adapted(ws, row)
    heaviest = adapted.heaviest
    return Variant(
        name=name[:80],
        template=heaviest.template.with_words(adapted.labels).canonical(),
        labels=adapted.labels,
        soft=None if heaviest.soft is None else heaviest.id,
        adapted=row.id,
        model=model_of_adapted(ws, row, adapted),
        normalise=answer.normalise,
        prior=answer.prior,
    )
