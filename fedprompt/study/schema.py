"""What a study file may hold: frozen, closed models with the defaults filled in.

A study is one task that sites work on together. The digest is over canonical JSON with defaults filled in and the
model's digest, so a comment changes nothing and a default that changes does.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from fedprompt.errors import PromptError, did_you_mean
from fedprompt.prompts.ids import canonical_json, content_id
from fedprompt.prompts.template import RESERVED, Template
from fedprompt.strategies.registry import strategy_named
from fedprompt.study.answer import Answer, Closed, FieldName, Name, ScorerSpec
from fedprompt.study.dp import DifferentialPrivacy, dp_misfit
from fedprompt.study.labels import alike, is_kept
from fedprompt.study.local_steps import Tuning
from fedprompt.study.pretraining import Pretraining, text_alone, unfit_rounds
from fedprompt.study.round_size import too_few_drawn
from fedprompt.study.rounding import SHARE
from fedprompt.study.secure_sums import MaybeSecureSums, excluded
from fedprompt.study.sharing import Groups, Personal, SharedHead, Worth, absent
from fedprompt.study.strategies import filled_options, least_sites
from fedprompt.study.templates import DemonstrationsSpec, Init, MessageSpec, Soft, TemplateSpec
from fedprompt.study.tunable import Tunable

__all__ = [
    "Answer",
    "Closed",
    "DemonstrationsSpec",
    "Init",
    "MessageSpec",
    "Precision",
    "Privacy",
    "Rounds",
    "ScorerSpec",
    "Soft",
    "Splits",
    "Strategy",
    "Study",
    "TemplateSpec",
    "Tuning",
    "study_digest",
]

StudyName = Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=r"^\w[\w +-]*$")]  # names a file
Precision = Literal["float32", "float16", "int8"]
MOST = 10**9
YEAR = 366 * 86_400.0


class Strategy(Closed):
    """How updates become one prompt."""

    name: Name = "fedavg"
    options: dict[Name, float] = Field(default={}, validate_default=True)

    @field_validator("options")
    @classmethod
    def _filled(cls, options: dict[str, float], info: ValidationInfo) -> dict[str, float]:
        return filled_options(info.data.get("name", ""), options)

    @property
    def least_sites(self) -> int:
        """How many sites must answer a round for the strategy to hold what it promises."""
        return least_sites(self.name, self.options)

    @property
    def robust(self) -> bool:
        """Whether the strategy is there for sites that lie."""
        return strategy_named(self.name).robust


class Rounds(Closed):
    """How many rounds, how many sites must answer, how long to wait (seconds, or ``auto``), and what updates weigh.

    ``update`` is how numbers of an update travel. A slow site may take as few as ``least_steps`` local steps; None
    asks the same steps of all, and a site takes no fewer. With ``patience``, rounds end early: after so many in a row
    without a better mean on validation. With ``alone``, each site also tunes a prompt by itself, which the others
    score on test; with ``released`` these go into the pack that the hub gives back, too. Where sites count by their
    cases, none counts more than ``max_weight`` times the median site. ``scored``: how many of the rounds sites score on
    validation, spread evenly, the last among them; all of them where it is not said. With ``secure_sums`` the hub
    learns the sum of a round's updates alone.
    """

    count: Annotated[int, Field(ge=1, le=1000)] = 4
    quorum: Annotated[int, Field(ge=1, le=10_000)] | None = None
    deadline: Annotated[float, Field(gt=0, le=YEAR)] | Literal["auto"] = "auto"
    least_steps: Annotated[int, Field(ge=1, le=10_000)] | None = None
    patience: Annotated[int, Field(ge=1, le=1000)] | None = None
    scored: Annotated[int | None, Field(ge=1, le=1000, exclude_if=absent)] = None
    update: Precision = "float32"
    max_weight: Annotated[float, Field(ge=1, le=1000)] = 3.0
    strategy: Strategy = Strategy()
    groups: Annotated[Groups | None, Field(exclude_if=absent)] = None
    personal: Annotated[Personal | None, Field(exclude_if=absent)] = None
    keep_updates: Annotated[bool, Field(exclude_if=absent)] = False
    alone: Annotated[bool, Field(exclude_if=absent)] = False
    released: Annotated[bool, Field(exclude_if=absent)] = False
    secure_sums: Annotated[MaybeSecureSums, Field(exclude_if=absent)] = None

    @property
    def total(self) -> int:
        """The rounds of all together and, where there are groups, those of each group."""
        return self.count + (0 if self.groups is None else self.groups.rounds)

    @property
    def looks(self) -> int:
        """How many rounds are scored on validation: those of all together and, where there are groups, of a group."""
        groups = 0 if self.groups is None else len(self.scored_of(self.groups.rounds))
        return len(self.scored_of(self.count)) + groups

    def scored_of(self, count: int) -> tuple[int, ...]:
        """Return which of the rounds 1 to ``count`` are scored on validation, in order."""
        if self.scored is None or self.scored >= count:
            return tuple(range(1, count + 1))
        return tuple(-(-count * place // self.scored) for place in range(1, self.scored + 1))

    @model_validator(mode="after")
    def _enough(self) -> "Rounds":
        if self.patience is not None and self.scored is not None:
            raise ValueError("'patience' scores validation after each round, so remove 'scored'")
        if self.scored is not None and strategy_named(self.strategy.name).schedule == "buffered":
            raise ValueError(f"'{self.strategy.name}' scores each step at the end, so remove 'scored'")
        if self.patience is not None and strategy_named(self.strategy.name).schedule == "buffered":
            raise ValueError(
                f"'patience' scores validation after each round, but '{self.strategy.name}' looks once, at the end"
            )
        if self.quorum is not None and self.quorum < (least := self.strategy.least_sites):
            raise ValueError(
                f"strategy '{self.strategy.name}' with these options needs {least} sites in every round, but "
                f"the quorum is {self.quorum}; raise the quorum, lower 'liars', or use 'median'"
            )
        return self


class Privacy(Closed):
    """Nothing computed over fewer than ``min_cases`` cases leaves a site; a site sends at most ``replies`` replies.

    A split answers at most ``questions`` exact questions over its lifetime, a fifteenth of its cases where that is not
    said. Tune cases answer at most ``updates`` rounds over theirs, in all studies together: as many as this study has
    where that is not said. A cell of a confusion matrix, a calibration bin or a label's count has ``min_cell`` cases,
    or none is told. ``details`` says of which prompts such matrices and bins leave: of the study's templates, which a
    site's operator could read, or of ``all``, soft ones that a hub brings included. Of the latter right answers leave
    as a multiple of about the root of the cases (``study.rounding``), with ``totals`` and ``all`` exactly. ``scores``
    says who sees what single sites score: the hub alone, or the other sites too, in what the hub releases. No update is
    longer than ``max_norm``; ``auto`` is as long as the study's steps can make one.
    """

    min_cases: Annotated[int, Field(ge=1, le=MOST)] = 30
    min_cell: Annotated[int, Field(ge=1, le=1000)] = 5
    replies: Annotated[int, Field(ge=1, le=MOST)] = 10_000
    questions: Annotated[int, Field(ge=1, le=MOST)] | None = None
    updates: Annotated[int | None, Field(ge=1, le=MOST, exclude_if=absent)] = None
    details: Literal["templates", "totals", "all"] = "templates"
    max_norm: Annotated[float, Field(gt=0, le=1e12)] | Literal["auto"] = "auto"
    scores: Literal["hub", "sites"] = "hub"


class Splits(Closed):
    """Sizes of tune, validation and test: counts if above 1, fractions otherwise."""

    tune: Annotated[float, Field(gt=0, le=MOST)] = 0.4
    validation: Annotated[float, Field(gt=0, le=MOST)] = 0.3
    test: Annotated[float, Field(gt=0, le=MOST)] = 0.3


class Study(Closed):
    """One task that sites work on together."""

    study: StudyName
    model: Annotated[str, StringConstraints(min_length=1, max_length=300)] = "smollm2-135m-instruct"
    fields: Annotated[tuple[FieldName, ...], Field(min_length=1, max_length=64)]
    answer: Answer
    metric: Literal["accuracy", "score"] = "accuracy"
    templates: Annotated[tuple[TemplateSpec, ...], Field(min_length=1, max_length=1000)]
    soft: Soft | None = None
    tuning: Tuning = Tuning()
    rounds: Rounds = Rounds()
    privacy: Privacy = Privacy()
    splits: Splits = Splits()
    worth: Annotated[Worth | None, Field(exclude_if=absent)] = None
    head: Annotated[SharedHead | None, Field(exclude_if=absent)] = None
    tunable: Annotated[Tunable | None, Field(exclude_if=absent)] = None
    pretraining: Annotated[Pretraining | None, Field(exclude_if=absent)] = None
    dp: Annotated[DifferentialPrivacy | None, Field(exclude_if=absent)] = None

    _text_alone = model_validator(mode="before")(text_alone)

    @model_validator(mode="after")
    def _fits(self) -> "Study":
        for name in self.fields:
            if name in RESERVED:
                raise _misfit(("fields",), f"'{name}' is reserved for a template's slot; rename the field")
            if self.fields.count(name) > 1:
                raise _misfit(("fields",), f"the field '{name}' is listed twice; list each field once")
        names: set[str] = set()
        for place, spec in enumerate(self.templates):
            template = self._checked(("templates", place), spec.template)
            if template.name in names:
                raise _misfit(("templates", place), f"two templates are called '{template.name}'; rename one")
            if template.has_soft:
                raise _misfit(
                    ("templates", place),
                    f"template '{template.name}' has a {{soft}} slot; that belongs under 'soft:'",
                )
            names.add(template.name)
        if self.soft is not None and self.answer.type == "generate":
            raise _misfit(
                ("soft",),
                "a soft prompt is tuned on labels, but this study asks for free text; remove 'soft:', or use "
                "'answer: {type: choice, labels: [...]}'",
            )
        if self.soft is not None and not self._checked(("soft",), self.soft_template).has_soft:
            lacks = "soft.template has no" if self.soft.messages is None else "none of soft.messages has a"
            raise _misfit(("soft",), f"{lacks} {{soft}} slot")
        if self.rounds.least_steps is not None and self.rounds.least_steps > self.tuning.steps:
            raise _misfit(
                ("rounds", "least_steps"),
                f"least_steps ({self.rounds.least_steps}) is above tuning.steps ({self.tuning.steps}); lower it",
            )
        self._shared()
        return self

    @model_validator(mode="after")
    def _words_apart(self, info: ValidationInfo) -> "Study":
        if is_kept(info.context) or self.answer.type != "choice":
            return self
        given = [(("templates", place), spec.template()) for place, spec in enumerate(self.templates) if spec.words]
        soft = [] if self.soft is None or not self.soft.words else [(("soft",), self.soft_template())]
        for place, template in [*given, *soft]:
            if (found := alike((template.with_words(self.answer.labels).words or {}).values())) is None:
                continue
            one, other, difference = found
            raise _misfit(
                place,
                f"the label words {one!r} and {other!r} of '{template.name}' differ only in {difference}, so "
                "readers and chat models confuse them; give one of the labels another word",
            )
        return self

    @model_validator(mode="after")
    def _draws_enough(self, info: ValidationInfo) -> "Study":
        if self.moves is None or is_kept(info.context) or (self.dp is not None and self.dp.tunes):
            return self
        tuning, least = self.tuning, self.rounds.least_steps
        if (found := too_few_drawn(tuning.steps, least, tuning.batch, self.privacy.min_cases)) is not None:
            raise _misfit(*found)
        return self

    def _shared(self) -> None:
        """Refuse groups, choices and measurements that there is nothing to make of."""
        groups, personal, rounds = self.rounds.groups, self.rounds.personal, self.rounds
        if (
            self.pretraining is not None
            and (found := unfit_rounds(rounds, moves=self.moves is not None, dp=self.dp is not None)) is not None
        ):
            raise _misfit((found[0],), found[1])
        if self.tunable is not None:
            only = {"worth": self.worth, "head": self.head, "rounds.personal": personal}
            names = [spec.template().name for spec in self.templates]
            if (misfit := self.tunable.misfit(names, self.answer.type == "choice", only)) is not None:
                raise _misfit(*misfit)
        if self.worth is not None and (why := self.no_worth()) is not None:
            raise _misfit(("worth",), why)
        if (hidden := excluded(self) or dp_misfit(self)) is not None:
            raise _misfit(*hidden)
        if self.head is not None and self.soft is None:
            raise _misfit(("head",), "'head' is mixed with shared soft prompts, but the study has no 'soft:' part")
        for name, part in (("groups", groups), ("personal", personal), ("alone", self.rounds.alone or None)):
            if part is not None and self.moves is None:
                raise _misfit(("rounds", name), f"'{name}' needs tuned prompts, but the study has no 'soft:' part")
        if personal is not None and self.rounds.alone:
            raise _misfit(
                ("rounds", "alone"),
                "with 'personal' a site's own prompt stays at the site, but with 'alone' the others score it; "
                "use only one",
            )
        if self.rounds.released and not self.rounds.alone:
            raise _misfit(
                ("rounds", "released"),
                "'released' releases the prompts that sites tune alone, but without 'alone: true' there are "
                "none; use both, or remove 'released'",
            )
        if groups is not None and groups.by == "templates" and len(self.templates) < 3:
            raise _misfit(
                ("rounds", "groups"),
                "comparing sites by template scores needs at least 3 templates, but there are "
                f"{len(self.templates)}; add some, or use 'by: updates'",
            )
        if groups is not None and groups.smallest < (least := self.rounds.strategy.least_sites):
            raise _misfit(
                ("rounds", "groups"),
                f"strategy '{self.rounds.strategy.name}' with these options needs {least} sites, but a group "
                f"may have {groups.smallest}; raise 'smallest', or use another strategy",
            )

    def _checked(self, place: tuple[str | int, ...], make: Callable[[], Template]) -> Template:
        """Return a template that fits the labels and the fields; what is wrong is said of its place."""
        try:
            template = make()
            if self.answer.type == "choice":
                template = template.with_words(self.answer.labels)
        except PromptError as error:
            raise _misfit(place, str(error)) from error
        if unknown := [name for name in template.variables if name not in self.fields]:
            raise _misfit(
                place,
                f"template '{template.name}' names the field '{unknown[0][:80]}', which is not among the study's "
                f"fields ({', '.join(self.fields)}){did_you_mean(unknown[0][:80], self.fields)}",
            )
        return template

    def candidates(self) -> tuple[Template, ...]:
        """Return the candidate templates, a word for every label where the answer is a choice."""
        plain = tuple(spec.template() for spec in self.templates)
        return plain if self.answer.type == "generate" else tuple(t.with_words(self.answer.labels) for t in plain)

    def soft_template(self) -> Template:
        """Return the template with the soft slot.

        Raises:
            PromptError: the study has none.
        """
        if self.soft is None:
            raise PromptError(
                f"the study '{self.study}' has no 'soft:' part, so there is nothing to tune", code="no-soft-part"
            )
        return self.soft.slot().with_words(self.answer.labels)

    @property
    def moves(self) -> str | None:
        """The name of what its rounds move, None where it has no rounds."""
        soft = None if self.soft is None else "soft"
        return soft if self.tunable is None else self.tunable.name

    @property
    def rate(self) -> float:
        """AdamW's learning rate of its rounds: of what they move, or of its tuning."""
        return (self.tunable and self.tunable.lr) or self.tuning.lr

    def tuned_template(self) -> Template:
        """Return the template that rounds tune for.

        Raises:
            PromptError: the study has no rounds.
        """
        if self.tunable is None:
            return self.soft_template()
        return next(one for one in self.candidates() if self.tunable.template in (None, one.name))

    def no_worth(self) -> str | None:
        """Return why it cannot be measured what joining is worth, None where it can."""
        name = self.rounds.strategy.name
        if self.soft is None:
            return "'worth' needs shared soft prompts, but the study has no 'soft:' part"
        if strategy_named(name).schedule == "buffered":
            return f"'worth' repeats the rounds without some sites, but '{name}' has no rounds; use another strategy"
        return None

    def questions(self, cases: int) -> int:
        """Return how many exact questions a split of so many independent cases answers over its lifetime, at most."""
        return max(1, cases // SHARE) if self.privacy.questions is None else self.privacy.questions

    def alone(self) -> "Study":
        """Return the study for rounds of a single site: no strategy for many, no quorum, nothing to liken."""
        nobody = dict.fromkeys(("quorum", "groups", "personal", "secure_sums"))
        nothing = dict.fromkeys(("keep_updates", "alone", "released"), False)
        plain = {"strategy": Strategy(), **nobody, **nothing}
        rounds = self.rounds.model_copy(update=plain)
        return self.model_copy(update={"rounds": rounds})

    def at_home(self) -> "Study":
        """Return :meth:`alone` with every round scored: ``scored`` bounds what a hub learns, and here there is none."""
        own = self.alone()
        return own.model_copy(update={"rounds": own.rounds.model_copy(update={"scored": None})})

    def digest(self, model: str) -> str:
        """Return the study's id, ``s1:`` and a digest over canonical JSON and the model's digest."""
        return study_digest(self.model_dump(mode="json"), model)


def study_digest(content: Mapping[str, Any], model: str) -> str:
    """Return the id of a study's JSON, defaults filled in as they were when it was written, and the model's digest."""
    return content_id("s1", canonical_json({"model_digest": model, "study": dict(content)}))


def _misfit(place: tuple[str | int, ...], reason: str) -> PydanticCustomError:
    """Return an error of the whole study whose context says which part does not fit the others."""
    return PydanticCustomError("misfit", "{reason}", {"reason": reason, "place": place})
